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
        return cls(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.ones((4, 2, 2), np.float32))

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

    def lines(self, width: int) -> np.ndarray:
        """Gain at every pixel column of the knot rows: (2, rows, width) float32, first index the parity of the mosaic row."""
        u, odd = self.cols_table(width), np.arange(width) % 2
        j = np.minimum(u.astype(int), len(self.knots_x) - 2)
        share = u - j
        pair = [(1 - share) * self.gain[2 * i + odd, :, j].T + share * self.gain[2 * i + odd, :, j + 1].T for i in (0, 1)]
        return np.ascontiguousarray(pair, np.float32)

    def of_plane(self, position: int) -> GainField:
        """The field whose four positions all have the gain of one: for a colour plane of an image without a mosaic."""
        return GainField(self.knots_y, self.knots_x, np.repeat(self.gain[position : position + 1], 4, axis=0))

    def times(self, other: GainField, tolerance: float = 1e-5) -> GainField:
        """Product of two fields: exact where at most one of them varies in a cell, elsewhere refined until within `tolerance`."""
        if self.is_unity or other.is_unity:
            return self if other.is_unity else other
        y, x = np.union1d(self.knots_y, other.knots_y), np.union1d(self.knots_x, other.knots_x)
        a, b = self._on(y, x), other._on(y, x)
        y, x = _refined(y, _bends(a, b, 1), tolerance), _refined(x, _bends(a, b, 2), tolerance)
        return GainField(y, x, (self._on(y, x) * other._on(y, x)).astype(np.float32))

    def _on(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Gain (4, len(y), len(x)) float64 on other knots."""
        return np.stack([self.at(y[:, None], x[None], p) for p in range(4)])

    def at(self, y: np.ndarray, x: np.ndarray, p: np.ndarray | int) -> np.ndarray:
        """Gain at pixel positions of CFA position p (broadcast together), float64."""
        v = np.interp(y, self.knots_y, np.arange(len(self.knots_y)))
        u = np.interp(x, self.knots_x, np.arange(len(self.knots_x)))
        i = np.minimum(v.astype(int), len(self.knots_y) - 2)
        j = np.minimum(u.astype(int), len(self.knots_x) - 2)
        fv, fu, g = v - i, u - j, self.gain.astype(np.float64)
        return (1 - fv) * ((1 - fu) * g[p, i, j] + fu * g[p, i, j + 1]) + fv * ((1 - fu) * g[p, i + 1, j] + fu * g[p, i + 1, j + 1])


def _bends(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """Largest error of interpolating the product a * b linearly between neighbouring knots along `axis`, per interval."""
    other_axes = tuple(i for i in range(3) if i != axis)
    return np.abs(np.diff(a, axis=axis) * np.diff(b, axis=axis)).max(other_axes) / 4


def _refined(knots: np.ndarray, error: np.ndarray, tolerance: float) -> np.ndarray:
    """Knots with every interval longer than a pixel cut so finely that the error, which falls with its square, is in tolerance."""
    parts = np.where(np.diff(knots) > 1, np.ceil(np.sqrt(error / tolerance)), 1).astype(int).clip(1)
    pieces = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(knots[:-1], knots[1:], parts, strict=True)]
    return np.concatenate([*pieces, knots[-1:]])
