"""Pixels of any place from an image that is sampled a little more finely than the pixels stand.

Four taps a way of a Kaiser-Bessel window, as for gridding (P. J. Beatty, D. G. Nishimura, J. M. Pauly, "Rapid gridding reconstruction with
a minimal oversampling ratio", IEEE Trans. Med. Imaging 24, 2005), each a polynomial of the place between two cells. A filter before them
makes their response, whatever the place, that of a square pixel: at a quarter more cells than pixels within 0.015 up to the pixels' Nyquist
frequency, where splines of as many taps between as many cells as pixels would pass nothing of what falls half a cell off.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.polynomial import polynomial

TAPS, DEGREE, PHASES = 4, 4, 64  # of the window; of its polynomials; places at which they are fitted
REACH = 8  # cells on either side that the filter takes
BEYOND = 0.05  # weight in its design of frequencies beyond the pixels' Nyquist
BAND = 64  # rows filtered at once
ROWS = 8  # and sampled at once: what they need stays in the processor's cache


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
    half = _filter(oversample).astype(np.float32)
    out = np.empty_like(signals, order="C")
    bands = [(c, top) for c in range(len(signals)) for top in range(0, signals.shape[1], BAND)]

    def one(band: tuple[int, int]) -> None:
        plane, rows = signals[band[0]], slice(band[1], band[1] + BAND)
        low, high = max(rows.start - REACH, 0), min(rows.stop + REACH, len(plane))
        above, below = REACH - (rows.start - low), REACH - (high - min(rows.stop, len(plane)))
        part = np.pad(plane[low:high], ((above, below), (REACH, REACH)), mode="symmetric")
        out[band[0], rows] = _along(_along(part, half).T, half).T

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, bands))
    return out


def _along(part: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Rows filtered down a symmetric filter's way: (n, m) to (n - 2 REACH, m)."""
    count = len(part) - 2 * REACH
    found = part[REACH : REACH + count] * half[0]
    for k in range(1, REACH + 1):
        found += (part[REACH - k : REACH - k + count] + part[REACH + k : REACH + k + count]) * half[k]
    return found


def sampled(plane: np.ndarray, y: np.ndarray, x: np.ndarray, oversample: float) -> np.ndarray:
    """Values (h, w) float32 of a prepared plane at cells (y, x), each (h, w) float64; beyond its edges those of the edge."""
    weights, corner = [], []
    for place, length in ((y, plane.shape[0]), (x, plane.shape[1])):
        place = np.clip(place, 1, length - 3 - 1e-6)
        low = np.floor(place)
        weights.append(polynomial.polyval((place - low).astype(np.float32), taps(oversample).astype(np.float32)))
        corner.append(low.astype(np.int32) - 1)
    first, flat = corner[0] * plane.shape[1] + corner[1], plane.ravel()
    total = np.zeros(y.shape, np.float32)
    for row in range(TAPS):
        across = weights[1][0] * flat.take(first + row * plane.shape[1])
        for column in range(1, TAPS):
            across += weights[1][column] * flat.take(first + (row * plane.shape[1] + column))
        total += weights[0][row] * across
    return total
