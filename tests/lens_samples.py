"""Small lenses for tests: as TOML documents and as Zemax text."""

import numpy as np

TWO_DISTANCES = """
[[configuration]]
name = "infinity"

[[configuration]]
name = "1 m"
object_distance_mm = 1000
"""

ZOOM = (
    """
name = "two positions"
source = "made up for tests"
notes = ["a \\"quoted\\" note"]

[aperture]
f_number = [4.0, 4.5]

[fields]
points = [0, 3.5, [2, 5]]

[wavelengths]
nm = [486.1327, 587.5618, 656.2725]
weights = [1, 2, 1]

[sensor]
image_radius_mm = 4.0
"""
    + TWO_DISTANCES
    + """
[[surface]]
radius = 30.0
thickness = 3
glass = "N-BK7"
semi_diameter = 6

[[surface]]
radius = -31.7
thickness = 1.5
glass = "F2"
even = [0, 1e-6]
semi_diameter = 6

[[surface]]
radius = -120
thickness = [2.0, 1.0]
semi_diameter = 6
label = "gap"

[[surface]]
kind = "stop"
thickness = [5.0, 6.2]
semi_diameter = 5

[[surface]]
kind = "fold"
thickness = 4
semi_diameter = 7

[[surface]]
radius = 60.3
thickness = 2
glass = { nd = 1.53, vd = 55.8, dpgf = 0.001 }
conic = -1.3
semi_diameter = 5
tilt_deg = [0.1, -0.05]
decenter_mm = [0.01, 0.02]

[[surface]]
radius = -60
thickness = 30
semi_diameter = inf
inner_radius = 0.5

[[surface]]
kind = "filter"
label = "IR cut"
glass = "N-BK7"
thickness = 0.3
semi_diameter = 5

[[surface]]
thickness = 3.0
semi_diameter = 5
"""
)

HEAD = """VERS 150514 377 37269
MODE SEQ
NAME Sample
UNIT MM X W X CM MR CPMM
ENPD 4.0
GCAT SCHOTT
FTYP 0 0 2 2 0 0 0
XFLN 0 1 9 9 9
YFLN 0 10 9 9 9
FWGN 1 1 1 1 1
WAVM 1 4.861327E-1 1
WAVM 2 5.875618E-1 2
WAVM 3 5.5E-1 1
PWAV 2
SURF 0
  TYPE STANDARD
  CURV 0.0 0 0 0 0 ""
  DISZ INFINITY
"""
LENS = """SURF 1
  STOP
  TYPE EVENASPH
  CURV 2.0E-2 0 0 0 0 ""
  PARM 1 0
  PARM 2 1.0E-5
  CONI -5.0E-1
  DISZ 3.0
  GLAS N-BK7 0 0 1.5168 64.17 0 0 0 0 0 0
  DIAM 5.0 0 0 0 1 ""
SURF 2
  TYPE STANDARD
  CURV -2.0E-2 0 0 0 0 ""
  DISZ 48.0
  DIAM 5.0 1 0 0 1 ""
"""
IMAGE = """SURF {number}
  TYPE STANDARD
  CURV 0.0 0 0 0 0 ""
  DISZ 0
  DIAM 4.0 0 0 0 1 ""
"""
TAIL = """BLNK
TOL TOFF   0   0              0              0   0 0 0 0
MNUM 1 1
MOFF   0   1 "" 0 0 0 1 1 0 0.0 "" 0
"""
SAMPLE = HEAD + LENS + IMAGE.format(number=3) + TAIL


def zmx_lens(surfaces: str, head: str = HEAD, tail: str = TAIL) -> str:
    """A .zmx text with other surfaces between object and image."""
    return head + surfaces + IMAGE.format(number=surfaces.count("SURF ") + 1) + tail


def assert_same(again, lens) -> None:
    """Two lenses are the same to the last bit; tilts, turned into degrees and back, to rounding."""
    for name in ("curvature", "conic", "even", "thickness", "object_vergence", "stop_radius", "semi_diameter", "inner_radius", "model"):
        np.testing.assert_array_equal(getattr(again, name), getattr(lens, name), err_msg=name)
    for name in ("coefficients", "fields", "decenter"):
        np.testing.assert_array_equal(getattr(again, name), getattr(lens, name), err_msg=name)
    np.testing.assert_allclose(again.tilt, lens.tilt, rtol=1e-15)
    assert again.info == lens.info
