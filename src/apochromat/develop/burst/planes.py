"""A frame as it is aligned and compared: half resolution, noise of variance 1, and a pyramid of its grey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.native import kernels

BORDER = 16  # cells around the planes of samples
SMALLEST = 24  # samples: shortest side of the pyramid's top
HALVED = 0.0977  # variance of white noise after one level of the pyramid


@dataclass(frozen=True)
class Planes:
    """`colors` (3, h, w): red, green, blue of each 2x2 cell; `pyramid`: grey (h, w) and halves of it. Stabilised: noise variance 1.

    `samples` (4, h + 32, w + 32): the mosaic itself, a plane for each CFA position, its border repeated.
    """

    samples: np.ndarray
    colors: np.ndarray
    pyramid: tuple[np.ndarray, ...]


def planes(mosaic: np.ndarray, stabilise: np.ndarray, gain: float = 1.0, ceiling: float = 1e9) -> Planes:
    """Planes of an RGGB mosaic (H, W) of even size whose light is multiplied by `gain` and then no higher than `ceiling`.

    stabilise: (4, 2) slope and shift of the generalised Anscombe transform per CFA position, the same for all frames of a burst.
    """
    height, width = mosaic.shape[0] // 2, mosaic.shape[1] // 2
    colors, grey = np.empty((3, height, width), np.float32), np.empty((height, width), np.float32)
    samples = np.empty((4, height + 2 * BORDER, width + 2 * BORDER), np.float32)
    cells = mosaic.reshape(height, 2, width, 2)
    kernels.burst_planes(
        mosaic=cells, stabilise=stabilise, gain=gain, ceiling=ceiling, colors=colors, grey=grey, samples=samples
    )  # fmt: skip
    return Planes(samples, colors, _pyramid(grey))


def _pyramid(grey: np.ndarray) -> tuple[np.ndarray, ...]:
    """The plane and its halves, down to the smallest that still shows something."""
    levels = [grey]
    while min(levels[-1].shape) >= 2 * SMALLEST:
        half = np.empty((levels[-1].shape[0] // 2, levels[-1].shape[1] // 2), np.float32)
        kernels.burst_halve(plane=levels[-1], half=half)
        levels.append(half)
    return tuple(levels)
