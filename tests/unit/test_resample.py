"""Resampling kernel: against the oracle, and what it keeps and loses."""

import numpy as np
import pytest
from finishing import finish
from oracle import resample as oracle

OFF, RED_BLUE, ALL, FAR = range(4)
ONE = np.ones((3, 4, 4), np.float32)


def knots_for(shape):
    """Rows and columns of knots for a picture, and their pixel positions."""
    rows, columns = (-(-n // 32) + 5 for n in shape)
    return np.meshgrid((np.arange(rows) - 2) * 32.0, (np.arange(columns) - 2) * 32.0, indexing="ij")


def displaced(rise, run):
    """Kernel arguments for these knots."""
    reach = int(np.ceil(np.abs(run).max())) + 4
    return {"resample_rise": np.float32(rise), "resample_run": np.float32(run), "resample_reach": reach}


def field(shape, scale, seed=0):
    """Smooth displacement (3, rows, columns): a scale about the middle, another for each channel, and a little waviness."""
    rng = np.random.default_rng(seed)
    y, x = knots_for(shape)
    rise = np.stack([(y - shape[0] / 2) * s + 0.4 * rng.standard_normal(y.shape) for s in np.array([1, -0.6, 0.8]) * scale])
    run = np.stack([(x - shape[1] / 2) * s + 0.4 * rng.standard_normal(x.shape) for s in np.array([1, -0.6, 0.8]) * scale])
    return displaced(rise, run)


def uniform(dy, dx):
    """The same displacement everywhere, in every channel."""
    return displaced(np.full((3, 4, 4), dy), np.full((3, 4, 4), dx))


@pytest.mark.parametrize("shape", [(8, 16), (34, 50), (51, 67), (130, 133)])
@pytest.mark.parametrize(("mode", "scale"), [(OFF, 0.02), (RED_BLUE, 0.02), (ALL, 0.02), (FAR, 0.02), (FAR, 0.4)])
def test_kernel_matches_oracle(shape, mode, scale, isa):
    rgb = np.random.default_rng(1).random((*shape, 3)) ** 3 * 2 - 0.05
    y, x = knots_for(shape)
    gain = np.stack([1 + k * ((y / 100) ** 2 + (x / 100) ** 2) for k in (0.1, 0.2, 0.3)]).astype(np.float32)
    moves = field(shape, scale)
    expected = oracle.resample(rgb.astype(np.float32), mode, moves["resample_rise"], moves["resample_run"], gain)
    np.testing.assert_allclose(finish(rgb, resample_mode=mode, vignette_gain=gain, **moves), expected, atol=1e-4)


def test_off_is_the_same_bits():
    rgb = np.random.default_rng(2).standard_normal((40, 70, 3)).astype(np.float32)
    np.testing.assert_array_equal(finish(rgb, **field((40, 70), 0.1)), rgb)


@pytest.mark.parametrize("mode", [RED_BLUE, ALL, FAR])
@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (3, -2), (-5, 7)])
def test_whole_pixel_displacement_moves_the_same_bits(mode, dy, dx):
    rgb = np.random.default_rng(3).random((60, 80, 3)).astype(np.float32)
    moved = rgb[np.clip(np.arange(60) + dy, 0, 59)][:, np.clip(np.arange(80) + dx, 0, 79)]
    if mode == RED_BLUE:
        moved[..., 1] = rgb[..., 1]
    np.testing.assert_array_equal(finish(rgb, resample_mode=mode, **uniform(dy, dx)), moved)


def test_near_and_far_modes_agree():
    rgb = np.random.default_rng(4).random((90, 120, 3)).astype(np.float32)
    moves = field((90, 120), 0.02)
    np.testing.assert_allclose(finish(rgb, resample_mode=ALL, **moves), finish(rgb, resample_mode=FAR, **moves), atol=2e-6)


@pytest.mark.parametrize("shift", [0.125, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("frequency", [0.0625, 0.125, 0.25])
def test_contrast_and_position_of_a_shifted_sine(shift, frequency):
    """At most 3 % of contrast and 0.05 px of position are lost up to a quarter of a cycle per pixel."""
    x = np.arange(128)
    line = 1 + 0.3 * np.sin(2 * np.pi * frequency * x)
    rgb = np.broadcast_to(line[None, :, None], (40, 128, 3))
    middle = np.s_[16:112]
    out = finish(rgb, resample_mode=ALL, **uniform(0, shift))[20, middle, 0] - 1
    wave = 2 * np.mean(out * np.exp(-2j * np.pi * frequency * x[middle]))
    assert abs(abs(wave) / 0.3 - 1) < 0.03
    moved = (np.angle(wave * 1j) / (2 * np.pi * frequency) - shift + 0.5 / frequency) % (1 / frequency) - 0.5 / frequency
    assert abs(moved) < 0.05


def test_a_highlight_leaves_no_ring():
    """Beside a highlight 100 times brighter, shadow stays above three quarters of itself, and so positive."""
    rgb = np.full((48, 64, 3), 0.08)
    rgb[:, 32:] = 8
    out = finish(rgb, resample_mode=ALL, **uniform(0.5, 0.5))
    assert out.min() >= 0.75**2 * 0.08 * 0.999


def test_noise_about_black_keeps_its_mean():
    """The bound on undershoots shifts the mean of black by less than 1 % of the noise."""
    rgb = np.random.default_rng(5).standard_normal((300, 300, 3)) * 0.01
    out = finish(rgb, resample_mode=ALL, **uniform(0.5, 0.5))
    assert abs(out.mean() - rgb.mean()) < 1e-4
