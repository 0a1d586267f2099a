"""Sharpen: against the oracle; resolution gained, halos and noise not."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from finishing import defocused, finish, mtf50, sharpening, slanted_edge
from oracle import sharpen as oracle

from apochromat.develop.sharpen import STAGE, SharpenParams, blur_taps, luminance_noise
from apochromat.light.development import Development
from apochromat.light.noise import NoiseModel


@pytest.mark.parametrize("shape", [(8, 16), (34, 50), (51, 67), (130, 33)])
def test_kernel_matches_oracle(shape, isa):
    on = sharpening(1.0, a=1e-3, b=1e-5)
    for mean, spread in ((0.5, 0.5), (0.2, 0.02), (0.0, 0.01)):
        rgb = np.random.default_rng(4).normal(mean, spread, (*shape, 3)).astype(np.float32)
        expected = oracle.sharpen(rgb, 1.0, on["sharpen_blur"].astype(float), (on["sharpen_noise_a"], on["sharpen_noise_b"]))
        np.testing.assert_allclose(finish(rgb, **on), expected, atol=1e-4)


def test_off_is_bit_exact():
    rgb = np.random.default_rng(5).normal(0.5, 0.5, (34, 50, 3)).astype(np.float32)
    np.testing.assert_array_equal(finish(rgb, **sharpening(0.0)), rgb)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.6), (0.02, 1.0), (0.5, 4.0)])
def test_resolution_rises_without_halo(low, high):
    blurred = slanted_edge(low, high, 0.65)
    result = finish(blurred, **sharpening())
    assert mtf50(result[..., 1]) > 1.3 * mtf50(blurred[..., 1])
    assert result.max() <= high * 1.001
    assert result.min() >= low * 0.999


def test_edge_beside_a_clipped_area_gets_no_ring():
    clipped = np.minimum(slanted_edge(0.2, 3.0, 0.8), 1.0)
    result = finish(clipped, **sharpening(1.0, 0.8))
    assert result.max() <= 1.0001
    assert result.min() >= 0.1999


@pytest.mark.parametrize("level", [0.01, 0.2, 2.0])
def test_flat_noise_is_not_amplified(level):
    sigma = np.sqrt(1e-4 * level + 1e-6)
    rgb = np.repeat(np.random.default_rng(6).normal(level, sigma, (96, 96, 1)), 3, -1)
    assert finish(rgb, **sharpening(1.0, a=1e-4, b=1e-6))[..., 1].std() < 1.1 * rgb[..., 1].std()


@pytest.mark.parametrize("frequency", [0.2, 0.3, 0.4])
def test_contrast_of_fine_texture_rises_as_designed(frequency):
    wave = 0.3 + 0.05 * np.cos(2 * np.pi * frequency * np.arange(100))
    rgb = np.broadcast_to(wave[None, :, None], (24, 100, 3))
    passed = np.exp(-2 * (np.pi * 0.65 * frequency) ** 2)
    gained = np.ptp(finish(rgb, **sharpening(1.0))[12, 10:90, 1]) / np.ptp(wave)
    assert gained == pytest.approx((1 - (1 - passed) ** 3) / passed, rel=0.1)


def test_hue_and_saturation_stay():
    rgb = slanted_edge(0.1, 0.6, 0.65) * [0.9, 0.4, 0.1]
    result = finish(rgb, **sharpening())
    np.testing.assert_allclose(result / result[..., :1], rgb / rgb[..., :1], rtol=1e-5)
    assert np.abs(result - rgb).max() > 0.01


@pytest.mark.parametrize("radius", [0.5, 0.65, 0.9])
def test_taps_add_to_one_and_have_the_radius(radius):
    for taps, times in zip(blur_taps(radius), (1, 2), strict=True):
        whole, at = np.concatenate([taps[:0:-1], taps]), np.arange(-3, 4)
        assert whole.sum() == pytest.approx(1, rel=1e-6)
        assert np.sqrt(whole @ at**2) == pytest.approx(radius * times**0.5, rel=0.15)


def test_noise_of_luminance_is_measured_noise():
    noise = NoiseModel(np.array([2e-4, 1e-4, 3e-4]), np.array([1e-6, 2e-6, 3e-6]))
    wb, matrix = np.array([2.0, 1.0, 1.5]), np.array([[0.7, 0.2, 0.1], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9]], np.float32)
    development = replace(Development(frame=SimpleNamespace()), noise=noise, wb=wb, finish={"camera_to_working": matrix})
    a, b = luminance_noise(development)
    before = 0.3 / wb
    samples = np.random.default_rng(7).normal(before, np.sqrt(noise.scale * before + noise.offset), (200_000, 3))
    luminance = samples * wb @ matrix.T @ [0.2627, 0.6780, 0.0593]
    assert a * 0.3 + b == pytest.approx(luminance.var(), rel=0.02)


def test_stage_scales_noise_to_the_detail():
    development = replace(Development(frame=SimpleNamespace()), noise=NoiseModel(np.full(3, 1e-4), np.full(3, 1e-6)))
    given = STAGE.run(development, SharpenParams(amount=1.0)).finish
    flat = np.random.default_rng(8).normal(0, 1, (400, 400))
    once, twice = (defocused(flat[..., None], (0.65 * factor,), np.inf)[..., 0] for factor in (1, 2**0.5))
    share = np.square([0.2627, 0.6780, 0.0593]).sum()
    assert given["sharpen_noise_a"] == pytest.approx(1e-4 * share * (2 * flat - 3 * once + twice).var(), rel=0.03)
