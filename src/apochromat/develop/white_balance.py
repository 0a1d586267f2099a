"""White balance on the mosaic: each colour times a gain, the smallest of which is 1.

The white comes from the camera, from the picture, from a colour temperature, or from a patch the user knows to be grey. `auto` finds
grey pixels after Yang, Gao & Li, "Efficient illuminant estimation for color constancy using grey pixels" (CVPR 2015): where a surface
is grey its local contrast is the same in all three channels whatever the light. The light so found is kept near the Planckian locus.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from apochromat.develop.dng_color import as_shot_neutral, checked_neutral, neutral_of_xy, temperature_tint, white_xy, xy_of_temperature
from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.native import kernels

Share = Annotated[float, Field(ge=0, le=1)]
_AUTO_K, _AUTO_TINT = (2200.0, 9500.0), (-15.0, 25.0)  # lights that `auto` believes in: tungsten to shade
_GREY_SHARE = 0.02  # of the usable proxy pixels taken for grey


class WhiteBalanceParams(Params):
    mode: Literal["as_shot", "auto", "temperature", "patch"] = parameter("as_shot", "Where the white comes from")
    temperature: float = parameter(5500.0, "Colour temperature of the light, for mode temperature", ge=1700, le=50000, unit="K")
    tint: float = parameter(0.0, "Green (negative) to magenta (positive) shift of the picture, for mode temperature", ge=-150, le=150)
    patch: tuple[Share, Share, Share, Share] = parameter(
        (0.45, 0.45, 0.1, 0.1), "Grey patch as x, y, width, height in shares of the upright picture, for mode patch", unit="share"
    )


def run(development: Development, params: WhiteBalanceParams) -> Development:
    """Multiply the mosaic, or linear RGB, by the white-balance gains. ValueError for a white that the file's colours do not allow."""
    if development.mosaic is None and development.frame.samples.ndim == 2:
        return development
    gains = 1 / _neutral(development, params)
    if development.mosaic is not None:
        _multiply(development.mosaic, gains)
    else:
        for plane, gain in zip(development.planes, gains, strict=True):
            plane *= np.float32(gain)
    return replace(development, wb=gains).with_facts(**_facts(development, 1 / gains))


def _neutral(development: Development, params: WhiteBalanceParams) -> np.ndarray:
    """Camera RGB (3,) of the chosen white, largest component 1."""
    profile = development.frame.profile
    if params.mode == "temperature":
        return neutral_of_xy(profile, xy_of_temperature(params.temperature, params.tint))
    if params.mode == "patch":
        return checked_neutral(_patch_mean(development, params.patch))
    return _grey(development) if params.mode == "auto" else as_shot_neutral(profile)


def _facts(development: Development, neutral: np.ndarray) -> dict:
    """What the white is: camera neutral, and its chromaticity, temperature and tint where the file has a colour matrix."""
    if not development.frame.profile.calibrations:
        return {"neutral": neutral.tolist()}
    xy = white_xy(development.frame.profile, neutral)
    temperature, tint = temperature_tint(xy)
    return {"neutral": neutral.tolist(), "white_xy": xy, "temperature_k": round(temperature), "tint": round(tint, 1)}


def _multiply(mosaic: np.ndarray, gains: np.ndarray) -> None:
    """Multiply an RGGB mosaic by gains R, G, B in place."""
    cell = gains[[[0, 1], [1, 2]]].astype(np.float32)
    lines = np.tile(cell, mosaic.shape[1] // 2)[:, None, :].repeat(2, axis=1)
    kernels.gain(lines=lines, knot=np.zeros(mosaic.shape[0], np.float32), mosaic=mosaic)


def _patch_mean(development: Development, patch: tuple[float, float, float, float]) -> np.ndarray:
    """Mean camera RGB (3,) of the whole unclipped cells in a patch of the upright picture."""
    crop, orientation, (oy, ox) = development.frame.crop, development.frame.orientation, development.origin
    (left, right), (top, bottom) = ((patch[i], min(patch[i] + patch[i + 2], 1)) for i in (0, 1))
    if orientation in (2, 3, 6, 7):
        left, right = 1 - right, 1 - left
    if orientation in (3, 4, 7, 8):
        top, bottom = 1 - bottom, 1 - top
    if orientation >= 5:
        top, bottom, left, right = left, right, top, bottom
    rows = _cells(crop.top - oy, crop.height, top, bottom, development.shape[0])
    columns = _cells(crop.left - ox, crop.width, left, right, development.shape[1])
    colors, is_sound = _cell_colors(development, rows, columns)
    sound = colors[is_sound]
    if not len(sound):
        raise ValueError(f"expected a grey patch with unclipped pixels, found every pixel clipped: {development.frame.path}")
    return sound.mean(0, dtype=np.float64)


def _cells(start: int, size: int, low: float, high: float, end: int) -> slice:
    """The cells that lie wholly between two shares of the crop, one at least."""
    first = min(int(np.ceil((start + low * size) / 2)), end // 2 - 1)
    return slice(first, max(int((start + high * size) // 2), first + 1))


def _cell_colors(development: Development, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """Camera RGB (h, w, 3) of 2x2 cells, and whether each is free of clipped samples (h, w)."""
    window = np.s_[2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop]
    planes = [plane[window] for plane in development.planes]
    if development.mosaic is not None:
        m = planes[0]
        colors = np.stack([m[0::2, 0::2], (m[0::2, 1::2] + m[1::2, 0::2]) / 2, m[1::2, 1::2]], -1)
    else:
        colors = np.stack([plane[0::2, 0::2] for plane in planes], -1)
    clip = development.clip
    return colors, np.ones(colors.shape[:2], bool) if clip is None else clip[rows, columns] == 0


def _grey(development: Development) -> np.ndarray:
    """Camera RGB (3,) of the light, from the pixels of a small picture that are most surely grey."""
    profile, cells = development.frame.profile, 4
    proxy = development.proxy(2 * cells)
    h, w = proxy.shape[:2]
    clip = np.zeros((h * cells, w * cells), np.uint8) if development.clip is None else development.clip[: h * cells, : w * cells]
    sound = clip.reshape(h, cells, w, cells).max((1, 3)) == 0
    inner = np.s_[1:-1, 1:-1]
    light = np.log(np.maximum(proxy, 1e-4))
    contrast = np.stack([light[inner] - (light[:-2, 1:-1] + light[2:, 1:-1]) / 2, light[inner] - (light[1:-1, :-2] + light[1:-1, 2:]) / 2])
    strength = np.sqrt((contrast.mean(-1) ** 2).sum(0))
    unlike = np.sqrt(contrast.var(-1).sum(0)) / (strength + 1e-3)
    usable = sound[inner] & (proxy[inner].min(-1) > 2e-3) & (strength > 0.01)
    if usable.sum() < 100:
        return as_shot_neutral(profile)
    limit = np.quantile(unlike[usable], _GREY_SHARE)
    chosen = proxy[inner][usable & (unlike <= limit)]
    neutral = checked_neutral(np.exp(np.median(np.log(chosen / chosen.sum(-1, keepdims=True)), axis=0)))
    temperature, tint = temperature_tint(white_xy(profile, neutral))
    return neutral_of_xy(profile, xy_of_temperature(float(np.clip(temperature, *_AUTO_K)), float(np.clip(tint, *_AUTO_TINT))))


STAGE = Stage(
    name="white_balance",
    order=60,
    summary="Colour of the light made neutral",
    params=WhiteBalanceParams,
    run=run,
    source="DNG Specification 1.7, chapter 6; Yang, Gao & Li, CVPR 2015",
)
