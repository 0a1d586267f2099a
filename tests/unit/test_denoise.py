"""Noise reduction: against the oracle, mean kept, off is off, same on any number of threads, gain in quality."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frames import NEUTRAL, frame_of
from oracle import denoise as oracle

from apochromat.develop import denoise
from apochromat.develop.denoise import DenoiseParams, remaining_variance
from apochromat.develop.denoise_variance import stabilisation
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.light.noise import NoiseModel

PHONE = NoiseModel(np.full(3, 2.5e-3), np.full(3, 2e-5))  # about ISO 3200


def development(mosaic, gain=None, noise=PHONE):
    """A development that has come as far as the denoise stage."""
    frame = frame_of(np.zeros(mosaic.shape))
    return Development(frame, mosaic=np.ascontiguousarray(mosaic, np.float32), gain=gain or GainField.unity(), noise=noise)


def run(mosaic, gain=None, noise=PHONE, **parameters):
    return denoise.run(development(mosaic, gain, noise), DenoiseParams(**parameters)).mosaic


def noisy(rng, signal, noise=PHONE):
    """Poisson and Gaussian noise on a signal before gain."""
    return rng.poisson(signal / noise.scale[0]) * noise.scale[0] + rng.normal(0, noise.offset[0] ** 0.5, signal.shape)


def scene(height, width):
    """Coloured patches, edges and a fine grating, 0..1."""
    y, x = np.mgrid[:height, :width]
    grey = 0.08 + 0.05 * np.sin(x / 9.0) + 0.3 * ((x - y // 3) % 37 < 12) + 0.04 * np.sin(2.0 * y) * (x > width // 2)
    tint = np.where((x // 20 + y // 24) % 2 == 0, 1.0, 0.4)
    red, blue = (y % 2 == 0) & (x % 2 == 0), (y % 2 == 1) & (x % 2 == 1)
    return np.clip(grey * np.where(red, tint * 0.5, np.where(blue, 0.62 / (0.6 + tint), 1.0)), 0, 1)


def field(height, width):
    """A gain map with odd knots, each position of its own."""
    knots_y, knots_x = np.array([-3.0, height * 0.37, height + 2.5]), np.array([0.5, width * 0.7])
    return GainField(knots_y, knots_x, np.random.default_rng(5).uniform(1, 3.3, (4, 3, 2)).astype(np.float32))


@pytest.mark.parametrize("shape", [(8, 8), (34, 50), (4, 6), (6, 130), (150, 18), (290, 1100)])
@pytest.mark.parametrize("parameters", [{}, {"luminance": 1.0, "chroma": 0.3, "detail": 0.0}])
@pytest.mark.parametrize("uniform", [True, False])
def test_kernel_equals_oracle(shape, parameters, uniform):
    rng = np.random.default_rng(1)
    gain = field(*shape)
    gains = gain.at(*np.mgrid[: shape[0], : shape[1]], np.add.outer(2 * (np.arange(shape[0]) % 2), np.arange(shape[1]) % 2))
    mosaic = (noisy(rng, scene(*shape)) * gains).astype(np.float32)
    p = DenoiseParams(**parameters)
    frames = None if uniform else rng.uniform(1, 8, [-(-n // 16) for n in shape]).astype(np.float32)
    neutral, tolerance = NEUTRAL[[0, 1, 1, 2]], 3 * 0.25**p.detail
    expected = oracle.denoise(mosaic, gains, stabilisation(PHONE), neutral, p.luminance, p.chroma, tolerance, frames)
    found = run(mosaic, gain, NoiseModel(PHONE.scale, PHONE.offset, frames), **parameters)
    assert np.abs(found - expected).max() < 1e-4
    assert np.abs(found - mosaic).max() > 1e-3


def test_off_is_the_same_array():
    given = development(scene(20, 30))
    assert denoise.run(given, DenoiseParams(luminance=0, chroma=0)).mosaic is given.mosaic
    assert denoise.STAGE.neutral == {"luminance": 0.0, "chroma": 0.0}


def test_frame_without_mosaic_passes():
    given = replace(development(scene(8, 8)), mosaic=None, rgb=np.zeros((3, 8, 8), np.float32))
    assert denoise.run(given, DenoiseParams()) is given


def test_given_mosaic_is_left_alone():
    mosaic = noisy(np.random.default_rng(2), scene(40, 40)).astype(np.float32)
    given = development(mosaic.copy())
    denoise.run(given, DenoiseParams())
    assert np.array_equal(given.mosaic, mosaic)


@pytest.mark.parametrize("signal", [0.0, 0.003, 0.05])
@pytest.mark.parametrize("gain", [1.0, 2.7])
def test_mean_of_flat_frames_is_kept(signal, gain):
    """Black frames stay zero-mean, and flat ones keep their level, within 0.05 DN of 14 bits, though their noise is skewed."""
    rng = np.random.default_rng(3)
    mosaic = (noisy(rng, np.full((600, 800), signal)) * gain).astype(np.float32)
    change = run(mosaic, GainField(np.arange(2.0), np.arange(2.0), np.full((4, 2, 2), gain, np.float32))).astype(np.float64) - mosaic
    for position in range(4):
        assert abs(change[position // 2 :: 2, position % 2 :: 2].mean()) < 0.05 / 16383


def test_noise_free_frame_is_kept():
    """With a clean sensor's noise model and no noise, nothing visible changes."""
    clean = NoiseModel(np.full(3, 2e-5), np.full(3, 1e-8))
    signal = scene(120, 160)
    error = run(signal, noise=clean) - signal
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.sqrt(np.mean(2e-5 * signal + 1e-8))


def test_noiseless_model_skips():
    given = development(scene(20, 30), noise=NoiseModel(np.zeros(3), np.zeros(3)))
    assert denoise.run(given, DenoiseParams()).mosaic is given.mosaic


def test_shift_by_cells_shifts_the_result():
    rng = np.random.default_rng(4)
    mosaic = noisy(rng, scene(240, 300))
    border = 2 * 32
    for dy, dx in ((2, 0), (0, 2), (6, 10)):
        whole, part = run(mosaic)[dy:, dx:], run(mosaic[dy:, dx:])
        assert np.abs(whole - part)[border:-border, border:-border].max() < 1e-6


def test_clipped_wall_under_a_gain_map_stays():
    """All saturated: whatever the gain map, the result is the gain map."""
    gain = field(90, 120)
    wall = np.zeros((90, 120), np.float32)
    for position in range(4):
        y, x = np.mgrid[position // 2 : 90 : 2, position % 2 : 120 : 2]
        wall[position // 2 :: 2, position % 2 :: 2] = gain.at(y, x, position)
    assert np.abs(run(wall, gain) / wall - 1).max() < 1e-5


@pytest.mark.parametrize("parameters", [{}, {"luminance": 1.0}, {"luminance": 0.3, "chroma": 0.8}, {"luminance": 0.0}])
def test_remaining_noise_of_a_flat_frame_is_as_predicted(parameters):
    signal = np.full((500, 500), 0.05)
    mosaic = noisy(np.random.default_rng(6), signal)
    p = DenoiseParams(**parameters)
    result = denoise.run(development(mosaic), p)
    measured = (result.mosaic - signal)[64:-64, 64:-64].var()
    assert measured == pytest.approx(result.noise.variance(0.05, 1.0, 1), rel=0.15, abs=0.01 * PHONE.variance(0.05, 1.0, 1))
    assert result.noise.scale[0] == pytest.approx(PHONE.scale[0] * remaining_variance(p.luminance, p.chroma))


def test_colour_blotches_go():
    """Colour noise coarser than 16 pixels falls to less than 60 %, brightness noise of that size hardly."""
    signal = np.full((640, 640), 0.05)
    mosaic = noisy(np.random.default_rng(7), signal)

    def coarse(m):
        planes = oracle.to_opponent(oracle.cells(m)[:, 64:-64, 64:-64], NEUTRAL[[0, 1, 1, 2]])
        return planes.reshape(4, 24, 8, 24, 8).mean((2, 4)).std((1, 2))

    before, after = coarse(mosaic), coarse(run(mosaic))
    assert np.all(after[1:3] < 0.6 * before[1:3])
    assert after[0] > 0.8 * before[0]


def test_psnr_gain_on_a_photograph(shared):
    import imageio.v3 as iio

    image = (iio.imread(shared / "data/kodak/kodim07.png") / 255.0) ** 2.2 * 0.4
    signal = image[..., 1].copy()
    signal[0::2, 0::2], signal[1::2, 1::2] = image[0::2, 0::2, 0] * NEUTRAL[0], image[1::2, 1::2, 2] * NEUTRAL[2]
    mosaic = noisy(np.random.default_rng(8), signal)
    gain = 10 * np.log10(np.mean((mosaic - signal) ** 2) / np.mean((run(mosaic) - signal) ** 2))
    assert gain > 2.5


def test_threads_do_not_matter(tmp_path):
    """The same bits on one thread and on four."""
    code = (
        "import sys, numpy as np; sys.path += sys.argv[2:]; from test_denoise import *;"
        "np.save(sys.argv[1], run(noisy(np.random.default_rng(9), scene(300, 200)), field(300, 200)))"
    )
    folders, results = [str(Path(__file__).parent), str(Path(__file__).parents[1])], []
    for threads in ("1", "4"):
        path = tmp_path / f"{threads}.npy"
        subprocess.run([sys.executable, "-c", code, path, *folders], env={**os.environ, "HL_NUM_THREADS": threads}, check=True)
        results.append(np.load(path))
    assert np.array_equal(*results)
