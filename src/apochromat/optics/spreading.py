"""A layer's light spread by a shift-variant PSF field: tiles, transforms, and what falls far.

A tile of the scene spreads its light by kernels between those at its four corners, linearly, so that they change continuously over the
frame and no light is lost. The transforms of its coefficient planes, each under the four windows of the corners, meet for each of the
sensor's channels the kernels' mean over the wavelengths that this coefficient and channel share: however many wavelengths, one inverse
transform a channel. The four tiles that mirror each other share their kernels. Light is handed on in strips, as soon as no tile adds to
them any longer, so that a layer's light and cover are never held as a whole. What falls beyond a kernel follows at a quarter of the
resolution.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from apochromat.optics.kernels import fading
from apochromat.optics.psf_field import TILES, PsfField
from apochromat.optics.strips import Box, Strips, Taker, Window

COARSE, FARTHEST = 4, 192  # cells of the kernel's to one of the far light's, and how many of these it reaches
LARGEST = 700  # cells a way of a tile, about
ROWS = 256  # enlarged at once
Told = Callable[[float], None]


@dataclass(frozen=True)
class _Tiles:
    """Cells of the tiles' edges along either axis, the size of their transforms, and of the kernels.

    Tiles are those between the nodes of the field or, of a large frame, each of them cut into `parts` by `parts`.
    """

    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]
    size: int
    parts: int

    @classmethod
    def of(cls, frame: tuple[int, int], size: int) -> _Tiles:
        parts = max(-(-length // (2 * half * LARGEST)) for length, half in zip(frame, TILES, strict=True))
        edges = [np.rint(np.linspace(0, length, 2 * half * parts + 1)).astype(int) for length, half in zip(frame, TILES, strict=True)]
        edges = [(e + (length - e[::-1])) // 2 for e, length in zip(edges, frame, strict=True)]  # symmetric about the middle
        rows, columns = (fft.next_fast_len(int(np.diff(e).max()) + size - 1, True) for e in edges)
        return cls(edges[0], edges[1], (rows, columns), size, parts)

    @property
    def quadrant(self) -> tuple[int, int]:
        """Tiles of a quadrant, rows and columns."""
        return TILES[0] * self.parts, TILES[1] * self.parts

    def four(self, i: int, j: int) -> list[tuple[Box, tuple[int, ...]]]:
        """Rows and columns, and axes to turn over, of the four mirrored tiles of a place of the quadrant."""
        height, width = self.quadrant
        rows = [(slice(*self.rows[r : r + 2]), r < height) for r in (height - 1 - i, height + i)]
        columns = [(slice(*self.columns[c : c + 2]), c < width) for c in (width - 1 - j, width + j)]
        return [((r, c), tuple(axis for axis, flip in ((-2, up), (-1, left)) if flip)) for r, up in rows for c, left in columns]

    def windows(self, i: int, j: int, shape: tuple[int, int]) -> np.ndarray:
        """The share (4, h, w) float32 that each of the four nodes about it has in the cells of a tile: linear between nodes."""
        shares = []
        for count, place, edges, half in zip(shape, (i, j), (self.rows, self.columns), self.quadrant, strict=True):
            node = half + place // self.parts * self.parts
            first, length = edges[half + place] - edges[node], edges[node + self.parts] - edges[node]
            onward = (np.arange(count, dtype=np.float32) + np.float32(first + 0.5)) / np.float32(length)
            shares.append((1 - onward, onward))
        return np.stack([v[:, None] * h for v in shares[0] for h in shares[1]])


def blurred(
    planes: Sequence[np.ndarray], field: PsfField, weights: np.ndarray, threads: int, told: Told,
    frame: tuple[int, ...] | None = None, corner: tuple[int, int] = (0, 0),
) -> Window:  # fmt: skip
    """Light (C, h, w) of planes K x (h, w) at a corner (row, column) of the frame, but for what falls far, in one window."""
    frame = planes[0].shape if frame is None else frame
    pad = field.kernels.shape[-1] // 2 * field.shrink + field.shrink
    around = tuple(n + 2 * pad for n in planes[0].shape)
    found = Window(corner[0] - pad, corner[1] - pad, np.zeros((weights.shape[1], *around), np.float32)).cut(frame)
    spread(planes, field, weights, threads, told, frame, corner, lambda strip: found.add(strip.planes, *strip.corner))
    return found


def spread(
    planes: Sequence[np.ndarray], field: PsfField, weights: np.ndarray, threads: int, told: Told,
    frame: tuple[int, ...], corner: tuple[int, int], take: Taker,
) -> None:  # fmt: skip
    """Spread planes K x (h, w) at a corner (row, column) of the frame by its PSF field; light that leaves the frame is lost.

    `take` gets the light, by channel weights (K, C, W), in strips across all of it, as they are done: each row once, from the frame's upper
    and lower edge inwards.
    """
    if field.shrink > 1:
        _coarsely(planes, field, weights, threads, told, frame, corner, take)
        return
    tiles = _Tiles.of((frame[0], frame[1]), field.kernels.shape[-1])
    lit = Window(corner[0], corner[1], list(planes))
    strips = Strips(lit, weights.shape[1], tiles.size // 2, frame, take)
    height, width = tiles.quadrant
    places = [(i, j) for i in reversed(range(height)) for j in range(width)]
    with ThreadPoolExecutor(threads) as pool, closing(_each(pool, threads, lit, field, weights, tiles, places)) as lights:
        for done, ((i, j), four) in enumerate(zip(places, lights, strict=True)):
            if j == 0:
                strips.begin(*(tiles.rows[height + k] for k in (-i - 1, -i, i, i + 1)))
            for (box, _), light in zip(tiles.four(i, j), four, strict=True):  # in one order, whatever the number of threads
                if light is not None:
                    strips.add(light, box)
            told((done + 1) / len(places))
    strips.end()


def _each(
    pool: ThreadPoolExecutor, ahead: int, lit: Window, field: PsfField, weights: np.ndarray, tiles: _Tiles, places: list[tuple[int, int]]
) -> Generator[list[np.ndarray | None], None, None]:
    """Light of each place's tiles in order, few of them ahead of who takes them; what is begun when nobody waits any longer ends."""
    waiting: deque[Future[list[np.ndarray | None]]] = deque()
    for place in places:
        waiting.append(pool.submit(_quadruple, lit, field, weights, tiles, *place))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _quadruple(lit: Window, field: PsfField, weights: np.ndarray, tiles: _Tiles, i: int, j: int) -> list[np.ndarray | None]:
    """Light (C, h, w) of the four mirrored tiles of one place of the quadrant, with the kernels' margin on all sides; None: none."""
    four = tiles.four(i, j)
    row, column = i // tiles.parts, j // tiles.parts
    corners = field.kernels[row : row + 2, column : column + 2].reshape(4, *field.kernels.shape[2:])
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
            signal = fft.rfft2(np.flip(part, four[k][1]) * tiles.windows(i, j, part.shape), tiles.shape)
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


def add_far(
    whole: np.ndarray, planes: Sequence[np.ndarray], field: PsfField, weights: np.ndarray, corner: tuple[int, int] = (0, 0)
) -> None:
    """Add to signals (C, H, W) of the frame what of the light of planes K x (h, w), at a corner of it, falls beyond the kernels.

    It falls off by the cube of the distance.
    """
    step = COARSE * field.shrink
    lost = np.einsum("kcw,ijw->kcij", weights, field.lost)
    source = np.zeros((len(whole), *(-(-n // step) for n in whole.shape[1:])), np.float32)
    before = [o % step for o in corner]
    for plane, shares in zip(planes, lost, strict=True):
        coarse = binned(np.pad(plane, [(n, 0) for n in before]) if any(before) else plane, step)
        box = tuple(slice(o // step, o // step + n) for o, n in zip(corner, coarse.shape, strict=True))
        for channel, share in zip(source, shares, strict=True):
            if share.any():
                channel[box] += coarse * over_frame(share, channel.shape, box)
    if not source.any():
        return
    for plane, fallen in zip(whole, _fallen(source, field.kernels.shape[-1]), strict=True):
        add_enlarged(plane, fallen, step)


def _fallen(source: np.ndarray, size: int) -> np.ndarray:
    """Light (C, h, w) in coarse cells spread beyond kernels of a size."""
    rows, columns = source.shape[1:]
    place = (np.arange(-FARTHEST, FARTHEST + 1) * COARSE) ** 2
    radius = np.sqrt(np.maximum(place[:, None] + place, 1))
    far = (1 - fading(radius, size / 2)) / radius**3
    padded = [fft.next_fast_len(n + 2 * FARTHEST, True) for n in (rows, columns)]
    spectrum = fft.rfft2((far / far.sum()).astype(np.float32), padded)
    spread = fft.irfft2(fft.rfft2(source, padded) * spectrum, padded)
    return np.asarray(spread[:, FARTHEST : FARTHEST + rows, FARTHEST : FARTHEST + columns])


def binned(plane: np.ndarray, step: int) -> np.ndarray:
    """Means (h, w) of blocks of a plane; what lacks at the last ones is dark."""
    rows = np.add.reduceat(plane, np.arange(0, plane.shape[0], step), axis=0)
    return np.add.reduceat(rows, np.arange(0, plane.shape[1], step), axis=1) / np.float32(step**2)


def over_frame(nodes: np.ndarray, shape: tuple[int, ...], box: Box = (slice(None), slice(None))) -> np.ndarray:
    """Values (h, w) in a box of a frame, linearly between those at the nodes (rows + 1, columns + 1) of its lower right quadrant."""
    found = nodes
    for axis, (length, half, part_of) in enumerate(zip(shape, TILES, box, strict=True)):
        place = np.abs(np.arange(length)[part_of] + 0.5 - length / 2) / (length / 2) * half
        low = np.minimum(place.astype(int), half - 1)
        part = (place - low)[:, None] if axis == 0 else place - low
        found = np.take(found, low, axis) * (1 - part) + np.take(found, low + 1, axis) * part
    return found.astype(np.float32)


def _coarsely(
    planes: Sequence[np.ndarray], field: PsfField, weights: np.ndarray, threads: int, told: Told,
    frame: tuple[int, ...], corner: tuple[int, int], take: Taker,
) -> None:  # fmt: skip
    """Planes far out of focus, at a fraction of the resolution: their discs are larger than the kernel at full resolution."""
    n = field.shrink
    before = [o % n for o in corner]
    small = [binned(np.pad(plane, [(before[0], 0), (before[1], 0)]) if any(before) else plane, n) for plane in planes]
    coarse_frame, coarse_corner = tuple(-(-length // n) for length in frame), (corner[0] // n, corner[1] // n)
    pad = field.kernels.shape[-1] // 2
    near = Window(
        coarse_corner[0] - pad, coarse_corner[1] - pad,
        np.zeros((weights.shape[1], *(length + 2 * pad for length in small[0].shape)), np.float32),
    ).cut(coarse_frame)  # fmt: skip
    field = replace(field, pitch_um=field.pitch_um * n, shrink=1)
    spread(small, field, weights, threads, told, coarse_frame, coarse_corner, lambda strip: near.add(strip.planes, *strip.corner))
    for first in range(0, near.planes.shape[1] * n, ROWS):
        rows = slice(first, min(first + ROWS, near.planes.shape[1] * n))
        light = np.stack([enlarged(plane, n, rows) for plane in near.planes])
        take(Window(near.top * n + first, near.left * n, light).cut(frame))


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
