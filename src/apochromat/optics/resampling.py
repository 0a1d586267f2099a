"""Pixels of any place from an image that is sampled a little more finely than the pixels stand.

Four taps a way of a Kaiser-Bessel window, as for gridding (P. J. Beatty, D. G. Nishimura, J. M. Pauly, "Rapid gridding reconstruction with
a minimal oversampling ratio", IEEE Trans. Med. Imaging 24, 2005), each a polynomial of the place between two cells. A filter before them
makes their response, whatever the place, that of a square pixel: at a quarter more cells than pixels within 0.015 up to the pixels' Nyquist
frequency, where splines of as many taps between as many cells as pixels would pass nothing of what falls half a cell off.

What is cut above the cells' Nyquist frequency leaves ripples, which beside a lamp are more than the light that falls there, and below
nothing. `softly` takes the same taps of the light that is not filtered: it is a little softer, and never below nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.polynomial import polynomial

from apochromat.optics.precision import float64

TAPS, DEGREE, PHASES = 4, 4, 64  # of the window; of its polynomials; places at which they are fitted
REACH = 8  # cells on either side that the filter takes
BEYOND = 0.05  # weight in its design of frequencies beyond the pixels' Nyquist
BAND = 64  # rows filtered at once
ALIGNED = 64  # bytes, of which the first byte's address is a multiple
ROWS = 32  # and sampled at once
ALIGNED = 64  # bytes, of which the first byte's address is a multiple
ROWS = 32  # and sampled at once
LEAST, ABOUT = 0.5, 3  # share of the least light within so many cells a way that the filter leaves at each
AROUND, MARGIN = 5, 6  # cells a way that give what the limit adds; cells at a part's edge that know too few others


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
    out = _aligned(signals.shape)
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


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Planes (C, H, W) float32, each beginning where JAX takes it as it is, without a copy."""
    size = -(-shape[1] * shape[2] * 4 // ALIGNED) * ALIGNED
    room = np.empty(shape[0] * size + ALIGNED, np.uint8)
    first = -room.ctypes.data % ALIGNED
    planes = room[first : first + shape[0] * size].view(np.float32).reshape(shape[0], size // 4)
    return planes[:, : shape[1] * shape[2]].reshape(shape)


def _along(part: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Rows filtered down a symmetric filter's way: (n, m) to (n - 2 REACH, m)."""
    count = len(part) - 2 * REACH
    found = part[REACH : REACH + count] * half[0]
    for k in range(1, REACH + 1):
        found += (part[REACH - k : REACH - k + count] + part[REACH + k : REACH + k + count]) * half[k]
    return found


def on_device(plane: np.ndarray) -> Any:
    """A prepared plane (H, W) as `sampled` takes it; it must not change while that is used."""
    return jnp.asarray(plane)


def sampled(plane: Any, y: np.ndarray, x: np.ndarray, oversample: float) -> np.ndarray:
    """Values (h, w) float32 of a prepared plane at cells (y, x) from its middle, each (h, w); beyond its edges those of the edge."""
    still = np.zeros((1, len(y)))
    return sampled_along(plane, y, x, still, still, still, oversample)


@float64
def sampled_along(
    plane: Any, y: np.ndarray, x: np.ndarray, down: np.ndarray, right: np.ndarray, turn: np.ndarray, oversample: float
) -> np.ndarray:
    """Sums (h, w) float32 over instants, as the plane moves: down and right by cells and turned clockwise by radians, (n, h) each."""
    places = (jnp.asarray(v, jnp.float64) for v in (y, x, down, right, turn))
    return np.asarray(_sums(jnp.asarray(plane), *places, jnp.asarray(taps(oversample), jnp.float32)))


@jax.jit
def _sums(plane: Any, y: Any, x: Any, down: Any, right: Any, turn: Any, weights: Any) -> Any:
    """`sampled_along` with the taps' polynomials (DEGREE + 1, TAPS)."""
    flat, (height, width) = plane.ravel(), plane.shape

    def one(number: Any, total: Any) -> Any:
        v, u = y - down[number][:, None], x - right[number][:, None]
        v, u = v - turn[number][:, None] * u, u + turn[number][:, None] * v
        (top, rows), (left, columns) = (_taps_at(p + (n - 1) / 2, n, weights) for p, n in ((v, height), (u, width)))
        first = top * width + left
        for j, row in enumerate(rows):
            across = sum(tap * flat.at[first + (j * width + i)].get(mode="promise_in_bounds") for i, tap in enumerate(columns))
            total = total + row * across
        return total

    return lax.fori_loop(0, len(down), one, jnp.zeros(y.shape, jnp.float32))


def _taps_at(place: Any, length: int, weights: Any) -> tuple[Any, list[Any]]:
    """The first of the cells that a place needs, and the weight of each."""
    place = jnp.clip(place, 1, length - 3 - 1e-6)
    low = jnp.floor(place)
    part = (place - low).astype(jnp.float32)
    return low.astype(jnp.int32) - 1, [jnp.polyval(weights[::-1, i], part) for i in range(TAPS)]


def softly(light: np.ndarray, y: np.ndarray, x: np.ndarray, oversample: float) -> np.ndarray:
    """Values (n,) float32 of light (H, W) that is not filtered, at cells (y, x), (n,) each, from its middle."""
    found = np.zeros(len(y), np.float32)
    (top, rows), (left, columns) = (
        _taps_there(p + (n - 1) / 2, n, taps(oversample)) for p, n in zip((y, x), light.shape, strict=True)
    )  # fmt: skip
    for j, row in enumerate(rows):
        for i, column in enumerate(columns):
            found += row * column * light[top + j, left + i]
    return found


def _taps_there(place: np.ndarray, length: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`_taps_at` in NumPy."""
    place = np.clip(place, 1, length - 3 - 1e-6)
    low = np.floor(place)
    return low.astype(int) - 1, polynomial.polyval(place - low, weights).astype(np.float32)
