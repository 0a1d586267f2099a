"""Transforms of a PSF field's kernels at its nodes, and the products of light with them: the inner loop of `spreading.py`.

A plane of light, seen by a channel, is blurred by a mean of the kernels over wavelengths. Where these means, one for each plane and
channel, are fewer than the wavelengths, they are what is transformed; otherwise each wavelength is, and the means are taken of transforms.

Measured, 8 planes, 3 channels, tiles of 495 x 526 cells, kernels of 95: 10 ms of processor time a plane and tile, of which the transforms
under four windows take 5.5 and the products 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from scipy import fft

ROWS = 24  # of transforms multiplied at once: they stay in the second-level cache


class NodeTransforms:
    """Transforms of kernels (rows + 1, columns + 1, W, n, n) for tiles of a shape, as planes seen by channels (K, C, W) need them."""

    def __init__(self, kernels: np.ndarray, weights: np.ndarray, shape: tuple[int, int]) -> None:
        self.kernels, self.shape = kernels, shape
        pairs = weights.reshape(-1, weights.shape[-1])
        seen = pairs.any(-1)
        by_pair = seen.sum() < pairs.shape[1]
        self.mixtures = (pairs[seen] if by_pair else np.eye(pairs.shape[1])).astype(np.float32)  # (M, W): what is transformed
        mixing = np.eye(len(pairs))[:, seen] if by_pair else pairs
        self.mixing = mixing.reshape(*weights.shape[:2], -1).astype(np.float32)  # (K, C, M): of these, in what a channel sees of a plane
        self._at = lru_cache(maxsize=kernels.shape[1] + 3)(self._transformed)  # places are asked for row by row

    def channels(self, plane: int) -> slice:
        """The channels that see a plane; none of them: an empty slice."""
        seen = np.flatnonzero(self.mixing[plane].any(-1))
        return slice(seen[0], seen[-1] + 1) if len(seen) else slice(0)

    def around(self, row: int, column: int) -> list[np.ndarray]:
        """Transforms (M, m, n) at the four nodes about a place between the nodes."""
        return [self._at(row + i, column + j) for i in (0, 1) for j in (0, 1)]

    def _transformed(self, row: int, column: int) -> np.ndarray:
        """Of kernels much smaller than the shape: no work for the rows that are empty."""
        kernels = np.tensordot(self.mixtures, self.kernels[row, column], 1)
        return np.asarray(fft.fft(fft.rfft(kernels, self.shape[1], axis=-1), self.shape[0], axis=-2))

    def add_products(self, plane: int, corners: list[np.ndarray], onto: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Add to transforms (C, m, n), for each pair with a plane's transforms (4, m, n) under four windows, what channels see of it."""
        channels, pairs = self.channels(plane), list(onto)
        for first in range(0, self.shape[0], ROWS):
            rows = slice(first, first + ROWS)
            for corner, transforms in enumerate(corners):
                values = transforms[:, rows].view(np.float32).swapaxes(0, 1)
                kernels = np.matmul(self.mixing[plane, channels], values).view(np.complex64)  # (rows, C, n), row by row
                for whole, light in pairs:
                    whole[channels, rows] += (kernels * light[corner, rows, None]).swapaxes(0, 1)


def windowed(part: np.ndarray, down: np.ndarray, across: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Transforms (4, m, n) of a plane (h, w) under the windows that each of down (2, h) makes with each of across (2, w)."""
    rows = fft.rfft(part * across[:, None], shape[1], axis=-1)
    padded = np.empty((2, 2, shape[0], rows.shape[-1]), np.complex64)
    np.multiply(rows, down[:, None, :, None], out=padded[:, :, : len(part)])
    padded[:, :, len(part) :] = 0
    return np.asarray(fft.fft(padded, axis=-2, overwrite_x=True).reshape(4, *padded.shape[2:]))
