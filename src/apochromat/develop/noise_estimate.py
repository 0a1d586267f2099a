"""A sensor's noise from one of its frames: variance = scale * signal + offset per colour.

Source: Foi, Trimeche, Katkovnik & Egiazarian, "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data"
(IEEE Trans. Image Processing 17, 2008), with blocks in place of their level sets. Every small block of a colour plane gives a mean and,
through a second difference both ways, a variance that smooth shading does not touch; of the blocks of like brightness those of least
variance are taken for free of texture, and a straight line is fitted through the noise so found.
"""

from __future__ import annotations

import numpy as np

from apochromat.light.gain_field import GainField
from apochromat.light.noise import NoiseModel

_BLOCK = 12  # samples of one colour plane
_BLOCKS = 3000  # looked at per plane, spread over the frame
_CLEAN = 0.05  # share of the blocks of like brightness believed to be free of texture
_CLEAN_VARIANCE = 0.627  # that quantile of the variance measured in a block of white noise of variance 1
_BIN = 60  # fewest blocks of like brightness
_SATURATED = 0.9  # of the white level: brighter blocks may be clipped


def estimate_noise(mosaic: np.ndarray, gain: GainField) -> NoiseModel:
    """Noise model (3,) of an RGGB mosaic (H, W), in units before `gain`; zeros where no block of a colour can be used.

    Texture that fills a whole brightness makes the estimate too high, never too low: it is an upper bound of a few per cent above the
    noise in most photographs. Noise that is correlated between neighbours of one colour is underestimated.
    """
    planes = [_measured(mosaic, gain, position) for position in range(4)]
    colors = (planes[0], tuple(np.concatenate(both) for both in zip(planes[1], planes[2], strict=True)), planes[3])
    lines = np.array([_line(*_curve(mean, variance)) for mean, variance in colors])
    return NoiseModel(scale=lines[:, 0], offset=lines[:, 1])


def _measured(mosaic: np.ndarray, gain: GainField, position: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and high-pass variance before gain of the usable blocks of one CFA position."""
    plane = mosaic[position // 2 :: 2, position % 2 :: 2]
    rows, columns = (n // _BLOCK for n in plane.shape)
    step = max(1, int(np.ceil(np.sqrt(rows * columns / _BLOCKS))))
    grid = plane[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)[::step, :, ::step]
    centre = (np.arange(0, n, step) * 2 * _BLOCK + _BLOCK for n in (rows, columns))
    y, x = np.meshgrid(*centre, indexing="ij")
    blocks = grid.transpose(0, 2, 1, 3).reshape(-1, _BLOCK, _BLOCK) / gain.at(y, x, position).reshape(-1, 1, 1).astype(np.float32)
    if not blocks.size:
        return np.empty(0), np.empty(0)
    floor = np.count_nonzero(blocks == blocks.min(), axis=(1, 2))  # two samples on the frame's lowest value: cut off at black
    blocks = blocks[(blocks.max((1, 2)) < _SATURATED) & (floor < 2)]
    across = blocks[:, :, :-2] - 2 * blocks[:, :, 1:-1] + blocks[:, :, 2:]
    both = across[:, :-2] - 2 * across[:, 1:-1] + across[:, 2:]
    return blocks.mean((1, 2), dtype=np.float64), np.square(both).mean((1, 2), dtype=np.float64) / 36


def _curve(mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signal and noise variance of up to 16 groups of blocks of like brightness."""
    groups = np.array_split(np.argsort(mean, kind="stable"), min(16, max(1, len(mean) // _BIN))) if len(mean) else []
    signal = np.array([mean[g].mean() for g in groups])
    return signal, np.array([np.quantile(variance[g], _CLEAN) for g in groups]) / _CLEAN_VARIANCE


def _line(signal: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Scale and offset, neither negative, of the line through the curve; points far above it count little: they hold texture."""
    if not len(signal) or not variance.max() > 0:
        return 0.0, 0.0
    if np.ptp(signal) < 3 * np.sqrt(np.median(variance)):
        return 0.0, float(np.median(variance))
    fit = np.maximum(variance, 1e-3 * np.median(variance))
    trust = np.ones(len(signal))
    scale = offset = 0.0
    for _ in range(20):
        weight = trust / fit
        scale, offset = np.linalg.lstsq(np.stack([signal, np.ones_like(signal)], 1) * weight[:, None], variance * weight, rcond=None)[0]
        if offset < 0:
            scale, offset = np.average(variance * signal, weights=weight**2) / np.average(signal**2, weights=weight**2), 0.0
        if scale < 0:
            scale, offset = 0.0, np.average(variance, weights=weight**2)
        fit = np.maximum(scale * signal + offset, 1e-3 * np.median(variance))
        trust = 1 / (1 + np.square(np.maximum(variance / fit - 1, 0) / 0.15))
    return float(scale), float(offset)
