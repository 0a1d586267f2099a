"""A layer's light spread by a shift-variant PSF field: tiles and transforms.

A tile of the scene spreads its light by kernels between those at its four corners, linearly, so that they change continuously over the
frame and no light is lost. The transforms of its coefficient planes, each under the four windows of the corners, meet for each of the
sensor's channels the kernels' mean over the wavelengths that this coefficient and channel share: however many wavelengths, one inverse
transform a channel. The four tiles that mirror each other share their kernels. Light is handed on in strips, as soon as no tile adds to
them any longer, so that a layer's light and cover are never held as a whole. What falls beyond a kernel is that of `far_light.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from apochromat.optics.coarse import ROWS, binned, enlarged
from apochromat.optics.node_transforms import NodeTransforms, add_products, independent, windowed
from apochromat.optics.psf_field import TILES, PsfField
from apochromat.optics.strips import Box, Strips, Taker, Window

LARGEST = 700  # cells a way of a tile, about
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

    def windows(self, i: int, j: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The shares (2, h) and (2, w) float32 that the nodes above and below, and left and right, have in a tile: linear between nodes."""
        shares = []
        for count, place, edges, half in zip(shape, (i, j), (self.rows, self.columns), self.quadrant, strict=True):
            node = half + place // self.parts * self.parts
            first, length = edges[half + place] - edges[node], edges[node + self.parts] - edges[node]
            onward = (np.arange(count, dtype=np.float32) + np.float32(first + 0.5)) / np.float32(length)
            shares.append(np.stack([1 - onward, onward]))
        return shares[0], shares[1]


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
    nodes = NodeTransforms(field.kernels, weights, tiles.shape)
    strips = Strips(lit, weights.shape[1], tiles.size // 2, frame, take)
    height, width = tiles.quadrant
    places = [(i, j) for i in reversed(range(height)) for j in range(width)]
    with ThreadPoolExecutor(threads) as pool, closing(_each(pool, threads, lit, nodes, tiles, places)) as lights:
        for done, ((i, j), four) in enumerate(zip(places, lights, strict=True)):
            if j == 0:
                strips.begin(*(tiles.rows[height + k] for k in (-i - 1, -i, i, i + 1)))
            for (box, _), light in zip(tiles.four(i, j), four, strict=True):  # in one order, whatever the number of threads
                if light is not None:
                    strips.add(light, box)
            told((done + 1) / len(places))
    strips.end()


def _each(
    pool: ThreadPoolExecutor, ahead: int, lit: Window, nodes: NodeTransforms, tiles: _Tiles, places: list[tuple[int, int]]
) -> Generator[list[np.ndarray | None], None, None]:
    """Light of each place's tiles in order, few of them ahead of who takes them; what is begun when nobody waits any longer ends."""
    waiting: deque[Future[list[np.ndarray | None]]] = deque()
    for place in places:
        waiting.append(pool.submit(_quadruple, lit, nodes, tiles, *place))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _quadruple(lit: Window, nodes: NodeTransforms, tiles: _Tiles, i: int, j: int) -> list[np.ndarray | None]:
    """Light (C, h, w) of the four mirrored tiles of one place of the quadrant, with the kernels' margin on all sides; None: none."""
    return [_one(lit, nodes, tiles, (i, j), box, axes) for box, axes in tiles.four(i, j)]


def _one(lit: Window, nodes: NodeTransforms, tiles: _Tiles, place: tuple[int, int], box: Box, axes: tuple[int, ...]) -> np.ndarray | None:
    """Light of one tile, its axes turned over to those of the quadrant."""
    mixed = None
    for channels, numbers in nodes.groups:
        parts = {k: np.flip(part, axes) for k in numbers if (part := lit.part(k, box)) is not None}
        if not parts:  # most of a moving layer is empty
            continue
        planes, mixing = independent(np.stack(list(parts.values())), nodes.mixing[list(parts), channels])
        down, across = tiles.windows(*place, planes.shape[1:])
        lights = [windowed(plane, down, across, tiles.shape) for plane in planes]
        if mixed is None:
            mixed = np.zeros((nodes.mixing.shape[1], *lights[0].shape[1:]), np.complex64)
        add_products(mixed[channels], nodes.around(*(n // tiles.parts for n in place)), lights, mixing)
    return None if mixed is None else _light(mixed, box, axes, tiles)


def _light(mixed: np.ndarray, box: Box, axes: tuple[int, ...], tiles: _Tiles) -> np.ndarray:
    """What a tile's transforms (C, m, n) are, turned back."""
    height, width = (b.stop - b.start + tiles.size - 1 for b in box)
    return np.flip(fft.irfft2(mixed, tiles.shape)[:, :height, :width], axes)


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
