"""A layer that moves before the others: displaced from frame to frame, smeared during each.

What it hides is taken from the light of the layers behind before the lens spreads it, so that a lamp behind it is gone with all its glow;
the edge that hides is as soft as the mover is out of focus beside what lies behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter

from apochromat.light.scene import Layer
from apochromat.optics.imaging import seen_through
from apochromat.optics.psf_field import PsfField
from apochromat.optics.spreading import Window, blurred


@dataclass(frozen=True)
class Behind:
    """A still layer as far as nearer ones leave it to be seen, and its field."""

    layer: Layer
    nearer: tuple[Layer, ...]
    field: PsfField


@dataclass(frozen=True)
class Mover:
    """A moving layer: its light (C, h, w) through the lens, and what it covers (h, w) in the scene, each with its first row and column."""

    light: np.ndarray
    lit_at: tuple[int, int]
    cover: np.ndarray
    covers_at: tuple[int, int]
    cells_s: float  # it moves to the right


def mover(layer: Layer, field: PsfField, weights: np.ndarray, cells_s: float, soft: float, threads: int) -> Mover | None:
    """A moving layer through the lens where it stands at first, or None where it is out of the picture.

    soft: radius in cells of the disc that a point of it is, seen by a lens that is in focus for what lies behind.
    """
    assert layer.cover is not None
    rows, columns = (np.flatnonzero(layer.cover.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    seen, _ = seen_through(layer, field, weights, threads, lambda _: None)
    margin = int(np.ceil(2 * soft))
    cover = np.pad(layer.cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], margin)
    lit_at, covers_at = (seen.box[1].start, seen.box[2].start), (int(rows[0]) - margin, int(columns[0]) - margin)
    return Mover(seen.near, lit_at, gaussian_filter(cover, soft / 2, truncate=4), covers_at, cells_s)


def displaced(part: np.ndarray, by: float, smear: float) -> tuple[int, np.ndarray]:
    """Planes (..., h, w) moved right by some cells, and smeared over as many: the column where they now begin, and the planes."""
    length = max(smear, 1e-3)
    first, last = int(np.floor(by - length / 2)), int(np.ceil(by + length / 2))
    ends = np.clip(by + length * np.array([[-0.5], [0.5]]) - np.arange(first, last + 1), -1, 1)
    below, above = 0.5 + ends - np.sign(ends) * ends**2 / 2  # integrals over a hat about each cell
    weights = (above - below) / length
    wider = np.pad(part, [(0, 0)] * (part.ndim - 1) + [(0, last - first)])
    return first, convolve1d(wider, weights, axis=-1, mode="constant", origin=-(len(weights) // 2))


def moved_into(
    signals: np.ndarray, mover: Mover, behind: Sequence[Behind], weights: np.ndarray, share: float, by: float, smear: float, threads: int
) -> tuple[int, int, np.ndarray]:
    """Signals (C, h, w), and their first row and column, of the part of a picture (C, H, W) that a mover changes once it has moved.

    weights (K, C, W): of the scene's spectra; share: of the light that is not veil; by, smear: cells.
    """
    first, cover = displaced(mover.cover, by, smear)
    hiding = Window(mover.covers_at[0], mover.covers_at[1] + first, cover[None]).cut(signals.shape[1:])
    gone = [_hidden(hiding, layer, weights, signals.shape[1:], threads) for layer in behind]
    first, light = displaced(mover.light, by, smear)
    here = Window(mover.lit_at[0], mover.lit_at[1] + first, light)
    parts = [(here, share)] + [(part, -share) for part in gone]
    low = [max(min(part.corner[axis] for part, _ in parts), 0) for axis in (0, 1)]
    high = [min(max(part.corner[axis] + part.planes.shape[axis + 1] for part, _ in parts), signals.shape[axis + 1]) for axis in (0, 1)]
    whole = Window(low[0], low[1], signals[:, low[0] : max(high[0], low[0]), low[1] : max(high[1], low[1])].copy())
    for part, sign in parts:
        whole.add(part.planes * np.float32(sign), *part.corner)
    return whole.top, whole.left, np.maximum(whole.planes, 0)


def _hidden(cover: Window, behind: Behind, weights: np.ndarray, frame: tuple[int, ...], threads: int) -> Window:
    """Light (C, h, w) of a layer, through the lens, that a cover in front of it hides."""
    height, width = cover.planes.shape[1:]
    box = slice(cover.top, cover.top + height), slice(cover.left, cover.left + width)
    share = cover.planes[0]
    for nearer in behind.nearer:
        if nearer.cover is not None:
            share = share * (1 - nearer.cover[box])
    planes = [plane[box] * share for plane in behind.layer.coefficients]
    seen = blurred(planes, behind.field, weights, threads, lambda _: None, frame, cover.corner)
    return Window(seen.box[1].start, seen.box[2].start, seen.near)
