"""The merge and what sensors bring along: hot pixels, mosaics of every phase and size, masked borders, darkness, clipping, few bits."""

from dataclasses import replace

import numpy as np
import pytest
from burst_scenes import NIGHT, Pose, Scene, as_frame, burst, hand, light_of, merged, photographed, psnr, truth

from apochromat.light.opcodes import TrimBounds
from apochromat.light.raw_frame import Box

FRAMES = 8
SURE = 3.7  # standard deviations: a sound merge leaves them once in 5000 runs, and the seeds are fixed


def with_hot_pixels(frames, where, height):
    """The frames with the same pixels of the sensor too high by `height` of white."""
    codes = round(height * float(frames[0].levels.white[0] - frames[0].levels.black.mean()))
    return [replace(f, samples=np.minimum(f.samples + np.uint16(codes) * where, 4095).astype(np.uint16)) for f in frames]


@pytest.fixture(scope="module")
def hot():
    """A scene and thirty-five lone pixels of the sensor."""
    where = np.zeros((256, 384), bool)
    where[np.ix_(range(35, 230, 45), range(41, 360, 46))] = True
    return Scene(256, 384), where


def test_hot_pixels_vanish_when_the_hand_moves(hot):
    scene, where = hot
    poses = [Pose(2.7 * n, 3.3 * (n % 3) - 1.9 * n) for n in range(FRAMES)]
    result = light_of(merged(with_hot_pixels(burst(scene, poses), where, 0.2)).frame)
    error, sigma = (result - truth(scene))[where], np.sqrt(NIGHT.variance(truth(scene)[where], 1.0, 1) / (FRAMES - 1))
    assert np.abs(error / sigma).max() < 6
    assert abs(error.mean()) < 0.02 * 0.2 + SURE * sigma.mean() / np.sqrt(where.sum())


def test_hot_pixels_stay_when_nothing_moves(hot):
    """What all frames show is there: a star looks the same, and the next stage knows hot pixels."""
    scene, where = hot
    result = light_of(merged(with_hot_pixels(burst(scene, [Pose()] * FRAMES), where, 0.6)).frame)
    assert (result - truth(scene))[where] == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
@pytest.mark.parametrize("shape", [(160, 192), (161, 195)])
def test_every_phase_and_size(cfa, shape):
    scene = Scene(*shape)
    frames = burst(scene, hand(4), cfa=cfa)
    result = merged(frames)
    assert result.frame.cfa == cfa
    assert result.frame.active == Box(0, 0, *shape)
    assert result.frame.samples.shape == shape
    signal = truth(scene, cfa=cfa)
    assert psnr(light_of(result.frame), signal) > psnr(light_of(frames[0]), signal) + 4


def test_optical_black_and_crop_are_the_references():
    """Masked columns are cut off, the crop keeps its place in the active area, lists of what is to come stay, those done go."""
    scene, border = Scene(160, 192), ((3, 5), (7, 2))
    plain = burst(scene, hand(3), cfa="BGGR")
    facts = {"active": Box(3, 7, 163, 199), "crop": Box(4, 6, 150, 180), "baseline_exposure_ev": 0.4, "orientation": 6}
    trim = TrimBounds(top=0, left=0, bottom=160, right=192)
    framed = [replace(f, samples=np.pad(f.samples, border, constant_values=260), opcodes2=(trim,), **facts) for f in plain]
    one, other = merged(framed).frame, merged(plain).frame
    np.testing.assert_array_equal(one.samples, other.samples)
    assert (one.active, one.crop) == (Box(0, 0, 160, 192), facts["crop"])
    assert (one.orientation, one.baseline_exposure_ev, one.opcodes1, one.opcodes2) == (6, 0.4, (), (trim,))
    assert one.profile is plain[0].profile or np.array_equal(one.profile.as_shot_neutral, plain[0].profile.as_shot_neutral)


def test_black_noise_keeps_both_halves():
    """Total darkness: nothing is cut at zero, the pedestal holds six standard deviations of one frame's read noise."""
    scene = Scene(160, 192, level=0.0, kind="flat")
    result = merged(burst(scene, [Pose()] * FRAMES)).frame
    found = light_of(result)
    assert result.levels.black.min() >= 6 * np.sqrt(NIGHT.offset[0]) * 65535
    assert result.samples.min() > 0
    assert abs(found.mean()) < SURE * np.sqrt(NIGHT.offset[0] / FRAMES / found.size) + 0.5 / 65535
    assert found.var() == pytest.approx(NIGHT.offset[0] / FRAMES, rel=0.06)


@pytest.mark.parametrize("level", [0.0, 5.0])
def test_dark_and_clipped_frames_give_finite_numbers(level):
    """A frame of noise alone and one that is all clipped."""
    result = merged(burst(Scene(96, 128, level=level, kind="flat"), hand(3)))
    assert np.isfinite(result.frames).all()
    assert (result.frames > 0).all()
    assert np.isfinite(result.frame.noise.scale).all()
    assert light_of(result.frame).mean() == pytest.approx(
        min(light_of(burst(Scene(96, 128, level=level, kind="flat"), hand(3))[0]).mean(), 1), abs=2e-3
    )


def test_numbers_are_finer_than_the_frames_own():
    """Four frames of 10 bits whose light lies between two numbers: the merged mean is nearer than either, in steps of a quarter or less."""
    rng, noise = np.random.default_rng(4), NIGHT
    frames = [as_frame(photographed(np.full((128, 128), 0.1237), noise, rng), noise, n) for n in range(4)]
    coarse = [replace(f, samples=(f.samples // 4 * 4 + 2).astype(np.uint16)) for f in frames]
    result = merged(coarse).frame
    steps = [np.median(np.diff(np.unique(light_of(frame)))) for frame in (result, coarse[0])]
    assert steps[0] < 0.3 * steps[1]
    assert light_of(result).mean() == pytest.approx(np.mean([light_of(f).mean() for f in coarse]), abs=2e-4)


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
@pytest.mark.parametrize("shape", [(160, 192), (161, 195)])
def test_the_map_has_cells_of_the_active_area(cfa, shape):
    """Whatever is put around the mosaic within: so many that a file and the noise reduction take them."""
    result = merged(burst(Scene(*shape), hand(2), cfa=cfa))
    assert result.frames.shape == tuple(-(-n // 16) for n in shape)
    assert result.frame.noise.frames.shape == result.frames.shape


def test_bright_hot_pixels_vanish_too(hot):
    """And the frames around them count as elsewhere."""
    scene, where = hot
    poses = [Pose(2.7 * n, 3.3 * (n % 3) - 1.9 * n) for n in range(FRAMES)]
    result = merged(with_hot_pixels(burst(scene, poses), where, 0.6))
    error, sigma = (light_of(result.frame) - truth(scene))[where], np.sqrt(NIGHT.variance(truth(scene)[where], 1.0, 1) / (FRAMES - 1))
    assert np.abs(error / sigma).max() < 6
    assert min(result.share.values()) > 0.8


@pytest.mark.parametrize("shape", [(4, 4), (20, 30), (12, 400), (400, 12)])
def test_frames_of_a_few_pixels_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected frames of at least 64 x 64 pixels to merge, found .*: frame_00.dng"):
        merged(burst(Scene(*shape, kind="flat"), [Pose()] * 2))


def test_the_smallest_frames_are_merged():
    result = merged(burst(Scene(64, 64), hand(3, step=0.5)))
    assert psnr(light_of(result.frame), truth(Scene(64, 64))) > psnr(light_of(burst(Scene(64, 64), [Pose()])[0]), truth(Scene(64, 64))) + 2
