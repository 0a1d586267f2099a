"""Where every part of a frame lies in the reference's picture: the hand's motion first, then what deviates from it.

Sources: iterative registration after Lucas & Kanade (IJCAI 1981) with the reference's gradients; a start by normalised
cross-correlation of small pictures (Lewis, "Fast normalized cross-correlation", 1995). The whole frame's motion is a homography (in
the first order of its perspective) found from all tiles, so tiles without texture, with repeating texture or with something that moves
inherit it; local deviations (rolling shutter, parallax, lens shift) are kept as far as the tiles' own evidence exceeds their noise
(empirical Bayes, Efron & Morris 1973).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.develop.burst.planes import BORDER, HALVED, Planes, size
from apochromat.native import kernels

TILE = 16  # samples of a level along a tile's side
REACH = 0.12  # of the frame: largest displacement that the start looks for
REPEATS = 0.05  # by how much less likely a shift as far as REACH is than none, so that of repeating texture the nearest fit is taken
STEPS = 3  # per level
NOISE = 1.7  # variance of the difference of two aligned planes whose noise has variance 1, one of them interpolated
EVIDENT = 6.0  # variances of its noise that a part of the whole frame's motion must exceed to be taken up
SCALES = (6.0, 3.0, 1.5)  # tiles over which deviations are smoothed, coarse to fine


@dataclass(frozen=True)
class Frame:
    """Where the motion of a whole frame is reckoned from: its centre (column, row), and half its longer side, in samples."""

    centre: tuple[float, float]
    half: float

    def basis(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Displacements (rows, columns, 2, 8) that each parameter of a homography brings about at columns x and rows y."""
        u, v = np.broadcast_arrays((x - self.centre[0])[None, :] / self.half, (y - self.centre[1])[:, None] / self.half)
        one, none = np.ones_like(u), np.zeros_like(u)
        across = [one, none, u, v, none, none, u * u, u * v]
        down = [none, one, none, none, u, v, u * v, v * v]
        return np.stack([np.stack(across, -1), np.stack(down, -1)], -2)


@dataclass(frozen=True)
class Motion:
    """Displacement of the half-resolution grey: frame(x + d(x)) shows what reference(x) shows.

    With x = (column, row) from the centre in units of half the frame's longer side, d(x) = shift + matrix x + (tilt . x) x, plus the
    deviation (rows, columns, 2) of tiles of 16 samples. All in samples.
    """

    shift: np.ndarray
    matrix: np.ndarray
    tilt: np.ndarray
    frame: Frame
    deviation: np.ndarray

    def at_tiles(self, rows: int, columns: int, side: float) -> np.ndarray:
        """Displacements (rows, columns, 2) at the centres of tiles of `side` samples, deviations interpolated."""
        x, y = (np.arange(columns) + 0.5) * side - 0.5, (np.arange(rows) + 0.5) * side - 0.5
        whole = self.frame.basis(x, y) @ np.concatenate([self.shift, self.matrix.ravel(), self.tilt])
        return whole + _interpolated(self.deviation, (y + 0.5) / TILE - 0.5, (x + 0.5) / TILE - 0.5)


def align(reference: Planes, frame: Planes) -> Motion:
    """The motion of a frame of the same size against the reference."""
    levels = len(reference.pyramid)
    height, width = size(reference.pyramid[0])
    whole = Frame(((width - 1) / 2, (height - 1) / 2), max(width, height) / 2)
    start = max(level for level in range(levels) if level == 0 or min(size(reference.pyramid[level])) >= 60)
    motion = np.zeros(8)
    motion[:2] = _coarse_shift(reference.pyramid[start], frame.pyramid[start]) * 2.0**start
    for level in range(start, -1, -1):
        for _ in range(STEPS if level else 2):
            motion = _step(reference, frame, level, motion, whole)
    return Motion(motion[:2], motion[2:6].reshape(2, 2), motion[6:], whole, _deviation(reference, frame, motion, whole))


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
    far = np.add.outer(np.square(dy / reach_y), np.square(dx / reach_x))
    likely, noise = score * (1 - REPEATS * far), 1 / np.sqrt(a.size)
    best = np.unravel_index(np.argmin(np.where(likely < likely.max() - 3 * noise, np.inf, far)), score.shape)  # along stripes, the nearest
    if score[best] < 6 * noise:
        return np.zeros(2)
    return np.array([dx[best[1]], dy[best[0]]], float)


def _high_pass(picture: np.ndarray) -> np.ndarray:
    """A picture less its mean over 9 x 9 samples."""
    padded = np.pad(picture, 4, mode="edge").astype(np.float64)
    total = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    mean = (total[9:, 9:] - total[:-9, 9:] - total[9:, :-9] + total[:-9, :-9]) / 81
    return picture - mean


def _sums(reference: Planes, frame: Planes, level: int, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal equations of each tile of a level at its displacement: H (..., 2, 2), J r (..., 2), and residual variance (...)."""
    sums = np.empty((*flow.shape[:2], 7), np.float32)
    kernels.burst_align(
        reference=reference.pyramid[level], frame=frame.pyramid[level], flow=np.ascontiguousarray(flow, np.float32), sums=sums
    )
    s = sums.astype(np.float64)
    h = s[..., [0, 1, 1, 2]].reshape(*flow.shape[:2], 2, 2)
    return h, s[..., 3:5], s[..., 5] / np.maximum(s[..., 6], 1)


def _tiles(plane: np.ndarray) -> tuple[int, int]:
    height, width = size(plane)
    return -(-height // TILE), -(-width // TILE)


def _basis(plane: np.ndarray, level: int, whole: Frame) -> np.ndarray:
    """The whole frame's basis at the centres of a level's tiles, in samples of level 0."""
    rows, columns = _tiles(plane)
    side = TILE * 2.0**level
    return whole.basis((np.arange(columns) + 0.5) * side - 0.5, (np.arange(rows) + 0.5) * side - 0.5)


def _step(reference: Planes, frame: Planes, level: int, motion: np.ndarray, whole: Frame) -> np.ndarray:
    """The whole frame's motion, better: it reduces the tiles' squared residuals, those of moving things counting little."""
    basis = _basis(reference.pyramid[level], level, whole) / 2.0**level
    h, b, residual = _sums(reference, frame, level, basis @ motion)
    noise = NOISE * HALVED**level
    weight = _robust_weights(h, residual, noise)[..., None, None]
    prior = noise / np.square(whole.half * np.array([0.4] * 2 + [0.05] * 4 + [0.005] * 2))
    by_row = basis.reshape(-1, 2, 8)
    pushed = ((h * weight).reshape(-1, 2, 2, 1) * by_row[:, None]).sum(2)
    normal = np.einsum("tai,taj->ij", by_row, pushed) + np.diag(prior)
    pull = np.einsum("tai,ta->i", by_row, (b * weight[..., 0]).reshape(-1, 2))
    return _evident_parts(motion - np.linalg.solve(normal, pull + prior * motion), normal / noise)


def _evident_parts(motion: np.ndarray, information: np.ndarray) -> np.ndarray:
    """Of the perspective, the matrix and the shift, in this order, what stands out of their noise in each independent direction.

    The positive part of James & Stein's estimate (Fourth Berkeley Symposium 1, 1961); what is then left to the simpler parts is found anew.
    """
    motion = motion.copy()
    for part in (slice(6, 8), slice(2, 6), slice(0, 2)):
        simpler = slice(0, part.start)
        shared = np.linalg.solve(information[simpler, simpler], information[simpler, part])
        own, turn = np.linalg.eigh(information[part, part] - information[part, simpler] @ shared)
        seen = turn.T @ motion[part]
        kept = turn @ (seen * np.maximum(0, 1 - EVIDENT / np.maximum(own * seen**2, 1e-30)))
        motion[simpler] += shared @ (motion[part] - kept)
        motion[part] = kept
    return motion


def _robust_weights(h: np.ndarray, residual: np.ndarray, noise: float) -> np.ndarray:
    """Weight of each tile: low where what is left, taken as a displacement, is far above that of the typical tile."""
    gradient = h[..., 0, 0] + h[..., 1, 1]
    off = np.maximum(residual - noise, 0) / (gradient / TILE**2 + noise)  # about the square of a displacement, in samples
    order = np.argsort(off, axis=None)
    typical = off.flat[order[np.searchsorted(np.cumsum(gradient.flat[order]), gradient.sum() / 2).clip(0, off.size - 1)]]
    return 1 / (1 + np.square(off / (2 * typical + 0.02)))


def _deviation(reference: Planes, frame: Planes, motion: np.ndarray, whole: Frame) -> np.ndarray:
    """Deviation (rows, columns, 2) of the finest level's tiles from the whole frame's motion, each as far as evidence carries it."""
    shared = _basis(reference.pyramid[0], 0, whole) @ motion
    found = np.zeros_like(shared)
    for scale in SCALES:
        h, b, residual = _sums(reference, frame, 0, shared + found)
        certainty = 1 / np.maximum(residual, NOISE)
        found += _evident(certainty * h[..., [0, 0, 1], [0, 1, 1]].transpose(2, 0, 1), -certainty * b.transpose(2, 0, 1), scale)
    return found


def _evident(information: np.ndarray, pull: np.ndarray, scale: float) -> np.ndarray:
    """Posterior mean (rows, columns, 2) of displacements smoothed over `scale` tiles: the prior's spread is what the estimates show beyond
    their noise. information: of x with x, with y, and of y with y (3, rows, columns)."""
    smooth = _smoothed(np.concatenate([information, pull]), scale)
    h, b = smooth[:3] + np.array([1e-6, 0, 1e-6])[:, None, None], smooth[3:]
    xx, xy, yy = _smoothed(information, scale / np.sqrt(2))
    estimate, (across, down) = _solved(h, b), (_solved(h, np.stack(column)) for column in ((xx, xy), (xy, yy)))
    (cxx, cxy), (_, cyy) = (_solved(h, np.stack([across[n], down[n]])) for n in (0, 1))
    # Along an edge nothing is known, so the spread is taken from the direction in which each tile knows best.
    best, along = _best_known(cxx, cxy, cyy, *estimate)
    sure = best <= np.median(best)
    excess = along[sure] - best[sure]
    spread = float(np.mean(np.minimum(excess, 9 * np.median(np.abs(excess)))))
    if spread <= 0:
        return np.zeros((*cxx.shape, 2))
    return np.moveaxis(spread * _solved(np.stack([cxx + spread, cxy, cyy + spread]), estimate), 0, -1)


def _solved(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """What symmetric 2 x 2 matrices (xx, xy, yy) map to vectors (2, ...)."""
    (a, b, c), (x, y) = matrix, vector
    return np.stack([c * x - b * y, a * y - b * x]) / (a * c - b * b)


def _best_known(a: np.ndarray, b: np.ndarray, c: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lower eigenvalue of each matrix a b, b c, and the square of the estimate (x, y) along its eigenvector."""
    middle, half = (a + c) / 2, np.hypot((a - c) / 2, b)
    length, seen = x * x + y * y, a * x * x + 2 * b * x * y + c * y * y
    return middle - half, ((middle + half) * length - seen) / np.maximum(2 * half, 1e-12 * middle + 1e-300)


def _smoothed(fields: np.ndarray, scale: float) -> np.ndarray:
    """Sums over neighbouring tiles (..., rows, columns), weighted by a Gaussian of `scale` tiles that is 1 at its middle.

    Shifted sums rather than a matrix product, which would wake the linear algebra library's threads.
    """
    reach = int(2.5 * scale)
    for _ in range(2):
        lines = np.ascontiguousarray(np.swapaxes(fields, -1, -2))
        fields = lines.copy()
        for n in range(1, min(reach, lines.shape[-2] - 1) + 1):
            weighted = np.float64(np.exp(-0.5 * (n / scale) ** 2)) * lines
            fields[..., n:, :] += weighted[..., :-n, :]
            fields[..., :-n, :] += weighted[..., n:, :]
    return fields


def _interpolated(field: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear lookup of (h, w, 2) at fractional rows and columns, the border repeated."""
    rows, columns = rows.clip(0, field.shape[0] - 1), columns.clip(0, field.shape[1] - 1)
    i, j = np.minimum(rows.astype(int), max(field.shape[0] - 2, 0)), np.minimum(columns.astype(int), max(field.shape[1] - 2, 0))
    down, right = (rows - i)[:, None, None], (columns - j)[None, :, None]
    below, beside = np.minimum(i + 1, field.shape[0] - 1), np.minimum(j + 1, field.shape[1] - 1)
    upper = (1 - right) * field[np.ix_(i, j)] + right * field[np.ix_(i, beside)]
    lower = (1 - right) * field[np.ix_(below, j)] + right * field[np.ix_(below, beside)]
    return (1 - down) * upper + down * lower
