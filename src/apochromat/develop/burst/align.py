"""Where every part of a frame lies in the reference's picture: the hand's motion first, then what deviates from it.

Sources: iterative registration after Lucas & Kanade (IJCAI 1981) with the reference's gradients; a start by normalised
cross-correlation of small pictures (Lewis, "Fast normalized cross-correlation", 1995). The whole frame's motion is an affine map found
from all tiles, so tiles without texture, with repeating texture or with something that moves inherit it; local deviations (rolling
shutter, parallax, lens shift) are kept as far as the tiles' own evidence exceeds their noise (empirical Bayes, Efron & Morris 1973).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.develop.burst.planes import BORDER, HALVED, Planes, size
from apochromat.native import kernels

TILE = 16  # samples of a level along a tile's side
REACH = 0.12  # of the frame: largest displacement that the start looks for
STEPS = 3  # per level
NOISE = 1.7  # variance of the difference of two aligned planes whose noise has variance 1, one of them interpolated
SCALES = (6.0, 2.0)  # tiles over which deviations are smoothed, coarse to fine


@dataclass(frozen=True)
class Motion:
    """Displacement of the half-resolution grey: frame(x + d(x)) shows what reference(x) shows.

    d(x) = shift + matrix (x - centre), x = (column, row), and the deviation (rows, columns, 2) of tiles of 16 samples.
    """

    shift: np.ndarray
    matrix: np.ndarray
    centre: np.ndarray
    deviation: np.ndarray

    def at_tiles(self, rows: int, columns: int, side: float) -> np.ndarray:
        """Displacements (rows, columns, 2) at the centres of tiles of `side` samples, deviations interpolated."""
        x, y = (np.arange(columns) + 0.5) * side - 0.5, (np.arange(rows) + 0.5) * side - 0.5
        return self._affine(x, y) + _interpolated(self.deviation, (y + 0.5) / TILE - 0.5, (x + 0.5) / TILE - 0.5)

    def _affine(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1) - self.centre
        return self.shift + grid @ self.matrix.T


def align(reference: Planes, frame: Planes) -> Motion:
    """The motion of a frame of the same size against the reference."""
    levels = len(reference.pyramid)
    height, width = size(reference.pyramid[0])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    start = max(level for level in range(levels) if level == 0 or min(size(reference.pyramid[level])) >= 60)
    motion = np.zeros(6)
    motion[:2] = _coarse_shift(reference.pyramid[start], frame.pyramid[start]) * 2.0**start
    for level in range(start, -1, -1):
        for _ in range(STEPS if level else 2):
            motion += _affine_step(reference, frame, level, motion, centre)
    return Motion(motion[:2], motion[2:].reshape(2, 2), centre, _deviation(reference, frame, motion, centre))


def _coarse_shift(reference: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Whole-sample shift (x, y) of the highest normalised correlation of the high-passed pictures; none where noise could reach it."""
    inner = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    a, b = _high_pass(reference[inner]), _high_pass(frame[inner])
    height, width = a.shape
    padded = [1 << int(np.ceil(np.log2(n * (1 + 2 * REACH)))) for n in (height, width)]
    here, there = (np.fft.rfft2(p, padded) for p in (a, b))
    covered, ones = (np.fft.rfft2(p, padded) for p in (a * a, np.ones_like(a)))
    squares = np.fft.rfft2(b * b, padded)
    cross, own, other = (np.fft.irfft2(np.conj(p) * q, padded) for p, q in ((here, there), (covered, ones), (ones, squares)))
    reach_y, reach_x = int(REACH * height) + 1, int(REACH * width) + 1
    dy, dx = np.arange(-reach_y, reach_y + 1), np.arange(-reach_x, reach_x + 1)
    window = np.ix_(dy % padded[0], dx % padded[1])
    score = cross[window] / np.sqrt(np.maximum(own[window] * other[window], 1e-12 * own.max() * other.max() + 1e-30))
    best = np.unravel_index(np.argmax(score), score.shape)
    if score[best] < 6 / np.sqrt(a.size):
        return np.zeros(2)
    return np.array([dx[best[1]], dy[best[0]]], float)


def _high_pass(picture: np.ndarray) -> np.ndarray:
    """A picture less its mean over 9 x 9 samples."""
    padded = np.pad(picture, 4, mode="edge").astype(np.float64)
    total = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    mean = (total[9:, 9:] - total[:-9, 9:] - total[9:, :-9] + total[:-9, :-9]) / 81
    return picture - mean


def _sums(reference: np.ndarray, frame: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, ...]:
    """Normal equations of each tile at its displacement: H (..., 2, 2), J r (..., 2), and residual variance and sample count (...)."""
    sums = np.empty((*flow.shape[:2], 7), np.float32)
    kernels.burst_align(reference=reference, frame=frame, flow=np.ascontiguousarray(flow, np.float32), sums=sums)
    s = sums.astype(np.float64)
    count = np.maximum(s[..., 6], 1)
    return s[..., [0, 1, 1, 2]].reshape(*flow.shape[:2], 2, 2), s[..., 3:5], s[..., 5] / count, s[..., 6]


def _tiles(plane: np.ndarray) -> tuple[int, int]:
    height, width = size(plane)
    return -(-height // TILE), -(-width // TILE)


def _positions(rows: int, columns: int, level: int, centre: np.ndarray) -> np.ndarray:
    """Centres of a level's tiles (rows, columns, 2) relative to the frame's centre, in samples of level 0."""
    side = TILE * 2.0**level
    x, y = (np.arange(columns) + 0.5) * side - 0.5, (np.arange(rows) + 0.5) * side - 0.5
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1) - centre


def _affine_step(reference: Planes, frame: Planes, level: int, motion: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Change of the affine motion that reduces the tiles' squared residuals, those of moving things counting little."""
    one, other = reference.pyramid[level], frame.pyramid[level]
    x = _positions(*_tiles(one), level, centre)
    flow = (motion[:2] + x @ motion[2:].reshape(2, 2).T) / 2.0**level
    h, b, residual, _ = _sums(one, other, flow)
    noise = NOISE * HALVED**level
    weight = _robust_weights(h, residual, noise)[..., None, None]
    basis = np.zeros((*x.shape[:2], 2, 6))
    basis[..., 0, 0] = basis[..., 1, 1] = 1
    basis[..., 0, 2:4] = basis[..., 1, 4:6] = x
    basis /= 2.0**level
    side = max(size(one)) * 2.0**level
    prior = np.array([1 / (0.2 * side) ** 2] * 2 + [1 / 0.05**2] * 4) * noise
    normal = np.einsum("yxai,yxab,yxbj->ij", basis, h * weight, basis) + np.diag(prior)
    return -np.linalg.solve(normal, np.einsum("yxai,yxa->i", basis, b * weight[..., 0]) + prior * motion)


def _robust_weights(h: np.ndarray, residual: np.ndarray, noise: float) -> np.ndarray:
    """Weight of each tile: low where what is left, taken as a displacement, is far above that of the typical tile."""
    gradient = h[..., 0, 0] + h[..., 1, 1]
    off = np.maximum(residual - noise, 0) / (gradient / TILE**2 + noise)  # about the square of a displacement, in samples
    order = np.argsort(off, axis=None)
    typical = off.flat[order[np.searchsorted(np.cumsum(gradient.flat[order]), gradient.sum() / 2).clip(0, off.size - 1)]]
    return 1 / (1 + np.square(off / (2 * typical + 0.02)))


def _deviation(reference: Planes, frame: Planes, motion: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Deviation (rows, columns, 2) of the finest level's tiles from the affine motion, each as far as evidence carries it."""
    one, other = reference.pyramid[0], frame.pyramid[0]
    x = _positions(*_tiles(one), 0, centre)
    affine = motion[:2] + x @ motion[2:].reshape(2, 2).T
    found = np.zeros_like(affine)
    for scale in SCALES:
        h, b, residual, _ = _sums(one, other, affine + found)
        certainty = (_robust_weights(h, residual, NOISE) / np.maximum(residual, NOISE))[..., None, None]
        found += _evident(h * certainty, -b * certainty[..., 0], scale)
    return found


def _evident(information: np.ndarray, pull: np.ndarray, scale: float) -> np.ndarray:
    """Posterior mean of displacements smoothed over `scale` tiles: the prior's spread is what the estimates show beyond their noise."""
    h, b = _smoothed(information, scale), _smoothed(pull, scale)
    spread_information = _smoothed(information, scale / np.sqrt(2))
    inverse = np.linalg.inv(h + 1e-6 * np.eye(2))
    estimate = np.einsum("yxab,yxb->yxa", inverse, b)
    variance = np.einsum("yxab,yxbc,yxca->yx", inverse, spread_information, inverse) / 2
    sure = variance <= np.median(variance)
    excess = np.square(estimate).sum(-1)[sure] / 2 - variance[sure]
    spread = max(float(np.mean(np.minimum(excess, 9 * np.median(np.abs(excess))))), 0.0)
    if spread == 0:
        return np.zeros_like(pull)
    # Neighbouring tiles share their evidence, which makes each estimate's information that of its own variance.
    trust = spread / (spread + variance)
    return estimate * trust[..., None]


def _smoothed(field: np.ndarray, scale: float) -> np.ndarray:
    """Sums over neighbouring tiles along both axes, weighted by a Gaussian of `scale` tiles that is 1 at its middle."""
    down, across = (np.exp(-0.5 * np.square(np.subtract.outer(np.arange(n), np.arange(n)) / scale)) for n in field.shape[:2])
    return np.tensordot(across, np.tensordot(down, field, (1, 0)), (1, 1)).swapaxes(0, 1)


def _interpolated(field: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear lookup of (h, w, 2) at fractional rows and columns, the border repeated."""
    rows, columns = rows.clip(0, field.shape[0] - 1), columns.clip(0, field.shape[1] - 1)
    i, j = np.minimum(rows.astype(int), max(field.shape[0] - 2, 0)), np.minimum(columns.astype(int), max(field.shape[1] - 2, 0))
    down, right = (rows - i)[:, None, None], (columns - j)[None, :, None]
    below, beside = np.minimum(i + 1, field.shape[0] - 1), np.minimum(j + 1, field.shape[1] - 1)
    upper = (1 - right) * field[np.ix_(i, j)] + right * field[np.ix_(i, beside)]
    lower = (1 - right) * field[np.ix_(below, j)] + right * field[np.ix_(below, beside)]
    return (1 - down) * upper + down * lower
