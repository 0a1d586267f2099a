"""The library's classics: what they are."""

import pytest

from apochromat.optics.analyses import relative_illumination
from apochromat.optics.files import lens, read_lens
from apochromat.optics.first_order import first_order
from apochromat.optics.glass import glass

CROP = 2.7  # of the 1-inch type, 13.2 x 8.8 mm, against 36 x 24 mm
CLASSICS = {"classic-gauss-35": 35, "classic-petzval-50": 50, "classic-soft-90": 90}


@pytest.mark.parametrize(("name", "equivalent"), CLASSICS.items())
def test_focal_length_glass_and_plates(name, equivalent):
    found = lens(name)
    assert float(first_order(found).efl_mm) == pytest.approx(equivalent / CROP, rel=0.01)
    assert {"cover", "filter", "stop"} <= {s.kind for s in found.info.surfaces}
    assert found.info.image_radius_mm == 7.93
    for surface in read_lens(name).surfaces:
        assert isinstance(surface.glass, str)
        if surface.glass:
            assert glass(surface.glass).range_nm[0] <= 435.9


@pytest.mark.parametrize("name", CLASSICS)
def test_the_corner_is_lit(name):
    assert relative_illumination.compute(lens(name)).relative[-1] >= 0.35
