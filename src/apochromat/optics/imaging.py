"""A scene through a lens: spectral, shift-variant blur of each layer, layers put in front of each other, veiling glare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy import fft

from apochromat.light.scene import Layer
from apochromat.light.spectrum import GRID_NM, STEP_NM
from apochromat.optics.coarse import add_enlarged, binned, over_frame
from apochromat.optics.far_light import add_far
from apochromat.optics.kernels import NODES_NM
from apochromat.optics.psf_field import TILES, PsfField
from apochromat.optics.spreading import Told, spread
from apochromat.optics.strips import Box, Window

LARGE, TOGETHER = 40_000_000, 3  # cells above which channels are spread so many at once, to hold less light at a time
OPAQUE = 0.9998  # cover that hides all: rounding leaves a little less than 1
VEIL_CELLS = 96  # across the longer side of the coarse picture of the veiling glare
VEIL_REACH = 0.08  # of the longer side: the veil's scale, assumed


def channel_weights(basis: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Weights (K, C, W) of the wavelengths `NODES_NM` for spectra (K, 71) seen by channels (C, 71): integrals over piecewise linear nodes.

    Their sum over W is the whole integral of spectrum times response over wavelength (nm).
    """
    hats = np.stack([np.interp(GRID_NM, NODES_NM, row) for row in np.eye(len(NODES_NM))])
    return np.einsum("kl,cl,wl->kcw", basis, response, hats) * STEP_NM


def imaged(
    layers: Iterable[Layer],
    fields: Mapping[float, PsfField],
    weights: np.ndarray,
    threads: int = 2,
    told: Told = lambda _: None,
    count: int = 1,
) -> np.ndarray:
    """Signals (C, H, W) float32 of layers from far to near, through the PSF fields of their distances, by channel weights (K, C, W).

    What a nearer layer covers, by its own blurred edge, is hidden. No layer is held beyond its turn, nor its blurred light as a whole, so
    that layers which are painted as they are asked for never take memory together. count: of the layers, for what is told.
    """
    whole, number = None, 0
    for layer in layers:
        if whole is None:
            whole = np.zeros((weights.shape[1], *layer.shape), np.float32)
        together = len(whole) if layer.shape[0] * layer.shape[1] <= LARGE else TOGETHER
        groups = [slice(first, first + together) for first in range(0, len(whole), together)]
        for turn, group in enumerate(groups):
            part = _part_of(told, (number + turn / len(groups)) / count, count * len(groups))
            _lay_over(whole[group], layer, fields[layer.distance_m], weights[:, group], threads, part)
        number += 1  # noqa: SIM113 - enumerate would hold the layer until it has the next
        del layer
    assert whole is not None
    return whole


def _part_of(told: Told, done: float, count: int) -> Told:
    """Progress of one of several parts, told as that of the whole."""
    return lambda part: told(done + part / count)


def lit_box(layer: Layer) -> Box:
    """Rows and columns that a layer covers anything of; empty if there are none."""
    if layer.cover is None:
        return slice(0, layer.shape[0]), slice(0, layer.shape[1])
    rows, columns = (np.flatnonzero(layer.cover.any(axis)) for axis in (1, 0))
    return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else (slice(0), slice(0))


def _lay_over(whole: np.ndarray, layer: Layer, field: PsfField, weights: np.ndarray, threads: int, told: Told) -> None:
    """Put a layer, seen by channel weights (K, C, W), before signals (C, H, W), in place."""
    box, channels = lit_box(layer), len(whole)
    corner = box[0].start or 0, box[1].start or 0
    planes = [plane[box] for plane in layer.coefficients]
    if not planes[0].size:
        return
    if layer.cover is None:
        spread(planes, field, weights, threads, told, layer.shape, corner, lambda strip: _paint(whole, strip))
    else:
        both = with_cover(weights)
        lost = missing(field, both[-1, channels:].T, layer.shape)
        over = [*planes, layer.cover[box]]
        spread(over, field, both, threads, told, layer.shape, corner, lambda strip: _cover(whole, strip, lost, field.shrink > 1))
    add_far(whole, planes, field, weights, corner)


def _paint(whole: np.ndarray, strip: Window) -> None:
    """A strip of light that hides all behind it."""
    whole[:, *strip.box] = strip.planes


def _cover(whole: np.ndarray, strip: Window, lost: np.ndarray, is_coarse: bool) -> None:
    """A strip of light and of cover (2 C, h, w) before signals; lost (rows + 1, columns + 1, C): what the cover may lack."""
    light, cover = np.split(strip.planes, 2)
    for plane, lacks in zip(cover, np.moveaxis(lost, -1, 0), strict=True):  # nothing shines through what is opaque
        plane /= (1 - (lacks.max() if is_coarse else over_frame(lacks, whole.shape[1:], strip.box))) * OPAQUE
    np.clip(cover, 0, 1, out=cover)
    part = whole[:, *strip.box]
    part *= 1 - cover
    part += light


def missing(field: PsfField, shares: np.ndarray, frame: tuple[int, ...]) -> np.ndarray:
    """What a cover that hides all may lack of 1 after its blur, at the field's nodes (rows + 1, columns + 1, C); shares (W, C).

    Kernels lack what falls beyond them; and where their centroids move apart from node to node, light, and with it the cover, is thinner by
    the divergence of this movement. Each node has the most of the tiles about it.
    """
    kernels = np.einsum("ijwyx,wc->ijcyx", field.kernels, shares)
    place = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    down, across = (
        kernels.sum(axis) @ place / (n / (2 * tiles * field.shrink)) for axis, n, tiles in zip((-1, -2), frame, TILES, strict=True)
    )
    down, across = np.diff(down, axis=0), np.diff(across, axis=1)  # between nodes, along the tiles' edges
    apart = np.maximum(down[:, 1:], down[:, :-1]) + np.maximum(across[1:], across[:-1])
    around = np.pad(apart, ((1, 1), (1, 1), (0, 0)), mode="edge")
    thin = np.maximum(np.maximum(around[1:, 1:], around[:-1, 1:]), np.maximum(around[1:, :-1], around[:-1, :-1]))
    return np.asarray(1 - (1 - field.lost @ shares) * (1 - np.clip(thin, 0, 0.1)))


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
    small = np.stack([binned(plane, step) for plane in light]) * np.float32(step**2)
    y, x = (np.arange(-n + 1, n) for n in small.shape[1:])
    reach = VEIL_REACH * max(small.shape[1:])
    glare = (1 + (y[:, None] ** 2 + x**2) / reach**2) ** -1.5
    shape = [fft.next_fast_len(2 * n - 1 + n, True) for n in small.shape[1:]]
    glow = fft.irfft2(fft.rfft2(small, shape) * fft.rfft2(glare, shape), shape)
    rows, columns = small.shape[1:]
    fallen = glow[:, rows - 1 : 2 * rows - 1, columns - 1 : 2 * columns - 1]
    fallen *= small.sum((1, 2), keepdims=True) / np.maximum(fallen.sum((1, 2), keepdims=True), 1e-30)
    for plane, veil in zip(light, fallen, strict=True):
        plane *= np.float32(1 - share)
        add_enlarged(plane, (veil * (share / step**2)).astype(np.float32), step)
