"""A layer's light spread by a shift-variant PSF field: tiles, transforms, and what falls far.

A tile of the scene spreads its light by kernels between those at its four corners, linearly, so that they change continuously over the
frame and no light is lost. The transforms of its coefficient planes, each under the four windows of the corners, meet for each of the
sensor's channels the kernels' mean over the wavelengths that this coefficient and channel share: however many wavelengths, one inverse
transform a channel. The four tiles that mirror each other share their kernels. What falls beyond a kernel follows at a quarter of the
resolution.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import fft

from apochromat.optics.kernels import fading
from apochromat.optics.psf_field import TILES, PsfField

COARSE, FARTHEST = 4, 192  # cells of the kernel's to one of the far light's, and how many of these it reaches
Told = Callable[[float], None]
Box = tuple[slice, ...]


@dataclass(frozen=True)
class Spread:
    """Light of a layer through the lens: `near` (C, h, w) float32 in a box of the frame, `far` (C, ...) over the frame in coarse cells."""

    near: np.ndarray
    box: Box
    far: np.ndarray | None

    def add_far(self, whole: np.ndarray) -> None:
        """Add the far light to signals (C, H, W) of the frame."""
        for plane, fallen in zip(whole, () if self.far is None else self.far, strict=self.far is not None):
            plane += enlarged(fallen, COARSE)[: plane.shape[0], : plane.shape[1]]


@dataclass(frozen=True)
class _Tiles:
    """Cells of the tiles' edges along either axis, the size of their transforms, and of the kernels."""

    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]
    size: int

    @classmethod
    def of(cls, frame: tuple[int, int], size: int) -> _Tiles:
        edges = [np.rint(np.linspace(0, length, 2 * half + 1)).astype(int) for length, half in zip(frame, TILES, strict=True)]
        edges = [(e + (length - e[::-1])) // 2 for e, length in zip(edges, frame, strict=True)]  # symmetric about the middle
        rows, columns = (fft.next_fast_len(int(np.diff(e).max()) + size - 1, True) for e in edges)
        return cls(edges[0], edges[1], (rows, columns), size)

    def four(self, i: int, j: int) -> list[tuple[Box, tuple[int, ...]]]:
        """Rows and columns, and axes to turn over, of the four mirrored tiles of a place of the quadrant."""
        rows = [(slice(*self.rows[r : r + 2]), r < TILES[0]) for r in (TILES[0] - 1 - i, TILES[0] + i)]
        columns = [(slice(*self.columns[c : c + 2]), c < TILES[1]) for c in (TILES[1] - 1 - j, TILES[1] + j)]
        return [((r, c), tuple(axis for axis, flip in ((-2, up), (-1, left)) if flip)) for r, up in rows for c, left in columns]


def blurred(
    planes: Sequence[np.ndarray], field: PsfField, weights: np.ndarray, threads: int, told: Told,
    frame: tuple[int, ...] | None = None, corner: tuple[int, int] = (0, 0),
) -> Spread:  # fmt: skip
    """Planes K x (h, w) at a corner (row, column) of the frame spread by its PSF field; light that leaves the frame is lost."""
    height, width = frame = planes[0].shape if frame is None else frame
    if field.shrink > 1:
        return _coarsely(planes, field, weights, threads, told, frame, corner)
    tiles = _Tiles.of((height, width), field.kernels.shape[-1])
    pad = tiles.size // 2
    lit = Window(corner[0], corner[1], list(planes))
    out = Window(corner[0] - pad, corner[1] - pad, np.zeros((weights.shape[1], *(n + 2 * pad for n in planes[0].shape)), np.float32))
    places = [(i, j) for i in range(TILES[0]) for j in range(TILES[1])]
    with ThreadPoolExecutor(threads) as pool, closing(_each(pool, lit, field, weights, tiles, places)) as lights:
        for done, (place, four) in enumerate(zip(places, lights, strict=True)):
            for (box, _), light in zip(tiles.four(*place), four, strict=True):  # in one order, whatever the number of threads
                if light is not None:
                    out.add(light, box[0].start - pad, box[1].start - pad)
            told((done + 1) / len(places))
    seen = out.cut(frame)
    box = np.s_[:, seen.top : seen.top + seen.planes.shape[1], seen.left : seen.left + seen.planes.shape[2]]
    return Spread(seen.planes, box, _far_light(lit, field, weights, (height, width)))


def _each(
    pool: ThreadPoolExecutor, lit: Window, field: PsfField, weights: np.ndarray, tiles: _Tiles, places: list[tuple[int, int]]
) -> Generator[list[np.ndarray | None], None, None]:
    """Light of each place's tiles in order; what is not begun when nobody waits for it any longer, as on Ctrl-C, is left."""
    waiting = deque(pool.submit(_quadruple, lit, field, weights, tiles, *place) for place in places)
    try:
        while waiting:
            yield waiting.popleft().result()
    finally:
        for task in waiting:
            task.cancel()


@dataclass(frozen=True)
class Window:
    """Planes of a part of the frame whose first cell is at (top, left)."""

    top: int
    left: int
    planes: Any

    @property
    def corner(self) -> tuple[int, int]:
        """Its first row and column."""
        return self.top, self.left

    def cut(self, frame: tuple[int, ...]) -> Window:
        """The part of it that lies in the frame, which may be nothing."""
        rows, columns = (
            slice(max(-o, 0), max(min(n, most - o), 0)) for o, n, most in zip(self.corner, self.planes.shape[1:], frame, strict=True)
        )
        return Window(self.top + rows.start, self.left + columns.start, self.planes[:, rows, columns])

    def part(self, number: int, box: Box) -> np.ndarray | None:
        """One plane in a box of the frame, dark where it does not reach; None where it has no light."""
        plane = self.planes[number]
        rows, columns = (slice(max(b.start - o, 0), min(b.stop - o, n)) for b, o, n in zip(box, self.corner, plane.shape, strict=True))
        inner = plane[rows, columns] if rows.start < rows.stop and columns.start < columns.stop else plane[:0]
        if not inner.any():
            return None
        if inner.shape == (box[0].stop - box[0].start, box[1].stop - box[1].start):
            return np.asarray(inner)
        found = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), np.float32)
        top, left = rows.start + self.top - box[0].start, columns.start + self.left - box[1].start
        found[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return found

    def add(self, light: np.ndarray, top: int, left: int) -> None:
        """Light (C, h, w) whose first cell is at (top, left) of the frame, as far as it falls into the window."""
        rows, columns = (
            (max(at, o), min(at + n, o + m))
            for at, o, n, m in zip((top, left), self.corner, light.shape[1:], self.planes.shape[1:], strict=True)
        )
        if rows[0] < rows[1] and columns[0] < columns[1]:
            inside = light[:, rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
            self.planes[:, rows[0] - self.top : rows[1] - self.top, columns[0] - self.left : columns[1] - self.left] += inside


def _quadruple(lit: Window, field: PsfField, weights: np.ndarray, tiles: _Tiles, i: int, j: int) -> list[np.ndarray | None]:
    """Light (C, h, w) of the four mirrored tiles of one place of the quadrant, with the kernels' margin on all sides; None: none."""
    four = tiles.four(i, j)
    corners = field.kernels[i : i + 2, j : j + 2].reshape(4, *field.kernels.shape[2:])
    mixed: dict[int, np.ndarray] = {}
    for number, shares in enumerate(weights):
        seen = np.flatnonzero(np.abs(shares).sum(-1))
        parts = {k: part for k, (box, _) in enumerate(four) if len(seen) and (part := lit.part(number, box)) is not None}
        if not parts:  # most of a moving layer is empty
            continue
        kernels = np.einsum("cw,qwyx->cqyx", shares[seen].astype(np.float32), corners, optimize=True)
        spread = _transformed(kernels, tiles.shape)
        for k, part in parts.items():
            whole = mixed.setdefault(k, np.zeros((weights.shape[1], *spread.shape[2:]), np.complex64))
            signal = fft.rfft2(np.flip(part, four[k][1]) * _windows(part.shape), tiles.shape)
            for channel, transforms in zip(seen, spread, strict=True):
                whole[channel] += np.einsum("qyx,qyx->yx", signal, transforms)
    return [_light(mixed[k], box, axes, tiles) if k in mixed else None for k, (box, axes) in enumerate(four)]


def _light(mixed: np.ndarray, box: Box, axes: tuple[int, ...], tiles: _Tiles) -> np.ndarray:
    """What a tile's transforms (C, m, n) are, turned back."""
    height, width = (b.stop - b.start + tiles.size - 1 for b in box)
    return np.flip(fft.irfft2(mixed, tiles.shape)[:, :height, :width], axes)


def _transformed(kernels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Transforms (..., m, n) of kernels much smaller than the shape: no work for the rows that are empty."""
    return fft.fft(fft.rfft(kernels, shape[1], axis=-1), shape[0], axis=-2)


def _windows(shape: tuple[int, int]) -> np.ndarray:
    """The share (4, h, w) float32 of each corner in a tile's cells: linear between corners."""
    down, across = ((np.arange(n, dtype=np.float32) + 0.5) / n for n in shape)
    return np.stack([v[:, None] * h for v in (1 - down, down) for h in (1 - across, across)])


def _far_light(lit: Window, field: PsfField, weights: np.ndarray, frame: tuple[int, int]) -> np.ndarray | None:
    """What falls beyond the kernels, (C, ...) over the frame in coarse cells: by the cube of the distance."""
    rows, columns = shape = -(-frame[0] // COARSE), -(-frame[1] // COARSE)
    lost = np.einsum("kcw,ijw->kcij", weights, field.lost)
    source = np.zeros((weights.shape[1], *shape), np.float32)
    for plane, shares in zip(lit.planes, lost, strict=True):
        down, across = (o % COARSE for o in lit.corner)
        coarse = binned(np.pad(plane, ((down, 0), (across, 0))) if down or across else plane, COARSE)
        box = tuple(slice(o // COARSE, o // COARSE + n) for o, n in zip(lit.corner, coarse.shape, strict=True))
        for channel, share in zip(source, shares, strict=True):
            if share.any():
                channel[box] += coarse * over_frame(share, shape)[box]
    if not source.any():
        return None
    place = (np.arange(-FARTHEST, FARTHEST + 1) * COARSE) ** 2
    radius = np.sqrt(np.maximum(place[:, None] + place, 1))
    far = (1 - fading(radius, field.kernels.shape[-1] / 2)) / radius**3
    padded = [fft.next_fast_len(n + 2 * FARTHEST, True) for n in shape]
    spread = fft.irfft2(fft.rfft2(source, padded) * fft.rfft2((far / far.sum()).astype(np.float32), padded), padded)
    return np.asarray(spread[:, FARTHEST : FARTHEST + rows, FARTHEST : FARTHEST + columns])


def binned(plane: np.ndarray, step: int) -> np.ndarray:
    """Means (h, w) of blocks of a plane; what lacks at the last ones is dark."""
    height, width = plane.shape
    filled = np.pad(plane, ((0, -height % step), (0, -width % step))) if height % step or width % step else plane
    return filled.reshape(filled.shape[0] // step, step, filled.shape[1] // step, step).mean((1, 3))


def over_frame(nodes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Values (h, w) over a frame of those at the nodes (rows + 1, columns + 1) of its lower right quadrant, linearly between them."""
    found = nodes
    for axis, (length, half) in enumerate(zip(shape, TILES, strict=True)):
        place = np.abs(np.arange(length) + 0.5 - length / 2) / (length / 2) * half
        low = np.minimum(place.astype(int), half - 1)
        part = (place - low)[:, None] if axis == 0 else place - low
        found = np.take(found, low, axis) * (1 - part) + np.take(found, low + 1, axis) * part
    return found.astype(np.float32)


def _coarsely(
    planes: Sequence[np.ndarray], field: PsfField, weights: np.ndarray, threads: int, told: Told,
    frame: tuple[int, ...], corner: tuple[int, int],
) -> Spread:  # fmt: skip
    """Planes far out of focus, at a fraction of the resolution: their discs are larger than the kernel at full resolution."""
    n = field.shrink
    before = [o % n for o in corner]
    after = [-(o + length) % n for o, length in zip(corner, planes[0].shape, strict=True)]
    margins = list(zip(before, after, strict=True))
    small = [binned(np.pad(plane, margins), n) for plane in planes]
    coarse = blurred(
        small, replace(field, pitch_um=field.pitch_um * n, shrink=1), weights, threads, told,
        tuple(-(-length // n) for length in frame), (corner[0] // n, corner[1] // n),
    )  # fmt: skip
    rows, columns = (slice(b.start * n, min(b.stop * n, length)) for b, length in zip(coarse.box[1:], frame, strict=True))
    near = np.empty((len(coarse.near), rows.stop - rows.start, columns.stop - columns.start), np.float32)
    for whole, plane in zip(near, coarse.near, strict=True):
        whole[:] = enlarged(plane, n)[: whole.shape[0], : whole.shape[1]]
    far = None if coarse.far is None else np.stack([enlarged(plane, n) for plane in coarse.far])
    return Spread(near, (slice(None), rows, columns), far)


def enlarged(plane: np.ndarray, factor: int) -> np.ndarray:
    """A plane (h, w) at `factor` times the size, linearly between cell middles, which keep their places."""
    for axis in (0, 1):
        place = (np.arange(plane.shape[axis] * factor) + 0.5) / factor - 0.5
        low = np.clip(np.floor(place).astype(int), 0, max(plane.shape[axis] - 2, 0))
        part = np.clip(place - low, 0, 1).astype(np.float32)
        high = np.minimum(low + 1, plane.shape[axis] - 1)
        part = part[:, None] if axis == 0 else part
        plane = np.take(plane, low, axis) * (1 - part) + np.take(plane, high, axis) * part
    return plane
