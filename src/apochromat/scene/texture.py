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
