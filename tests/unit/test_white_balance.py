"""White balance: gains of every mode, and what they are applied to."""

from dataclasses import replace

import numpy as np
import pytest
from frames import MATRIX, NEUTRAL, frame_of, mosaic_of

from apochromat.chain import upright
from apochromat.develop import linearise, white_balance
from apochromat.develop.dng_color import neutral_of_xy, xy_of_temperature
from apochromat.light.development import Development
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels

PROFILE = ColorProfile((Calibration(21, MATRIX),), as_shot_neutral=NEUTRAL)


def run(frame, **params):
    development = linearise.run(Development(frame=frame), linearise.LineariseParams())
    return white_balance.run(development, white_balance.WhiteBalanceParams(**params))


def grey(neutral, height=64, width=96, texture=0.1):
    """A grey textured scene under a light of this camera neutral."""
    rng = np.random.default_rng(0)
    return rng.uniform(0.4 - texture, 0.4 + texture, (height, width, 1)) * neutral


@pytest.mark.parametrize("cfa", ["RGGB", "GBRG"])
def test_as_shot_makes_the_camera_neutral_equal(cfa):
    got = run(frame_of(mosaic_of(np.full((32, 32, 3), 0.6) * NEUTRAL, cfa), cfa))
    np.testing.assert_allclose(got.mosaic, 0.6, atol=1e-3)
    np.testing.assert_allclose(got.wb, 1 / NEUTRAL)
    assert got.wb.min() == 1
    assert 2000 < got.facts["temperature_k"] < 10000


def test_temperature_and_tint():
    got = run(frame_of(mosaic_of(grey(NEUTRAL))), mode="temperature", temperature=3200, tint=10)
    np.testing.assert_allclose(got.wb, 1 / neutral_of_xy(PROFILE, xy_of_temperature(3200, 10)))
    assert got.facts["temperature_k"] == 3200
    assert got.facts["tint"] == pytest.approx(10, abs=0.1)
    warmer = run(frame_of(mosaic_of(grey(NEUTRAL))), mode="temperature", temperature=7000, tint=10)
    assert warmer.wb[0] / warmer.wb[2] > got.wb[0] / got.wb[2]
    more_magenta = run(frame_of(mosaic_of(grey(NEUTRAL))), mode="temperature", temperature=3200, tint=40)
    assert more_magenta.wb[0] * more_magenta.wb[2] / more_magenta.wb[1] ** 2 > got.wb[0] * got.wb[2] / got.wb[1] ** 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_patch_is_placed_on_the_upright_picture(orientation):
    rgb = grey(NEUTRAL)
    marked, patch_color = rgb.copy(), np.array([0.3, 0.5, 0.2])
    upright_mark = np.zeros(upright(np.zeros(rgb.shape[:2]), orientation).shape)
    h, w = upright_mark.shape
    upright_mark[round(0.25 * h) : round(0.5 * h), round(0.5 * w) : round(0.75 * w)] = 1
    positions = upright(np.arange(rgb[..., 0].size).reshape(rgb.shape[:2]), orientation)
    marked.reshape(-1, 3)[positions[upright_mark > 0]] = patch_color
    got = run(frame_of(mosaic_of(marked), orientation=orientation), mode="patch", patch=(0.5, 0.25, 0.25, 0.25))
    np.testing.assert_allclose(got.wb, 0.5 / patch_color, rtol=2e-3)


def test_patch_lies_inside_the_crop():
    rgb = np.full((64, 64, 3), 0.5) * NEUTRAL
    rgb[20:40, 20:40] = (0.2, 0.4, 0.3)
    got = run(frame_of(mosaic_of(rgb, "BGGR"), "BGGR", crop=Box(20, 20, 40, 40)), mode="patch", patch=(0.0, 0.0, 1.0, 1.0))
    np.testing.assert_allclose(got.wb, 0.4 / np.array([0.2, 0.4, 0.3]), rtol=3e-2)


def test_a_clipped_patch_is_refused():
    with pytest.raises(ValueError, match="every pixel clipped"):
        run(frame_of(np.ones((32, 32))), mode="patch")


@pytest.mark.parametrize("kelvin", [2850, 4000, 5500, 7500])
def test_auto_finds_the_light_of_a_mostly_grey_scene_with_colours(kelvin):
    rng = np.random.default_rng(1)
    light = neutral_of_xy(PROFILE, xy_of_temperature(kelvin, 5))
    surfaces = rng.uniform(0.2, 0.8, (32, 48, 1)) * np.ones(3)
    colored = rng.random((32, 48)) < 0.6
    surfaces[colored] = rng.uniform(0.05, 0.8, (int(colored.sum()), 3))
    rgb = np.repeat(np.repeat(surfaces, 16, 0), 16, 1) * light
    got = run(frame_of(mosaic_of(rgb)), mode="auto")
    error = np.degrees(np.arccos(np.dot(1 / got.wb, light) / np.linalg.norm(1 / got.wb) / np.linalg.norm(light)))
    assert error < 2
    again = run(frame_of(mosaic_of(rgb)), mode="auto")
    np.testing.assert_array_equal(again.wb, got.wb)


def test_auto_stays_near_lights_that_exist():
    rgb = grey(np.array([0.1, 1.0, 0.1]), 256, 256)
    got = run(frame_of(mosaic_of(rgb)), mode="auto")
    assert -16 < got.facts["tint"] < 26
    assert 2100 < got.facts["temperature_k"] < 9600


def test_linear_rgb_is_balanced_and_monochrome_is_not():
    samples = np.full((16, 16, 3), 20000, np.uint16)
    levels = Levels(np.zeros((1, 1, 3), np.float32), np.full(3, 40000, np.float32))
    frame = replace(frame_of(np.zeros((16, 16))), samples=samples, cfa="", levels=levels)
    np.testing.assert_allclose(run(frame).rgb[:, 3, 3], 0.5 / NEUTRAL, atol=1e-5)
    single = Levels(np.zeros((1, 1, 1), np.float32), np.full(1, 40000, np.float32))
    mono = replace(frame, samples=samples[..., 0], levels=single, profile=ColorProfile(()))
    np.testing.assert_allclose(run(mono).rgb, 0.5)
