"""The pupil as a function of direction cosines, and what it images: transfer at a frequency, and the spread of a line.

The field about an image point is the sum of plane waves exp(i k (A + d.delta)), one for each direction d = (alpha, beta) in the exit
cone, of uniform amplitude. The stop coordinates of a direction are a smooth map, fitted with Legendre products. A, the eikonal of `rays`,
is fitted over the stop's disc, to the rays that vignetting leaves above all: beyond a clear radius an asphere may do anything.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import legvander, legvander2d

from apochromat.optics.pupil import rings

DEGREE, MAP = 14, 8  # of the eikonal over the stop, and of the stop's coordinates over the directions
GRID, FINE = 64, 96  # samples across the exit cone, of a line's spread and of the transfer
BEYOND = 1.1  # of the exit cone's radius, as far as the map is followed
STOPPED = 1e-4  # weight of a ray that vignetting stops


class Sampled(NamedTuple):
    """A pupil on a grid of directions (n, m): eikonal (mm), amplitude, and stop coordinates (2, n, m)."""

    eikonal: np.ndarray
    amplitude: np.ndarray
    stop: np.ndarray


class PupilFunction(NamedTuple):
    """Of one field and wavelength: stop coordinates by direction, and by these the eikonal (mm) about a point; a mask for vignetting."""

    centre: np.ndarray  # (2,) of the exit cone, direction cosines
    half: np.ndarray  # (2,) its half widths
    eikonal: np.ndarray  # coefficients (D, D) over the stop
    stop: np.ndarray  # coefficients (2, M, M) over the exit cone
    onward: float  # sign of the direction along z
    mask: np.ndarray  # (K, K) over the square about the stop's unit disc, rows along y

    def grid(self, count: int = GRID) -> tuple[np.ndarray, np.ndarray]:
        """Directions alpha (n,) and beta (n,) of a regular grid over the exit cone."""
        axis = (np.arange(count) + 0.5) * 2 / count - 1
        return self.centre[0] + self.half[0] * axis, self.centre[1] + self.half[1] * axis

    def sampled(self, alpha: np.ndarray, beta: np.ndarray) -> Sampled:
        """The pupil on the grid (n, m) of directions alpha (m,) and beta (n,)."""
        x, y = (alpha - self.centre[0]) / self.half[0], (beta - self.centre[1]) / self.half[1]
        across, down = legvander(x, MAP).T, legvander(y, MAP)
        p = np.stack([down @ c.T @ across for c in self.stop])
        p = np.where(np.hypot(x, y[:, None]) < BEYOND, p, 2.0)
        amplitude = np.clip((1 - np.hypot(*p)) * len(alpha) / 2 + 0.5, 0, 1)  # an edge one sample wide
        column, row = (np.clip(((v + 1) / 2 * len(self.mask)).astype(int), 0, len(self.mask) - 1) for v in p)
        amplitude = amplitude * self.mask[row, column]
        lit, eikonal = amplitude > 0, np.zeros(amplitude.shape)
        eikonal[lit] = ((legvander(p[0][lit], DEGREE) @ self.eikonal) * legvander(p[1][lit], DEGREE)).sum(1)
        return Sampled(eikonal, amplitude, p)

    def pair(self, wavelength_nm: float, frequency: tuple[float, float]) -> tuple[Sampled, Sampled]:
        """The pupil twice on its fine grid, shifted by half a frequency (x, y) in cycles/mm to either side."""
        alpha, beta = self.grid(FINE)
        shift = np.array(frequency) * wavelength_nm * 1e-6 / 2
        return self.sampled(alpha + shift[0], beta + shift[1]), self.sampled(alpha - shift[0], beta - shift[1])

    def light(self) -> float:
        """Open area of the pupil in cells of the fine grid, above zero: a cell on the edge counts by its open part."""
        return max(float(self.sampled(*self.grid(FINE)).amplitude.sum()), 1e-30)

    def along(self, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """Direction cosine along z (n, m) on a grid: the eikonal's change by a shift of the point of one mm."""
        return self.onward * np.sqrt(np.maximum(1 - alpha**2 - beta[:, None] ** 2, 0))


def fitted(
    L: np.ndarray,
    M: np.ndarray,
    onward: float,
    eikonal: np.ndarray,
    pupil: np.ndarray,
    mask: np.ndarray,
    passes: np.ndarray | None = None,
) -> PupilFunction:
    """Least-squares fit to rays (P,) with stop coordinates (P, 2), those that pass above all; mask (K, K) of the pupil that is open."""
    directions = np.stack([L, M], -1)
    low, high = directions.min(0), directions.max(0)
    centre, half = (low + high) / 2, (high - low) / 2 * 1.01  # the rays of a quadrature stop short of the edge
    stop = _fit((directions - centre) / half, pupil, np.ones(len(L)), MAP)
    weights = np.ones(len(L)) if passes is None else np.where(passes, 1.0, STOPPED)
    return PupilFunction(centre, half, _fit(pupil, eikonal[:, None], weights, DEGREE)[0], stop, onward, mask)


def _fit(points: np.ndarray, values: np.ndarray, weights: np.ndarray, degree: int) -> np.ndarray:
    """Coefficients (V, D, D) of Legendre products for values (P, V) at points (P, 2) of the unit disc."""
    chosen, orthogonal = _basis(degree)
    terms = legvander2d(points[:, 0], points[:, 1], [degree, degree])[:, chosen.ravel()] @ orthogonal
    normal = (terms.T * weights) @ terms / weights.sum() + 1e-9 * np.eye(terms.shape[1])
    found = np.zeros((values.shape[1], *chosen.shape))
    found[:, chosen] = (orthogonal @ np.linalg.solve(normal, (terms.T * weights) @ values / weights.sum())).T
    return found


@cache
def _basis(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Which Legendre products (D, D) are used, and the combinations (T, T) of them that are orthonormal over the disc."""
    i, j = np.indices((degree + 1, degree + 1))
    points, weights = rings(degree + 1, 2 * degree + 2)
    terms = legvander2d(points[:, 0], points[:, 1], [degree, degree])[:, (i + j <= degree).ravel()]
    triangle = np.linalg.qr(terms * np.sqrt(weights)[:, None], mode="r")
    return i + j <= degree, np.linalg.inv(triangle)


def transfer(pupil: PupilFunction, wavelength_nm: float, frequency: tuple[float, float]) -> complex:
    """Optical transfer at a frequency (x, y) in cycles/mm, by the pupil's autocorrelation; its phase is about the eikonal's point."""
    one, other = pupil.pair(wavelength_nm, frequency)
    phase = 2 * np.pi / (wavelength_nm * 1e-6) * (one.eikonal - other.eikonal)
    return complex((one.amplitude * other.amplitude * np.exp(1j * phase)).sum() / pupil.light())


def line_spreads(pupil: PupilFunction, wavelength_nm: float, y_mm: np.ndarray, defocus_mm: np.ndarray) -> np.ndarray:
    """Light (Z, X) per mm across a line along x, at distances y (X,) from it and planes (Z,) from the point; the whole adds to one."""
    alpha, beta = pupil.grid()
    wavelength = wavelength_nm * 1e-6
    k = 2 * np.pi / wavelength
    path, amplitude, _ = pupil.sampled(alpha, beta)
    phase = k * (path + defocus_mm[:, None, None] * pupil.along(alpha, beta))
    columns = (amplitude * np.exp(1j * phase)).transpose(0, 2, 1).reshape(-1, GRID).astype(np.complex64)
    waves = columns @ np.exp(1j * k * np.outer(beta, y_mm)).astype(np.complex64)
    light = (waves.real**2 + waves.imag**2).reshape(len(defocus_mm), GRID, -1).sum(1, dtype=float)
    return np.asarray(light * (beta[1] - beta[0]) / (wavelength * (amplitude**2).sum()))
