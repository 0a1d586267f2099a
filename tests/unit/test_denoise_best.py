"""Noise reduction at its best: against the oracle, mean kept, noise left as stated, borders, tiny frames, any number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from frames import NEUTRAL, frame_of
from oracle import denoise_best as oracle
from oracle.denoise import cells

from apochromat.develop import denoise
from apochromat.develop.denoise import DenoiseParams, remaining_variance
from apochromat.develop.denoise_best import halved, mean_light
from apochromat.develop.denoise_variance import stabilisation
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.light.noise import NoiseModel

PHONE = NoiseModel(np.full(3, 2.5e-3), np.full(3, 2e-5))  # about ISO 3200
FULL = {"quality": "best", "luminance": 1.0}


def development(mosaic, gain=None, noise=PHONE):
    """A development that has come as far as the denoise stage."""
    frame = frame_of(np.zeros(mosaic.shape))
    return Development(frame, mosaic=np.ascontiguousarray(mosaic, np.float32), gain=gain or GainField.unity(), noise=noise)


def run(mosaic, gain=None, noise=PHONE, **parameters):
    return denoise.run(development(mosaic, gain, noise), DenoiseParams(**{"quality": "best", **parameters})).mosaic


def noisy(rng, signal, noise=PHONE, share=1.0):
    """Poisson and Gaussian noise on a signal before gain; share: of the variance, a number or (H, W)."""
    scale = noise.scale[0] * share
    return rng.poisson(signal / scale) * scale + rng.normal(0, 1, signal.shape) * np.sqrt(noise.offset[0] * share)


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


def counts(height, width):
    """Effective numbers of frames for a picture of this size."""
    return np.random.default_rng(6).uniform(1, 8, (-(-height // 16), -(-width // 16))).astype(np.float32)


def varied(height, width, noise=PHONE):
    return NoiseModel(noise.scale, noise.offset, counts(height, width))


@pytest.mark.parametrize("shape", [(8, 8), (4, 6), (34, 50), (6, 130), (150, 18), (102, 310)])
@pytest.mark.parametrize("uniform", [True, False])
def test_kernel_equals_oracle(shape, uniform):
    gain = field(*shape)
    gains = gain.at(*np.mgrid[: shape[0], : shape[1]], np.add.outer(2 * (np.arange(shape[0]) % 2), np.arange(shape[1]) % 2))
    mosaic = (noisy(np.random.default_rng(1), scene(*shape)) * gains).astype(np.float32)
    noise = PHONE if uniform else varied(*shape)
    p = DenoiseParams(quality="best", luminance=0.8 if uniform else 1.0, chroma=1.0 if uniform else 0.3, detail=0.5 if uniform else 0.2)
    neutral, strength = NEUTRAL[[0, 1, 1, 2]], 1.5 * 0.25**p.detail
    expected = oracle.denoise(mosaic, gains, stabilisation(PHONE), neutral, p.luminance, p.chroma, strength, noise.frames)
    found = run(mosaic, gain, noise, **p.model_dump())
    assert np.abs(found - expected).max() < 1e-4
    assert np.abs(found - mosaic).max() > 1e-3


@pytest.mark.parametrize("signal", [0.0, 0.003, 0.05])
@pytest.mark.parametrize("gain", [1.0, 2.7])
def test_mean_of_flat_frames_is_kept(signal, gain):
    """Black frames stay zero-mean, and flat ones keep their level, within 0.05 DN of 14 bits, though their noise is skewed."""
    mosaic = (noisy(np.random.default_rng(3), np.full((300, 400), signal)) * gain).astype(np.float32)
    gains = GainField(np.arange(2.0), np.arange(2.0), np.full((4, 2, 2), gain, np.float32))
    change = run(mosaic, gains, luminance=1.0).astype(np.float64) - mosaic
    for position in range(4):
        assert abs(change[position // 2 :: 2, position % 2 :: 2].mean()) < 0.05 / 16383


@pytest.mark.parametrize("parameters", [{}, {"luminance": 1.0}, {"luminance": 0.3, "chroma": 0.8}, {"luminance": 0.0}])
def test_remaining_noise_of_a_flat_frame_is_as_predicted(parameters):
    signal = np.full((500, 500), 0.05)
    p = DenoiseParams(quality="best", **parameters)
    result = denoise.run(development(noisy(np.random.default_rng(6), signal)), p)
    measured, before = (result.mosaic - signal)[64:-64, 64:-64].var(), PHONE.variance(0.05, 1.0, 1)
    assert measured == pytest.approx(result.noise.variance(0.05, 1.0, 1), rel=0.15, abs=0.002 * before)
    assert result.noise.scale[0] == pytest.approx(PHONE.scale[0] * remaining_variance(p.luminance, p.chroma, "best"))


def test_noise_free_frame_is_kept():
    """With a clean sensor's noise model and no noise, nothing visible changes."""
    clean, signal = NoiseModel(np.full(3, 2e-5), np.full(3, 1e-8)), scene(120, 160)
    error = run(signal, noise=clean, luminance=1.0) - signal
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.sqrt(np.mean(2e-5 * signal + 1e-8))


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_equal_numbers_of_frames_are_no_map(quality):
    mosaic = noisy(np.random.default_rng(4), scene(90, 70)).astype(np.float32)
    same = NoiseModel(PHONE.scale, PHONE.offset, np.full((6, 5), 3.7, np.float32))
    assert np.array_equal(run(mosaic, noise=same, quality=quality), run(mosaic, quality=quality))


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_noise_follows_the_number_of_frames(quality):
    """Where one frame of eight could be used, the noise is filtered as that of one frame, and elsewhere as that of eight."""
    signal = np.full((320, 512), 0.05)
    frames = np.where(np.arange(32) < 20, 8, 1) * np.ones((20, 1), np.float32)
    share = np.repeat(8 / frames[0], 16)[None]
    eighth = NoiseModel(PHONE.scale / 8, PHONE.offset / 8, frames.astype(np.float32))
    mosaic = noisy(np.random.default_rng(7), signal, eighth, share)
    result = denoise.run(development(mosaic, noise=eighth), DenoiseParams(quality=quality, luminance=1.0))
    assert result.noise.frames is eighth.frames
    error = result.mosaic - signal
    left = [error[:, part].var() / (mosaic - signal)[:, part].var() for part in (np.s_[32:288], np.s_[352:480])]
    blind = run(mosaic, noise=NoiseModel(eighth.scale, eighth.offset), quality=quality, luminance=1.0) - signal
    assert max(left) < {"fast": 0.05, "best": 0.01}[quality]
    assert left[1] < 0.3 * blind[:, 352:480].var() / (mosaic - signal)[:, 352:480].var()


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_map_of_another_size_is_refused(quality):
    wrong = NoiseModel(PHONE.scale, PHONE.offset, np.ones((6, 6), np.float32))
    with pytest.raises(ValueError, match=r"expected effective numbers of frames in \(6, 5\) cells, found \(6, 6\)"):
        run(scene(90, 70), noise=wrong, quality=quality)


def test_detail_leaves_more():
    """A higher `detail` changes less, in texture and in all."""
    signal = scene(200, 240)
    mosaic = noisy(np.random.default_rng(8), signal)
    changes = [np.mean((run(mosaic, **FULL, detail=detail) - mosaic) ** 2) for detail in (0.0, 0.5, 1.0)]
    assert changes[0] > 1.02 * changes[1] > 1.04 * changes[2]


def test_nearer_the_truth_than_the_fast_way():
    signal = scene(200, 240)
    mosaic = noisy(np.random.default_rng(9), signal)
    fast, best = (np.mean((run(mosaic, **{**FULL, "quality": q}) - signal) ** 2) for q in ("fast", "best"))
    assert best < 0.8 * fast


def test_clipped_wall_under_a_gain_map_stays():
    gain, wall = field(90, 120), np.zeros((90, 120), np.float32)
    for position in range(4):
        y, x = np.mgrid[position // 2 : 90 : 2, position % 2 : 120 : 2]
        wall[position // 2 :: 2, position % 2 :: 2] = gain.at(y, x, position)
    assert np.abs(run(wall, gain, **FULL) / wall - 1).max() < 1e-5


def test_given_mosaic_is_left_alone():
    given = development(noisy(np.random.default_rng(2), scene(40, 40)))
    kept = given.mosaic.copy()
    denoise.run(given, DenoiseParams(**FULL))
    assert np.array_equal(given.mosaic, kept)


def test_halved_takes_an_odd_edge_twice():
    assert np.allclose(halved(np.arange(15, dtype=np.float32).reshape(1, 3, 5)), [[[3, 5, 6.5], [10.5, 12.5, 14]]])


@pytest.mark.parametrize("shape", [(4, 6), (34, 130), (500, 270)])
def test_mean_light_gives_back_exactly_what_was_taken(shape):
    """The field's sum over the samples of a position is the sums' sum, and even taking gives an even field."""
    taken = np.random.default_rng(10).normal(0.1, 1, (4, *(max(2, -(-n // 32)) for n in shape)))
    for axis, n in ((1, shape[0]), (2, shape[1])):
        taken[(slice(None),) * axis + (slice(-(-n // 32), None),)] = 0
    given = mean_light(taken, shape)
    places = [np.mgrid[p // 2 : shape[0] : 2, p % 2 : shape[1] : 2] for p in range(4)]
    for p, (y, x) in enumerate(places):
        assert given.at(y, x, p).sum() == pytest.approx(taken[p].sum(), rel=1e-4, abs=1e-3)
    rows, columns = (np.clip(n // 2 - 16 * np.arange(taken.shape[k]), 0, 16) for k, n in ((1, shape[0]), (2, shape[1])))
    even = mean_light(np.tile(0.3 * np.outer(rows, columns), (4, 1, 1)), shape)
    assert np.allclose([even.at(0, 0, p) for p in range(4)], 0.3)
    assert np.allclose(even.gain, 0.3)


def test_threads_do_not_matter(tmp_path):
    """The same bits on one thread and on four."""
    code = (
        "import sys, numpy as np; sys.path += sys.argv[2:]; from test_denoise_best import *;"
        "np.save(sys.argv[1], run(noisy(np.random.default_rng(9), scene(300, 200)), field(300, 200), varied(300, 200)))"
    )
    folders, results = [str(Path(__file__).parent), str(Path(__file__).parents[1])], []
    for threads in ("1", "4"):
        path = tmp_path / f"{threads}.npy"
        subprocess.run([sys.executable, "-c", code, path, *folders], env={**os.environ, "HL_NUM_THREADS": threads}, check=True)
        results.append(np.load(path))
    assert np.array_equal(*results)


def test_no_edges_in_what_is_taken_out(shared):
    """On a photograph, what is taken out is noise: its mean over 8x8 cells is that of noise alone, whatever the picture does there."""
    import imageio.v3 as iio

    image = (iio.imread(shared / "data/kodak/kodim07.png")[:384, :512] / 255.0) ** 2.2 * 0.4
    signal = image[..., 1].copy()
    signal[0::2, 0::2], signal[1::2, 1::2] = image[0::2, 0::2, 0] * NEUTRAL[0], image[1::2, 1::2, 2] * NEUTRAL[2]
    mosaic = noisy(np.random.default_rng(8), signal)
    taken = cells((mosaic - run(mosaic, **FULL)) / np.sqrt(PHONE.scale[0] * signal + PHONE.offset[0]))
    blocks = taken.reshape(4, 24, 8, 32, 8).mean((2, 4)) * 8
    assert blocks.std() < 1.1
    assert np.abs(blocks).max() < 6
