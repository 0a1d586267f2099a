"""What the noise reduction kernels are told of the noise: its stabilising transform, and its variance over the picture."""

from __future__ import annotations

import numpy as np

from apochromat.light.development import Development
from apochromat.light.noise import CELL, NoiseModel

_COLOR = (0, 1, 1, 2)  # colour of each CFA position


def stabilisation(noise: NoiseModel) -> np.ndarray:
    """Slope and shift (4, 2) per CFA position: sqrt(slope * s + shift) has noise of variance 1 at every signal s.

    The transform is 2 / a * sqrt(a s + 3/8 a^2 + b); a scale next to nothing against the offset is lifted, which changes the variance
    by less than 0.1 % and keeps the numbers small.
    """
    planes = list(_COLOR) if len(noise.scale) == 3 else [0] * 4
    offset = np.maximum(noise.offset[planes], 1e-14)
    scale = np.maximum(noise.scale[planes], 1e-3 * np.sqrt(offset))
    return np.stack([4 / scale, 1.5 + 4 * offset / scale**2], axis=1).astype(np.float32)


def relative_variance(development: Development, shape: tuple[int, int], step: int = 2, first: int = 0) -> dict[str, np.ndarray]:
    """Variance of the noise over its median, as a kernel takes it: `relative` (knot rows, width) and `relative_knot` (height,), float32.

    shape: height and width of the kernel's grid, each place a square of `step` mosaic pixels; the grid starts `first` places after the
    mosaic. Between the centres of the noise model's cells the variance is bilinear.
    Raises ValueError where the model's map does not fit the frame.
    """
    assert development.noise is not None
    _check(development)
    cells = development.noise.relative_variance()
    cells = np.pad(cells, [(0, max(0, 2 - n)) for n in cells.shape], "edge")
    down, across = (
        _places(count, step, first, origin, len(knots))
        for count, origin, knots in zip(shape, development.origin, (cells, cells.T), strict=True)
    )
    left = np.minimum(across.astype(int), cells.shape[1] - 2)
    share = across - left
    lines = (1 - share) * cells[:, left] + share * cells[:, left + 1]
    return {"relative": np.ascontiguousarray(lines, np.float32), "relative_knot": down.astype(np.float32)}


def _places(count: int, step: int, first: int, origin: int, knots: int) -> np.ndarray:
    """Where the middles of a grid's places lie among the middles of the noise model's cells, clamped to the outermost."""
    middle = (first + np.arange(count) + 0.5) * step - 0.5 + origin
    return np.clip((middle - (CELL - 1) / 2) / CELL, 0, knots - 1)


def _check(development: Development) -> None:
    frame, noise = development.frame, development.noise
    expected = -(-frame.active.height // CELL), -(-frame.active.width // CELL)
    if noise is not None and noise.frames is not None and noise.frames.shape != expected:
        raise ValueError(f"expected effective numbers of frames in {expected} cells, found {noise.frames.shape}: {frame.path}")
