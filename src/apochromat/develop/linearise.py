"""Stored numbers become light: table, black level, scale, clip mask, crop to the active area.

Source: DNG Specification 1.7, chapter 5 ("Mapping Raw Values to Linear Reference Values"): linear = (table[stored] - black) / (white -
largest black of the plane). Unlike there nothing is clamped: black noise keeps its negative half, so that its mean stays zero, and
values above white stay.
"""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np

from apochromat.develop.saturation import LOWEST, saturation
from apochromat.develop.stage import Params, Stage
from apochromat.light.development import Development
from apochromat.light.raw_frame import Levels, RawFrame
from apochromat.native import kernels

_PADDING = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}  # rows and columns put before the active area


class LineariseParams(Params):
    """No parameters: levels are facts of the file."""


def run(development: Development, params: LineariseParams) -> Development:
    """Take the frame's samples to a linear mosaic, or to linear camera RGB (3, H, W), and a clip mask.

    Raises ValueError for levels that leave no range, a mosaic that is not 2x2 Bayer, or an area too small to develop.
    """
    frame = development.frame
    if frame.active.height < 4 or frame.active.width < 4:
        raise ValueError(f"expected an active area of at least 4 x 4 pixels, found {frame.active}: {frame.path}")
    if frame.is_mosaic and frame.cfa not in _PADDING:
        raise ValueError(f"expected one of the mosaics {', '.join(_PADDING)}, found {frame.cfa!r}: {frame.path}")
    return _mosaic(development) if frame.is_mosaic else _planes(development)


def _mosaic(development: Development) -> Development:
    """Linear RGGB mosaic of even size with its clip bits."""
    frame, levels = development.frame, development.frame.levels
    dy, dx = _PADDING[frame.cfa]
    a = frame.active
    height, width = (n + n % 2 for n in (a.height + dy, a.width + dx))
    # Two periods of the rows: a compiled kernel takes no modulo by a height of 1.
    lines, rows = np.tile(_black_lines(levels, a.width, 0), (2, 1)), _deltas(levels.delta_v, a.height)
    span = _span(frame, levels.white, lines, rows)
    # Per CFA position of the active area until here, of the padded mosaic from here on.
    scale, level, clip_from, near_clip = (np.roll(facts, (dy, dx), (0, 1)) for facts in (1 / span, *_clip_levels(frame, span)))
    mosaic, clip = np.empty((height, width), np.float32), np.empty((height // 2, width // 2), np.uint8)
    (kernels.linearise_f32 if frame.samples.dtype == np.float32 else kernels.linearise_u16)(
        samples=np.ascontiguousarray(frame.samples),
        table=np.zeros(1, np.float32) if levels.table is None else levels.table.astype(np.float32),
        black=np.ascontiguousarray(np.roll(lines, dy, 0)[:, _mirrored(a.width, dx, width)]),
        black_row=rows[_mirrored(a.height, dy, height)],
        scale=np.tile(scale, width // 2).astype(np.float32),
        clip_from=clip_from.astype(np.float32),
        left=a.left - dx,
        top=a.top - dy,
        active=np.array([a.left, a.top, a.width, a.height], np.int32),
        mosaic=mosaic,
        clip=clip,
    )
    _add_scattered(clip, mosaic, clip_from, near_clip)
    return replace(development, mosaic=mosaic, clip=clip, origin=(-dy, -dx), saturation=level.ravel())


def _add_scattered(clip: np.ndarray, mosaic: np.ndarray, clip_from: np.ndarray, near_clip: np.ndarray) -> None:
    """Set the bits of samples a little below the clip level that lie within two cells of a clipped one of their colour, in place."""
    rows = np.flatnonzero(clip.any(1))
    if not len(rows) or np.array_equal(near_clip, clip_from):
        return
    top, bottom = max(rows[0] - 2, 0), rows[-1] + 3
    part = clip[top:bottom]
    near = np.pad(part, 2)
    near = np.bitwise_or.reduce([near[k : k + len(part)] for k in range(5)])
    near = np.bitwise_or.reduce([near[:, k : k + clip.shape[1]] for k in range(5)])
    y, x = np.nonzero(near & ~part)
    for i, j in np.argwhere(near_clip < clip_from):
        bit = np.uint8(1 << (2 * i + j))
        found = mosaic[2 * (y + top) + i, 2 * x + j] >= near_clip[i, j]
        part[y, x] |= near[y, x] & bit * found.astype(np.uint8)


def _planes(development: Development) -> Development:
    """Linear camera RGB of a frame without a mosaic; monochrome becomes three equal planes."""
    frame, levels = development.frame, development.frame.levels
    a = frame.active
    stored = frame.samples[a.top : a.bottom, a.left : a.right].reshape(a.height, a.width, -1)
    rgb = np.empty((3, a.height, a.width), np.float32)
    clip = np.zeros((a.height + a.height % 2, a.width + a.width % 2), np.uint8)
    for c in range(stored.shape[2]):
        lines, rows = _black_lines(levels, a.width, c), _deltas(levels.delta_v, a.height)
        span = _span(frame, levels.white[c : c + 1], lines, rows)
        linear = stored[..., c] if levels.table is None else levels.table[np.minimum(stored[..., c], len(levels.table) - 1)]
        np.subtract(linear, lines[np.arange(a.height) % len(lines)] + rows[:, None], out=rgb[c])
        rgb[c] /= span
        clip[: a.height, : a.width] |= rgb[c] >= saturation(rgb[c][rgb[c] >= LOWEST], frame.samples.dtype).clip_from
    rgb[stored.shape[2] :] = rgb[0]
    cells = clip.reshape(clip.shape[0] // 2, 2, clip.shape[1] // 2, 2)
    return replace(development, rgb=rgb, clip=cells.max((1, 3)) * np.uint8(15))


def _black_lines(levels: Levels, width: int, plane: int) -> np.ndarray:
    """Black of the repeating rows (rows, width), with the deltas of columns."""
    black = np.asarray(levels.black, np.float32)[:, np.arange(width) % levels.black.shape[1], plane]
    return black + _deltas(levels.delta_h, width)


def _deltas(deltas: np.ndarray | None, size: int) -> np.ndarray:
    return np.zeros(size, np.float32) if deltas is None else np.asarray(deltas, np.float32)


def _span(frame: RawFrame, white: np.ndarray, lines: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """White less the plane's largest black, per CFA position (2, 2) or for one plane (1,)."""
    black = float(np.max(lines.max(1)[np.arange(len(rows)) % len(lines)] + rows))
    if not np.all(white > black):
        raise ValueError(f"expected a white level above the black level, found white {white.tolist()} and black {black}: {frame.path}")
    return (white - np.float64(black)).reshape((2, 2) if frame.is_mosaic else 1)


def _clip_levels(frame: RawFrame, span: np.ndarray) -> np.ndarray:
    """Level, clip_from and near_clip of `Saturation` for each CFA position of the active area: (3, 2, 2), in mosaic units."""
    a, levels, found = frame.active, frame.levels, np.empty((3, 2, 2))
    window, black = frame.samples[a.top : a.bottom, a.left : a.right], np.tile(_black_lines(levels, a.width, 0), (2, 1))
    for i, j in np.ndindex(2, 2):
        stored = window[i::8, j::2] if a.height >= 64 else window[i::2, j::2]
        linear = stored if levels.table is None else levels.table[np.minimum(stored, len(levels.table) - 1)]
        dark = float(black[i::2, j::2].mean())
        bright = linear[linear >= dark + LOWEST * span[i, j]]
        found[:, i, j] = astuple(saturation((bright - dark) / span[i, j], frame.samples.dtype))
    return found


def _mirrored(size: int, before: int, padded: int) -> np.ndarray:
    """Index into `size` entries of each of `padded` ones, `before` of which lie before the first; edges are not repeated."""
    index = np.abs(np.arange(padded) - before)
    return np.where(index < size, index, 2 * (size - 1) - index)


STAGE = Stage(
    name="linearise",
    order=20,
    summary="Stored numbers to linear light, clip mask, active area",
    params=LineariseParams,
    run=run,
    source="DNG Specification 1.7, chapter 5",
)
