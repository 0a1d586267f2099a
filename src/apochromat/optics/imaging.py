"""A scene through a lens: spectral, shift-variant blur of each layer, and layers put in front of each other.

Each tile of the scene spreads its light by its own kernels; tiles overlap by linear ramps that add to one, so that kernels change gradually
and no light is lost. The transform of a scene's coefficient planes meets, for each of the sensor's channels, the kernels' mean over the
wavelengths that this coefficient and channel share: K transforms in and 3 out, however many wavelengths. The four tiles that mirror each
other share their kernels.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import fft

from apochromat.light.scene import Layer
from apochromat.light.spectrum import GRID_NM, STEP_NM
from apochromat.optics.psf_field import NODES_NM, TILES, PsfField

RAMP = 24  # pixels over which neighbouring tiles pass into each other, either way
VEIL_CELLS = 96  # across the longer side of the coarse picture of the veiling glare
VEIL_REACH = 0.08  # of the longer side: the veil's scale, assumed


def channel_weights(basis: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Weights (K, C, W) of the wavelengths `NODES_NM` for spectra (K, 71) seen by channels (C, 71): integrals over piecewise linear nodes.

    Their sum over W is the whole integral of spectrum times response over wavelength (nm).
    """
    hats = np.stack([np.interp(GRID_NM, NODES_NM, row) for row in np.eye(len(NODES_NM))])
    return np.einsum("kl,cl,wl->kcw", basis, response, hats) * STEP_NM


def imaged(
    layers: tuple[Layer, ...], fields: list[PsfField], weights: np.ndarray, threads: int = 2, told: Callable[[float], None] = lambda _: None
) -> np.ndarray:
    """Signals (C, H, W) float32 of layers from far to near through their PSF fields, by channel weights (K, C, W).

    What a nearer layer covers, by its own blurred edge, is hidden.
    """
    whole = None
    for number, (layer, field) in enumerate(zip(layers, fields, strict=True)):
        planes = layer.coefficients if layer.cover is None else np.concatenate([layer.coefficients, layer.cover[None]])
        shares = weights if layer.cover is None else with_cover(weights)
        seen = blurred(planes, field, shares, threads, _part_of(told, number, len(layers)))
        if layer.cover is None:
            whole = seen
        else:
            light, cover = seen[: weights.shape[1]], np.clip(seen[weights.shape[1] :], 0, 1)
            whole = light if whole is None else light + (1 - cover) * whole
    assert whole is not None
    return whole


def _part_of(told: Callable[[float], None], number: int, count: int) -> Callable[[float], None]:
    """Progress of one of several parts, told as that of the whole."""
    return lambda part: told((number + part) / count)


def with_cover(weights: np.ndarray) -> np.ndarray:
    """Weights (K + 1, 2 C, W) that also blur the cover, for each channel as the channel sees the layer."""
    k, channels, nodes = weights.shape
    both = np.zeros((k + 1, 2 * channels, nodes))
    both[:k, :channels] = weights
    mean = np.abs(weights).sum(0)
    both[k, channels:] = mean / mean.sum(-1, keepdims=True)
    return both


@dataclass(frozen=True)
class _Tile:
    """Rows and columns of a tile with its ramps, and the window (h, w) that its light gets."""

    top: int
    left: int
    window: np.ndarray


def blurred(planes: np.ndarray, field: PsfField, weights: np.ndarray, threads: int, told: Callable[[float], None]) -> np.ndarray:
    """Planes (K, H, W) spread by a PSF field into signals (C, H, W) float32; light that leaves the frame is lost."""
    if field.shrink > 1:
        return _coarsely(planes, field, weights, threads, told)
    size, (height, width) = field.kernels.shape[-1], planes.shape[1:]
    pad = size // 2
    out = np.zeros((weights.shape[1], height + 2 * pad, width + 2 * pad), np.float32)
    rows, columns = _spans(height, TILES[0]), _spans(width, TILES[1])
    shape = tuple(fft.next_fast_len(max(len(w) for _, w in spans) + size - 1, True) for spans in (rows, columns))

    def quadruple(place: tuple[int, int]) -> list[tuple[int, int, np.ndarray]]:
        """The four mirrored tiles of one place of the quadrant."""
        i, j = place
        mixed = np.einsum("kcw,wyx->kcyx", weights, field.kernels[i, j], optimize=True)
        spread = fft.rfft2(mixed.astype(np.float32), shape)
        return [
            _spread(planes, rows[r], columns[c], spread, shape, size, (r < TILES[0], c < TILES[1]))
            for r in (TILES[0] - 1 - i, TILES[0] + i)
            for c in (TILES[1] - 1 - j, TILES[1] + j)
        ]

    places = [(i, j) for i in range(TILES[0]) for j in range(TILES[1])]
    with ThreadPoolExecutor(threads) as pool:
        for done, tiles in enumerate(pool.map(quadruple, places)):
            for top, left, light in tiles:  # in one order, so that sums do not depend on the number of threads
                out[:, top : top + light.shape[1], left : left + light.shape[2]] += light
            told((done + 1) / len(places))
    return out[:, pad : pad + height, pad : pad + width]


def _spread(
    planes: np.ndarray,
    row: tuple[int, np.ndarray],
    column: tuple[int, np.ndarray],
    spread: np.ndarray,
    shape: tuple[int, int],
    size: int,
    flips: tuple[bool, bool],
) -> tuple[int, int, np.ndarray]:
    """Where (in the padded frame) and what light (C, h, w) one tile's kernels make of it; mirrored tiles are turned over and back."""
    (top, down), (left, across) = row, column
    part = planes[:, top : top + len(down), left : left + len(across)] * (down[:, None] * across)
    if not part.any():  # most of a moving layer is empty
        return top, left, np.zeros((spread.shape[1], 0, 0), np.float32)
    axes = tuple(axis for axis, flip in zip((1, 2), flips, strict=True) if flip)
    signal = fft.rfft2(np.flip(part, axes), shape)
    mixed = (signal[:, None] * spread).sum(0) if len(spread) > 1 else signal * spread[0]
    light = fft.irfft2(mixed, shape)[:, : len(down) + size - 1, : len(across) + size - 1]
    return top, left, np.flip(light, axes)


def _spans(length: int, half: int) -> list[tuple[int, np.ndarray]]:
    """First pixel and window of the 2 x half tiles along an axis: ramps that add to one with their neighbours'."""
    edges = np.rint(np.linspace(0, length, 2 * half + 1)).astype(int)
    edges = (edges + (length - edges[::-1])) // 2  # symmetric about the middle
    centres = np.arange(length) + 0.5
    ramp = min(RAMP, int(np.diff(edges).min()) // 2)
    spans = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        first, last = (low - ramp if k else low), (high + ramp if k < 2 * half - 1 else high)
        at = centres[first:last]
        up = np.clip((at - low) / (2 * ramp) + 0.5, 0, 1) if k else np.ones_like(at)
        down = np.clip((high - at) / (2 * ramp) + 0.5, 0, 1) if k < 2 * half - 1 else np.ones_like(at)
        spans.append((int(first), np.minimum(up, down).astype(np.float32)))
    return spans


def _coarsely(planes: np.ndarray, field: PsfField, weights: np.ndarray, threads: int, told: Callable[[float], None]) -> np.ndarray:
    """Planes far out of focus, at a fraction of the resolution: their discs are larger than the kernel at full resolution."""
    n, (height, width) = field.shrink, planes.shape[1:]
    filled = np.pad(planes, ((0, 0), (0, -height % n), (0, -width % n)), mode="edge")
    small = filled.reshape(len(planes), filled.shape[1] // n, n, filled.shape[2] // n, n).mean((2, 4))
    alone = PsfField(field.kernels, field.pitch_um * n)
    light = blurred(small, alone, weights, threads, told)
    return np.stack([_enlarged(plane, n)[:height, :width] for plane in light])


def _enlarged(plane: np.ndarray, factor: int) -> np.ndarray:
    """A plane (h, w) at `factor` times the size, linearly between cell middles, which keep their places."""
    for axis in (0, 1):
        place = (np.arange(plane.shape[axis] * factor) + 0.5) / factor - 0.5
        low = np.clip(np.floor(place).astype(int), 0, max(plane.shape[axis] - 2, 0))
        part = np.clip(place - low, 0, 1).astype(np.float32)
        high = np.minimum(low + 1, plane.shape[axis] - 1)
        part = part[:, None] if axis == 0 else part
        plane = np.take(plane, low, axis) * (1 - part) + np.take(plane, high, axis) * part
    return plane


def with_veil(light: np.ndarray, share: float) -> np.ndarray:
    """Signals (C, H, W) of which a share is scattered widely over the frame: veiling glare, energy kept.

    The veil falls off from each point like 1 / (1 + (r / a)^2)^1.5, a being VEIL_REACH of the longer side: form and reach are assumed. Its
    share is the veiling glare index of ISO 9358, which the camera's document states.
    """
    if not share:
        return light
    step = max(1, -(-max(light.shape[1:]) // VEIL_CELLS))
    height, width = light.shape[1:]
    filled = np.pad(light, ((0, 0), (0, -height % step), (0, -width % step)))
    small = filled.reshape(len(light), filled.shape[1] // step, step, filled.shape[2] // step, step).sum((2, 4))
    y, x = (np.arange(-n + 1, n) for n in small.shape[1:])
    reach = VEIL_REACH * max(small.shape[1:])
    glare = (1 + (y[:, None] ** 2 + x**2) / reach**2) ** -1.5
    shape = [fft.next_fast_len(2 * n - 1 + n, True) for n in small.shape[1:]]
    spread = fft.irfft2(fft.rfft2(small, shape) * fft.rfft2(glare, shape), shape)
    rows, columns = small.shape[1:]
    fallen = spread[:, rows - 1 : 2 * rows - 1, columns - 1 : 2 * columns - 1]
    fallen *= small.sum((1, 2), keepdims=True) / np.maximum(fallen.sum((1, 2), keepdims=True), 1e-30)
    veiled = light * np.float32(1 - share)
    for plane, veil in zip(veiled, fallen, strict=True):
        plane += _enlarged((veil * (share / step**2)).astype(np.float32), step)[:height, :width]
    return veiled
