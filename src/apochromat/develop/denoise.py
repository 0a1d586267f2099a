"""Noise reduction on the mosaic, before anything has correlated its noise.

Sources: patches after Buades, Coll & Morel, "A non-local algorithm for image denoising" (CVPR 2005), made symmetric after Milanfar,
"Symmetrizing smoothing filters" (SIAM J. Imaging Sciences 6, 2013), so that means are kept exactly; distances in the domain of the
generalised Anscombe transform (Murtagh, Starck & Bijaoui, 1995); wide chroma averaging with edge-avoiding growing steps after
Dammertz, Sewtz, Hanika & Lensch, "Edge-avoiding a-trous wavelet transform" (HPG 2010).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from apochromat.develop.denoise_best import filtered_best
from apochromat.develop.denoise_variance import relative_variance, stabilisation
from apochromat.develop.dng_color import as_shot_neutral
from apochromat.develop.noise_estimate import estimate_noise
from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.native import kernels

_COLOR = (0, 1, 1, 2)  # colour of each CFA position
_LEFT = {"fast": 0.035, "best": 0.0025}  # share of a flat area's variance left by the filter itself
_SMOOTH, _SMOOTH_ENERGY = 0.25, 0.1406  # mean and mean square response of the 3x3 binomial that sets chroma apart from fine detail


class DenoiseParams(Params):
    quality: Literal["fast", "best"] = parameter(
        "fast", "fast: for every picture; best: for the night, finer and about twenty times slower"
    )
    luminance: float = parameter(0.5, "Share of the brightness noise to take out; what stays is fine, even grain", ge=0, le=1)
    chroma: float = parameter(1.0, "Share of the colour noise to take out, up to blotches 90 pixels wide", ge=0, le=1)
    detail: float = parameter(0.5, "How alike two places must be to be averaged: higher keeps more faint texture and noise", ge=0, le=1)


def run(development: Development, params: DenoiseParams) -> Development:
    """Take noise out of the mosaic; linear RGB and monochrome frames pass, and so does every frame at luminance and chroma 0.

    Fills in `noise` where the file has none. Afterwards `noise` is what is left in flat areas; texture and edges keep more.
    """
    mosaic, noise = development.mosaic, development.noise
    if mosaic is None:
        return development
    if noise is None:
        noise = estimate_noise(mosaic, development.gain)
        development = replace(development, noise=noise).with_facts(noise_estimated=True)
    if params.luminance == params.chroma == 0 or not max(noise.scale.max(), noise.offset.max()) > 0:
        return development
    left = remaining_variance(params.luminance, params.chroma, params.quality)
    filtered = _filtered(development, mosaic, params)
    return replace(development, mosaic=filtered, noise=noise.scaled(left))


def _filtered(development: Development, mosaic: np.ndarray, params: DenoiseParams) -> np.ndarray:
    """The mosaic after the filter, a new array."""
    asked: dict[str, float | np.ndarray] = {"luminance": params.luminance, "chroma": params.chroma, "neutral": _neutral(development)}
    if params.quality == "fast":
        return _fast(development, mosaic, params.detail, asked)
    pilot = _fast(development, mosaic, 0.0, {**asked, "luminance": 1.0, "chroma": 1.0})
    return filtered_best(development, pilot, 1.5 * 0.25**params.detail, asked)


def _neutral(development: Development) -> np.ndarray:
    """Camera value of white and its inverse (4, 2) per CFA position, float32."""
    neutral = as_shot_neutral(development.frame.profile)[list(_COLOR)]
    return np.stack([neutral, 1 / neutral], axis=1).astype(np.float32)


def _fast(development: Development, mosaic: np.ndarray, detail: float, asked: dict[str, float | np.ndarray]) -> np.ndarray:
    """The mosaic after the fast filter, a new array."""
    height, width = mosaic.shape
    cells = (height // 2, 2, width // 2, 2)
    assert development.noise is not None
    filtered = np.empty_like(mosaic)
    kernels.denoise(
        mosaic=mosaic.reshape(cells),
        lines=development.gain.lines(width),
        knot=development.gain.rows_table(height),
        stabilise=stabilisation(development.noise),
        tolerance=3.0 * 0.25**detail,
        output=filtered.reshape(cells),
        **relative_variance(development, (height // 2, width // 2)),
        **asked,
    )
    return filtered


def remaining_variance(luminance: float, chroma: float, quality: str = "fast") -> float:
    """Share of the noise variance left in flat areas: luma and green difference, and the two chroma, each half of a cell's noise."""
    kept, more = 1 - luminance, chroma - luminance
    in_chroma = kept**2 - 2 * kept * more * _SMOOTH + more**2 * _SMOOTH_ENERGY
    return min(1.0, (kept**2 + in_chroma) / 2 + _LEFT[quality] * max(luminance, chroma))


STAGE = Stage(
    name="denoise",
    order=50,
    summary="Noise reduction on the mosaic, driven by the noise model, luminance and chroma apart",
    params=DenoiseParams,
    run=run,
    source="Buades 2005; Milanfar 2013; Dammertz 2010",
    neutral={"luminance": 0.0, "chroma": 0.0},
)
