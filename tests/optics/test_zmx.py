"""Zemax files in and out: the published lenses against their reports, every record that is followed, and every refusal."""

import math
import re
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from lens_samples import HEAD, IMAGE, LENS, SAMPLE, TAIL, ZOOM, assert_same, zmx_lens

from apochromat.cli.app import run
from apochromat.optics import opening, plain
from apochromat.optics.build import build, to_prescription
from apochromat.optics.errors import LensError
from apochromat.optics.files import lens as load
from apochromat.optics.files import library, read_lens
from apochromat.optics.model_glass import model_index
from apochromat.optics.prescription import Dispersion, checked
from apochromat.optics.summary import summary
from apochromat.optics.zmx_read import read_zmx
from apochromat.optics.zmx_write import write_zmx

LENSES = ("10281683", "1998704a", "2117252a", "6744570a", "Smith1998a")
NUMBER = r"([-+\d.e]+)"


def reported(text, name):
    """A value of a report's system data."""
    return float(re.search(rf"^{re.escape(name)}\s*:\s*{NUMBER}", text, re.M)[1])


def marginal_height(lens):
    """Height at surface 0 of the real ray on axis through the stop's rim."""
    at_primary = opening.index_at(lens)
    return float(plain.aimed(lens, np.zeros((2, 1)), np.array([0.0, 1.0]).reshape(2, 1, 1), at_primary, 0)[1, 0, 0])


@pytest.mark.parametrize("name", LENSES)
def test_published_lens_agrees_with_its_report(shared, name):
    """Six digits of what `apo lens show --json` says, from the file alone: its model glass, catalogue glass and pickups."""
    report = (shared / "data" / "lens" / f"{name}.txt").read_text(encoding="utf-8")
    lens = build(read_zmx(shared / "data" / "lens" / f"{name}.zmx"))
    shown, height = summary(lens), marginal_height(lens)
    first = shown["first_order"][lens.info.primary]
    for value, key in (
        (shown["efl_mm"], "Effective Focal Length"),
        (shown["bfl_mm"], "Back Focal Length"),
        (shown["f_number"], "Working F/#"),
        (shown["total_track_mm"], "Total Track"),
        (first["entrance_pupil_position_mm"], "Entrance Pupil Position"),
        (first["exit_pupil_position_mm"], "Exit Pupil Position"),
        (2 * height, "Entrance Pupil Diameter"),
        (shown["efl_mm"] / (2 * height), "Image Space F/#"),
    ):
        expected = reported(report, key)
        assert abs(value - expected) <= 0.51 * 10.0 ** (math.floor(math.log10(abs(expected))) - 5), key


@pytest.mark.parametrize("name", LENSES)
def test_glass_of_a_published_lens_has_the_indices_of_its_report(shared, name):
    """Every medium at d as the program has it, be it a model, of the catalogue, or picked up; Abbe numbers follow."""
    report = (shared / "data" / "lens" / f"{name}.txt").read_text(encoding="utf-8")
    table = report.split("INDEX OF REFRACTION DATA")[1].split("THERMAL")[0]
    rows = re.findall(rf"^ +\d+\s.*?1\.00\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}\s*$", table, re.M)
    printed = np.array(rows, float)[1:-1]  # without object and image
    lens = build(read_zmx(shared / "data" / "lens" / f"{name}.zmx"))
    f, d, c = (opening.index_at(lens, nm)[1:] for nm in lens.info.wavelengths_nm)
    np.testing.assert_allclose(d, printed[:, 1], rtol=0, atol=3e-8)
    np.testing.assert_allclose(f - c, printed[:, 0] - printed[:, 2], rtol=0, atol=6e-8)


def test_records_of_a_published_lens(shared):
    prescription = read_lens(shared / "data" / "lens" / "10281683.zmx")
    assert prescription.name == "US Patent 10,281,683"
    assert prescription.aperture.entrance_pupil_mm == 2.75
    assert prescription.wavelengths.nm == (486.1327, 587.5618, 656.2725)
    assert prescription.wavelengths.primary_nm == 587.5618
    assert prescription.fields.points == ((0, 0), (0, 10), (0, 20))
    assert prescription.fields.vignetting[2] == pytest.approx((0, -0.5181739781745, 0.1005607066154, 0.5182250350952, 0))
    stop = prescription.surfaces[2]
    assert (stop.kind, stop.thickness) == ("stop", -0.4759)  # picked up from the surface before, times -1
    assert prescription.surfaces[3].even[:3] == (0, 1.400407e-4, -2.874923e-3)
    assert prescription.surfaces[13].semi_diameter == 1.336659214358
    assert prescription.surfaces[3].semi_diameter is None


def written(tmp_path, text, encoding="utf-16"):
    path = tmp_path / "sample.zmx"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8", "utf-8-sig", "latin-1"])
def test_sample_in_every_encoding(tmp_path, encoding):
    p = read_zmx(written(tmp_path, SAMPLE.replace("Sample", "Sämple"), encoding))
    assert p.name == "Sämple"
    assert p.fields.points == ((0, 0), (1, 10))  # two of five columns count
    assert (p.wavelengths.nm, p.wavelengths.weights, p.wavelengths.primary) == ((486.1327, 587.5618), (1, 2), 1)
    first, second = p.surfaces
    assert (first.curvature, first.conic, first.even[:2], first.glass, first.stop) == (0.02, -0.5, (0, 1e-5), "N-BK7", True)
    assert (first.semi_diameter, second.semi_diameter, second.thickness) == (None, 5, 48)
    assert p.notes == ()


@pytest.mark.parametrize(
    ("record", "aperture"),
    [
        ("FNUM 4.0 0", {"paraxial_f_number": 4}),
        ("FNUM 4.0 1", {"paraxial_working_f_number": 4}),
        ("OBNA 0.1 0", {"object_na": 0.1}),
        ("FLOA", {"stop_radius_mm": 5}),
    ],
)
def test_aperture_records(tmp_path, record, aperture):
    p = read_zmx(written(tmp_path, SAMPLE.replace("ENPD 4.0", record)))
    assert p.aperture.model_dump(exclude_defaults=True) == aperture


def test_lens_units_become_millimetres(tmp_path):
    p = read_zmx(written(tmp_path, SAMPLE.replace("UNIT MM", "UNIT IN")))
    first = p.surfaces[0]
    assert first.thickness == pytest.approx(3 * 25.4)
    assert first.curvature == pytest.approx(0.02 / 25.4)
    assert first.even[1] == pytest.approx(1e-5 / 25.4**3)
    assert p.aperture.entrance_pupil_mm == pytest.approx(4 * 25.4)


def test_apertures_field_types_glass_and_extended_aspheres(tmp_path):
    text = SAMPLE.replace("FTYP 0", "FTYP 3").replace("DIAM 5.0 1", "CLAP 0.5 4.5 0\n  OBSC 0 1.5 0\n  DIAM 5.0 1")
    text = text.replace("TYPE EVENASPH", "TYPE XASPHERE\n  XDAT 1 2\n  XDAT 2 2.0\n  XDAT 3 4.0\n  XDAT 4 8.0")
    text = text.replace("GLAS N-BK7 0 0 1.5168 64.17 0 0 0 0 0 0", "GLAS ___BLANK 1 0 1.6 40 0.01 0 0 0 0 0")
    p = read_zmx(written(tmp_path, text))
    assert p.fields.kind == "real_image_height"
    assert (p.surfaces[1].semi_diameter, p.surfaces[1].inner_radius) == (4.5, 1.5)
    assert p.surfaces[0].even == (1.0, 0.5, 0, 0, 0, 0, 0, 0)  # 4 (r/2)^2 + 8 (r/2)^4
    assert p.surfaces[0].glass.dpgf == 0.01
    at_lines = [model_index(p.surfaces[0].glass.nd, p.surfaces[0].glass.vd, 0.01, nm) for nm in (486.1, 587.6, 656.3)]
    assert (at_lines[1], (at_lines[1] - 1) / (at_lines[0] - at_lines[2])) == (pytest.approx(1.6), pytest.approx(40, abs=1e-9))


def test_offsets_of_a_catalogue_glass(tmp_path):
    p = read_zmx(written(tmp_path, SAMPLE.replace("GLAS N-BK7 0 0 1.5168 64.17 0 0 0 0 0 0", "GLAS N-BK7 4 0 1.5 40 0 0 0 0 1e-3 -0.5")))
    glass = p.surfaces[0]
    assert glass.nd_shift == 1e-3
    assert glass.dispersion_shift == pytest.approx((0.5178 / 63.667) / (0.5168 / 64.167) - 1, rel=1e-3)


MIRROR = """SURF {0}
  TYPE STANDARD
  CURV {1} 0 0 0 0 ""
  GLAS MIRROR 0 0 1.5 40 0 0 0 0 0 0
  DISZ {2}
  DIAM 20 1 0 0 1 ""
"""
BREAK = """SURF {0}
  TYPE COORDBRK
  CURV 0.0 0 0 0 0 ""
  PARM 1 {1}
  PARM 2 {2}
  PARM 3 {3}
  PARM 4 {4}
  PARM 6 {5}
  DISZ {6}
"""


def test_powered_mirrors_keep_their_sign(tmp_path):
    text = zmx_lens(MIRROR.format(1, "-0.005", "-60").replace("TYPE", "STOP\n  TYPE") + MIRROR.format(2, "-0.01", "80"))
    p = read_zmx(written(tmp_path, text))
    assert [(s.kind, s.bend, s.thickness) for s in p.surfaces] == [("mirror", -0.005, -60), ("mirror", -0.01, 80)]


def test_a_fold_is_unfolded(tmp_path):
    behind = LENS.replace("SURF 1", "SURF 6").replace("SURF 2", "SURF 7").replace("  STOP\n", "")
    behind = behind.replace("DISZ 3.0", "DISZ -3.0").replace("DISZ 48.0", "DISZ -20.0")
    fold = BREAK.format(3, 0, 0, 45, 0, 0, 0) + MIRROR.format(4, "0.0", "0") + BREAK.format(5, 0, 0, 45, 0, 0, "-9")
    p = read_zmx(written(tmp_path, zmx_lens(LENS + fold + behind)))
    mirror, third = p.surfaces[2], p.surfaces[3]
    assert (mirror.kind, mirror.thickness) == ("fold", 9)
    assert (third.bend, third.thickness, third.even[1], third.conic) == (-0.02, 3, -1e-5, -0.5)
    assert p.surfaces[4].thickness == 20
    assert any("fold mirror" in note for note in p.notes)


def test_tilt_of_one_surface_and_a_break_without_effect(tmp_path):
    second = LENS[LENS.index("SURF 2") :].replace("SURF 2", "SURF 3").replace("DISZ 48.0", "DISZ 0")
    lens = LENS[: LENS.index("SURF 2")] + BREAK.format(2, 0.1, 0.2, 1, -2, 0, 0) + second + BREAK.format(4, -0.1, -0.2, -1, 2, 1, 40)
    p = read_zmx(written(tmp_path, zmx_lens(lens + BREAK.format(5, 0, 0, 0, 0, 0, 8))))
    second = p.surfaces[1]
    assert (second.decenter_mm, second.tilt_deg, second.thickness) == ((0.1, 0.2), (1, -2), 48)
    with pytest.raises(LensError, match="expected coordinate breaks to fold by 45 degrees or to be undone, found surface 3"):
        read_zmx(written(tmp_path, zmx_lens(LENS + BREAK.format(3, 0, 0, 10, 0, 0, 0))))


CONFIGURATIONS = """MNUM 3 1
MOFF   0   1 "" 0 0 0 1 1 0 0.0 "" 0
THIC   0   1 1.0E+10 0 0 0 1 1 1 0 0 "" 0
THIC   0   2 3000 0 0 0 1 1 1 0 0 "" 0
THIC   0   3 1000 0 0 0 1 1 1 0 0 "" 0
THIC   2   1 48.0 0 0 0 1 1 1 0 0 "" 0
THIC   2   2 46.0 0 0 0 1 1 1 0 0 "" 0
THIC   2   3 44.0 0 0 0 1 1 1 0 0 "" 0
APER   0   1 4.0 0 0 0 1 1 1 0 0 "" 0
APER   0   2 3.9 0 0 0 1 1 1 0 0 "" 0
APER   0   3 3.8 0 0 0 1 1 1 0 0 "" 0
YFIE   2   1 10 0 0 0 1 1 1 0 0 "" 0
YFIE   2   2 9 0 0 0 1 1 1 0 0 "" 0
"""
DUMMY = """SURF {0}
  TYPE STANDARD
  CURV 0.0 0 0 0 0 ""
  DISZ 2.0
  {1}
"""


def test_configurations_with_pickups_and_compensators(tmp_path):
    text = zmx_lens(LENS + DUMMY.format(3, "PZUP 2 0.5 1 0") + DUMMY.format(4, "TCOM 2 50"), tail=CONFIGURATIONS)
    p = read_zmx(written(tmp_path, text))
    assert [c.object_distance_mm for c in p.configurations] == [math.inf, 3000, 1000]
    assert [s.thickness for s in p.surfaces] == [3, (48, 46, 44), (25, 24, 23), (2, 4, 6)]
    assert p.aperture.entrance_pupil_mm == (4, 3.9, 3.8)
    assert p.notes == ("configurations: YFIE 2 moves in the file and is not followed",)


def test_what_is_not_followed_is_listed(tmp_path):
    text = SAMPLE.replace("  DISZ 48.0", "  DISZ 48.0\n  MAZH 0 0\n  ABCD 1\n  ABCD 2").replace("ENPD 4.0", "ENPD 4.0\nENVD 40 1 0\nWXYZ 3")
    text = text.replace("BLNK\n", "BLNK\nEFFL 0 2 0 0 0 0 1.0E+2 1 0 0\nTOL TRAD 1 0 0\n").replace("FWGN 1 1", "FWGN 1 2")
    notes = " | ".join(read_zmx(written(tmp_path, text)).notes)
    for words in ("thickness is solved for", "ABCD (2 lines), WXYZ", "40 °C", "merit function: 1", "tolerances: 1", "weights of the"):
        assert words in notes


CYCLE = DUMMY.format(3, "PZUP 4 1 0 0") + DUMMY.format(4, "PZUP 3 1 0 0")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SAMPLE.replace("TYPE EVENASPH", "TYPE BICONICX"), "found BICONICX at surface 1"),
        (SAMPLE.replace("MODE SEQ", "MODE NSC"), "expected a sequential lens .* found MODE NSC"),
        (SAMPLE.replace("UNIT MM", "UNIT FURLONG"), "expected lens units .* found FURLONG"),
        (SAMPLE.replace("  STOP\n", ""), "expected one stop .* found none"),
        (HEAD + LENS, "expected a flat image|expected an object, 1 to"),
        (HEAD + LENS + "SURF 3\n  GLAS N-BK7 0 0 1.5 40\n", "expected a flat image after the last surface, found surface 3 of the lens"),
        (HEAD + IMAGE.format(number=1) + TAIL, "found 2 surfaces in all"),
        (SAMPLE.replace("FTYP 0 0 2", "FTYP 0 0 0"), "expected 1 to 1000 fields .* found none"),
        (SAMPLE.replace("FTYP 0 0 2", "FTYP 0 0 99999999"), "expected 1 to 1000 fields .* found 99999999"),
        (SAMPLE.replace("PWAV 2", "PWAV 1e999"), "expected a whole number as word 1 of PWAV, found inf"),
        (SAMPLE.replace("FTYP 0 0 2 2", "FTYP 0 0 2 5"), r"expected 5 wavelengths \(WAVM\), found 3"),
        (SAMPLE.replace("FTYP 0 0", "FTYP 0 1"), "neither telecentric"),
        (SAMPLE.replace("ENPD 4.0\n", ""), "expected an aperture"),
        (SAMPLE.replace("CURV 2.0E-2", "CURV NAN"), "expected a number as word 1 of CURV, found 'NAN', in line 22"),
        (SAMPLE.replace("DISZ 48.0", "DISZ -9"), "expected the image behind surface 2"),
        (SAMPLE.replace("DISZ 3.0", "DISZ -3.0"), "expected surface 2 behind surface 1, .* cross"),
        (SAMPLE.replace("SURF 2", "SURF 7"), "expected SURF 2, found 'SURF 7'"),
        (SAMPLE.replace("N-BK7 0 0 1.5168", "N-BK7 0 0 x"), "expected numbers in GLAS, found"),
        (zmx_lens(LENS + CYCLE), "a cycle: thickness of surface 3 from surface 4 from surface 3"),
        (zmx_lens(LENS + DUMMY.format(3, "PZUP 30 1 0 0")), "expected a pickup from surfaces 0 to 4, found 30"),
        (SAMPLE.replace("N-BK7 0 0", "N-BK7 2 1"), "a cycle: glass of surface 1 from surface 1"),
        (zmx_lens(LENS, tail="MNUM 2 1\nCRVT 1 1 0.1 0\nCRVT 1 2 0.2 0\n"), "found CRVT of surface 1 moving"),
        (zmx_lens(LENS, tail="MNUM 2 1\nPRAM 1 1 0.1 0\nPRAM 1 2 0.2 0\n"), "found PRAM of surface 1 moving"),
        ("a shopping list\n" * 10_000, "expected a Zemax lens file"),
        (zmx_lens(LENS + "".join(DUMMY.format(i, "") for i in range(3, 2000))), "expected an object, 1 to 120 surfaces"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, text, words):
    with pytest.raises(LensError, match=words) as caught:
        read_zmx(written(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "sample.zmx" in str(caught.value)


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xdb" + bytes(range(256)) * 40 + b"\xff\xd9"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "expected a Zemax lens file, found none of its records"),
        (JPEG, "expected a Zemax lens file, found none of its records"),
        (None, "expected a lens file, found a folder"),
        (SAMPLE.replace("TYPE EVENASPH", "TYPE BICONICX"), "found BICONICX at surface 1"),
        (SAMPLE.replace("DISZ 3.0", "DISZ -3.0"), "expected surface 2 behind surface 1, found it 3 mm before, so they cross"),
        (SAMPLE.replace("  STOP\n", ""), "expected one stop (STOP), found none"),
        (HEAD + LENS, "expected a flat image after the last surface, found surface 2 of the lens"),
        (
            SAMPLE.replace("ENPD 4.0", "ENPD 500"),
            "expected the marginal ray of entrance_pupil_mm 500 to pass, found it failing at surface 1",
        ),
        (SAMPLE.replace("DIAM 5.0 1", "OBSC 0 9 0\n  DIAM 5.0 1"), "found that all fail, the first of them at surface 2"),
        (SAMPLE.replace("FTYP 0 0 2", "FTYP 0 0 0"), "expected 1 to 1000 fields (FTYP), found none"),
        (
            SAMPLE.replace("4.861327E-1", "9.5"),
            "expected wavelengths from 300 to 2500 nm, where N-BK7 behind surface 1 has data, found 9500 nm",
        ),
        (zmx_lens(LENS + CYCLE), "expected pickups that end, found a cycle"),
        (SAMPLE.replace("CURV 2.0E-2", "CURV NAN"), "expected a number as word 1 of CURV, found 'NAN', in line 22"),
        ("SURF 0\n" * 10_000, "expected SURF 1, found 'SURF 0', in line 2"),
    ],
    ids=[
        *("empty", "jpeg", "folder", "type", "crossing", "stop", "image", "aperture"),
        *("blocked", "fields", "wavelength", "cycle", "nan", "long"),
    ],
)
def test_the_command_line_refuses_in_one_sentence(tmp_path, capsys, content, sentence):
    path = tmp_path / "sample.zmx"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-16"))
    assert run(["lens", "show", str(path), "--json"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert sentence in shown.err
    assert shown.err.rstrip(".\n").endswith("sample.zmx")


def test_a_long_merit_function_is_no_hindrance(tmp_path):
    text = SAMPLE.replace("BLNK\n", "TRAC 0 1 0 0 1.1E-1 0 0 1.2E-2 0 0\n" * 10_000)
    assert read_zmx(written(tmp_path, text)).notes == ("merit function: 10000 operands are not followed",)


@pytest.fixture(scope="module")
def zoom():
    return build(checked(tomllib.loads(ZOOM), "zoom"))


def test_out_and_in_again_is_the_same_lens_in_every_configuration(zoom, tmp_path):
    write_zmx(zoom, tmp_path / "zoom.zmx")
    again = build(read_zmx(tmp_path / "zoom.zmx"))
    assert (tmp_path / "zoom.zmx").read_bytes()[:2] == b"\xff\xfe"
    assert_same(again, zoom)


@pytest.mark.parametrize("name", library())
def test_every_library_lens_comes_back_as_it_was(name, tmp_path):
    """All but what the format has no place for: groups, moulding, the pixel pitch."""
    lens = load(name)
    write_zmx(lens, tmp_path / "lens.zmx")
    again = load(tmp_path / "lens.zmx")
    surfaces = tuple(replace(a, group=b.group, moulded=b.moulded) for a, b in zip(again.info.surfaces, lens.info.surfaces, strict=True))
    assert_same(again.replace(info=replace(again.info, surfaces=surfaces, pixel_um=lens.info.pixel_um)), lens)


def test_shifted_glass_goes_out_as_offsets_and_coefficients_do_not(zoom, tmp_path):
    shifted = zoom.replace(nd_shift=zoom.nd_shift + 1e-4 * np.eye(9)[0], dispersion_shift=zoom.dispersion_shift + 2e-3 * np.eye(9)[0])
    write_zmx(shifted, tmp_path / "shifted.zmx")
    row = read_zmx(tmp_path / "shifted.zmx").surfaces[0]
    assert (row.nd_shift, row.dispersion_shift) == (pytest.approx(1e-4, rel=1e-12), pytest.approx(2e-3, rel=1e-9))
    nameless = zoom.replace(coefficients=zoom.coefficients * 1.0001)
    with pytest.raises(LensError, match="expected catalogue or model glass"):
        write_zmx(nameless, tmp_path / "none.zmx")
    assert not (tmp_path / "none.zmx").exists()
    assert isinstance(to_prescription(nameless).surfaces[0].glass, Dispersion)
