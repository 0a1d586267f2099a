"""Linearise: levels, table, padding to RGGB, clip bits, observed saturation."""

from dataclasses import replace

import numpy as np
import pytest
from frames import frame_of, mosaic_of, scene_frame
from oracle.linearise import linearise as oracle

from apochromat.develop import linearise
from apochromat.develop.saturation import LOWEST, saturation
from apochromat.light.development import Development
from apochromat.light.raw_frame import Box, Levels


def run(frame):
    return linearise.run(Development(frame=frame), linearise.LineariseParams())


def busy_frame(cfa, height, width, table=None, dtype=np.uint16):
    """Random codes over the whole range, with a border, a black pattern of its own period and both kinds of deltas."""
    rng = np.random.default_rng(height + width)
    samples = rng.integers(0, 4096, (height + 9, width + 7)).astype(dtype)
    levels = Levels(
        black=rng.uniform(50, 70, (2, 4, 1)).astype(np.float32),
        white=np.array([4000, 4010, 4020, 4030], np.float32),
        delta_h=rng.uniform(-1, 1, width).astype(np.float32),
        delta_v=rng.uniform(-1, 1, height).astype(np.float32),
        table=table,
    )
    frame = frame_of(np.zeros((4, 4)), cfa)
    return replace(frame, samples=samples, levels=levels, active=Box(5, 3, 5 + height, 3 + width), crop=Box(0, 0, height, width))


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
@pytest.mark.parametrize("size", [(8, 8), (34, 50), (35, 51), (70, 33)])
@pytest.mark.parametrize("kind", ["codes", "table", "float"])
def test_oracle(cfa, size, kind):
    table = (np.arange(4096) ** 1.5 / 64).astype(np.float32) if kind == "table" else None
    frame = busy_frame(cfa, *size, table, np.float32 if kind == "float" else np.uint16)
    got = run(frame)
    mosaic, clip, origin = oracle(frame, np.full((2, 2), np.inf if kind == "float" else 1 - 1 / 1024))
    np.testing.assert_allclose(got.mosaic, mosaic, atol=1e-6, rtol=1e-6)
    np.testing.assert_array_equal(got.clip, clip)
    assert got.origin == origin
    assert size == (8, 8) or got.mosaic.min() < 0 < got.mosaic.max() - 1


def test_same_pixels_from_every_phase():
    scene = np.random.default_rng(0).uniform(0, 0.8, (64, 66, 3))
    whole = run(frame_of(mosaic_of(scene)))
    for dy, dx, cfa in ((0, 1, "GRBG"), (1, 0, "GBRG"), (1, 1, "BGGR")):
        part = run(replace(frame_of(mosaic_of(scene)[dy:, dx:]), cfa=cfa))
        np.testing.assert_array_equal(part.mosaic[-part.origin[0] :, -part.origin[1] :][: 64 - dy, : 66 - dx], whole.mosaic[dy:, dx:])


def test_samples_are_not_written():
    frame = scene_frame(32, 32)
    before = frame.samples.copy()
    run(frame)
    np.testing.assert_array_equal(frame.samples, before)


@pytest.mark.parametrize("channels", [1, 3])
def test_linear_frames_become_three_planes(channels):
    rng = np.random.default_rng(3)
    samples = rng.integers(0, 65536, (21, 34, channels)).astype(np.uint16)
    levels = Levels(np.full((1, 1, channels), 100, np.float32), np.full(channels, 60000, np.float32))
    frame = replace(scene_frame(32, 32), samples=samples.squeeze(), cfa="", levels=levels, active=Box(1, 2, 20, 33))
    got = run(frame)
    expected = (samples[1:20, 2:33].astype(float) - 100) / 59900
    np.testing.assert_allclose(got.rgb, np.broadcast_to(expected, (19, 31, 3)).transpose(2, 0, 1), atol=1e-5)
    assert got.clip.shape == (10, 16)
    assert bool(got.clip[0, 0]) == bool((expected[:2, :2] >= 0.999).any())


def test_saturation_below_white_is_seen_as_a_spike():
    rng = np.random.default_rng(0)
    light = rng.uniform(0, 1.3, 200_000)
    read = np.minimum(light, 0.95) + rng.normal(0, 0.002, light.shape)
    found = saturation(read[read >= LOWEST], np.uint16)
    assert found.level == pytest.approx(0.95, abs=0.003)
    assert 0.93 < found.near_clip < found.clip_from < 0.948


def test_a_picture_without_a_spike_saturates_at_white():
    light = np.random.default_rng(0).uniform(0, 0.98, 200_000)
    assert saturation(light[light >= LOWEST], np.uint16).level == 1.0


def test_scattered_samples_count_as_clipped_only_beside_clipped_ones():
    rng = np.random.default_rng(1)
    signal = np.minimum(np.linspace(0.5, 1.5, 400)[None, :] * np.ones((400, 1)), 0.94) + rng.normal(0, 0.003, (400, 400))
    clip = run(frame_of(signal)).clip
    assert np.mean(clip[:, 110:] == 15) > 0.999  # deep in the clipped part hardly a sample is missed
    assert not clip[:, :70].any()


def test_impossible_levels_and_areas_are_refused():
    frame = scene_frame(32, 32)
    with pytest.raises(ValueError, match="white level above the black level"):
        run(replace(frame, levels=replace(frame.levels, black=np.full((1, 1, 1), 5000, np.float32))))
    with pytest.raises(ValueError, match="at least 4 x 4"):
        run(replace(frame, active=Box(0, 0, 2, 32)))
    with pytest.raises(ValueError, match="one of the mosaics"):
        run(replace(frame, cfa="RGBW"))
