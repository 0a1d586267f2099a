"""Oracle of the fringes stage: NumPy, float64, written for reading."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

FLOOR = 0.01
PAD = 16  # even, so that the cells of the padded image are those of the image


def fringes(rgb: np.ndarray, purple: float, green: float) -> np.ndarray:
    """rgb (H, W, 3) linear working RGB -> the same without purple and green fringes; edges repeated."""
    if purple == 0 and green == 0:
        return rgb
    height, width = rgb.shape[:2]
    padded = np.pad(rgb.astype(np.float64), ((PAD, PAD + height % 2), (PAD, PAD + width % 2), (0, 0)), "edge")
    gate, lines = edges_and_lines(padded)
    level = padded[..., 1]
    excess = [padded[..., c] - level - intercept - slope * level for c, (intercept, slope) in zip((0, 2), lines, strict=True)]
    share = gate * (purple * likeness(*excess, (0.45, 0.89)) + green * likeness(*excess, (-0.75, -0.66)))
    out = padded.copy()
    out[..., 0] -= share * excess[0]
    out[..., 2] -= share * excess[1]
    return out[PAD : PAD + height, PAD : PAD + width]


def edges_and_lines(padded: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Edge gate and, for R-G and B-G, intercept and slope against G, found on cells of 2x2 pixels and brought back to full size."""
    cells = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2, 3).mean((1, 3))
    green = cells[..., 1]
    low, high = window(green, 2, np.min) + FLOOR, window(green, 2, np.max) + FLOOR
    low, high = np.maximum(low, FLOOR), np.maximum(high, FLOOR)
    contrast = high / low
    gate = smoothstep(contrast, 1.5, 3) * smoothstep(high, 0.3, 0.75)
    flat = 1 / (1 + (2 * (contrast - 1)) ** 4)
    level = np.maximum(green, 0) + FLOOR
    near_top = (level / high) ** 4
    weight = (flat + near_top - flat * near_top) / level**2
    s0, s1, s2 = (window(weight * green**n, 4, np.sum) for n in range(3))
    s0 = s0 + 0.005 * 81 / low**2
    lines = []
    for c in (0, 2):
        difference = cells[..., c] - green
        t0, t1 = window(weight * difference, 4, np.sum), window(weight * difference * green, 4, np.sum)
        determinant = s0 * s2 - s1 * s1 + 1e-6
        lines.append((upsample((t0 * s2 - t1 * s1) / determinant), upsample((s0 * t1 - s1 * t0) / determinant)))
    return upsample(gate), lines


def likeness(red: np.ndarray, blue: np.ndarray, axis: tuple[float, float]) -> np.ndarray:
    """1 where the excess (red, blue) points along `axis`, 0 beyond 50 degrees from it."""
    along = red * axis[0] + blue * axis[1]
    return np.where(along > 0, smoothstep(along**2 / (red**2 + blue**2 + 1e-12), 0.41, 0.75), 0)


def smoothstep(value: np.ndarray, start: float, stop: float) -> np.ndarray:
    t = np.clip((value - start) / (stop - start), 0, 1)
    return t * t * (3 - 2 * t)


def window(plane: np.ndarray, radius: int, reduce) -> np.ndarray:
    """`reduce` over the square window of 2 radius + 1 cells around each cell; edges repeated."""
    padded = np.pad(plane, radius, "edge")
    return reduce(sliding_window_view(padded, (2 * radius + 1, 2 * radius + 1)), axis=(2, 3))


def upsample(cells: np.ndarray) -> np.ndarray:
    """Bilinear from cell centres to pixels; valid but for the outermost pixels."""
    for _ in range(2):
        before, after = np.roll(cells, 1, 0), np.roll(cells, -1, 0)
        cells = np.stack([0.75 * cells + 0.25 * before, 0.75 * cells + 0.25 * after], 1).reshape(-1, cells.shape[1]).T
    return cells
