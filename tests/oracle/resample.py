"""Oracle of kernels/resample.py: NumPy, float64, written for reading."""

import numpy as np

KNOT, REACH = 32, 64
OFF, RED_BLUE, ALL, FAR = range(4)


def resample(rgb: np.ndarray, mode: int, rise: np.ndarray, run: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """rgb (H, W, 3) -> (H, W, 3): displaced by splines through the knots (3, rows, columns) and multiplied by the gain's."""
    height, width = rgb.shape[:2]
    y, x = np.mgrid[:height, :width]
    planes = []
    for c in range(3):
        still = mode == OFF or (mode == RED_BLUE and c == 1)
        plane = rgb[..., c].astype(np.float64)
        planes.append((plane if still else displaced(plane, rise[c], run[c])) * spline(gain[c], y, x))
    return np.stack(planes, -1)


def displaced(plane: np.ndarray, rise: np.ndarray, run: np.ndarray) -> np.ndarray:
    """Vertical pass at every source column (and REACH columns beyond the edges), then horizontal pass."""
    height, width = plane.shape
    y, u = np.mgrid[:height, -REACH : width + REACH]
    move = spline(rise, y, u)
    whole = np.floor(move).astype(int)
    taps = [plane[np.clip(y + whole + n, 0, height - 1), np.clip(u, 0, width - 1)] for n in range(-2, 4)]
    columns = sample(taps, move - whole)
    y, x = np.mgrid[:height, :width]
    move = spline(run, y, x)
    whole = np.floor(move).astype(int)
    taps = [columns[y, np.clip(x + whole + n + REACH, 0, width + 2 * REACH - 1)] for n in range(-2, 4)]
    return sample(taps, move - whole)


def spline(knots: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Surface at pixel positions; knot (i, j) lies at pixel (32 (i - 2), 32 (j - 2))."""
    rows = [hermite([_at(knots, y // KNOT + i, x // KNOT + j) for i in range(6)], y % KNOT / KNOT, 2 / 3, -1 / 12) for j in range(6)]
    return hermite(rows, x % KNOT / KNOT, 2 / 3, -1 / 12)


def _at(knots: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    i, j = (np.clip(k, 0, n - 1).astype(int) for k, n in zip((i, j), knots.shape, strict=True))
    return knots[i, j].astype(np.float64)


def sample(f: list[np.ndarray], t: np.ndarray) -> np.ndarray:
    """The picture between f[2] and f[3], kept from undershooting."""
    lowest = np.minimum.reduce(f[1:5])
    return np.maximum(hermite(f, t, 0.8, -0.15), lowest - 0.25 * np.abs(lowest))


def hermite(f: list[np.ndarray], t: np.ndarray, one: float, two: float) -> np.ndarray:
    """Cubic between f[2] and f[3] with slopes one (f[+1] - f[-1]) + two (f[+2] - f[-2])."""
    before = one * (f[3] - f[1]) + two * (f[4] - f[0])
    after = one * (f[4] - f[2]) + two * (f[5] - f[1])
    return cubic(f[2], f[3], before, after, t)


def cubic(start: np.ndarray, end: np.ndarray, before: np.ndarray, after: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Hermite's cubic from its values and slopes at 0 and 1."""
    return (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * before + (3 * t**2 - 2 * t**3) * end + (t**3 - t**2) * after
