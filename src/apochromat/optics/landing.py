"""Where the ideal image lands on the sensor: distortion, shading, hand tremor and rolling shutter in one resampling.

Each pixel samples the one channel that its colour filter lets through; see `resampling.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter

from apochromat.optics.focused import Mapping
from apochromat.optics.resampling import ROWS, on_device, sampled, sampled_along, softly

FINEST = 0.5  # pixels of motion between two instants of an exposure
MOST_INSTANTS = 12
FAINT = 0.1  # of the brightest pixel around: those below are looked at
ABOUT = 5  # pixels of the same place in the mosaic, a way, that are around
WITHIN = 1.2  # times, up or down, of what softer taps have there such a pixel is
BLOCK = 128  # pixels a way looked at at once
TABLE = 4096  # heights at which mapping and shading are looked up


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


def landed(
    signals: np.ndarray, shape: tuple[int, int], pitch_mm: float, seen: Mapping, shading: np.ndarray, path: Path, shutter: Shutter,
    *, light: np.ndarray | None = None, oversample: float = 1.0, side: int = 1, threads: int = 2,
) -> np.ndarray:  # fmt: skip
    """The RGGB mosaic (H, W) float32 of an ideal image, by its prepared signals (3, h, w), as it moves before the shutter.

    light (3, h, w): the same signals before they were prepared, by which pixels beside lamps are limited. shading (C, n): what
    a pixel of each channel gets at the heights `seen.real_mm`, beside what the signals say. oversample: cells of the signals per pixel,
    either way. side: pixels a side of one colour, 2 for a quad-Bayer mosaic.
    """
    mosaic = np.empty(shape, np.float32)
    view = _View([on_device(plane) for plane in signals], shape, oversample, _Radial.of(shape, pitch_mm, seen, shading), path, shutter)
    band = 2 * side * ROWS
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda top: _band(view, top, side, mosaic[top : top + band]), range(0, shape[0], band)))
        if light is not None:
            phases = [(row, column) for row in range(2 * side) for column in range(2 * side)]
            list(pool.map(lambda phase: _limit(view, light, side, phase, mosaic), phases))
    return mosaic


def placed(signals: np.ndarray, shape: tuple[int, int], oversample: float, threads: int = 2) -> np.ndarray:
    """Prepared signals (C, h, w) on pixels (C, H, W) float32 about the middle, where an ideal lens would place them."""
    out = np.empty((len(signals), *shape), np.float32)
    planes = [on_device(plane) for plane in signals]
    x = ((np.arange(shape[1]) - (shape[1] - 1) / 2) * oversample)[None]

    def one(top: int) -> None:
        rows = np.arange(top, min(top + ROWS, shape[0]))
        y = ((rows - (shape[0] - 1) / 2) * oversample)[:, None]
        for plane, found in zip(planes, out, strict=True):
            found[rows] = sampled(plane, y + 0 * x, x + 0 * y, oversample)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(0, shape[0], ROWS)))
    return out


@dataclass(frozen=True)
class _Radial:
    """Even tables over the squared height, 0 at the middle and 1 at the corner: ideal over real height (n,), shading (C, n)."""

    corner: float  # pixels
    ratio: np.ndarray
    shading: np.ndarray

    @classmethod
    def of(cls, shape: tuple[int, int], pitch_mm: float, seen: Mapping, shading: np.ndarray) -> _Radial:
        corner = float(np.hypot(*shape)) / 2
        height_mm = np.sqrt(np.maximum(np.linspace(0, 1, TABLE), 1e-12)) * corner * pitch_mm
        light = np.stack([np.interp(height_mm, seen.real_mm, channel, right=0.0) for channel in shading])
        return cls(corner, seen.ideal(height_mm) / height_mm, light)

    def at(self, y: np.ndarray, x: np.ndarray, channel: int) -> tuple[np.ndarray, np.ndarray]:
        """Ratio and shading of one channel at pixels from the middle."""
        place = (y**2 + x**2) * ((TABLE - 1) / self.corner**2)
        low = np.minimum(place.astype(np.int32), TABLE - 2)
        part = place - low
        ratio, light = ((table.take(low) * (1 - part) + table.take(low + 1) * part) for table in (self.ratio, self.shading[channel]))
        return ratio, light


@dataclass(frozen=True)
class _View:
    """What every pixel of a mosaic is found from."""

    planes: list[Any]
    shape: tuple[int, int]
    oversample: float
    radial: _Radial
    path: Path
    shutter: Shutter


def _band(view: _View, top: int, side: int, out: np.ndarray) -> None:
    """Rows of the mosaic from `top` on."""
    period = 2 * side
    for row in range(period):
        for column in range(period):
            rows, columns = np.arange(top + row, top + len(out), period), np.arange(column, view.shape[1], period)
            out[row::period, column::period] = _colour(view, row // side + column // side, rows, columns)


def _colour(view: _View, channel: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Pixels of one colour: the mean of their samples over the exposure."""
    shutter, scale = view.shutter, view.oversample
    y, x = (rows - (view.shape[0] - 1) / 2)[:, None], (columns - (view.shape[1] - 1) / 2)[None]  # pixels from the middle
    ratio, light = view.radial.at(y, x, channel)
    when = _instants(view.path, shutter)
    right, down, turn = view.path.at(shutter.start_s + rows / view.shape[0] * shutter.read_out_s + when[:, None])
    total = sampled_along(view.planes[channel], y * ratio * scale, x * ratio * scale, down * scale, right * scale, turn, scale)
    return np.maximum(total * (light / len(when)).astype(np.float32), 0)


def _limit(view: _View, light: np.ndarray, side: int, phase: tuple[int, int], mosaic: np.ndarray) -> None:
    """Keep pixels of one phase of the mosaic, much darker than others around, near what softer taps have there: a flux limit.

    After S. T. Zalesak, "Fully multidimensional flux-corrected transport algorithms for fluids", J. Comput. Phys. 31, 1979: where a sharp
    scheme oscillates, one that cannot bounds it.
    """
    period, channel = 2 * side, phase[0] // side + phase[1] // side
    plane, scale = mosaic[phase[0] :: period, phase[1] :: period], view.oversample
    when, before = _instants(view.path, view.shutter), plane.copy()
    for at in _faint(before):
        rows, columns = (start + period * index for start, index in zip(phase, at, strict=True))
        y, x = rows - (view.shape[0] - 1) / 2, columns - (view.shape[1] - 1) / 2
        ratio, share = view.radial.at(y, x, channel)
        y, x, total = y * ratio, x * ratio, np.zeros(len(y), np.float32)
        for instant in when:
            right, down, turn = view.path.at(view.shutter.start_s + rows / view.shape[0] * view.shutter.read_out_s + instant)
            v, u = y - down, x - right
            total += softly(light[channel], (v - turn * u) * scale, (u + turn * v) * scale, scale)
        soft = total * (share / len(when)).astype(np.float32)
        plane[at] = np.clip(plane[at], soft / WITHIN, soft * WITHIN)


def _faint(plane: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and columns of pixels much darker than the brightest around, block by block."""
    for top in range(0, plane.shape[0], BLOCK):
        for left in range(0, plane.shape[1], BLOCK):
            first = max(top - ABOUT // 2, 0), max(left - ABOUT // 2, 0)
            around = plane[first[0] : top + BLOCK + ABOUT // 2, first[1] : left + BLOCK + ABOUT // 2]
            if around.min() < FAINT * around.max():
                brightest = maximum_filter(around, ABOUT)[top - first[0] :, left - first[1] :][:BLOCK, :BLOCK]
                rows, columns = np.nonzero(plane[top : top + BLOCK, left : left + BLOCK] < FAINT * brightest)
                if len(rows):
                    yield rows + top, columns + left


def _instants(path: Path, shutter: Shutter) -> np.ndarray:
    """Times (n,) after a row's start that stand for its exposure, as many as the motion within it asks for."""
    times = np.linspace(0, shutter.exposure_s, 33)
    x, y, _ = path.at(shutter.start_s + shutter.read_out_s / 2 + times)
    length = float(np.hypot(np.diff(x), np.diff(y)).sum())
    count = int(np.clip(np.ceil(length / FINEST), 1, MOST_INSTANTS))
    return (np.arange(count) + 0.5) / count * shutter.exposure_s
