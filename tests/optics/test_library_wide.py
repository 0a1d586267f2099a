"""The library's wide lenses of a phone, moulded aspheres of plastic: what they are."""

import tomllib
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from apochromat.camera.description import camera
from apochromat.optics.analyses import distortion, relative_illumination, spot, zernike_terms
from apochromat.optics.build import build
from apochromat.optics.files import lens, read_lens, toml
from apochromat.optics.first_order import first_order
from apochromat.optics.glass import glass
from apochromat.optics.mtf import mtf
from apochromat.optics.psf import psf
from apochromat.optics.pupil import square
from apochromat.optics.summary import summary
from apochromat.optics.trace import OK
from apochromat.optics.wavefront import opd, zernike
from apochromat.optics.zmx_read import read_zmx
from apochromat.optics.zmx_write import write_zmx
from apochromat.shoot import rigged

# focal length, track, RMS spots on axis and to 0.9 field (µm), least distortion (%)
WANTED = {"main-23": (8.6, 12.0, 2.0, 4.5, -3.0), "ultra-14": (2.07, 6.5, 2.0, 4.0, -15.0)}
RECIPES = Path(__file__).parents[2] / "examples" / "lenses"
F_NUMBER = {"main-23": 1.67, "ultra-14": 2.2}


@pytest.fixture(scope="module", params=WANTED)
def name(request):
    return request.param


def test_focal_length_aperture_and_track(name):
    found, (efl, track, *_) = lens(name), WANTED[name]
    assert float(first_order(found).efl_mm) == pytest.approx(efl, rel=0.05)
    assert read_lens(name).aperture.f_number == F_NUMBER[name]
    assert found.thickness[0].sum() <= track
    assert "filter" in [s.kind for s in found.info.surfaces]


def test_it_is_what_its_recipe_asks_for(name):
    recipe, found = tomllib.loads((RECIPES / name / "recipe.toml").read_text(encoding="utf-8")), read_lens(name)
    assert found.source == "examples/lenses/wide.py"
    assert list(found.notes) == recipe["notes"]
    assert [s.glass for s in found.surfaces if s.glass and s.kind == "standard"] == recipe["glass"]
    assert [y for _, y in found.fields.points] == recipe["heights"]
    assert [c.object_distance_mm for c in found.configurations[1:]] == recipe["near_mm"]
    assert next(i for i, s in enumerate(found.surfaces) if s.kind == "stop") == 2 * recipe["stop_behind"]


def test_main_is_a_23_mm_lens_that_covers_its_sensors():
    """23 mm by the diagonal of the image that it is drawn for; enlarged to each camera's sensor it lights the corners, near and far."""
    assert float(first_order(lens("main-23")).efl_mm) * np.hypot(36, 24) / (2 * 7.95) == pytest.approx(23, abs=0.5)
    for name, focus_m in product(("flagship-2022", "flagship-2025", "small-2019"), (np.inf, 0.5)):
        assert rigged(camera(name), "main", focus_m=focus_m).covers == 1.0


def test_image(name):
    found, (_, _, axis, field, least) = lens(name), WANTED[name]
    heights = np.array(found.fields)[:, 1] / found.info.image_radius_mm
    rms = spot.compute(found).rms_um
    assert rms[0] <= axis
    assert rms[heights <= 0.9].max() <= field
    assert relative_illumination.compute(found).relative[-1] >= 0.35
    percent = distortion.compute(found).distortion_percent
    assert percent[1:].min() >= least
    assert percent[1:].max() <= 3
    assert max(row["chief_ray_angle_deg"] for row in summary(found)["fields"]) <= 40


def test_every_field_arrives(name):
    for row in summary(lens(name))["fields"]:
        assert row["arrived"] >= 0.85


def test_zernike_terms_to_the_corner(name):
    """They are the wavefront at other rays than those fitted, in the corner too, where clear radii cut the beam."""
    found = lens(name)
    fit = zernike_terms.compute(found)
    waves, rms = fit.waves[-1], fit.rms_waves[-1]
    assert np.isfinite(fit.waves).all()
    assert (fit.residual_waves < 0.1).all()
    points = square(25)[0]
    seen, status = opd(found, found.fields[-1], fit.wavelength_nm, fit.pupil_middle[-1] + points * fit.pupil_half_axes[-1, ::-1])
    left = (np.asarray(seen) - zernike(points) @ waves)[np.asarray(status) == OK]
    assert np.sqrt(np.mean(left**2)) < 0.25 * rms


def test_it_can_be_moulded(name):
    found = lens(name)
    for i, s in enumerate(found.info.surfaces[:-1]):
        if "stop" in (s.kind, found.info.surfaces[i + 1].kind) or s.kind == "filter":
            continue
        radius = max(found.semi_diameter[i], found.semi_diameter[i + 1]) if s.glass else min(found.semi_diameter[i : i + 2])
        r = np.linspace(0, radius, 200)
        gap = found.thickness[:, i].min() + height(found, i + 1, r) - height(found, i, r)
        assert gap[0] >= (0.3 if s.glass else 0.03)
        assert gap.min() >= (0.25 if s.glass else 0.03)
        if s.glass:
            assert glass(s.glass).moulded
    for i in np.flatnonzero(found.curvature):
        r = np.linspace(0, found.semi_diameter[i], 200)
        assert np.degrees(np.arctan(np.abs(np.gradient(height(found, i, r), r)))).max() <= 50


def height(found, i, r):
    """Sag of surface i at radius r, mm; its base is a parabola."""
    return found.curvature[i] * r**2 / 2 + sum(a * r ** (2 * k + 2) for k, a in enumerate(found.even[i]))


def test_energy_of_the_point_spread(name):
    found = lens(name)
    image = psf(found, found.fields[::2], [546.074, 656.2725], found.info.pixel_um, 32)
    assert (np.asarray(image.energy) > 0.9).all()
    assert (np.asarray(image.energy) < 1.001).all()
    assert (np.asarray(image.values).sum((2, 3)) > 0.8).all()


def test_mtf_in_the_corner(name):
    """Some of its rays are clipped and go astray: they have no say in the wavefront of the others."""
    found = lens(name)
    transfer = np.asarray(mtf(found, 0.125 * 500 / found.info.pixel_um, found.fields[-1:]))[0]
    assert (transfer > 0.3).all()
    assert (transfer < 1).all()


def test_zmx_and_back(name, tmp_path):
    document = read_lens(name)
    write_zmx(build(document), tmp_path / "out.zmx")
    again = build(read_zmx(tmp_path / "out.zmx"))
    assert float(first_order(again).efl_mm) == float(first_order(lens(name)).efl_mm)
    np.testing.assert_array_equal(again.even, lens(name).even)
    assert "glass" in toml(document)
