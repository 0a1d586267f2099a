"""Alignment on motion that is known in closed form, and where nothing can be known: flat, dark and repeating pictures."""

import numpy as np
import pytest
from burst_scenes import NIGHT, Pose, Scene, photographed, truth

from apochromat.develop.burst.align import align
from apochromat.develop.burst.planes import planes
from apochromat.develop.burst.trust import TILE, grid
from apochromat.develop.denoise_variance import stabilisation
from apochromat.light.noise import NoiseModel

SHAPE = (384, 512)
TOLERANCE = 0.15  # px RMS


def found(scene, pose, noise=NIGHT, seed=5):
    """Displacements (rows, columns, 2) in pixels of the tiles of a frame at a pose."""
    return aligned(truth(scene), truth(scene, pose), np.random.default_rng(seed), noise)


def aligned(one, other, rng, noise=NIGHT):
    """Displacements (rows, columns, 2) in pixels between two noise-free mosaics when they are photographed."""
    transform = stabilisation(noise)
    seen = [planes(photographed(signal, noise, rng).astype(np.float32), transform, noise) for signal in (one, other)]
    return 2 * align(*seen).at_tiles(*grid(*one.shape), TILE)


def true(pose, height, width):
    """The same in closed form, and which tiles the frame still shows."""
    rows, columns = grid(height, width)
    x, y = np.meshgrid(16 * np.arange(columns) + 7.5, 16 * np.arange(rows) + 7.5)
    d = pose.displacement(x, y, height, width)
    there_x, there_y = x + d[..., 0], y + d[..., 1]
    return d, (there_x > 16) & (there_x < width - 16) & (there_y > 16) & (there_y < height - 16)


def error(scene, pose, **how):
    """RMS length of the error in pixels over the tiles that both frames show."""
    expected, shown = true(pose, scene.height, scene.width)
    assert shown.mean() > 0.6
    return np.sqrt(np.square(found(scene, pose, **how) - expected).sum(-1)[shown].mean())


@pytest.mark.parametrize(
    "pose",
    [
        Pose(),
        Pose(0.5, -0.25),
        Pose(3.7, 9.2),
        Pose(-31.4, 18.6),
        Pose(0.10 * SHAPE[1], -0.10 * SHAPE[0]),
        Pose(-0.10 * SHAPE[1], 0.10 * SHAPE[0]),
        Pose(degrees=1.0),
        Pose(-6.0, 4.5, degrees=-1.0),
        Pose(2.0, 1.0, degrees=0.3, zoom=0.004),
    ],
    ids=repr,
)
def test_known_motion_is_found(pose):
    assert error(Scene(*SHAPE), pose) < TOLERANCE


@pytest.mark.parametrize("shape", [(384, 513), (241, 319), (150, 600)])
def test_known_motion_is_found_in_any_size(shape):
    height, width = (n + n % 2 for n in shape)
    assert error(Scene(height, width), Pose(0.04 * width, -0.03 * height, 0.2)) < TOLERANCE


@pytest.mark.parametrize("wobble", [1.0, 2.0])
def test_a_rolling_shutter_is_followed(wobble):
    """Rows swing by a pixel or two and back, which no motion of the whole frame does: less than half of it is left."""
    assert error(Scene(*SHAPE), Pose(1.0, 2.0, wobble=wobble)) < 0.5 * wobble / np.sqrt(2)


def test_better_light_makes_alignment_better():
    """Most of the error is noise: with a hundredth of its variance it falls under 0.05 px."""
    pose, clean = Pose(2.3, -4.1, 0.1), NoiseModel(NIGHT.scale / 100, NIGHT.offset / 100)
    quiet, noisy = (np.mean([error(Scene(*SHAPE), pose, noise=noise, seed=seed) for seed in range(3)]) for noise in (clean, NIGHT))
    assert quiet < 0.05
    assert quiet < noisy


def test_a_frame_without_structure_inherits_the_motion_of_the_part_that_has_some():
    """Flat but for the middle: the tiles around move with it."""
    scene, pose = Scene(*SHAPE, kind="sparse"), Pose(7.4, -5.2)
    flow = found(scene, pose)
    expected, shown = true(pose, *SHAPE)
    assert np.isfinite(flow).all()
    assert np.sqrt(np.square(flow - expected).sum(-1)[shown].mean()) < 0.5


@pytest.mark.parametrize("level", [0.12, 0.002, 0.0])
def test_nothing_to_see_means_no_motion(level):
    """Flat and dark frames: noise moves nothing by more than a pixel, wherever it is looked at."""
    flow = found(Scene(*SHAPE, level=level, kind="flat"), Pose(11.0, 3.0))
    assert np.isfinite(flow).all()
    assert np.abs(flow).max() < 1


def test_frames_without_noise_or_light_stay_finite():
    """All samples equal, as of a clipped or capped frame."""
    for value in (0.0, 1.0):
        mosaic, noise = np.full(SHAPE, value, np.float32), NoiseModel(np.zeros(3), np.full(3, 1e-10))
        shown = planes(mosaic, stabilisation(noise), noise)
        flow = align(shown, shown).at_tiles(*grid(*SHAPE), TILE)
        assert np.array_equal(flow, np.zeros_like(flow))


def test_repeating_stripes_inherit_the_motion_around_them():
    """A fence of 8 px stripes over half of the frame fits itself every 8 px: it keeps the motion of what stands around it."""
    height, width = SHAPE
    rng, pose, fence = np.random.default_rng(9), Pose(6.3, -9.6), np.s_[32:-32, 120:400]
    one, other = truth(Scene(*SHAPE)), truth(Scene(*SHAPE), pose)
    one[fence], other[fence] = (truth(Scene(*SHAPE, kind="stripes"), p)[fence] for p in (Pose(), pose))
    flow = aligned(one, other, rng)
    expected, shown = true(pose, height, width)
    assert np.sqrt(np.square(flow - expected).sum(-1)[shown].mean()) < 2 * TOLERANCE


@pytest.mark.parametrize("shift", [0.0, 1.5, 3.0])
def test_repeating_stripes_keep_the_nearest_motion(shift):
    """Stripes of 8 px: across them the shift by less than half a period is found, along them, where nothing is seen, none is made up."""
    flow = found(Scene(*SHAPE, kind="stripes"), Pose(shift, 0))
    assert np.isfinite(flow).all()
    assert np.abs(flow[2:-2, 2:-2, 0] + shift).max() < 0.5
    assert np.abs(flow[..., 1]).max() < 1


def test_a_mover_does_not_pull_the_picture_along():
    """A fifth of the frame moves by its own: tiles outside keep the hand's motion."""
    height, width = SHAPE
    rng, scene, pose = np.random.default_rng(8), Scene(height, width), Pose(1.7, -2.2)
    part = np.s_[100:280, 150:360]
    one, other = truth(scene), truth(scene, pose)
    one[part], other[part] = truth(Scene(height, width, seed=50))[part], truth(Scene(height, width, seed=50), Pose(-14.0, 9.0))[part]
    flow = aligned(one, other, rng)
    expected, shown = true(pose, height, width)
    shown[4:20, 7:25] = False
    assert np.sqrt(np.square(flow - expected).sum(-1)[shown].mean()) < 2 * TOLERANCE
