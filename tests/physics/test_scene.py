"""Built-in scenes: photometry, colour, what they hold, what is refused."""

import colour
import numpy as np
import pytest

from apochromat.light.spectra import (
    color_checker,
    illuminant,
    luminance,
    xyz,
)
from apochromat.scene import SceneError, gull, make_scene, scene_kind, scene_names
from apochromat.scene.canvas import Frame
from apochromat.scene.library import branches, portrait
from apochromat.scene.library.color_checker import patch_boxes
from apochromat.scene.library.grey_steps import window_boxes
from apochromat.scene.library.night_street import NOTICE, NOTICE_SIZE, PAPER
from apochromat.scene.library.slanted_edges import BRIGHT, DARK
from apochromat.scene.street import project

CHARTS = ("color-checker", "dead-leaves", "grey-steps", "siemens-star", "slanted-edges")


def seen(scene):
    """Radiance coefficients (K, H, W) of all layers, composited far to near."""
    total = np.zeros_like(scene.layers[0].coefficients)
    for layer in scene.layers:
        total *= 1 if layer.cover is None else 1 - layer.cover
        total += layer.coefficients
    return total


def seen_luminance(scene):
    return np.tensordot(luminance(scene.basis), seen(scene), 1)


def middle(scene, box):
    """Mean coefficients (K,) in the inner half of a rectangle in picture heights."""
    height, width = scene.shape
    x0, y0, x1, y1 = box
    rows = slice(int((0.75 * y0 + 0.25 * y1) * height), int((0.25 * y0 + 0.75 * y1) * height))
    columns = slice(int((0.75 * x0 + 0.25 * x1) * height + width / 2), int((0.25 * x0 + 0.75 * x1) * height + width / 2))
    return seen(scene)[:, rows, columns].mean(axis=(1, 2), dtype=float)


def chromaticity(spectrum):
    found = xyz(spectrum)
    return found[:2] / found.sum()


@pytest.mark.parametrize("light", ["D65", "A", "LED-B3"])
def test_color_checker_patches_have_the_xyz_of_colour_science(light):
    scene = make_scene("color-checker", 240, 320, light=light, lux=np.pi * 100)
    shape = colour.SpectralShape(380, 730, 5)
    lamp = colour.SDS_ILLUMINANTS[light].copy().align(shape)
    observer = colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"].copy().align(shape)
    for name, box in patch_boxes().items():
        sd = colour.SDS_COLOURCHECKERS["BabelColor Average"][name].copy().align(shape)
        expected = colour.sd_to_XYZ(sd, observer, lamp, method="Integration")
        assert xyz(middle(scene, box) @ scene.basis) == pytest.approx(expected, abs=0.01), name


def test_color_checker_spectra_are_near_the_measured_ones():
    scene = make_scene("color-checker", 240, 320, light="E", lux=np.pi)
    white = illuminant("E")[0]
    for name, box in patch_boxes().items():
        left = (middle(scene, box) @ scene.basis) / white - color_checker()[name]
        assert np.sqrt(np.mean(left**2)) < 0.025, name


def test_grey_steps_halve_twenty_times_from_a_perfect_white():
    scene = make_scene("grey-steps", 240, 320, lux=500.0)
    found = [float(luminance(middle(scene, box) @ scene.basis)) for box in window_boxes()]
    assert found == pytest.approx([500 / np.pi * 2.0**-i for i in range(21)], rel=1e-4)


def test_slanted_edges_have_the_luminance_of_their_reflectances():
    scene = make_scene("slanted-edges", 240, 320, lux=np.pi * 100)
    found = seen_luminance(scene)
    assert found.max() == pytest.approx(100 * BRIGHT, rel=1e-5)
    assert found.min() == pytest.approx(100 * DARK, rel=1e-5)


def test_siemens_star_has_the_mean_and_swing_declared():
    found = seen_luminance(make_scene("siemens-star", 400, 400, lux=np.pi))
    rim = found[20:60, 150:250]
    assert found[200, 200] == pytest.approx(0.4, abs=1e-3)  # frequencies beyond the cells leave their mean
    assert rim.max() == pytest.approx(0.7, abs=0.1)


@pytest.fixture(scope="module")
def night():
    return make_scene("night-street", 450, 600, seed=1)


def test_night_street_notice_is_paper_under_the_illuminance_asked_for(night):
    x, y, z = NOTICE
    left, low = project((x, y, z))
    right, high = project((x + NOTICE_SIZE[0], y + 0.28, z))  # below the lines of the timetable
    found = middle(night, (left, high, right, low)) @ night.basis
    assert luminance(found) == pytest.approx(PAPER * 3.0 / np.pi, rel=1e-3)
    assert chromaticity(found) == pytest.approx(chromaticity(night.light), abs=1e-3)


def test_night_street_spans_lamps_and_dark_corners(night):
    found = np.tensordot(luminance(night.basis), night.layers[0].coefficients, 1)
    assert 1e3 < found.max() < 1e5
    assert np.percentile(found, 5) < 0.02
    assert 0.02 < np.median(found) < 1


def test_night_street_has_a_walker_that_moves(night):
    (walker,) = [layer for layer in night.layers if layer.moves]
    assert walker.distance_m < night.layers[0].distance_m
    assert 0.01 < walker.cover.mean() < 0.1


def test_night_street_sodium_lamp_is_a_sodium_spectrum(night):
    lamp = project((-3.0, 6.4, 11.5))
    height, width = night.shape
    planes = night.layers[0].coefficients[:, int(lamp[1] * height), int(lamp[0] * height + width / 2)]
    found = planes @ night.basis
    assert found / luminance(found) == pytest.approx(illuminant("HP1"), rel=0.02, abs=2e-6)


def test_branches_sky_is_the_overcast_sky_of_its_illuminance():
    scene = make_scene("branches", 300, 400, seed=2, lux=5000.0)
    found = np.tensordot(luminance(scene.basis), scene.layers[0].coefficients[:, :150], 1)
    frame = Frame(300, 400)
    expected = 5000 / np.pi * branches.sky_luminance(frame.x, branches.HORIZON - frame.y[:150])
    assert np.mean(found / expected) == pytest.approx(1, abs=0.06)


def test_overcast_sky_formula_integrates_to_its_illuminance():
    gamma = (np.arange(2000) + 0.5) / 2000 * np.pi / 2
    relative = branches.sky_luminance(np.zeros(2000), branches.FOCAL * np.tan(gamma))
    assert np.sum(relative * np.sin(gamma) * np.cos(gamma)) * 2 * np.pi * (np.pi / 4000) == pytest.approx(np.pi, rel=1e-3)


def test_branches_have_twigs_of_half_a_cell_and_glints_that_clip():
    scene = make_scene("branches", 300, 400, seed=2)
    cover = scene.layers[1].cover
    assert 0.02 < np.mean((cover > 0.05) & (cover < 0.5)) < 0.3
    assert np.mean(cover > 0.99) > 0.01
    assert seen_luminance(scene).max() > 20 * np.median(seen_luminance(scene))


def test_portrait_menu_is_paper_under_the_illuminance_asked_for():
    scene = make_scene("portrait", 300, 400, lux=100.0)
    x0, _, x1, y1 = portrait.MENU
    assert luminance(middle(scene, (x0, 0.74, x1, y1 - 0.015)) @ scene.basis) == pytest.approx(portrait.PAPER * 100 / np.pi, rel=1e-3)
    assert [layer.distance_m for layer in scene.layers] == [60.0, 4.0, gull.AWAY, 1.2]
    assert [layer.moves for layer in scene.layers] == [False, False, True, False]


def test_every_scene_declares_itself():
    assert set(CHARTS) <= set(scene_names())
    for name in scene_names():
        kind = scene_kind(name)
        assert kind.help
        assert kind.reference
        assert kind.lux > 0
        assert luminance(illuminant(kind.light)) == pytest.approx(1)


@pytest.fixture(scope="module")
def scenes():
    return {name: make_scene(name, 150, 200, seed=4) for name in scene_names()}


def test_scenes_are_radiance_in_layers_far_to_near(scenes):
    for name, scene in scenes.items():
        assert scene.basis.shape[1] == 71, name
        assert len(scene.basis) <= 8, name
        assert scene.shape == (150, 200)
        distances = [layer.distance_m for layer in scene.layers]
        assert distances == sorted(distances, reverse=True), name
        assert scene.layers[0].cover is None, name
        for layer in scene.layers:
            assert layer.coefficients.dtype == np.float32, name
            assert np.isfinite(layer.coefficients).all(), name
            assert layer.cover is None or (layer.cover.dtype == np.float32 and 0 <= layer.cover.min() <= layer.cover.max() <= 1), name
        radiance = np.tensordot(scene.basis.T, seen(scene)[:, ::7, ::7], 1)
        assert radiance.min() > -0.02 * np.abs(radiance).max(), name
        assert seen_luminance(scene).min() >= 0, name


def test_the_same_seed_gives_the_same_scene_and_lux_only_scales_it(scenes):
    for name, scene in scenes.items():
        again = make_scene(name, 150, 200, seed=4, lux=7.0)
        for a, b in zip(scene.layers, again.layers, strict=True):
            assert np.array_equal(a.coefficients, b.coefficients), name
        assert again.basis == pytest.approx(scene.basis * 7.0 / scene.illuminance_lx), name
        assert again.illuminance_lx == 7.0


@pytest.mark.parametrize("name", ["dead-leaves", "night-street", "branches", "portrait"])
def test_another_seed_gives_another_scene(scenes, name):
    if name not in scenes:
        pytest.skip(f"no scene {name}")
    other = make_scene(name, 150, 200, seed=5)
    assert not np.array_equal(other.layers[0].coefficients, scenes[name].layers[0].coefficients)


def test_another_size_shows_the_same_picture(scenes):
    for name, scene in scenes.items():
        larger = make_scene(name, 450, 600, seed=4)
        mean = seen_luminance(larger).reshape(150, 3, 200, 3).mean(axis=(1, 3))
        ours = seen_luminance(scene)
        scale = np.median(ours) + 0.05 * ours.mean()
        assert np.median(np.abs(mean - ours)) < 0.05 * scale, name
        assert np.corrcoef(np.log(mean + 0.01 * scale).ravel(), np.log(ours + 0.01 * scale).ravel())[0, 1] > 0.95, name


@pytest.mark.parametrize("shape", [(16, 16), (97, 61), (40, 210)])
def test_any_size_and_aspect_can_be_made(shape):
    for name in scene_names():
        for layer in make_scene(name, *shape, seed=7).layers:
            assert layer.coefficients.shape[1:] == shape, name
            assert np.isfinite(layer.coefficients).all(), name


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_scene("night-stret", 64, 64), "expected a scene among .*'night-stret'"),
        (lambda: make_scene("grey-steps", 64, 64, lux=0), "expected an illuminance above 0"),
        (lambda: make_scene("grey-steps", 64, 64, lux=float("nan")), "expected an illuminance above 0"),
        (lambda: make_scene("grey-steps", 4, 64), "expected at least 16 x 16"),
    ],
)
def test_impossible_scenes_are_refused_in_one_sentence(call, words):
    with pytest.raises(SceneError, match=words):
        call()
