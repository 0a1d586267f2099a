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
    lines = np.array([_line(mean, variance) for mean, variance in colors])
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


def _line(mean: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Scale and offset, neither negative, of the noise in blocks of these means and variances.

    Groups of blocks of like brightness say by what factor noise differs from the line at hand; the next line goes through those
    points. A group far above the line counts little: all its blocks hold texture.
    """
    if not np.count_nonzero(variance):
        return 0.0, 0.0
    count = min(16, max(1, len(mean) // _BIN))
    order = np.argsort(mean, kind="stable")[len(mean) % count :].reshape(count, -1)
    mean, variance = mean[order], variance[order]
    signal, least = mean.mean(1), 1e-3 * np.median(variance[variance > 0])
    scale, offset = 0.0, float(np.median(variance))
    varies = np.ptp(signal) > 3 * np.sqrt(offset)
    for _ in range(20):
        factor = np.quantile(variance / np.maximum(scale * mean + offset, least), _CLEAN, axis=1) / _CLEAN_VARIANCE
        line = np.maximum(scale * signal + offset, least)
        trust = 1 / (1 + np.square(np.maximum(factor / np.median(factor) - 1, 0) / 0.15))
        scale, offset = _fit(signal, factor * line, np.square(trust / line), varies)
    return scale, offset


def _fit(signal: np.ndarray, variance: np.ndarray, weight: np.ndarray, varies: bool) -> tuple[float, float]:
    """Scale and offset, neither negative, of the weighted line of least squares; a level line where the signal hardly varies."""
    s, v = (np.average(a, weights=weight) for a in (signal, variance))
    spread = np.average((signal - s) ** 2, weights=weight)
    scale = np.average((signal - s) * (variance - v), weights=weight) / spread if varies else 0.0
    if v - scale * s < 0:
        return float(np.average(signal * variance, weights=weight) / np.average(signal**2, weights=weight)), 0.0
    return (float(scale), float(v - scale * s)) if scale > 0 else (0.0, float(v))
