"""Transforms of a PSF field's kernels at its nodes, and the products of light with them: the inner loop of `spreading.py`.

A plane of light, seen by a channel, is blurred by a mean of the kernels over wavelengths. Where these means, one for each plane and
channel, are fewer than the wavelengths, they are what is transformed; otherwise each wavelength is, and the means are taken of transforms.
Within a tile many spectra are often few: planes that depend on one another there are put together before they are transformed.

Measured, 12.6 MP, 3 channels, kernels of 95 cells, 2 threads of one core: the colour chart's 8 spectra in 6.0 s of processor time, 11.0
when each was transformed by itself. One transform of a tile takes 1.9 ms.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from scipy import fft

ROWS = 24  # of transforms multiplied at once: they stay in the second-level cache
MIXED = 40  # pairs of plane and channel whose kernels are mixed at once: a matrix product too small to wake the library's own threads
ROUNDING = 1e-12  # of the energy of a tile's planes


class NodeTransforms:
    """Transforms of kernels (rows + 1, columns + 1, W, n, n) for tiles of a shape, as planes seen by channels (K, C, W) need them."""

    def __init__(self, kernels: np.ndarray, weights: np.ndarray, shape: tuple[int, int]) -> None:
        pairs = weights.reshape(-1, weights.shape[-1])
        seen = pairs.any(-1)
        by_pair = seen.sum() < pairs.shape[1]
        mixtures = (pairs[seen] if by_pair else np.eye(pairs.shape[1])).astype(np.float32)  # (M, W): what is transformed
        mixing = np.eye(len(pairs))[:, seen] if by_pair else pairs
        self.mixing = mixing.reshape(*weights.shape[:2], -1).astype(np.float32)  # (K, C, M): of these, in what a channel sees of a plane
        made = partial(_transformed, kernels, mixtures, shape)
        self._at = lru_cache(maxsize=kernels.shape[1] + 3)(made)  # places are asked for row by row

    @property
    def groups(self) -> list[tuple[slice, list[int]]]:
        """Channels, and the planes that these and no other see."""
        found: dict[tuple[int, int], list[int]] = {}
        for plane, mixing in enumerate(self.mixing):
            if len(seen := np.flatnonzero(mixing.any(-1))):
                found.setdefault((int(seen[0]), int(seen[-1]) + 1), []).append(plane)
        return [(slice(*channels), planes) for channels, planes in found.items()]

    def around(self, row: int, column: int) -> list[np.ndarray]:
        """Transforms (M, m, n) at the four nodes about a place between the nodes."""
        return [self._at(row + i, column + j) for i in (0, 1) for j in (0, 1)]


def _transformed(kernels: np.ndarray, mixtures: np.ndarray, shape: tuple[int, int], row: int, column: int) -> np.ndarray:
    """Of mixtures of a node's kernels, much smaller than the shape: no work for the rows that are empty."""
    mixed = np.tensordot(mixtures, kernels[row, column], 1)
    return np.asarray(fft.fft(fft.rfft(mixed, shape[1], axis=-1), shape[0], axis=-2))


def add_products(whole: np.ndarray, corners: list[np.ndarray], lights: list[np.ndarray], mixing: np.ndarray) -> None:
    """Add to transforms (C, m, n) what channels see of planes, K transforms (4, m, n) under four windows.

    mixing (K, C, M): of the transforms (M, m, n) at the corners, in what a channel sees of a plane.
    """
    together = max(1, MIXED // len(lights))
    for first in range(0, whole.shape[1], ROWS):
        rows = slice(first, first + ROWS)
        for corner, transforms in enumerate(corners):
            values = transforms[:, rows].view(np.float32).swapaxes(0, 1)
            for channel in range(0, len(whole), together):
                pairs = mixing[:, channel : channel + together]
                kernels = np.matmul(pairs.reshape(-1, pairs.shape[-1]), values).view(np.complex64)  # (rows, K C, n), row by row
                kernels = kernels.reshape(len(kernels), *pairs.shape[:2], -1)
                part = whole[channel : channel + together, rows]
                for number, light in enumerate(lights):
                    part += (kernels[:, number] * light[corner, rows, None]).swapaxes(0, 1)


def independent(planes: np.ndarray, mixing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewer planes (R, h, w) and their mixing (R, C, M) in the place of planes (K, h, w) that depend on one another, such as those of a few
    surfaces of one colour each. What is left out is what their float32 numbers do not tell."""
    if len(planes) == 1:
        return planes, mixing
    by_row = planes.swapaxes(0, 1).astype(float)
    gram = (by_row @ by_row.swapaxes(1, 2)).sum(0)
    scale = np.sqrt(gram.diagonal())
    energy, mixtures = np.linalg.eigh(gram / scale[:, None] / scale)
    kept = mixtures[:, energy > ROUNDING * energy[-1]]
    if kept.shape[1] == len(planes):
        return planes, mixing
    onto = (kept.T / scale).astype(np.float32)
    fewer = np.ascontiguousarray((onto @ planes.swapaxes(0, 1)).swapaxes(0, 1))
    return fewer, np.einsum("kr,kcm->rcm", kept * scale[:, None], mixing).astype(np.float32)


def windowed(part: np.ndarray, down: np.ndarray, across: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Transforms (4, m, n) of a plane (h, w) under the windows that each of down (2, h) makes with each of across (2, w)."""
    rows = fft.rfft(part * across[:, None], shape[1], axis=-1)
    padded = np.empty((2, 2, shape[0], rows.shape[-1]), np.complex64)
    np.multiply(rows, down[:, None, :, None], out=padded[:, :, : len(part)])
    padded[:, :, len(part) :] = 0
    return np.asarray(fft.fft(padded, axis=-2, overwrite_x=True).reshape(4, *padded.shape[2:]))
