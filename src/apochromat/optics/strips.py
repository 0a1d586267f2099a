"""Parts of a frame's planes, and light that gathers in strips which are handed on as soon as nothing is added to them any longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Box = tuple[slice, ...]
Taker = Callable[["Window"], None]


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

    @property
    def box(self) -> Box:
        """Its rows and columns in the frame."""
        height, width = self.planes[0].shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

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


class Strips:
    """Light that gathers in two strips, one from the frame's upper edge downwards and one from its lower edge upwards, until they meet.

    Rows to which no later tile adds anything are handed on.
    """

    def __init__(self, lit: Window, channels: int, pad: int, frame: tuple[int, ...], take: Taker) -> None:
        height, width = lit.planes[0].shape
        self.left, self.width = lit.left - pad, width + 2 * pad
        self.rows = lit.top - pad, lit.top + height + pad  # that light reaches
        self.channels, self.pad, self.frame, self.take = channels, pad, frame, take
        self.upper = self.lower = self._dark(0, 0)

    def _dark(self, first: int, last: int) -> Window:
        return Window(first, self.left, np.zeros((self.channels, last - first, self.width), np.float32))

    def begin(self, first: int, middle: int, other: int, last: int) -> None:
        """The next tiles' rows are first to middle and other to last: hand on what is before and behind them."""
        kept = []
        if self.upper.planes.shape[1]:
            self._hand_on(self.upper, self.upper.top, first - self.pad)
            self._hand_on(self.lower, last + self.pad, self.lower.box[0].stop)
            meeting = 2 * self.pad
            kept = [
                Window(first - self.pad, self.left, self.upper.planes[:, -meeting:].copy()),
                Window(last - self.pad, self.left, self.lower.planes[:, :meeting].copy()),
            ]
        self.upper = self.lower = self._dark(0, 0)
        self.upper, self.lower = self._dark(first - self.pad, middle + self.pad), self._dark(other - self.pad, last + self.pad)
        for strip, part in zip((self.upper, self.lower), kept, strict=bool(kept)):
            strip.add(part.planes, *part.corner)

    def add(self, light: np.ndarray, box: Box) -> None:
        """Light (C, h, w) of the tile in a box, with the kernels' margin on all sides."""
        strip = self.upper if box[0].start - self.pad == self.upper.top else self.lower
        strip.add(light, box[0].start - self.pad, box[1].start - self.pad)

    def end(self) -> None:
        """The strips meet: hand on what is left."""
        meet = self.lower.top + 2 * self.pad
        self.upper.add(self.lower.planes, *self.lower.corner)
        self._hand_on(self.upper, self.upper.top, meet)
        self._hand_on(self.lower, meet, self.lower.box[0].stop)

    def _hand_on(self, strip: Window, first: int, last: int) -> None:
        first, last = max(first, self.rows[0]), min(last, self.rows[1])
        if first < last:
            rows = Window(first, self.left, strip.planes[:, first - strip.top : last - strip.top]).cut(self.frame)
            if rows.planes.size:
                self.take(rows)
