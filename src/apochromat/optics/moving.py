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
from apochromat.optics.imaging import lit_box
from apochromat.optics.psf_field import PsfField
from apochromat.optics.spreading import blurred
from apochromat.optics.strips import Box, Window


@dataclass(frozen=True)
class Behind:
    """What a mover may hide of a still layer: its coefficients K x (h, w) where the mover may come, as far as nearer layers leave them to
    be seen, their first row and column, and the layer's field."""

    planes: tuple[np.ndarray, ...]
    corner: tuple[int, int]
    field: PsfField


def behind(layer: Layer, box: Box, field: PsfField) -> Behind:
    """A layer's part in a box of the frame, held without the rest of it."""
    return Behind(tuple(plane[box].copy() for plane in layer.coefficients), (box[0].start, box[1].start), field)


def hide(parts: Sequence[Behind], layer: Layer) -> None:
    """Take from parts of layers, in place, what a nearer still layer covers."""
    if layer.cover is not None:
        for part in parts:
            share = 1 - layer.cover[Window(*part.corner, part.planes).box]
            for plane in part.planes:
                plane *= share


def way(movers: Sequence[Mover], frame: tuple[int, int]) -> Box:
    """Rows and columns (h, w) of the frame that movers may hide anything of: from where they are first, rightwards."""
    top, left = (max(min(m.covers_at[axis] for m in movers) - 2, 0) for axis in (0, 1))
    bottom = min(max(m.covers_at[0] + m.cover.shape[0] for m in movers), frame[0])
    return slice(top, max(bottom, top)), slice(left, frame[1])


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
    box = lit_box(layer)
    if not box[0].stop:
        return None
    corner, margin = (int(box[0].start), int(box[1].start)), int(np.ceil(2 * soft))
    seen = blurred([plane[box] for plane in layer.coefficients], field, weights, threads, lambda _: None, layer.shape, corner)
    cover = np.pad(layer.cover[box], margin)
    covers_at = corner[0] - margin, corner[1] - margin
    return Mover(seen.planes, seen.corner, gaussian_filter(cover, soft / 2, truncate=4), covers_at, cells_s)


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
    rows, columns = (slice(b.start - o, b.stop - o) for b, o in zip(cover.box, behind.corner, strict=True))
    planes = [plane[rows, columns] * cover.planes[0] for plane in behind.planes]
    return blurred(planes, behind.field, weights, threads, lambda _: None, frame, cover.corner)
