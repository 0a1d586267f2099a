"""Noise reduction for the night: non-local Bayes, led by the fast filter, at four scales.

Sources: Lebrun, Buades & Morel, "A nonlocal Bayesian image denoising algorithm" (SIAM J. Imaging Sciences 6, 2013), its second step with
soft groups; the scales after Facciolo, Pierazzo & Morel, "Conservative scale recomposition for multiscale denoising" (SIAM J. Imaging
Sciences 10, 2017); Anscombe's transform and back after Makitalo & Foi (IEEE TIP 22, 2013).
"""

from __future__ import annotations

import numpy as np

from apochromat.develop.denoise_variance import relative_variance, stabilisation
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.native import kernels

_MARGIN = 6  # cells that a patch reads beyond itself
_ALIGNED = 16  # width in patches that every instruction set's vectors divide
_SCALES = 4
_COARSE = 1.3  # strength at the coarser scales: blotches go more thoroughly than grain
_LEAST = 12  # cells each way of a scale worth filtering
_TILE = 16  # cells in a sum of kernels/denoise_residual.py
_SPREAD = 128  # px over which the mean light is kept


def filtered_best(development: Development, pilot: np.ndarray, strength: float, blending: dict[str, float | np.ndarray]) -> np.ndarray:
    """The mosaic (H, W) after the filter, a new array.

    pilot: the mosaic after the fast filter at full effect. strength: variance that counts as noise, over that of the noise model.
    blending: what the kernel denoise_blend needs besides.
    """
    mosaic = development.mosaic
    assert mosaic is not None
    noisy, guide = _planes(development, mosaic), _planes(development, pilot)
    planes = _scale(development, noisy, guide, mosaic.shape[0] // 2, mosaic.shape[1] // 2, strength, 0)
    del noisy, guide
    light = {**_facts(development, mosaic), "planes": planes, **relative_variance(development, planes.shape[1:])}
    kept = mean_light(_taken(light, mosaic), mosaic.shape)
    output = np.empty_like(mosaic)
    kernels.denoise_blend(
        **light,
        mean_lines=kept.lines(mosaic.shape[1]),
        mean_knot=kept.rows_table(mosaic.shape[0]),
        output=_cells(output),
        **blending,
    )
    return output


def _cells(mosaic: np.ndarray) -> np.ndarray:
    """A view by cells: (cell rows, 2, cell columns, 2)."""
    return mosaic.reshape(mosaic.shape[0] // 2, 2, mosaic.shape[1] // 2, 2)


def _facts(development: Development, mosaic: np.ndarray) -> dict[str, np.ndarray]:
    """A mosaic with its gain and transform, as the kernels take it."""
    assert development.noise is not None
    return {
        "mosaic": _cells(mosaic),
        "lines": development.gain.lines(mosaic.shape[1]),
        "knot": development.gain.rows_table(mosaic.shape[0]),
        "stabilise": stabilisation(development.noise),
    }


def _widened(width: int) -> int:
    """Width of planes whose patches, one more, fill whole vectors."""
    return -(-(width + 1) // _ALIGNED) * _ALIGNED - 1


def _planes(development: Development, mosaic: np.ndarray) -> np.ndarray:
    """Stabilised planes (4, rows, columns) of a mosaic with their margin, mirrored."""
    height, width = mosaic.shape[0] // 2, _widened(mosaic.shape[1] // 2)
    planes = np.empty((4, height + 2 * _MARGIN, width + 2 * _MARGIN), np.float32)
    kernels.denoise_planes(**_facts(development, mosaic), margin=_MARGIN, output=planes)
    return planes


def _scale(
    development: Development, noisy: np.ndarray, guide: np.ndarray, height: int, width: int, strength: float, scale: int
) -> np.ndarray:
    """Planes (4, height, width) filtered at this scale and, of what is coarser, at the scales above it."""
    fine = np.empty((4, height, _widened(width)), np.float32)
    patches = relative_variance(development, (height + 1, fine.shape[2] + 1), 2 << scale, -1)
    kernels.denoise_bayes(noisy=noisy, pilot=guide, variance=strength * (_COARSE if scale else 1) * 0.25**scale, output=fine, **patches)
    fine = np.ascontiguousarray(fine[:, :, :width])  # compiled kernels take whole arrays only
    if scale + 1 == _SCALES or min(height, width) < 2 * _LEAST:
        return fine
    inner = np.s_[:, _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    before, pilot = halved(noisy[inner]), halved(fine)
    coarse = _scale(development, _margined(before), _margined(pilot), pilot.shape[1], pilot.shape[2], strength, scale + 1)
    whole = np.empty((4, height, width), np.float32)
    kernels.denoise_raise(fine=fine, coarse=coarse - pilot, output=whole)
    return whole


def halved(planes: np.ndarray) -> np.ndarray:
    """Means of 2x2 places; an odd last row or column counts twice."""
    planes = planes[:, 0::2] + np.concatenate([planes[:, 1::2], planes[:, -1:]], 1)[:, : -(-planes.shape[1] // 2)]
    planes = planes[:, :, 0::2] + np.concatenate([planes[:, :, 1::2], planes[:, :, -1:]], 2)[:, :, : -(-planes.shape[2] // 2)]
    return planes * np.float32(0.25)


def _margined(planes: np.ndarray) -> np.ndarray:
    """Planes with their margin, mirrored."""
    more = _widened(planes.shape[2]) - planes.shape[2]
    return np.pad(planes, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN + more)), "symmetric")


def _taken(light: dict[str, np.ndarray], mosaic: np.ndarray) -> np.ndarray:
    """Light taken out, summed over tiles: (4, rows, columns)."""
    height, width = (max(2, -(-n // (2 * _TILE))) for n in mosaic.shape)
    sums = np.empty((4, height, width), np.float32)
    kernels.denoise_residual(**light, sums=sums)
    return sums


def mean_light(sums: np.ndarray, shape: tuple[int, ...]) -> GainField:
    """A smooth field over a mosaic with the sums (4, rows, columns) over tiles spread evenly between knots: in all it has their sum.

    Averages of samples are unbiased and those of their roots are not, and what looks alike is not always: over 128 pixels each way the
    filter keeps the light that it was given.
    """
    knots, hats, tiled = [], [], []
    for length, tiles in zip(shape, sums.shape[1:], strict=True):
        at = np.linspace(0, length, max(1, round(length / _SPREAD)) + 1)
        each = np.stack([np.interp(np.arange(length), at, row) for row in np.eye(len(at))])
        tile = np.arange(length // 2) // _TILE == np.arange(tiles)[:, None]
        knots.append(at)
        hats.append([each[:, parity::2].sum(1) for parity in (0, 1)])
        tiled.append([each[:, parity::2] @ tile.T / np.maximum(tile.sum(1), 1) for parity in (0, 1)])
    light = [tiled[0][p // 2] @ sums[p].astype(np.float64) @ tiled[1][p % 2].T for p in range(4)]
    share = [np.outer(hats[0][p // 2], hats[1][p % 2]) for p in range(4)]
    return GainField(knots[0], knots[1], np.divide(light, share).astype(np.float32))
