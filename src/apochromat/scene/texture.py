"""Random texture that does not depend on the picture's size: value noise over fixed lattices."""

from __future__ import annotations

import numpy as np

from apochromat.scene.canvas import Box, Frame


def _weights(at: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Lattice cell and position inside it, eased, for coordinates in units of the lattice."""
    cell = np.clip(np.floor(at).astype(int), 0, points - 2)
    t = np.clip(at - cell, 0, 1).astype(np.float32)
    return cell, t * t * (3 - 2 * t)


def lattice_noise(rng: np.random.Generator, frame: Frame, box: Box, cells_x: float, cells_y: float, span: float = 3.0) -> np.ndarray:
    """Smooth noise (h, w) float32 in -1..1 with `cells_x`, `cells_y` lattice cells a picture height; `span`: widest aspect it serves.

    Fades out where a lattice cell is smaller than two picture cells, as the mean over the cells would.
    """
    points_x, points_y = int(np.ceil(cells_x * span)) + 2, int(np.ceil(cells_y)) + 2
    seed = rng.integers(2**63)
    fade = min(1.0, frame.height / (2 * max(cells_x, cells_y)))
    x, y = frame.at(box)
    if fade < 0.3:
        return np.zeros((y.shape[0], x.shape[1]), np.float32)
    values = np.random.default_rng(seed).uniform(-1, 1, (points_y, points_x)).astype(np.float32)
    row, v = _weights(y[:, 0] * cells_y, points_y)
    column, u = _weights((x[0] + span / 2) * cells_x, points_x)
    rows = values[row] + v[:, None] * (values[row + 1] - values[row])
    left = rows[:, column]
    left += u * (rows[:, column + 1] - left)
    return left * np.float32(fade)


def fractal(
    rng: np.random.Generator, frame: Frame, box: Box, cells: float, octaves: int, *, gain: float = 0.5, stretch: float = 1.0
) -> np.ndarray:
    """Sum of `octaves` noises (h, w), each twice as fine and `gain` as strong, about -1..1; `stretch` > 1 lengthens it along x."""
    total = lattice_noise(rng, frame, box, cells / stretch, cells)
    for octave in range(1, octaves):
        scale = 2.0**octave
        total += np.float32(gain**octave) * lattice_noise(rng, frame, box, cells * scale / stretch, cells * scale)
    return total


def surface_noise(table: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Smooth noise in -1..1 at coordinates (u, v) of a surface, one lattice cell a unit.

    It repeats with the table (n, n), n a power of 2.
    """
    n = len(table) - 1
    iu, iv = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    fu, fv = (u - iu).astype(np.float32), (v - iv).astype(np.float32)
    fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
    iu, iv, ju, jv = iu & n, iv & n, (iu + 1) & n, (iv + 1) & n
    top = table[iv, iu] + fu * (table[iv, ju] - table[iv, iu])
    low = table[jv, iu] + fu * (table[jv, ju] - table[jv, iu])
    return top + fv * (low - top)


def noise_table(rng: np.random.Generator, n: int = 256) -> np.ndarray:
    """Lattice (n, n) float32 for `surface_noise`."""
    return rng.uniform(-1, 1, (n, n)).astype(np.float32)


def faded(footprint: np.ndarray, cells: float) -> np.ndarray:
    """How much of a noise of lattice `cells` m is left when a picture cell spans `footprint` m of the surface."""
    return np.clip(1.5 - 2 * footprint / cells, 0, 1).astype(np.float32)
