"""Where the ideal image lands on the sensor: distortion, shading, hand tremor and rolling shutter in one resampling.

Each pixel samples the one channel that its colour filter lets through; see `resampling.py`, and `kernels/land.py` for how.
"""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from apochromat.native import kernels
from apochromat.optics.focused import Mapping
from apochromat.optics.resampling import STILL, Way, bands, landing_inputs, sampled_along

FINEST = 0.5  # pixels of motion between two instants of an exposure
MOST_INSTANTS = 12
FAINT = 0.1  # of the brightest of the 5 x 5 pixels around of the same place in the mosaic: those below are looked at
WITHIN = 1.2  # times, up or down, of what softer taps have there such a pixel is
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
    way = _way(shape, pitch_mm, seen, shading, path, shutter, oversample)
    mosaic = np.empty(shape, np.float32)
    with ThreadPoolExecutor(threads) as pool:
        _land(signals, way, oversample, side, 0.0, mosaic, pool)
        if light is not None:
            _limit(light, way, oversample, side, mosaic, pool)
    return mosaic


def placed(signals: np.ndarray, shape: tuple[int, int], oversample: float, threads: int = 2) -> np.ndarray:
    """Prepared signals (C, h, w) on pixels (C, H, W) float32 about the middle, where an ideal lens would place them."""
    out = np.empty((len(signals), *shape), np.float32)
    with ThreadPoolExecutor(threads) as pool:
        for number, plane in enumerate(out):
            _land(signals[number : number + 1], STILL, oversample, 1, -np.inf, plane, pool)
    return out


def _way(
    shape: tuple[int, int], pitch_mm: float, seen: Mapping, shading: np.ndarray, path: Path, shutter: Shutter, oversample: float
) -> Way:
    """Tables over the squared height, from the middle to the corner, and the motion of each row."""
    corner = float(np.hypot(*shape)) / 2  # pixels
    height_mm = np.sqrt(np.maximum(np.linspace(0, 1, TABLE), 1e-12)) * corner * pitch_mm
    share = [np.interp(height_mm, seen.real_mm, channel, right=0.0) for channel in shading]
    when = _instants(path, shutter)
    right, down, turn = path.at(shutter.start_s + np.arange(shape[0]) / shape[0] * shutter.read_out_s + when[:, None])
    motion = np.stack([down * oversample, right * oversample, turn])
    return Way(np.stack([seen.ideal(height_mm) / height_mm, *share]), (TABLE - 1) / (corner * oversample) ** 2, motion)


def _land(signals: np.ndarray, way: Way, oversample: float, side: int, least: float, out: np.ndarray, pool: Executor) -> None:
    """Pixels (H, W) of a mosaic, or of a single plane, none below `least`."""
    given = landing_inputs(signals, oversample, way)
    size = {"shape_height": out.shape[0], "shape_width": out.shape[1], "quad": side - 1, "oversample": oversample, "least": least}
    list(pool.map(lambda rows: kernels.land(**given, **size, top=rows.start, landed=out[rows]), bands(len(out))))


def _limit(light: np.ndarray, way: Way, oversample: float, side: int, mosaic: np.ndarray, pool: Executor) -> None:
    """Keep pixels of a mosaic, much darker than others around, near what softer taps have there: a flux limit.

    After S. T. Zalesak, "Fully multidimensional flux-corrected transport algorithms for fluids", J. Comput. Phys. 31, 1979: where a sharp
    scheme oscillates, one that cannot bounds it.
    """
    faint, period = np.empty(mosaic.shape, np.uint8), 2 * side

    def find(rows: slice) -> None:
        kernels.land_faint(mosaic=mosaic, top=rows.start, period=period, share=FAINT, faint=faint[rows])

    def keep(rows: slice) -> None:
        row, column = np.divmod(np.flatnonzero(faint[rows].view(bool)), mosaic.shape[1])
        row += rows.start
        y, x = ((place - (n - 1) / 2) * oversample for place, n in zip((row, column), mosaic.shape, strict=True))
        color = row // side % 2 + column // side % 2
        soft = sampled_along(light, y, x, color, row, oversample, way)
        mosaic[row, column] = np.clip(mosaic[row, column], soft / WITHIN, soft * WITHIN)

    for step in (find, keep):  # all are found before one is changed
        list(pool.map(step, bands(len(mosaic))))


def _instants(path: Path, shutter: Shutter) -> np.ndarray:
    """Times (n,) after a row's start that stand for its exposure, as many as the motion within it asks for."""
    times = np.linspace(0, shutter.exposure_s, 33)
    x, y, _ = path.at(shutter.start_s + shutter.read_out_s / 2 + times)
    length = float(np.hypot(np.diff(x), np.diff(y)).sum())
    count = int(np.clip(np.ceil(length / FINEST), 1, MOST_INSTANTS))
    return (np.arange(count) + 0.5) / count * shutter.exposure_s
