"""Bad pixels: those a file lists, and isolated hot and dead ones found in the picture itself.

Detection asks three things of a pixel, all in units of the noise the model predicts there: it must lie beyond every one of its eight
neighbours of the same colour; beyond their own range as well, so that texture is spared; and its direct neighbours, of the other
colours, must not rise with it. The last spares stars, glints and fine print, which the lens spreads over more than one pixel
(compare Ghosh, Froehlich & Achtmann, "Defective pixel detection and correction", 2010; here against a noise model).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apochromat.develop.noise_estimate import estimate_noise
from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.light.opcodes import FixBadPixelsList
from apochromat.native import kernels

_PAIRS = np.array([(0, 1), (1, 0), (1, 1), (1, -1)])  # directions of opposite neighbours, in steps between samples of one colour
_FURTHEST = 8  # steps a repair looks for sound neighbours


class BadPixelsParams(Params):
    threshold: float = parameter(
        6.0, "How far a pixel must stand out to be replaced; 0 turns the search off", ge=0, le=50, unit="standard deviations"
    )


def run(development: Development, params: BadPixelsParams) -> Development:
    """Replace isolated hot and dead pixels of the mosaic; images without a mosaic pass. Fills in `noise` where the file has none."""
    mosaic, gain, noise = development.mosaic, development.gain, development.noise
    if params.threshold == 0 or mosaic is None:
        return development
    if noise is None:
        noise = estimate_noise(mosaic, gain)
        development = replace(development, noise=noise).with_facts(noise_estimated=True)
    if not np.all(noise.scale + noise.offset > 0):
        return development
    plane = np.minimum([0, 1, 1, 2], len(noise.scale) - 1)
    output = np.empty_like(mosaic)
    kernels.bad_pixels(
        mosaic=mosaic,
        lines=gain.lines(mosaic.shape[1]),
        knot=gain.rows_table(mosaic.shape[0]),
        noise=np.stack([noise.scale[plane], noise.offset[plane]]).reshape(2, 2, 2).astype(np.float32),
        threshold=params.threshold,
        output=output,
    )
    return replace(development, mosaic=output)


def listed_points(opcode: FixBadPixelsList, height: int, width: int) -> np.ndarray:
    """Rows and columns (n, 2) of the listed points and rectangles that lie in an image of this size."""
    boxes = [np.mgrid[max(t, 0) : min(b, height), max(le, 0) : min(r, width)].reshape(2, -1).T for t, le, b, r in opcode.boxes]
    points = np.concatenate([np.asarray(opcode.points, np.int64).reshape(-1, 2), *boxes])
    inside = np.all((points >= 0) & (points < (height, width)), axis=1)
    return np.unique(points[inside], axis=0)


def repair(plane: np.ndarray, points: np.ndarray, is_mosaic: bool) -> None:
    """Replace the samples at `points` (n, 2), in place, from sound ones of the same colour.

    Each takes the mean of the nearest opposite pair of sound neighbours that differ least, looking further out where none is sound;
    failing all pairs (at a border) the nearest sound neighbour; a sample with none in reach stays.
    """
    bad = np.zeros(plane.shape, bool)
    bad[tuple(points.T)] = True
    values, found = plane[tuple(points.T)].astype(np.float32), np.zeros(len(points), bool)
    for in_pairs in (True, False):
        for steps in range(1, _FURTHEST + 1):
            candidate, cost = _best(plane, bad, points, steps * (2 if is_mosaic else 1), in_pairs)
            new = ~found & np.isfinite(cost)
            values[new], found = candidate[new], found | new
    plane[tuple(points.T)] = values


def _best(plane: np.ndarray, bad: np.ndarray, points: np.ndarray, step: int, in_pairs: bool) -> tuple[np.ndarray, np.ndarray]:
    """Best replacement at one distance and its cost, infinite where there is none."""
    sides = [_neighbour(plane, bad, points + sign * step * d) for d in _PAIRS for sign in (1, -1)]
    values, sound = (np.stack(part) for part in zip(*sides, strict=True))
    if in_pairs:
        cost = np.where(sound[::2] & sound[1::2], np.abs(values[::2] - values[1::2]), np.inf)
        values = (values[::2] + values[1::2]) / 2
    else:
        cost = np.where(sound, 0.0, np.inf)
    chosen = np.argmin(cost, axis=0)
    every = np.arange(len(points))
    return values[chosen, every], cost[chosen, every]


def _neighbour(plane: np.ndarray, bad: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values at positions (n, 2), and whether they are inside the image and sound."""
    inside = np.all((at >= 0) & (at < plane.shape), axis=1)
    index = tuple(np.where(inside[:, None], at, 0).T)
    return plane[index].astype(np.float32), inside & ~bad[index]


STAGE = Stage(
    name="bad_pixels",
    order=40,
    summary="Isolated hot and dead pixels",
    params=BadPixelsParams,
    run=run,
    neutral={"threshold": 0.0},
)
