"""Where the ideal image lands on the sensor: distortion, shading, hand tremor and rolling shutter in one resampling.

Cubic B-splines through the ideal image's cells (M. Unser, "Splines: a perfect fit", IEEE SP Magazine 16, 1999); each pixel samples the
one channel that its colour filter lets through.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from apochromat.optics.focused import Mapping

FINEST = 0.5  # pixels of motion between two instants of an exposure
MOST_INSTANTS = 12
BAND = 128  # rows worked on at once


@dataclass(frozen=True)
class Path:
    """How the image moves on the sensor: pixels right and down, and radians clockwise about the middle, at times (n,) in s."""

    time_s: np.ndarray
    x: np.ndarray
    y: np.ndarray
    turn: np.ndarray

    def at(self, time_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y and turn at some times."""
        x, y, turn = (np.interp(time_s, self.time_s, values) for values in (self.x, self.y, self.turn))
        return x, y, turn


@dataclass(frozen=True)
class Shutter:
    """When each row is exposed: row r from start + r / rows * read_out to exposure_s later."""

    start_s: float
    exposure_s: float
    read_out_s: float


def splines(signals: np.ndarray, threads: int = 2) -> np.ndarray:
    """Spline coefficients (C, H, W) float32 of an ideal image's signals."""
    with ThreadPoolExecutor(threads) as pool:
        return np.stack(list(pool.map(lambda plane: spline_filter(plane, 3, output=np.float32, mode="mirror"), signals)))


def landed(
    coefficients: np.ndarray, shape: tuple[int, int], pitch_mm: float, seen: Mapping, shading: np.ndarray, path: Path, shutter: Shutter,
    *, oversample: int = 1, threads: int = 2,
) -> np.ndarray:  # fmt: skip
    """The RGGB mosaic (H, W) float32 of an ideal image, by its spline coefficients (3, h, w), as it moves before the shutter.

    shading (C, n): what a pixel of each channel gets at the heights `seen.real_mm`, beside what the signals say. oversample: cells of the
    signals per pixel, either way; a pixel takes their mean.
    """
    height, _width = shape
    mosaic = np.empty(shape, np.float32)
    bands = [(top, min(top + BAND, height)) for top in range(0, height, BAND)]

    def one(band: tuple[int, int]) -> None:
        mosaic[band[0] : band[1]] = _band(coefficients, band, shape, pitch_mm, seen, shading, path, shutter, oversample)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, bands))
    return mosaic


def _band(
    coefficients: np.ndarray, band: tuple[int, int], shape: tuple[int, int], pitch_mm: float, seen: Mapping, shading: np.ndarray,
    path: Path, shutter: Shutter, oversample: int,
) -> np.ndarray:  # fmt: skip
    """Rows of the mosaic."""
    out = np.empty((band[1] - band[0], shape[1]), np.float32)
    for row in (0, 1):
        for column in (0, 1):
            rows, columns = np.arange(band[0] + row, band[1], 2), np.arange(column, shape[1], 2)
            out[row::2, column::2] = _colour(
                coefficients[row + column], rows, columns, shape, pitch_mm, seen, shading[row + column], path, shutter, oversample
            )
    return out


def _colour(
    plane: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], pitch_mm: float, seen: Mapping, shading: np.ndarray,
    path: Path, shutter: Shutter, oversample: int,
) -> np.ndarray:  # fmt: skip
    """Pixels of one colour: the mean of their samples over the exposure and over their cells."""
    instants = _instants(path, shutter)
    total = np.zeros((len(rows), len(columns)), np.float32)
    inside = (np.arange(oversample) + 0.5) / oversample - 0.5
    for dy in inside:
        for dx in inside:
            y, x = rows + dy - (shape[0] - 1) / 2, columns + dx - (shape[1] - 1) / 2  # pixels from the middle
            height_mm = pitch_mm * np.sqrt(y[:, None] ** 2 + x**2)
            ratio = seen.ideal(height_mm) / np.maximum(height_mm, 1e-12)
            for when in instants:
                right, down, turn = path.at(shutter.start_s + rows / shape[0] * shutter.read_out_s + when)
                u, v = (x * ratio - right[:, None]), (y[:, None] * ratio - down[:, None])
                u, v = u + turn[:, None] * v, v - turn[:, None] * u
                at = np.stack([v, u]) * oversample + np.array([(n - 1) / 2 for n in plane.shape])[:, None, None]
                total += map_coordinates(plane, at, np.float32, order=3, mode="nearest", prefilter=False)
    light = np.interp(height_mm, seen.real_mm, shading, right=0.0)
    return np.maximum(total * (light / (len(instants) * oversample**2)), 0)


def _instants(path: Path, shutter: Shutter) -> np.ndarray:
    """Times (n,) after a row's start that stand for its exposure, as many as the motion within it asks for."""
    times = np.linspace(0, shutter.exposure_s, 33)
    x, y, _ = path.at(shutter.start_s + shutter.read_out_s / 2 + times)
    length = float(np.hypot(np.diff(x), np.diff(y)).sum())
    count = int(np.clip(np.ceil(length / FINEST), 1, MOST_INSTANTS))
    return (np.arange(count) + 0.5) / count * shutter.exposure_s
