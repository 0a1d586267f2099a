"""The pupil as a function of direction cosines, and what it images: transfer at a frequency, and the spread of a line.

The field about an image point is the sum of plane waves exp(i k (A + d.delta)), one for each direction d = (alpha, beta) in the exit
cone, of uniform amplitude; A is the eikonal of `rays`, fitted with Legendre products so that it can be read on a regular grid.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import legvander, legvander2d

from apochromat.optics.pupil import rings

DEGREE = 10  # of the fit
GRID = 64  # samples across the exit cone


class PupilFunction(NamedTuple):
    """Of one field and wavelength: eikonal (mm) about a point, and stop coordinates, by direction; the mask says what vignetting leaves."""

    centre: np.ndarray  # (2,) of the exit cone, direction cosines
    half: np.ndarray  # (2,) its half widths
    eikonal: np.ndarray  # coefficients (D, D)
    stop: np.ndarray  # coefficients (2, D, D)
    onward: float  # sign of the direction along z
    mask: np.ndarray  # (K, K) over the square about the stop's unit disc, rows along y
    operator: np.ndarray  # (T, P) from values at the fitted rays to coefficients

    def refitted(self, eikonal: np.ndarray) -> PupilFunction:
        """The same pupil with another eikonal at the same rays (P,)."""
        return self._replace(eikonal=_placed(self.operator @ eikonal))

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Directions alpha (n,) and beta (n,) of a regular grid over the exit cone."""
        axis = (np.arange(GRID) + 0.5) * 2 / GRID - 1
        return self.centre[0] + self.half[0] * axis, self.centre[1] + self.half[1] * axis

    def sampled(self, alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Eikonal in mm and amplitude (n, m) on the grid of directions alpha (m,) and beta (n,)."""
        across = legvander((alpha - self.centre[0]) / self.half[0], DEGREE).T
        down = legvander((beta - self.centre[1]) / self.half[1], DEGREE)
        p = [down @ c.T @ across for c in self.stop]
        amplitude = np.clip((1 - np.hypot(*p)) * GRID / 2 + 0.5, 0, 1)  # an edge one sample wide
        x, y = (np.clip(((v + 1) / 2 * len(self.mask)).astype(int), 0, len(self.mask) - 1) for v in p)
        return down @ self.eikonal.T @ across, amplitude * self.mask[y, x]

    def along(self, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """Direction cosine along z (n, m) on a grid: the eikonal's change by a shift of the point of one mm."""
        return self.onward * np.sqrt(np.maximum(1 - alpha**2 - beta[:, None] ** 2, 0))


def fitted(L: np.ndarray, M: np.ndarray, onward: float, eikonal: np.ndarray, pupil: np.ndarray, mask: np.ndarray) -> PupilFunction:
    """Least-squares fit to rays (P,) with stop coordinates (P, 2); mask (K, K) of the pupil that is open."""
    directions = np.stack([L, M], -1)
    low, high = directions.min(0), directions.max(0)
    centre, half = (low + high) / 2, (high - low) / 2 * 1.01  # the rays of a quadrature stop short of the edge
    chosen, orthogonal = _basis()
    terms = legvander2d(*_xy((directions - centre) / half), [DEGREE, DEGREE])[:, chosen.ravel()] @ orthogonal
    operator = orthogonal @ np.linalg.solve(terms.T @ terms + 1e-9 * np.eye(terms.shape[1]), terms.T)
    stop = np.stack([_placed(operator @ pupil[:, k]) for k in (0, 1)])
    return PupilFunction(centre, half, _placed(operator @ eikonal), stop, onward, mask, operator)


def _placed(coefficients: np.ndarray) -> np.ndarray:
    """Coefficients (T,) of the products that are used as a square (D, D)."""
    chosen = _basis()[0]
    square = np.zeros(chosen.shape)
    square[chosen] = coefficients
    return square


def _xy(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points[:, 0], points[:, 1]


@cache
def _basis() -> tuple[np.ndarray, np.ndarray]:
    """Which Legendre products (D, D) are used, and the combinations (T, T) of them that are orthonormal over the disc."""
    i, j = np.indices((DEGREE + 1, DEGREE + 1))
    points, weights = rings(DEGREE + 1, 2 * DEGREE + 2)
    terms = legvander2d(*_xy(points), [DEGREE, DEGREE])[:, (i + j <= DEGREE).ravel()]
    triangle = np.linalg.qr(terms * np.sqrt(weights)[:, None], mode="r")
    return i + j <= DEGREE, np.linalg.inv(triangle)


def transfer(pupil: PupilFunction, wavelength_nm: float, frequency: tuple[float, float]) -> complex:
    """Optical transfer at a frequency (x, y) in cycles/mm, by the pupil's autocorrelation; its phase is about the eikonal's point."""
    alpha, beta = pupil.grid()
    wavelength = wavelength_nm * 1e-6
    shift = np.array(frequency) * wavelength / 2
    parts = [pupil.sampled(alpha + s * shift[0], beta + s * shift[1]) for s in (1, -1)]
    product = parts[0][1] * parts[1][1] * np.exp(2j * np.pi / wavelength * (parts[0][0] - parts[1][0]))
    return complex(product.sum() / max((pupil.sampled(alpha, beta)[1] ** 2).sum(), 1e-30))


def line_spreads(pupil: PupilFunction, wavelength_nm: float, y_mm: np.ndarray, defocus_mm: np.ndarray) -> np.ndarray:
    """Light (Z, X) per mm across a line along x, at distances y (X,) from it and planes (Z,) from the point; the whole adds to one."""
    alpha, beta = pupil.grid()
    wavelength = wavelength_nm * 1e-6
    k = 2 * np.pi / wavelength
    path, amplitude = pupil.sampled(alpha, beta)
    phase = k * (path + defocus_mm[:, None, None] * pupil.along(alpha, beta))
    columns = (amplitude * np.exp(1j * phase)).transpose(0, 2, 1).reshape(-1, GRID).astype(np.complex64)
    waves = columns @ np.exp(1j * k * np.outer(beta, y_mm)).astype(np.complex64)
    light = (waves.real**2 + waves.imag**2).reshape(len(defocus_mm), GRID, -1).sum(1, dtype=float)
    return np.asarray(light * (beta[1] - beta[0]) / (wavelength * (amplitude**2).sum()))
