"""Many thin straight pieces at once, twigs or strands of hair: the cells of each are looked for along its longer way, not in a box."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apochromat.scene.canvas import Frame, half_plane

TOGETHER, MOST = 256, 1 << 19  # pieces, and cells, looked at at once
MARGIN = 1.0  # cells about a piece that it may touch


def strokes(frame: Frame, ends: np.ndarray, radii: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Cells that pieces touch, as flat indices, the cover of each by its piece, and the piece's number, (m,) each; some pieces at a time.

    ends (n, 4): x0, y0, x1, y1; radii (n, 2): at both ends; picture heights. A piece may be thinner than a cell.
    """
    starts, stops = (np.column_stack([frame.rows(y), frame.columns(x)]) for x, y in (ends[:, :2].T, ends[:, 2:].T))  # cells
    radii = radii * frame.height
    longer = np.argmax(np.abs(stops - starts), axis=1)  # 0: its rows are run through, 1: its columns
    reach = radii.max(1) + MARGIN
    low, high = (choose([starts, stops], axis=0)[np.arange(len(ends)), longer] for choose in (np.min, np.max))
    counts = np.column_stack([np.ceil(high + reach) - np.floor(low - reach), np.ceil(2 * np.sqrt(2) * reach) + 1]).astype(int)
    first = 0
    while first < len(ends):
        along, across = counts[first : first + TOGETHER].max(0)
        part = slice(first, first + int(np.clip(MOST // (along * across), 1, TOGETHER)))
        at = _band(starts[part], stops[part], longer[part], np.floor(low - reach)[part], reach[part], counts[part].max(0))
        cover = _cover(at, starts[part], stops[part], radii[part])
        inside = (cover > 0) & (at[0] >= 0) & (at[0] < frame.height) & (at[1] >= 0) & (at[1] < frame.width)
        rows, columns = (place[inside] for place in at)
        yield rows * frame.width + columns, cover[inside].astype(np.float32), np.nonzero(inside)[0] + first
        first = part.stop


def _band(
    starts: np.ndarray, stops: np.ndarray, longer: np.ndarray, first: np.ndarray, reach: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns (n, steps, wide) of cells about pieces from `starts` to `stops` (n, 2), step by step from the `first` cell on."""
    number = np.arange(len(longer))
    (a0, b0), (a1, b1) = ((end[number, longer], end[number, 1 - longer]) for end in (starts, stops))
    steps = first[:, None] + np.arange(counts[0])
    part = np.clip((steps + 0.5 - a0[:, None]) / np.where(a1 == a0, 1.0, a1 - a0)[:, None], 0, 1)
    middle = b0[:, None] + part * (b1 - b0)[:, None]
    beside = np.floor(middle - np.sqrt(2) * reach[:, None])[..., None] + np.arange(counts[1])
    steps = np.broadcast_to(steps[..., None], beside.shape)
    by_rows = (longer == 0)[:, None, None]
    return np.where(by_rows, steps, beside).astype(int), np.where(by_rows, beside, steps).astype(int)


def _cover(at: tuple[np.ndarray, np.ndarray], starts: np.ndarray, stops: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Cover (n, steps, wide) of cells by pieces with round ends; their rims are taken as straight within a cell, as in `capsule`."""
    (y0, x0), (dy, dx) = (values.T[..., None, None] for values in (starts, stops - starts))
    length = np.maximum(np.hypot(dy, dx), 1e-9)
    y, x = at[0] + 0.5 - y0, at[1] + 0.5 - x0
    along = np.clip((y * dy + x * dx) / length**2, 0, 1)
    off = np.hypot(y - along * dy, x - along * dx)
    radius = radii[:, :1, None] + along * (radii[:, 1:, None] - radii[:, :1, None])
    nx, ny = -dy / length, dx / length
    return half_plane(radius - off, nx, ny) - half_plane(-radius - off, nx, ny)
