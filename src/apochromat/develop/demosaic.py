"""Demosaic: the two colours that every pixel of the mosaic lacks.

Directional colour differences blended without thresholds after Pekkucuksen & Altunbasak, "Gradient based threshold free color filter
array interpolation" (ICIP 2010) and "Multiscale gradients-based color filter array interpolation" (IEEE Trans. Image Processing 22,
2013), from the estimates of Hamilton & Adams (US 5629734, 1997), with a refinement of green after Menon, Andriani & Calvagno,
"Demosaicing with directional filtering and a posteriori decision" (IEEE Trans. Image Processing 16, 2007). It all happens after the
samples went to the power 3/4, between light, where the colours of a shaded surface keep their ratio, and lightness, where they keep
their difference. kernels/demosaic.py has the steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apochromat.develop.stage import Params, Stage
from apochromat.light.development import Development
from apochromat.native import kernels

_PADDING = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}  # rows and columns before the first red sample


class DemosaicParams(Params):
    """No parameters: what is an edge follows from the noise."""


def run(development: Development, params: DemosaicParams) -> Development:
    """Camera RGB (3, H, W) in place of the mosaic; linear RGB and monochrome frames pass."""
    if development.mosaic is None:
        return development
    noise, wb = development.noise, development.wb
    in_black = 0.0 if noise is None else float(np.mean(np.square(wb) * noise.offset))
    return replace(development, mosaic=None, rgb=_planes(development.mosaic, in_black))


def demosaic(mosaic: np.ndarray, pattern: str = "RGGB", noise: float = 1e-8) -> np.ndarray:
    """Camera RGB (H, W, 3) float32 of a white-balanced, linear mosaic (H, W), at least 4 x 4, of any scale; values are not clipped.

    pattern: "RGGB", "GRBG", "GBRG" or "BGGR", the colours of the top left 2 x 2 samples by rows. noise: variance of the samples in black,
    at least 1e-9; differences much below it count for nothing. The result scales with the mosaic when the variance scales with its square.
    Raises ValueError for another pattern or shape.
    """
    if pattern not in _PADDING:
        raise ValueError(f"expected one of the mosaics {', '.join(_PADDING)}, found {pattern!r}")
    if mosaic.ndim != 2 or min(mosaic.shape) < 4:
        raise ValueError(f"expected a mosaic (H, W) of at least 4 x 4 samples, found the shape {mosaic.shape}")
    (top, left), (height, width) = _PADDING[pattern], mosaic.shape
    padding = ((top, (height + top) % 2), (left, (width + left) % 2))
    planes = _planes(np.pad(np.asarray(mosaic, np.float32), padding, "reflect"), noise)
    return planes[:, top : top + height, left : left + width].transpose(1, 2, 0)


def _planes(mosaic: np.ndarray, variance: float) -> np.ndarray:
    """Camera RGB (3, H, W) of an RGGB mosaic of even size."""
    height, width = mosaic.shape
    rgb = np.empty((3, height, width), np.float32)
    kernels.demosaic(mosaic=np.ascontiguousarray(mosaic), noise=variance, rgb=rgb.reshape(3, height // 2, 2, width // 2, 2))
    return rgb


STAGE = Stage(
    name="demosaic",
    order=90,
    summary="Full colour at every pixel: directional colour differences, blended softly",
    params=DemosaicParams,
    run=run,
    source="Pekkucuksen & Altunbasak 2010, 2013; Menon 2007",
)
