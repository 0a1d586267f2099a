"""Demosaic: kernel against oracle, closed forms, what the result must not depend on, and quality on real pictures."""

import os
import subprocess
import sys

import numpy as np
import pytest
from frames import detailed_scene, frame_of, mosaic_of
from oracle import demosaic as oracle

from apochromat.develop import demosaic as stage
from apochromat.develop.demosaic import demosaic
from apochromat.light.development import Development
from apochromat.light.noise import NoiseModel

SHIFTS = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}


def noisy_mosaic(height, width, seed=0):
    """Detail, noise, values below 0 and above 1."""
    rng = np.random.default_rng(seed)
    scene = 2.5 * detailed_scene(height, width, seed) - 0.1
    return (mosaic_of(scene) + 0.05 * rng.standard_normal((height, width))).astype(np.float32)


def quality(found, truth):
    """CPSNR in dB, 12 pixels of border left out."""
    error = (np.clip(found, 0, 1) - truth)[12:-12, 12:-12]
    return -10 * np.log10(np.mean(np.square(error)))


@pytest.mark.parametrize("noise", [0.0, 0.0025])
@pytest.mark.parametrize("size", [(4, 4), (8, 8), (6, 20), (34, 50), (66, 1064), (530, 40)])
def test_oracle(size, noise):
    mosaic = noisy_mosaic(*size)
    found = demosaic(mosaic, noise=noise).transpose(2, 0, 1)
    np.testing.assert_allclose(found, oracle.demosaic(mosaic, noise), rtol=0, atol=1e-4)


@pytest.mark.parametrize("color", [(0.2, 0.5, 0.9), (3.0, 0.01, 0.0), (-0.002, -0.001, 0.001), (0.0, 0.0, 0.0)])
def test_flat_field_is_kept(color):
    found = demosaic(mosaic_of(np.broadcast_to(color, (40, 60, 3))))
    np.testing.assert_allclose(found, np.broadcast_to(color, (40, 60, 3)), rtol=0, atol=1e-9 + 1e-6 * max(map(abs, color)))


def test_grey_picture_stays_grey_and_is_kept():
    """Fine colourless texture gets no colour and stays as it was."""
    rng = np.random.default_rng(2)
    smooth = rng.random((64, 80))
    for axis in (0, 1, 0, 1):
        smooth = sum(np.roll(smooth, k, axis) for k in range(-2, 3)) / 5
    found = demosaic(mosaic_of(np.repeat(smooth[..., None], 3, 2)))
    assert np.abs(found - smooth[..., None])[8:-8, 8:-8].max() < 0.02
    assert np.ptp(found, axis=2)[8:-8, 8:-8].max() < 0.02


def test_linear_ramps_are_kept():
    y, x = np.mgrid[:80, :120]
    scene = np.stack([0.3 + 0.002 * x, 0.5 + 0.001 * x + 0.002 * y, 0.4 + 0.0015 * y], -1)
    found = demosaic(mosaic_of(scene))
    assert np.abs(found - scene)[24:-24, 24:-24].max() < 1e-4


def test_four_patterns_give_the_same_pixels():
    mosaic = noisy_mosaic(120, 140)
    whole = demosaic(mosaic, "RGGB", 1e-4)
    for pattern, (top, left) in SHIFTS.items():
        part = demosaic(mosaic[top:, left:], pattern, 1e-4)
        inside = np.s_[40:-40, 40:-40]
        np.testing.assert_allclose(part[inside], whole[top:, left:][inside], rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", [(21, 30), (20, 31), (21, 31), (5, 4)])
@pytest.mark.parametrize("pattern", SHIFTS)
def test_odd_sizes_keep_their_samples(shape, pattern):
    """The measured colour of every pixel is in the result as it was measured."""
    mosaic = noisy_mosaic(*shape)
    found = demosaic(mosaic, pattern)
    assert found.shape == (*shape, 3)
    np.testing.assert_array_equal(mosaic_of(found, pattern), mosaic)


@pytest.mark.parametrize("scale", [0.01, 8.0])
def test_result_scales_with_the_mosaic(scale):
    mosaic = noisy_mosaic(60, 80)
    expected = scale * demosaic(mosaic, noise=1e-4)
    found = demosaic(np.float32(scale) * mosaic, noise=1e-4 * scale**2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * scale * np.abs(mosaic).max())


def test_noise_on_black_keeps_its_zero_mean():
    sigma = 1e-3
    mosaic = sigma * np.random.default_rng(3).standard_normal((512, 512)).astype(np.float32)
    found = demosaic(mosaic, noise=sigma**2)
    assert np.abs(found.mean((0, 1))).max() < 4 * 2 * sigma / 512
    assert found.std((0, 1)).max() < sigma


def test_noise_on_grey_stays_without_direction():
    """Interpolated noise has as much energy along rows as along columns, and less than the sensor's."""
    mosaic = 0.3 + 0.02 * np.random.default_rng(4).standard_normal((512, 512)).astype(np.float32)
    found = demosaic(mosaic, noise=0.02**2)
    across, down = ((np.roll(found, 1, axis) - found).std((0, 1)) for axis in (1, 0))
    np.testing.assert_allclose(across, down, rtol=0.02)
    assert found.std((0, 1)).max() < 0.02


def test_thread_count_changes_no_bit(tmp_path):
    mosaic, path = noisy_mosaic(800, 1200), tmp_path / "mosaic.npy"
    np.save(path, mosaic)
    code = "import sys, numpy as np; from apochromat.develop.demosaic import demosaic; np.save(sys.argv[2], demosaic(np.load(sys.argv[1])))"
    for threads in ("1", "3"):
        environment = {**os.environ, "HL_NUM_THREADS": threads}
        subprocess.run([sys.executable, "-c", code, path, tmp_path / threads], env=environment, check=True)
    one, three = (np.load(tmp_path / f"{threads}.npy") for threads in ("1", "3"))
    np.testing.assert_array_equal(one.view(np.uint32), three.view(np.uint32))


def test_stage_replaces_the_mosaic_and_passes_planes():
    mosaic = noisy_mosaic(40, 60)
    frame = frame_of(np.clip(mosaic, 0, 1))
    noise = NoiseModel(np.full(3, 1e-3), np.full(3, 1e-6))
    done = stage.run(Development(frame=frame, mosaic=mosaic, noise=noise, wb=np.array([2.0, 1, 1.5])), stage.DemosaicParams())
    assert done.mosaic is None
    np.testing.assert_array_equal(done.rgb.transpose(1, 2, 0), demosaic(mosaic, noise=(4 + 1 + 2.25) / 3 * 1e-6))
    assert stage.run(done, stage.DemosaicParams()) is done


def test_senseless_input_is_named():
    with pytest.raises(ValueError, match="expected one of the mosaics RGGB, GRBG, GBRG, BGGR, found 'RGBG'"):
        demosaic(np.zeros((8, 8)), "RGBG")
    with pytest.raises(ValueError, match=r"at least 4 x 4 samples, found the shape \(2, 8\)"):
        demosaic(np.zeros((2, 8)))


def test_quality_on_kodak_pictures(shared):
    """Fence, shutters and boats, sRGB codes taken as linear: well above the best fast methods (AHD: 37.0, 33.7, 39.5 dB)."""
    imageio = pytest.importorskip("imageio.v3")
    floor = {19: 41.5, 1: 40.0, 9: 43.0}
    for number, least in floor.items():
        truth = imageio.imread(shared / f"data/kodak/kodim{number:02}.png") / 255
        assert quality(demosaic(mosaic_of(truth)), truth) > least, number
