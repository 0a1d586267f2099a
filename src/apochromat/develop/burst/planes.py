"""A frame as it is aligned and compared: half resolution, noise of variance 1, and a pyramid of its grey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.light.noise import NoiseModel
from apochromat.native import kernels

BORDER = 32  # cells or samples around every plane
SMALLEST = 24  # samples: shortest side of the pyramid's top
HALVED = 0.0977  # variance of white noise after one level of the pyramid
UNLIMITED = 1e9


@dataclass(frozen=True)
class Planes:
    """Planes of the 2x2 cells, each with its border repeated 32 samples outwards.

    `samples` (4, h, w): the mosaic itself, a plane for each CFA position, whose last bits tell which stand out and which lie beside
    clipped ones. Stabilised, with noise of variance 1: `colors` (3, h, w), red, green and blue, and `pyramid`, grey (h, w) and halves of
    it.
    """

    samples: np.ndarray
    colors: np.ndarray
    pyramid: tuple[np.ndarray, ...]


def planes(
    mosaic: np.ndarray,
    stabilise: np.ndarray,
    noise: NoiseModel,
    gain: float = 1.0,
    ceiling: float = UNLIMITED,
    limit: float = UNLIMITED,
) -> Planes:
    """Planes of an RGGB mosaic (H, W) of even size whose light is multiplied by `gain` and then no higher than `ceiling`.

    noise: the frame's own. stabilise: (4, 2) slope and shift of the generalised Anscombe transform per CFA position, the same for all
    frames that are compared. limit: value, before gain, from which samples may be clipped.
    """
    height, width = mosaic.shape[0] // 2, mosaic.shape[1] // 2
    bordered = (height + 2 * BORDER, width + 2 * BORDER)
    found = np.empty((8, *bordered), np.float32)
    cells = mosaic.reshape(height, 2, width, 2)
    kernels.burst_planes(mosaic=cells, stabilise=stabilise, noise=largest(noise), gain=gain, ceiling=ceiling, limit=limit, planes=found)
    return Planes(found[4:], found[:3], _pyramid(found[3]))


def largest(noise: NoiseModel) -> np.ndarray:
    """Scale and offset (2,) float32 of the noisiest colour."""
    return np.array([noise.scale.max(), noise.offset.max()], np.float32)


def size(plane: np.ndarray) -> tuple[int, int]:
    """Height and width of a plane without its border."""
    return plane.shape[-2] - 2 * BORDER, plane.shape[-1] - 2 * BORDER


def _pyramid(grey: np.ndarray) -> tuple[np.ndarray, ...]:
    """The plane and its halves, down to the smallest that still shows something."""
    levels = [grey]
    while min(levels[-1].shape) >= 2 * SMALLEST + 2 * BORDER:
        half = np.empty([(n - 2 * BORDER) // 2 + 2 * BORDER for n in levels[-1].shape], np.float32)
        kernels.burst_halve(plane=levels[-1], half=half)
        levels.append(half)
    return tuple(levels)
