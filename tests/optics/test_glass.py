"""The glass catalogue against what the makers print, conversions in closed form, thermal data, model glass against real glasses."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from apochromat.optics import glass as catalogue
from apochromat.optics.errors import LensError
from apochromat.optics.glass import UnknownGlass, glass, glasses, index_of, near, nearest
from apochromat.optics.model_glass import C_NM, D_NM, E_NM, F_NM, G_NM, model_index, normal_pgf
from apochromat.optics.thermal import air_index

LINES = (G_NM, F_NM, E_NM, D_NM, C_NM)
EXAMPLES = Path(__file__).parents[2] / "examples" / "lenses"

PRINTED = {  # ng, nF, ne, nd, nC of the makers' data sheets
    "N-BK7": (1.52668, 1.52238, 1.51872, 1.51680, 1.51432),
    "F2": (1.64202, 1.63208, 1.62408, 1.62004, 1.61503),
    "S-FPL51": (1.50451, 1.50123, 1.49845, 1.49700, 1.49514),
    "S-FPL53": (1.44442, 1.44195, 1.43985, 1.43875, 1.43733),
    "S-FPM2": (1.60612, 1.60134, 1.59732, 1.59522, 1.59255),
    "S-NPH3": (2.03488, 1.99866, 1.97188, 1.95906, 1.94376),
    "FC5": (1.49594, 1.49227, 1.48914, 1.48749, 1.48535),
    "J-FKH1": (1.505256, 1.502009, 1.499259, 1.49782, 1.49598),
    "K-BOC30": (2.05766, 2.03420, 2.01587, 2.00680, 1.99575),
}
DEVIATION = {"N-FK51A": 0.0342, "N-KZFS4": -0.0100, "N-KZFS11": -0.0120, "SF6": 0.0092, "N-BK7": -0.0009, "F2": 0.0002, "N-LAK34": -0.0079}


def oracle(coefficients, wavelength_nm):
    """The dispersion formula term by term, in its own order."""
    w = wavelength_nm / 1000
    square = sum(c * w**p for c, p in zip(coefficients[:7], (0, 2, 4, -2, -4, -6, -8), strict=True))
    return float(np.sqrt(square + sum(b * w**2 / (w**2 - c) for b, c in zip(coefficients[7::2], coefficients[8::2], strict=True))))


def test_catalogue_holds_what_a_telephoto_needs():
    found = Counter(g.maker for g in glasses() if not g.moulded)
    assert all(found[maker] >= 25 for maker in ("SCHOTT", "OHARA", "HOYA", "CDGM", "HIKARI", "SUMITA")), found
    assert sum(g.listed for g in glasses() if not g.moulded) >= 150
    assert sum(g.moulded for g in glasses()) >= 8
    fluor, short_flint = "N-FK51A N-FK58 S-FPL51 S-FPL53 FCD1 FCD100 H-FK61", "N-KZFS4 N-KZFS5 N-KZFS8 N-KZFS11 S-NBM51 SF6"
    for name in (fluor + " " + short_flint).split():
        assert abs(glass(name).dpgf) > 0.002, name
    assert all(g.source and g.range_nm[0] < 435.9 and g.range_nm[1] > 656.2 for g in glasses())


def test_every_glass_meets_what_its_maker_prints():
    gated = 0
    for g in glasses():
        if g.moulded:
            continue
        blue, f, _, nd, c = (oracle(g.coefficients, line) for line in LINES)
        nd_printed, vd_printed, pgf_printed = g.sheet
        assert abs(nd - nd_printed) <= 1e-5 + 1e-12, g
        assert abs((nd - 1) / (f - c) - vd_printed) <= 0.1, g
        if not np.isnan(pgf_printed):
            assert abs((blue - f) / (f - c) - pgf_printed) <= 5e-4, g
            gated += not np.isnan(pgf_printed)
        assert (g.nd, g.vd, g.pgf) == pytest.approx((nd, (nd - 1) / (f - c), (blue - f) / (f - c)), abs=1e-10)
    assert gated >= 700


def test_plastics_meet_what_is_printed():
    for g in (g for g in glasses() if g.moulded and not np.isnan(g.sheet[0])):
        assert (g.nd, g.vd) == (pytest.approx(g.sheet[0], abs=6e-5), pytest.approx(g.sheet[1], abs=0.2)), g.name


@pytest.mark.parametrize("name", PRINTED)
def test_indices_as_printed(name):
    np.testing.assert_allclose(glass(name).index(np.array(LINES)), PRINTED[name], rtol=0, atol=1.05e-5)


def test_deviation_from_the_normal_line():
    for name, printed in DEVIATION.items():
        assert glass(name).dpgf == pytest.approx(printed, abs=3e-4), name
    assert normal_pgf(60.0) == pytest.approx(0.6438 - 0.001682 * 60, abs=2e-4)


def test_formula_broadcasts_and_gives_floats():
    coefficients = np.array([glass("N-BK7").coefficients, glass("FCD100").coefficients])
    assert index_of(coefficients[:, None], np.array(LINES)).shape == (2, 5)
    assert isinstance(glass("N-BK7").index(550), float)
    assert glass("FCD100").index(550.0) == pytest.approx(oracle(glass("FCD100").coefficients, 550.0), abs=1e-14)


def test_names():
    assert glass("n-bk7") is glass("N-BK7") is glass("NBK7") is glass(" BK7 ") is glass("SCHOTT N-BK7")
    assert glass("SF6").name == "SF6"
    assert glass("N-SF6").name == "N-SF6"
    assert glass("E-F2", maker="hikari").maker == glass("HIKARI E-F2").maker == "HIKARI" != glass("E-F2").maker
    assert glass("ZEONEX-E48R").name == "E48R"
    assert glass("ZEONEX-E48R").moulded
    assert "N-BK7" in near("N-BK77")
    assert near("N-BK77")[0].startswith("N-BK7")
    assert near("qqqqqq") == []


@pytest.mark.parametrize(("name", "maker"), [("N-BK77", None), ("", None), ("N-BK7", "OHARA"), ("NOBODY N-BK7", None)])
def test_unknown_glass_is_one_sentence_with_near_names(name, maker):
    with pytest.raises(UnknownGlass, match="is not in the glass catalogue") as caught:
        glass(name, maker)
    assert isinstance(caught.value, LensError)
    assert str(caught.value).count(".") == 1
    if name == "N-BK77":
        assert "N-BK7" in str(caught.value)


@pytest.mark.parametrize("wavelength", [250.0, 3000.0, float("nan"), np.array([500.0, 20.0])])
def test_wavelength_out_of_range_is_named(wavelength):
    with pytest.raises(UnknownGlass, match=r"N-BK7 \(SCHOTT\) has data from 300 to 2500 nm, not at (250|3000|nan|20) nm"):
        glass("N-BK7").index(wavelength)


@pytest.mark.parametrize(("name", "printed"), [("N-BK7", (2.4, 3.0, 3.5)), ("F2", (2.7, 4.4, 6.3)), ("SF56A", (6.2, 10.0, 14.7))])
def test_temperature_as_schott_prints_it(name, printed):
    """Relative temperature coefficient from 20 to 40 °C at 1060 nm, e and g, in 1e-6/K."""
    g, lines = glass(name), np.array([1060.0, E_NM, G_NM])
    np.testing.assert_allclose((g.index(lines, 40.0) - g.index(lines, 20.0)) / 20 * 1e6, printed, rtol=0, atol=0.06)
    assert g.thermal.status == "published"
    np.testing.assert_array_equal(g.index(lines, g.thermal.temperature_c), g.index(lines))


def test_air_and_assumed_slopes():
    assert air_index(D_NM, 15.0) == pytest.approx(1.00027717, abs=2e-7)  # Edlén, dry air at 15 °C and 101325 Pa
    assumed = next(g for g in glasses() if g.thermal.status == "assumed" and not g.moulded)
    assert assumed.dn_dt == pytest.approx(3e-6)
    assert glass("EP9000").dn_dt == pytest.approx(-1.1e-4)
    assert glass("N-FK51A").dn_dt < -5e-6
    assert glass("POLYCARB").dn_dt == pytest.approx(-1.07e-4, abs=3e-6)
    assert glass("N-BK7").cte_per_k == pytest.approx(7.1e-6)


def test_nearest_is_sorted_by_the_stated_distance():
    for name in ("N-FK51A", "N-KZFS4", "S-NPH3"):
        g = glass(name)
        found = nearest(g.nd, g.vd, g.dpgf, k=4, makers=(g.maker,))
        assert found[0] is g
        distance = [np.hypot(np.hypot((f.nd - g.nd) / 0.01, f.vd - g.vd), (f.dpgf - g.dpgf) / 0.001) for f in found]
        assert distance == sorted(distance)
        assert all(f.listed and f.maker == g.maker for f in found)
    assert all(g.moulded for g in nearest(1.53, 56.0, 0.01, moulded=True))
    assert len(nearest(1.5, 60.0, k=10_000, moulded=True)) == sum(g.moulded and g.listed for g in glasses())


def test_model_glass_has_the_constants_asked_for():
    nd, vd, dpgf = np.meshgrid([1.45, 1.6, 1.9], [20.0, 50.0, 90.0], [-0.01, 0.0, 0.04])
    g, f, _, d, c = (model_index(nd, vd, dpgf, line) for line in LINES)
    np.testing.assert_allclose(d, nd, rtol=0, atol=1e-15)
    np.testing.assert_allclose((d - 1) / (f - c), vd, rtol=1e-9)
    np.testing.assert_allclose((g - f) / (f - c) - normal_pgf(vd), dpgf, rtol=0, atol=1e-9)


def test_model_glass_against_real_glasses():
    """430 to 680 nm: within 5e-5 of every normal glass, within 6e-4 of any; half of them within 7e-6 and 2e-5."""
    lines = np.arange(430.0, 681.0, 10.0)
    real = [g for g in glasses() if g.listed and not g.moulded and g.range_nm[0] <= 430 and g.range_nm[1] >= 680]
    error = np.array([np.abs(model_index(g.nd, g.vd, g.dpgf, lines) - g.index(lines)).max() for g in real])
    normal = np.array([abs(g.dpgf) < 0.002 for g in real])
    assert normal.sum() > 100
    assert (~normal).sum() > 300
    assert error[normal].max() < 5e-5
    assert np.median(error[normal]) < 7e-6
    assert error.max() < 6e-4
    assert np.median(error[~normal]) < 2e-5


def test_model_glass_is_differentiable():
    jax = pytest.importorskip("jax")
    from apochromat.optics.precision import float64

    at = np.array([1.62, 36.0, 0.01])
    with float64():
        value, gradient = jax.jit(jax.value_and_grad(lambda p: model_index(*p, 480.0)))(at)
        value, gradient = float(value), np.asarray(gradient)
    assert value == pytest.approx(model_index(*at, 480.0), abs=1e-14)
    for i, step in enumerate((1e-5, 1e-3, 1e-5)):
        move = step * np.eye(3)[i]
        assert gradient[i] == pytest.approx((model_index(*(at + move), 480.0) - model_index(*(at - move), 480.0)) / (2 * step), rel=1e-7)


def test_looking_up_a_glass_loads_no_jax():
    code = "import sys; from apochromat.optics.glass import glass; glass('N-BK7').index(550); print('jax' in sys.modules)"
    path = str(Path(catalogue.__file__).parents[2])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path}, check=True, timeout=60)
    assert run.stdout.strip() == "False"


def test_conversions_of_the_builder_are_exact(monkeypatch):
    """Sellmeier with resonances as wavelengths, the polynomial, and the three-term refraction formula, each against itself written out."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import build_catalogue as build

    w2 = 0.55**2
    silica = [0.0, 0.6961663, 0.0684043, 0.4079426, 0.1162414, 0.8974794, 9.896161]
    expected = 1 + sum(b * w2 / (w2 - c**2) for b, c in zip(silica[1::2], silica[2::2], strict=True))
    assert oracle(build.convert("formula 1", silica), 550) == pytest.approx(np.sqrt(expected), abs=1e-14)
    polynomial = build.convert("formula 3", [2.2, -0.008, 2, 0.006, -2, 8e-4, -4])
    assert oracle(polynomial, 550) == pytest.approx(np.sqrt(2.2 - 0.008 * w2 + 0.006 / w2 + 8e-4 / w2**2), abs=1e-14)
    terms = [0.129676653, 81.7573782, 0.028412759, 0.0170456177, 0.255329066, 0.00425672246]
    share = sum(p * w2 / (w2 - q) for p, q in zip(terms[::2], terms[1::2], strict=True))
    assert oracle(build.refraction_terms(terms), 550) == pytest.approx(np.sqrt((1 + 2 * share) / (1 - share)), abs=1e-12)
    with pytest.raises(build.Rejected, match=r"w\^-10"):
        build.convert("formula 3", [2.2, 1e-5, -10])


def test_the_page_says_what_the_catalogue_holds():
    page = (Path(__file__).parents[2] / "docs" / "optics" / "glass.md").read_text(encoding="utf-8")
    real = [g for g in glasses() if not g.moulded]
    for number, words in (
        (len(real), "glasses of SCHOTT"),
        (sum(g.thermal.status == "published" for g in real), "glasses have the constants"),
        (sum(not np.isnan(g.sheet[2]) for g in real), "glasses. 97"),
        (sum("data sheet" in g.source for g in real), "glasses have the"),
    ):
        assert f"{number} {words}" in " ".join(page.split())
    for g in (g for g in glasses() if g.moulded and g.listed):
        row = next(line for line in page.splitlines() if line.startswith("|") and f"`{g.name}`" in line)
        for value in (f"{g.nd:.4f}", f"{g.vd:.1f}", f"{g.dpgf:.3f}".replace("-", "\N{MINUS SIGN}")):
            assert value in row, (g.name, value)
