"""Bad pixels: kernel against oracle, what is caught and what is spared, repair of listed ones."""

import numpy as np
import pytest
from frames import frame_of
from oracle.bad_pixels import bad_pixels as oracle
from scipy.ndimage import gaussian_filter

from apochromat.develop import bad_pixels
from apochromat.develop.bad_pixels import listed_points, repair
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.light.noise import NoiseModel
from apochromat.light.opcodes import FixBadPixelsList

NOISE = NoiseModel(np.array([2e-4, 1e-4, 3e-4]), np.array([1e-6, 2e-6, 3e-6]))


def run(mosaic, threshold=6.0, gain=None):
    development = Development(frame=frame_of(mosaic), mosaic=mosaic, noise=NOISE, gain=gain or GainField.unity())
    return bad_pixels.run(development, bad_pixels.BadPixelsParams(threshold=threshold)).mosaic


def noisy(level, shape, seed=0):
    return (level + np.random.default_rng(seed).normal(0, np.sqrt(1e-4 * level + 2e-6), shape)).astype(np.float32)


@pytest.mark.parametrize("size", [(8, 8), (34, 50), (66, 130)])
def test_oracle(size):
    rng = np.random.default_rng(2)
    mosaic = noisy(0.2, size)
    mosaic[rng.random(size) < 0.03] *= 3
    mosaic[rng.random(size) < 0.03] *= 0.2
    gain = GainField(np.array([0.0, 20, 40]), np.array([-3.0, 60]), rng.uniform(1, 3, (4, 3, 2)).astype(np.float32))
    y, x = np.mgrid[: size[0], : size[1]]
    position = np.array([0, 1, 1, 2])
    expected = oracle(mosaic, gain.at(y, x, 2 * (y % 2) + x % 2), NOISE.scale[position], NOISE.offset[position], 4.0)
    got = run(mosaic, 4.0, gain)
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert np.mean(got != mosaic) > 0.005


def test_hot_and_dead_pixels_go_and_the_rest_stays():
    mosaic = noisy(0.2, (64, 64))
    bad = mosaic.copy()
    bad[20, 20], bad[31, 40], bad[45, 12] = 0.9, 0.0, 0.5
    got = run(bad)
    places = ([20, 31, 45], [20, 40, 12])
    np.testing.assert_allclose(got[places], 0.2, atol=0.03)
    rest = np.ones(bad.shape, bool)
    rest[places] = False
    np.testing.assert_array_equal(got[rest], bad[rest])


@pytest.mark.parametrize("blur", [0.6, 0.8, 1.2])
def test_stars_are_spared(blur):
    rng = np.random.default_rng(4)
    sky = np.zeros((400, 400))
    sky[rng.integers(8, 392, 150), rng.integers(8, 392, 150)] = rng.uniform(0.2, 3, 150)
    stars = gaussian_filter(sky, blur)
    mosaic = (0.02 + stars + rng.normal(0, 0.0015, stars.shape)).astype(np.float32)
    got = run(mosaic)
    assert np.sum(np.abs(got - mosaic)) < 0.01 * stars.sum()


def test_off_is_bit_exact_and_texture_is_spared():
    texture = np.random.default_rng(5).uniform(0.1, 0.6, (128, 128)).astype(np.float32)
    assert run(texture, 0.0) is texture
    assert np.mean(run(texture) != texture) < 0.01


def test_listed_pixels_and_boxes_take_their_colour_from_sound_neighbours():
    y, x = np.mgrid[:40, :40]
    plane = (1000 * (2 * (y % 2) + x % 2) + 3 * x + 2 * y).astype(np.float32)
    damaged = plane.copy()
    opcode = FixBadPixelsList(phase=0, points=np.array([[5, 6], [0, 0], [99, 3]]), boxes=np.array([[10, 20, 12, 23], [0, 30, 40, 31]]))
    points = listed_points(opcode, 40, 40)
    damaged[tuple(points.T)] = 60000
    repair(damaged, points, is_mosaic=True)
    inner = points[(points > 2).all(1) & (points < 37).all(1)]
    np.testing.assert_allclose(damaged[tuple(inner.T)], plane[tuple(inner.T)], atol=1e-3)
    np.testing.assert_allclose(damaged, plane, atol=20)


def test_a_missing_noise_model_is_estimated():
    mosaic = noisy(0.2, (256, 256))
    mosaic[100, 100] = 0.9
    development = bad_pixels.run(Development(frame=frame_of(mosaic), mosaic=mosaic), bad_pixels.BadPixelsParams())
    assert development.mosaic[100, 100] < 0.3
    assert development.noise.variance(0.2, 1, 1) == pytest.approx(2.2e-5, rel=0.3)
    flat = np.full((64, 64), 0.2, np.float32)
    silent = Development(frame=frame_of(flat), mosaic=flat, noise=NoiseModel(np.zeros(3), np.zeros(3)))
    assert bad_pixels.run(silent, bad_pixels.BadPixelsParams()) is silent
