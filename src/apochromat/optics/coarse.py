"""Planes at a fraction of the resolution and back, and what is known at the nodes of a PSF field over the whole frame."""

from __future__ import annotations

import numpy as np

from apochromat.optics.psf_field import TILES
from apochromat.optics.strips import Box

ROWS = 256  # enlarged at once


def binned(plane: np.ndarray, step: int) -> np.ndarray:
    """Means (h, w) of blocks of a plane; what lacks at the last ones is dark."""
    for axis in (0, 1):
        plane = np.moveaxis(plane, axis, 0)
        whole, rest = len(plane) // step * step, len(plane) % step
        found = np.zeros((-(-len(plane) // step), plane.shape[1]), np.float32)
        for first in range(step):
            found[: whole // step] += plane[first:whole:step]
        if rest:
            found[-1] = plane[whole:].sum(0)
        plane = np.moveaxis(found, 0, axis)
    return plane / np.float32(step**2)


def add_enlarged(plane: np.ndarray, coarse: np.ndarray, factor: int) -> None:
    """Add a coarse plane, enlarged, to one (H, W) that it covers, a few rows at a time."""
    for first in range(0, len(plane), ROWS):
        part = plane[first : first + ROWS]
        part += enlarged(coarse, factor, slice(first, first + len(part)))[:, : part.shape[1]]


def enlarged(plane: np.ndarray, factor: int, rows: slice = slice(None)) -> np.ndarray:
    """Rows of a plane (h, w) at `factor` times the size, linearly between cell middles, which keep their places."""
    for axis, part_of in ((0, rows), (1, slice(None))):
        place = (np.arange(plane.shape[axis] * factor)[part_of] + 0.5) / factor - 0.5
        low = np.clip(np.floor(place).astype(int), 0, max(plane.shape[axis] - 2, 0))
        part = np.clip(place - low, 0, 1).astype(np.float32)
        high = np.minimum(low + 1, plane.shape[axis] - 1)
        part = part[:, None] if axis == 0 else part
        plane = np.take(plane, low, axis) * (1 - part) + np.take(plane, high, axis) * part
    return plane


def over_frame(nodes: np.ndarray, shape: tuple[int, ...], box: Box = (slice(None), slice(None))) -> np.ndarray:
    """Values (h, w) float32 in a box of a frame, linear between those at nodes (rows + 1, columns + 1) of its lower right quadrant."""
    down, across = (_shares(length, half, part_of) for length, half, part_of in zip(shape, TILES, box, strict=True))
    return np.asarray(down @ (nodes @ across.T).astype(np.float32))


def _shares(length: int, half: int, part_of: slice) -> np.ndarray:
    """The share (n, half + 1) float32 that each of the nodes along an axis has in some of its cells."""
    place = np.abs(np.arange(length)[part_of] + 0.5 - length / 2) / (length / 2) * half
    return np.maximum(1 - np.abs(place[:, None] - np.arange(half + 1)), 0).astype(np.float32)
