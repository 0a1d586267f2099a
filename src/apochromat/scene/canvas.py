"""The plane a scene is painted on: coordinates in picture heights, covers as exact cell areas, paint laid over paint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Frame:
    """Cells of a picture. y runs 0..1 from top to bottom, x from -width/(2 height) to +width/(2 height): units of picture height."""

    height: int
    width: int

    @cached_property
    def y(self) -> np.ndarray:
        """Centres of the rows (H, 1) float32, picture heights."""
        return ((np.arange(self.height, dtype=np.float32) + 0.5) / self.height)[:, None]

    @cached_property
    def x(self) -> np.ndarray:
        """Centres of the columns (1, W) float32, picture heights."""
        return ((np.arange(self.width, dtype=np.float32) + 0.5 - self.width / 2) / self.height)[None, :]

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height

    def rows(self, y: Any) -> Any:
        """Row coordinate (0 = upper edge of the first row) of a height y."""
        return y * self.height

    def columns(self, x: Any) -> Any:
        """Column coordinate (0 = left edge of the first column) of x."""
        return x * self.height + self.width / 2

    def box(self, x0: float, y0: float, x1: float, y1: float, margin: float = 1.5) -> Box:
        """Cells that a rectangle can touch, with a margin in cells, cut to the frame; may be empty."""
        top, bottom = self.rows(y0) - margin, self.rows(y1) + margin
        left, right = self.columns(x0) - margin, self.columns(x1) + margin
        rows = slice(int(np.clip(top, 0, self.height)), int(np.clip(np.ceil(bottom), 0, self.height)))
        return rows, slice(int(np.clip(left, 0, self.width)), int(np.clip(np.ceil(right), 0, self.width)))

    @property
    def whole(self) -> Box:
        """All cells."""
        return slice(0, self.height), slice(0, self.width)

    def at(self, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """x (1, w) and y (h, 1) of the cells of a box."""
        return self.x[:, box[1]], self.y[box[0]]


def is_empty(box: Box) -> bool:
    """Whether a box holds no cell."""
    return box[0].stop <= box[0].start or box[1].stop <= box[1].start


def half_plane(distance: np.ndarray, nx: float | np.ndarray, ny: float | np.ndarray) -> np.ndarray:
    """Exact share of a unit cell on the positive side of a straight edge.

    distance: of the cell's centre from the edge, in cells, positive inside; (nx, ny): the edge's unit normal, broadcast with it. Closed
    form: the box of the cell projected on the normal is a trapezoid, and its integral a second difference of x^2/2.
    """
    a, b = np.maximum(np.abs(nx), np.abs(ny)), np.maximum(np.minimum(np.abs(nx), np.abs(ny)), 1e-4)
    t = np.clip(distance, -1.0, 1.0)
    wide, narrow = (a + b) / 2, (a - b) / 2

    def ramp(value: np.ndarray) -> np.ndarray:
        return np.square(np.maximum(value, 0))

    return np.clip((ramp(t + wide) - ramp(t + narrow) - ramp(t - narrow) + ramp(t - wide)) / (2 * a * b), 0, 1)


def disc(frame: Frame, box: Box, cx: float, cy: float, radius: float) -> np.ndarray:
    """Cover (h, w) of a disc; the rim is taken as straight within a cell. A disc within a cell keeps its area."""
    x, y = frame.at(box)
    dx, dy = x - np.float32(cx), y - np.float32(cy)
    r = np.sqrt(dx * dx + dy * dy)
    if radius * frame.height > 0.5:
        return np.clip((radius - r) * frame.height + 0.5, 0, 1)
    spread = np.maximum(1 - np.abs(dx) * frame.height, 0) * np.maximum(1 - np.abs(dy) * frame.height, 0)
    return spread * (np.pi * (radius * frame.height) ** 2)


def rectangle(frame: Frame, box: Box, x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Exact cover (h, w) of an upright rectangle."""
    x, y = frame.at(box)
    n = frame.height
    across = np.clip(np.minimum(x + 0.5 / n, x1) - np.maximum(x - 0.5 / n, x0), 0, None) * n
    down = np.clip(np.minimum(y + 0.5 / n, y1) - np.maximum(y - 0.5 / n, y0), 0, None) * n
    return (across * down).astype(np.float32)


def convex(frame: Frame, box: Box, corners: np.ndarray) -> np.ndarray:
    """Cover (h, w) of a convex polygon with corners (n, 2) as x, y; exact along its edges, a cell at a corner is a product."""
    x, y = frame.at(box)
    found = np.ones((y.shape[0], x.shape[1]), np.float32)
    turn = np.sign(np.sum(corners[:, 0] * np.roll(corners[:, 1], -1) - np.roll(corners[:, 0], -1) * corners[:, 1]))
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = np.hypot(x1 - x0, y1 - y0)
        nx, ny = -turn * (y1 - y0) / length, turn * (x1 - x0) / length
        found *= half_plane(((x - x0) * nx + (y - y0) * ny) * frame.height, nx, ny).astype(np.float32)
    return found


def capsule(frame: Frame, box: Box, ends: tuple[float, float, float, float], radii: tuple[float, float]) -> np.ndarray:
    """Cover (h, w) of a straight piece of twig from (x0, y0) to (x1, y1), with the radii at its ends; may be thinner than a cell."""
    x0, y0, x1, y1 = ends
    x, y = frame.at(box)
    length = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-9)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    along = np.clip(((x - x0) * ux + (y - y0) * uy) / length, 0, 1)
    off = np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)) * frame.height
    radius = (radii[0] + along * (radii[1] - radii[0])) * frame.height
    return half_plane(radius - off, -uy, ux) - half_plane(-radius - off, -uy, ux)


def lay(planes: np.ndarray, box: Box, cover: np.ndarray, weights: np.ndarray) -> None:
    """Paint over: planes (K, H, W) become planes * (1 - cover) + cover * weights, weights (K,) or (K, h, w)."""
    if is_empty(box):
        return
    for plane, weight in zip(planes, weights, strict=True):
        part = plane[box]
        part += cover * (weight - part)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, a cubic with flat ends between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def polygon(frame: Frame, corners: np.ndarray, over: int = 4, rows: int = 256) -> np.ndarray:
    """Cover (H, W) float32 of any polygon with corners (n, 2) as x, y: counted over `over` x `over` samples a cell."""
    cover = np.zeros((frame.height, frame.width), np.float32)
    at = np.stack([frame.columns(corners[:, 0]), frame.rows(corners[:, 1])], axis=1) * over
    for top in range(0, frame.height, rows):
        count = min(rows, frame.height - top)
        image = Image.new("L", (frame.width * over, count * over))
        ImageDraw.Draw(image).polygon([(x, y - top * over) for x, y in at.tolist()], fill=255)
        cover[top : top + count] = np.asarray(image.reduce(over), np.float32) / 255
    return cover


def polygon_in(frame: Frame, box: Box, corners: np.ndarray) -> np.ndarray:
    """Cover (h, w) float32 of any polygon within a box alone."""
    part = Frame(box[0].stop - box[0].start, box[1].stop - box[1].start)
    x, y = frame.columns(corners[:, 0]) - box[1].start, frame.rows(corners[:, 1]) - box[0].start
    return polygon(part, np.stack([(x - part.width / 2) / part.height, y / part.height], axis=1))


def curve(points: list[tuple[float, float]], pieces: int = 8, closed: bool = True) -> np.ndarray:
    """Corners (n, 2) of a smooth curve through points: Catmull-Rom."""
    p = np.array(points, float)
    before, after = (np.roll(p, 1, 0), np.roll(p, -1, 0)) if closed else (p[[0, *range(len(p) - 1)]], p[[*range(1, len(p)), len(p) - 1]])
    ahead = np.roll(after, -1, 0) if closed else after[[*range(1, len(p)), len(p) - 1]]
    t = (np.arange(pieces) / pieces)[None, :, None]
    a, b, c, d = (q[:, None] for q in (before, p, after, ahead))
    found = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return found.reshape(-1, 2) if closed else np.concatenate([found[:-1].reshape(-1, 2), p[-1:]])
