"""Exposure: closed forms, determinism, and scenes of known kind."""

from dataclasses import replace

import numpy as np
import pytest
from finishing import finish
from frames import scene_frame

from apochromat.develop.exposure import ExposureParams, auto_ev, darkness, run, scene_luminance, scene_white
from apochromat.light.development import Development
from apochromat.light.noise import NoiseModel


def development(rgb, **facts):
    """A white-balanced picture (H, W, 3) whose camera space is the working space."""
    planes = np.ascontiguousarray(np.asarray(rgb, np.float32).transpose(2, 0, 1))
    return Development(scene_frame(8, 8, **facts), rgb=planes).with_finish(camera_to_working=np.eye(3, dtype=np.float32))


def scene(average, contrast_ev, brightest, size=512, seed=0):
    """Log-normal luminances of one log-average and spread, with two hundredths of the picture at `brightest`."""
    rng = np.random.default_rng(seed)
    luminance = average * 2 ** rng.normal(0, contrast_ev, (size, size // 16)).repeat(16, 1)
    luminance[: size // 50] = brightest
    return np.repeat(luminance[..., None], 3, -1)


def test_gain_is_a_product_in_the_kernel():
    rgb = np.random.default_rng(1).normal(0.5, 0.5, (34, 50, 3)).astype(np.float32)
    np.testing.assert_allclose(finish(rgb, exposure_gain=1.7), rgb * np.float32(1.7), rtol=1e-6)
    np.testing.assert_array_equal(finish(rgb, exposure_gain=1.0), rgb)


@pytest.mark.parametrize(("baseline", "ev"), [(0.0, 0.0), (0.5, 0.0), (-0.3, 1.5)])
def test_camera_mode_is_baseline_exposure(baseline, ev):
    shot = development(scene(0.05, 1, 0.5), baseline_exposure_ev=baseline)
    assert run(shot, ExposureParams(mode="camera", ev=ev)).finish["exposure_gain"] == pytest.approx(2 ** (baseline + ev))


def test_luminance_is_the_block_mean():
    flat = development(np.full((100, 130, 3), (0.5, 0.2, 0.1)))
    np.testing.assert_allclose(scene_luminance(flat), 0.2627 * 0.5 + 0.6780 * 0.2 + 0.0593 * 0.1, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (8, 8), (17, 5)])
def test_small_pictures(shape):
    done = run(development(np.full((*shape, 3), 0.2)), ExposureParams())
    assert np.isfinite(done.finish["exposure_gain"])


def test_auto_leaves_an_average_scene_alone():
    assert abs(auto_ev(scene(0.14, 1.2, 1.0).mean(-1).ravel())) < 0.25


def test_auto_lifts_an_underexposed_scene():
    assert 0.8 < auto_ev(scene(0.035, 1.2, 0.3).mean(-1).ravel()) < 2


def test_night_stays_dark():
    """Street lamps over a dark street: lifted by little, the mean stays far below middle grey."""
    night = scene(0.004, 1.5, 1.0).mean(-1).ravel()
    assert 2 ** auto_ev(night) * 0.004 < 0.02


def test_bright_scenes_stay_bright():
    assert auto_ev(scene(0.5, 0.5, 1.0).mean(-1).ravel()) >= -0.5


@pytest.mark.parametrize("luminance", [np.zeros(100), np.full(100, -0.01), np.full(100, 1e6), np.full(100, 1e-9)])
def test_auto_stays_within_two_ev(luminance):
    assert -2 <= auto_ev(luminance) <= 2


def test_surround_of_a_fisheye_does_not_count():
    inside = scene(0.1, 1, 0.8).mean(-1).ravel()
    surrounded = np.concatenate([inside, np.full(inside.size // 4, 1e-5)])
    assert auto_ev(surrounded) == pytest.approx(auto_ev(inside), abs=0.1)


def test_clipped_sensor_white_is_the_scenes_white():
    luminance = np.concatenate([np.full(990, 0.2), np.full(10, 1.0)])
    assert scene_white(luminance, 1.0) == pytest.approx(1.0)


def test_same_picture_same_exposure():
    shot = development(scene(0.05, 1, 0.9))
    again = replace(shot, rgb=shot.rgb.copy())
    assert run(shot, ExposureParams()).finish["exposure_gain"] == run(again, ExposureParams()).finish["exposure_gain"]


def merged(frame, **facts):
    """The frame as a merged burst, taken with these settings."""
    frames = np.full((-(-frame.active.height // 16), -(-frame.active.width // 16)), 8, np.float32)
    return replace(frame, noise=NoiseModel(np.full(3, 1e-4), np.full(3, 1e-6), frames), metadata={**frame.metadata, **facts})


@pytest.mark.parametrize(
    ("facts", "night"),
    [
        ({"exposure_s": 1 / 15, "iso": 1600, "f_number": 1.7}, 1.0),  # EV 1.4 at ISO 100: a dim street
        ({"exposure_s": 1 / 30, "iso": 100, "f_number": 1.7}, (7 - np.log2(1.7**2 * 30)) / 4),  # EV 6.4: a lit room
        ({"exposure_s": 1 / 1000, "iso": 100, "f_number": 1.7}, 0.0),  # EV 11.5: an overcast day
        ({}, 1.0),
    ],
)
def test_merged_bursts_know_their_night(facts, night):
    frame = replace(scene_frame(8, 8), metadata={})
    assert darkness(merged(frame, **facts)) == pytest.approx(night)
    assert darkness(replace(frame, metadata=facts)) == 0  # a single frame


def test_night_is_darker_and_keeps_room_for_lamps():
    """Of the same scene: 1.5 EV less where nothing bounds the gain, and a white that holds the lamps; the user's word is last."""
    rgb = scene(0.01, 1.5, 0.6)
    rgb[: len(rgb) // 16, :16] = 3.0
    plain = development(rgb)
    burst = replace(plain, frame=merged(plain.frame, exposure_s=0.1, iso=3200.0, f_number=1.8))
    day, night, undone = (run(shot, ExposureParams(night=share)) for shot, share in ((plain, 1.0), (burst, 1.0), (burst, 0.0)))
    assert night.facts["exposure_ev"] < day.facts["exposure_ev"] - 0.7
    assert night.facts["scene_white"] / 2 ** night.facts["auto_ev"] > day.facts["scene_white"] / 2 ** day.facts["auto_ev"]
    assert undone.facts["exposure_ev"] == day.facts["exposure_ev"]
