"""Pixels of any place from an image that is sampled a little more finely than the pixels stand.

Four taps a way of a Kaiser-Bessel window, as for gridding (P. J. Beatty, D. G. Nishimura, J. M. Pauly, "Rapid gridding reconstruction with
a minimal oversampling ratio", IEEE Trans. Med. Imaging 24, 2005), each a polynomial of the place between two cells. A filter before them
makes their response, whatever the place, that of a square pixel: at a quarter more cells than pixels within 0.015 up to the pixels' Nyquist
frequency, where splines of as many taps between as many cells as pixels would pass nothing of what falls half a cell off.

What is cut above the cells' Nyquist frequency leaves ripples, which beside a lamp are more than the light that falls there, and below
nothing. The same taps of the light that is not filtered give what is a little softer, and never below nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial import polynomial

from apochromat.native import kernels

TAPS, DEGREE, PHASES = 4, 4, 64  # of the window; of its polynomials; places at which they are fitted
REACH = 8  # cells on either side that the filter takes
BEYOND = 0.05  # weight in its design of frequencies beyond the pixels' Nyquist
BAND = 64  # rows, about, that a thread takes at once


@cache
def taps(oversample: float) -> np.ndarray:
    """Polynomials (DEGREE + 1, TAPS), lowest power first, of the place 0..1 from the second tap on to the third; they add to 1."""
    width = np.pi * np.sqrt(max(TAPS**2 / oversample**2 * (oversample - 0.5) ** 2 - 0.8, 0.0))  # Beatty et al., equation 5
    place = (np.arange(PHASES) + 0.5) / PHASES
    distance = place[:, None] - _offsets()
    window = np.i0(width * np.sqrt(np.clip(1 - (2 * distance / TAPS) ** 2, 0, None)))
    return np.asarray(polynomial.polyfit(place, window / window.sum(1, keepdims=True), DEGREE))


def _offsets() -> np.ndarray:
    """Cells of the taps from that below the place."""
    return np.arange(TAPS) - (TAPS // 2 - 1)


@cache
def _filter(oversample: float) -> np.ndarray:
    """Symmetric filter (REACH + 1,), middle first: over all places nearest to the response of a square pixel over that of a cell."""
    frequency, place = np.linspace(0, 0.5, 129), (np.arange(PHASES) + 0.5) / PHASES
    weights = polynomial.polyval(place, taps(oversample)).T
    passed = (weights[..., None] * np.exp(2j * np.pi * (_offsets() - place[:, None])[..., None] * frequency)).sum(1)
    wanted = np.sinc(oversample * frequency) / np.sinc(frequency) * passed.real.mean(0) / (np.abs(passed) ** 2).mean(0)
    waves = np.cos(2 * np.pi * np.outer(frequency, np.arange(REACH + 1))) * np.where(np.arange(REACH + 1) > 0, 2, 1)
    weight = np.where(frequency <= 0.5 / oversample, 1.0, BEYOND)
    weight[0] = 1e4  # light is kept
    found = np.linalg.lstsq(waves * weight[:, None], wanted * weight, rcond=None)[0]
    return np.asarray(found / (waves[0] @ found))


def prepared(signals: np.ndarray, oversample: float, threads: int = 2) -> np.ndarray:
    """Signals (C, H, W) float32 of cells, `oversample` to a pixel either way, filtered for `sampled`; mirrored at the edges."""
    signals, half = np.ascontiguousarray(signals, np.float32), _filter(oversample).astype(np.float32)
    out = np.empty(signals.shape, np.float32)
    parts = [(plane, rows) for plane in range(len(signals)) for rows in bands(signals.shape[1])]

    def one(part: tuple[int, slice]) -> None:
        plane, rows = part
        kernels.prepare(signals=signals[plane], half=half, top=rows.start, prepared=out[plane, rows])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, parts))
    return out


def bands(rows: int) -> list[slice]:
    """All rows in bands of BAND to twice as many, or one of fewer."""
    starts = range(0, max(rows - BAND, 0) + 1, BAND)
    return [slice(*ends) for ends in pairwise([*starts, rows])]


@dataclass(frozen=True)
class Way:
    """How the image gets to the sensor, by which places in it are found.

    radial (1 + C, n) float64: ideal over real height, and the share of the light that is kept of each of C colours, at even steps of the
    squared height, of which `per_height2` are one cell squared. motion (3, m, rows) float64: by how many cells the image has moved down
    and right, and how many radians it is turned clockwise about its middle, at each of m instants of a row.
    """

    radial: np.ndarray
    per_height2: float
    motion: np.ndarray


STILL = Way(np.ones((2, 2)), 0.0, np.zeros((3, 1, 2)))


def landing_inputs(planes: np.ndarray, oversample: float, way: Way) -> dict[str, Any]:
    """Planes (C, h, w) float32 of cells, `oversample` to a pixel either way, and their way, as the kernels `land*` take them."""
    cells = np.ascontiguousarray(planes, np.float32)
    given = {"cells": cells.reshape(-1), "width": cells.shape[2], "height": cells.shape[1]}
    given |= {"taps": np.ascontiguousarray(taps(oversample), np.float32), "motion": way.motion}
    return given | {"radial": way.radial, "per_height2": way.per_height2}


def sampled(plane: np.ndarray, y: np.ndarray, x: np.ndarray, oversample: float) -> np.ndarray:
    """Values (h, w) float32 of a prepared plane at cells (y, x) from its middle, each (h, w); beyond its edges those of the edge."""
    still = np.zeros(y.size, np.int32)
    return sampled_along(plane[None], y.ravel(), x.ravel(), still, still, oversample, STILL).reshape(y.shape)


def sampled_along(
    planes: np.ndarray, y: np.ndarray, x: np.ndarray, color: np.ndarray, row: np.ndarray, oversample: float, way: Way
) -> np.ndarray:
    """What gets (n,) float32 to places at cells y, x (n,) of the sensor from its middle: the mean over the instants of the row (n,).

    Each takes one plane `color` (n,) of planes (C, h, w) float32; beyond their edges there is what is at them.
    """
    found = np.empty(len(y), np.float32)
    places = {"down": y.astype(np.float64), "right": x.astype(np.float64), "color": color.astype(np.int32), "row": row.astype(np.int32)}
    if len(y):
        kernels.land_places(**landing_inputs(planes, oversample, way), **places, found=found)
    return found
