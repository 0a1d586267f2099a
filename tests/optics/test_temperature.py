"""A lens at another temperature: a singlet against the lensmaker's equation, every catalogue glass against its maker's constants."""

import json
import math

import numpy as np
import pytest

from apochromat.cli.app import run
from apochromat.optics.build import build, to_prescription
from apochromat.optics.certificate.scope import scope_of
from apochromat.optics.errors import LensError
from apochromat.optics.files import lens, write_toml
from apochromat.optics.first_order import first_order
from apochromat.optics.glass import glass, glasses, index_of
from apochromat.optics.prescription import checked
from apochromat.optics.temperature import ALUMINIUM_CTE, at_temperature, coefficients_at

RADIUS, THICK, BACK = 50.0, 4.0, 47.5
LINES = [435.8343, 486.1327, 587.5618, 656.2725]


def singlet(medium="N-BK7", **behind):
    surfaces = [{"radius": RADIUS, "thickness": THICK, "glass": medium, "stop": True}, {"radius": -RADIUS, "thickness": BACK, **behind}]
    parts = {"aperture": {"entrance_pupil_mm": 8}, "fields": {"points": [0]}, "wavelengths": {"nm": LINES}}
    return build(checked({**parts, "surface": surfaces}, "singlet"))


@pytest.mark.parametrize("celsius", [-10.0, 45.0])
@pytest.mark.parametrize("medium", ["N-BK7", "S-FPL53", "PMMA"])
def test_a_singlet_follows_the_lensmakers_equation(medium, celsius):
    found, g = at_temperature(singlet(medium), celsius), glass(medium)
    grown = 1 + g.cte_per_k * (celsius - 20)
    for nm in LINES:
        n = g.index(nm) + g.thermal.shift(g.index(nm), nm, celsius) - g.thermal.shift(g.index(nm), nm, 20.0)
        radius, thick = RADIUS * grown, THICK * grown
        power = (n - 1) * (2 / radius - (n - 1) * thick / (n * radius**2))
        assert float(first_order(found, nm).efl_mm) == pytest.approx(1 / power, rel=1e-7)
    assert found.thickness[0].tolist() == pytest.approx([THICK * grown, BACK * (1 + ALUMINIUM_CTE * (celsius - 20))], rel=1e-14)


def test_the_thermal_power_of_a_thin_lens():
    """Change of power per kelvin: dn/dT / (n - 1) - expansion."""
    g, focal = glass("N-FK51A"), [float(first_order(at_temperature(singlet("N-FK51A"), t), 587.5618).efl_mm) for t in (19.0, 20.0, 21.0)]
    assert -(focal[2] - focal[0]) / 2 / focal[1] == pytest.approx(g.dn_dt / (g.nd - 1) - g.cte_per_k, rel=0.01)


def test_every_glass_keeps_its_makers_constants():
    worst = 0.0
    for g in glasses():
        nm = np.linspace(max(400.0, g.range_nm[0]), min(1000.0, g.range_nm[1]), 61)
        index = index_of(g.coefficients, nm)
        change = g.thermal.shift(index, nm, -10.0) - g.thermal.shift(index, nm, 20.0)
        worst = max(worst, np.abs(index_of(coefficients_at(g, -10.0), nm) - index - change).max())
    assert worst < 5e-8


def test_an_asphere_grows_to_scale():
    cold = singlet(even=[1e-3, 2e-6, 0, 4e-12])
    warm = at_temperature(cold, 80.0)
    scale = 1 + glass("N-BK7").cte_per_k * 60
    r2 = np.array([1.0, 9.0])
    before = sum(a * r2 ** (j + 1) for j, a in enumerate(cold.even[1]))
    after = sum(a * (r2 * scale**2) ** (j + 1) for j, a in enumerate(warm.even[1]))
    np.testing.assert_allclose(after, before * scale, rtol=1e-14)


def test_the_declared_lens_is_at_20_degrees_and_a_warm_one_is_a_document_too():
    cold = lens("tele-apo")
    assert at_temperature(cold, 20.0) is cold
    warm = lens("tele-apo", temperature_c=45)
    again = build(to_prescription(warm))
    np.testing.assert_array_equal(again.coefficients, warm.coefficients)
    np.testing.assert_array_equal(again.thickness, warm.thickness)
    assert again.info.notes[-1] == "At 45 °C, as declared at 20 °C; the housing expands by 2.36e-05 per K."


def test_what_nothing_is_published_of():
    model = at_temperature(singlet({"nd": 1.6, "vd": 40}), 45.0)
    assert model.nd_shift.tolist() == pytest.approx([25 * 3e-6, 0])
    assert model.curvature[0] == pytest.approx(1 / (RADIUS * (1 + 25 * 7.3e-6)))


@pytest.mark.parametrize("celsius", [-41, 81, math.nan])
def test_a_temperature_out_of_range_is_refused(celsius):
    with pytest.raises(LensError, match="expected a temperature from -40 to 80 °C, found"):
        at_temperature(singlet(), celsius)


def test_a_warm_lens_is_not_warmed_again():
    with pytest.raises(LensError, match="expected a lens at 20 °C, as declared, found the lens at 45 °C"):
        at_temperature(at_temperature(singlet(), 45.0), 45.0)


@pytest.mark.parametrize("medium", ["N-BK7", "PMMA"])
def test_a_certificate_knows_warm_glass_and_says_so(medium):
    cold, warm = singlet(medium), at_temperature(singlet(medium), 45.0)
    assert "Tested at 45 °C: the lens is declared at 20 °C." in scope_of(warm).notes
    with pytest.raises(LensError, match=f"Expected the catalogue's dispersion of {medium}"):
        scope_of(warm.replace(coefficients=cold.coefficients + np.array([1e-3, *[0.0] * 12])))


def test_a_temperature_on_the_command_line(tmp_path, capsys):
    path, shown = tmp_path / "singlet.toml", []
    write_toml(to_prescription(singlet("PMMA")), path)
    for arguments in ([], ["--temperature", "45"], ["--temperature", "-10"]):
        assert run(["lens", "show", str(path), "--json", *arguments]) == 0
        shown.append(json.loads(capsys.readouterr().out))
    for celsius, found in zip((20.0, 45.0, -10.0), shown, strict=True):
        assert found["efl_mm"] == pytest.approx(float(first_order(at_temperature(singlet("PMMA"), celsius)).efl_mm), rel=1e-9)
    assert shown[1]["efl_mm"] - shown[0]["efl_mm"] > 0.2  # the plastic expands and its index falls
    assert "At 45 °C" in shown[1]["notes"][-1]
    assert run(["lens", "certify", str(path), "--design-only", "--temperature", "90"]) == 1
    assert "expected a temperature from -40 to 80 °C, found 90" in capsys.readouterr().err
