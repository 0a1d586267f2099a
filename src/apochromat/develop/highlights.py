"""Highlights: what a clipped sample would have read, from the colours beside it that did not clip.

After white balance and lens shading each colour clips at its own level, so light that is beyond the sensor turns pink or cyan unless
the missing colours are put back. In the square-root domain, where noise is even and brightening is between a gain and an offset, the
difference of two colours varies slowly. It is measured wherever both are unclipped and carried into clipped regions by a pyramid
(push-pull, Gortler et al. 1996). A clipped sample is the local brightness, from the colours still unclipped, plus the carried
difference; where none is left it is neutral, as bright as the brightest clip level there. Compare Masood, Zhu & Tappen, "Automatic
correction of saturated regions in photographs using cross-channel correlation" (2009), and Xu, Doutre & Nasiopoulos, "Correction of
clipped pixels in color images" (2011).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.native import kernels

_BLOCK = 16  # pixels of a rim block, as in kernels/highlights_rim.py
_REACH = 8  # blocks above and below clipped rows whose colours count
_BAND = 32  # rows looked at together
_MOST = 256  # rows rebuilt in one call
_PRIOR = 2.0  # fully bright cells that what comes from further away counts for


class HighlightsParams(Params):
    mode: Literal["reconstruct", "off"] = parameter("reconstruct", "Rebuild clipped highlights, or leave them as the sensor clipped them")
    color: float = parameter(1.0, "Colour of rebuilt highlights: 1 as their surroundings suggest, 0 neutral", ge=0, le=1)


def run(development: Development, params: HighlightsParams) -> Development:
    """Rebuild the clipped samples of the white-balanced mosaic in place; every other sample stays bit-identical."""
    mosaic, clip, level = development.mosaic, development.clip, _levels(development)
    if params.mode == "off" or clip is None or not clip.any():
        return development
    if mosaic is None:
        _rebuild_planes(development.planes, clip, level)
        return development
    lines, knot = level.lines(mosaic.shape[1]), level.rows_table(mosaic.shape[0])
    chroma = _surroundings(mosaic, clip, lines, knot) * np.float32(params.color)
    columns = _between_blocks(mosaic.shape[1], chroma.shape[2], _BLOCK)
    for top, bottom in _bands(clip):
        line = _between_blocks(bottom - top, chroma.shape[1], _BLOCK, top)
        first = min(int(line[0]), chroma.shape[1] - 2)
        band = np.empty((bottom - top, mosaic.shape[1]), np.float32)
        kernels.highlights(
            mosaic=mosaic,
            clip=clip,
            lines=lines,
            knot=knot,
            chroma=_stretched(chroma[:, first : int(line[-1]) + 2], columns),
            chroma_line=line - np.float32(first),
            top=top,
            output=band,
        )
        mosaic[top:bottom] = band
    return development


def _levels(development: Development) -> GainField:
    """Clip level of every pixel of the white-balanced mosaic."""
    level = development.saturation * development.wb[[0, 1, 1, 2]]
    return replace(development.gain, gain=(development.gain.gain * level[:, None, None]).astype(np.float32))


def _surroundings(mosaic: np.ndarray, clip: np.ndarray, lines: np.ndarray, knot: np.ndarray) -> np.ndarray:
    """Roots of R, G, B less their mean (3, h, w), h, w >= 2, per block of the picture, also where the block itself is clipped.

    Only rows with clipped samples and those near them are looked at.
    """
    height, width = (max(-(-n // _BLOCK), 2) for n in mosaic.shape)
    sums = np.zeros((6, height, width), np.float32)
    clipped = np.flatnonzero(clip.any(1)) * 2 // _BLOCK
    top, bottom = max(int(clipped[0]) - _REACH, 0), min(int(clipped[-1]) + 1 + _REACH, height)
    rows, part = slice(top * _BLOCK, bottom * _BLOCK), np.empty((6, bottom - top, width), np.float32)
    cells = slice(top * _BLOCK // 2, bottom * _BLOCK // 2)
    kernels.highlights_rim(mosaic=mosaic[rows], clip=clip[cells], lines=lines, knot=knot[rows], sums=part)
    sums[:, top:bottom] = part
    weight, difference = sums[:3], _filled(sums[:3], sums[3:])
    # The three differences G-R, B-G, R-B should sum to zero; what is missing to that goes to those known least.
    doubt = 1 / (weight + 0.01 * _PRIOR)
    difference -= doubt * (difference.sum(0) / doubt.sum(0))
    gr, bg, rb = difference
    return np.stack([rb - gr, gr - bg, bg - rb]) / 3


def _filled(weight: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Weighted means (c, h, w) that go over, where the weight is small, to those of ever larger blocks and in the end to zero."""
    c, h, w = weight.shape
    if h == w == 1:
        return sums / (weight + _PRIOR)
    padded = np.pad(np.concatenate([weight, sums]), ((0, 0), (0, h % 2), (0, w % 2)))
    halved = padded.reshape(2 * c, -(-h // 2), 2, -(-w // 2), 2).sum((2, 4))
    coarse = _filled(halved[:c], halved[c:])
    rows, columns = _between_blocks(h, coarse.shape[1]), _between_blocks(w, coarse.shape[2])
    wider = _stretched(_stretched(coarse, columns).swapaxes(1, 2), rows).swapaxes(1, 2)
    return (sums + _PRIOR * wider) / (weight + _PRIOR)


def _between_blocks(size: int, blocks: int, scale: int = 2, first: int = 0) -> np.ndarray:
    """Fractional index among blocks of `scale` of the centre of each of `size` items from item `first` on, float32."""
    return np.clip((first + np.arange(size) + 0.5) / scale - 0.5, 0, blocks - 1).astype(np.float32)


def _stretched(image: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Image (c, h, w) sampled linearly along its last axis at fractional indices: (c, h, len(index)) float32."""
    left = np.clip(index.astype(int), 0, max(image.shape[-1] - 2, 0))
    lower, upper = (image.take(k, axis=-1) for k in (left, np.minimum(left + 1, image.shape[-1] - 1)))
    upper -= lower
    upper *= index - left.astype(np.float32)
    lower += upper
    return lower


def _bands(clip: np.ndarray) -> list[tuple[int, int]]:
    """Runs of pixel rows, each of whole bands and not too long, that hold every clipped sample."""
    bands = np.unique(np.flatnonzero(clip.any(1)) * 2 // _BAND)
    ends = (np.diff(bands) > 1) | (bands[1:] % (_MOST // _BAND) == 0)
    runs = np.split(bands, np.flatnonzero(ends) + 1)
    return [(int(run[0]) * _BAND, min((int(run[-1]) + 1) * _BAND, 2 * len(clip))) for run in runs]


def _rebuild_planes(planes: list[np.ndarray], clip: np.ndarray, level: GainField) -> None:
    """Rebuild clipped pixels of linear camera R, G, B in place: neutral, from the colours of the same pixel that did not clip."""
    height, width = planes[0].shape
    rows, columns = np.nonzero(clip.repeat(2, 0).repeat(2, 1)[:height, :width])
    value = np.stack([plane[rows, columns] for plane in planes])
    limit = np.stack([level.at(rows, columns, p) for p in (0, 1, 3)])
    clipped = value >= 0.998 * limit
    trust = np.where(clipped, 0, np.clip((1 - value / limit) / 0.3, 0, 1))
    base = (trust * value).sum(0) / np.maximum(trust.sum(0), 1e-4)
    neutral = np.where(clipped, limit, value).max(0)
    rebuilt = neutral + np.clip(2 * trust.sum(0), 0, 1) * (base - neutral)
    for plane, new in zip(planes, np.where(clipped, np.maximum(rebuilt, np.minimum(value, limit)), value), strict=True):
        plane[rows, columns] = new


STAGE = Stage(
    name="highlights",
    order=70,
    summary="Clipped highlights rebuilt from the colours that did not clip",
    params=HighlightsParams,
    run=run,
)
