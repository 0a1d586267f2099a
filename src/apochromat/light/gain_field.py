"""Gain over the sensor: piecewise bilinear, one map per CFA position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GainField:
    """gain (4, rows, cols) at knots (knots_y[i], knots_x[j]) in mosaic pixels, constant beyond the outer knots.

    CFA position p = 2*(y%2) + (x%2). A piecewise bilinear gain map is held exactly: its own points are the knots.
    """

    knots_y: np.ndarray  # (rows,) float64, rising
    knots_x: np.ndarray  # (cols,) float64, rising
    gain: np.ndarray  # (4, rows, cols) float32

    @classmethod
    def unity(cls) -> GainField:
        return cls(np.zeros(2) + [0, 1], np.zeros(2) + [0, 1], np.ones((4, 2, 2), np.float32))

    @property
    def is_unity(self) -> bool:
        return bool(np.all(self.gain == 1))

    def shifted(self, dy: float, dx: float) -> GainField:
        """The same field when the mosaic's origin moves so that old pixel (y, x) is new pixel (y + dy, x + dx)."""
        return GainField(self.knots_y + dy, self.knots_x + dx, self.gain)

    def rows_table(self, height: int) -> np.ndarray:
        """Fractional knot index of every pixel row (height,) float32, clamped to the outer knots."""
        return np.interp(np.arange(height), self.knots_y, np.arange(len(self.knots_y))).astype(np.float32)

    def cols_table(self, width: int) -> np.ndarray:
        """Fractional knot index of every pixel column (width,) float32, clamped to the outer knots."""
        return np.interp(np.arange(width), self.knots_x, np.arange(len(self.knots_x))).astype(np.float32)

    def at(self, y: np.ndarray, x: np.ndarray, p: np.ndarray | int) -> np.ndarray:
        """Gain at pixel positions of CFA position p (broadcast together), float64."""
        v = np.interp(y, self.knots_y, np.arange(len(self.knots_y)))
        u = np.interp(x, self.knots_x, np.arange(len(self.knots_x)))
        i = np.minimum(v.astype(int), len(self.knots_y) - 2)
        j = np.minimum(u.astype(int), len(self.knots_x) - 2)
        fv, fu, g = v - i, u - j, self.gain.astype(np.float64)
        return (1 - fv) * ((1 - fu) * g[p, i, j] + fu * g[p, i, j + 1]) + fv * ((1 - fu) * g[p, i + 1, j] + fu * g[p, i + 1, j + 1])
