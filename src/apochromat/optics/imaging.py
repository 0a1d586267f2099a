"""A scene through a lens: spectral, shift-variant blur of each layer, layers put in front of each other, veiling glare."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import fft

from apochromat.light.scene import Layer
from apochromat.light.spectrum import GRID_NM, STEP_NM
from apochromat.optics.kernels import NODES_NM
from apochromat.optics.psf_field import PsfField
from apochromat.optics.spreading import Spread, Told, binned, blurred, enlarged, over_frame

OPAQUE = 0.9998  # cover that hides all: kernels between nodes leave a little less than 1
VEIL_CELLS = 96  # across the longer side of the coarse picture of the veiling glare
VEIL_REACH = 0.08  # of the longer side: the veil's scale, assumed


def channel_weights(basis: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Weights (K, C, W) of the wavelengths `NODES_NM` for spectra (K, 71) seen by channels (C, 71): integrals over piecewise linear nodes.

    Their sum over W is the whole integral of spectrum times response over wavelength (nm).
    """
    hats = np.stack([np.interp(GRID_NM, NODES_NM, row) for row in np.eye(len(NODES_NM))])
    return np.einsum("kl,cl,wl->kcw", basis, response, hats) * STEP_NM


def imaged(
    layers: list[Layer], fields: Mapping[float, PsfField], weights: np.ndarray, threads: int = 2, told: Told = lambda _: None
) -> np.ndarray:
    """Signals (C, H, W) float32 of layers from far to near, through the PSF fields of their distances, by channel weights (K, C, W).

    What a nearer layer covers, by its own blurred edge, is hidden. The list is emptied as its layers are through, so that one whom nobody
    else holds takes no more memory.
    """
    whole, count = None, len(layers)
    while layers:
        done, layer = (count - len(layers)) / count, layers.pop(0)
        seen, cover = seen_through(layer, fields[layer.distance_m], weights, threads, _part_of(told, done, count))
        if whole is None:
            whole = np.zeros((weights.shape[1], *layer.coefficients.shape[1:]), np.float32) if cover is not None else seen.near
        del layer
        if cover is not None:
            part = whole[seen.box]
            part *= 1 - cover
            part += seen.near
        seen.add_far(whole)
    assert whole is not None
    return whole


def _part_of(told: Told, done: float, count: int) -> Told:
    """Progress of one of several parts, told as that of the whole."""
    return lambda part: told(done + part / count)


def seen_through(layer: Layer, field: PsfField, weights: np.ndarray, threads: int, told: Told) -> tuple[Spread, np.ndarray | None]:
    """A layer's light by channel weights (K, C, W), and its cover (C, h, w) in 0..1 in the same box, blurred as each channel sees it."""
    if layer.cover is None:
        return blurred(tuple(layer.coefficients), field, weights, threads, told), None
    rows, columns = (np.flatnonzero(layer.cover.any(axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else np.s_[:0, :0]
    planes = [plane[box] for plane in (*layer.coefficients, layer.cover)]
    seen = blurred(planes, field, with_cover(weights), threads, told, layer.cover.shape, (box[0].start or 0, box[1].start or 0))
    channels = weights.shape[1]
    cover = seen.near[channels:]
    for plane, share in zip(cover, with_cover(weights)[-1, channels:], strict=True):  # nothing shines through what is opaque
        lost = over_frame(field.lost @ share, layer.cover.shape)[seen.box[1:]] if field.shrink == 1 else (field.lost @ share).mean()
        plane /= (1 - lost) * OPAQUE
    far = None if seen.far is None else seen.far[:channels]
    return Spread(seen.near[:channels], seen.box, far), np.clip(cover, 0, 1, out=cover)


def with_cover(weights: np.ndarray) -> np.ndarray:
    """Weights (K + 1, 2 C, W) that also blur the cover, for each channel as the channel sees the layer."""
    k, channels, nodes = weights.shape
    both = np.zeros((k + 1, 2 * channels, nodes))
    both[:k, :channels] = weights
    mean = np.abs(weights).sum(0)
    both[k, channels:] = mean / mean.sum(-1, keepdims=True)
    return both


def add_veil(light: np.ndarray, share: float) -> None:
    """Scatter a share of signals (C, H, W) widely over the frame, in place: veiling glare, energy kept.

    The veil falls off from each point like 1 / (1 + (r / a)^2)^1.5, a being VEIL_REACH of the longer side: form and reach are assumed. Its
    share is the veiling glare index of ISO 9358, which the camera's document states.
    """
    if not share:
        return
    step = max(1, -(-max(light.shape[1:]) // VEIL_CELLS))
    height, width = light.shape[1:]
    small = np.stack([binned(plane, step) for plane in light]) * np.float32(step**2)
    y, x = (np.arange(-n + 1, n) for n in small.shape[1:])
    reach = VEIL_REACH * max(small.shape[1:])
    glare = (1 + (y[:, None] ** 2 + x**2) / reach**2) ** -1.5
    shape = [fft.next_fast_len(2 * n - 1 + n, True) for n in small.shape[1:]]
    spread = fft.irfft2(fft.rfft2(small, shape) * fft.rfft2(glare, shape), shape)
    rows, columns = small.shape[1:]
    fallen = spread[:, rows - 1 : 2 * rows - 1, columns - 1 : 2 * columns - 1]
    fallen *= small.sum((1, 2), keepdims=True) / np.maximum(fallen.sum((1, 2), keepdims=True), 1e-30)
    for plane, veil in zip(light, fallen, strict=True):
        plane *= np.float32(1 - share)
        plane += enlarged((veil * (share / step**2)).astype(np.float32), step)[:height, :width]
