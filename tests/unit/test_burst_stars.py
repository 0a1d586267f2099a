"""Points of light in a merged burst: stars keep their light, hot pixels lose theirs, however alike they look."""

import numpy as np
import pytest
from burst_scenes import NIGHT, Pose, Scene, as_frame, hand, light_of, merged, photographed, truth
from frames import NEUTRAL, mosaic_of

SCENE = Scene(192, 640, level=0.02, kind="flat")
COUNT = 36
RNG = np.random.default_rng(4)
PLACES = [(40 + 48 * (n % 12) + RNG.uniform(-8, 8), 40 + 48 * (n // 12) + RNG.uniform(-8, 8)) for n in range(COUNT)]


def sky(pose, height, spread):
    """Noise-free mosaic of stars: Gaussian spots of standard deviation `spread` px."""
    x, y = pose.places(SCENE.height, SCENE.width)
    spots = sum(np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * spread**2)) for column, row in PLACES)
    return mosaic_of(SCENE.at(x, y) + height * spots[..., None] * NEUTRAL, "RGGB")


@pytest.mark.parametrize("poses", [hand(8), [Pose()] * 8], ids=["hand", "tripod"])
@pytest.mark.parametrize("spread", [0.55, 0.8])
def test_stars_keep_their_light(poses, spread):
    """As sharp as a lens and a pixel make them: mean flux within 4 %, mean peak within 10 %."""
    rng = np.random.default_rng(9)
    frames = [as_frame(photographed(sky(pose, 0.5, spread), NIGHT, rng), NIGHT, n) for n, pose in enumerate(poses)]
    found, dark, expected = light_of(merged(frames).frame), truth(SCENE), sky(poses[0], 0.5, spread)
    flux, peak = [], []
    for column, row in PLACES:
        near = np.s_[round(row) - 4 : round(row) + 5, round(column) - 4 : round(column) + 5]
        flux.append((found - dark)[near].sum() / (expected - dark)[near].sum())
        peak.append((found - dark)[near].max() / (expected - dark)[near].max())
    assert np.mean(flux) == pytest.approx(1, abs=0.04)
    assert np.mean(peak) == pytest.approx(1, abs=0.1)


def test_hot_pixels_as_bright_as_stars_vanish():
    """Single samples of the same height at the same places, in a scene whose texture tells how the hand moved."""
    rng, scene = np.random.default_rng(9), Scene(SCENE.height, SCENE.width)
    where = tuple(np.array([round(place[axis]) for place in PLACES]) for axis in (1, 0))
    frames = []
    for n, pose in enumerate(hand(8)):
        signal = photographed(truth(scene, pose), NIGHT, rng)
        signal[where] += 0.5
        frames.append(as_frame(signal, NIGHT, n))
    left = (light_of(merged(frames).frame) - truth(scene))[where] / 0.5
    assert np.abs(left).max() < 0.1
    assert np.abs(left).mean() < 0.03
