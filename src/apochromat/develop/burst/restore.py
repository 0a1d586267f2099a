"""Detail that merging the nearest samples softened, put back where it is certain.

The merged pixel is the mean of samples up to a pixel away, so it saw the picture through a small kernel that is known. Subtracting
what an estimate of the picture loses through the same kernel undoes it (back-projection, Irani & Peleg, "Improving resolution by image
registration", 1991). The estimate keeps only what stands above the noise (kernels/burst_pilot.py), so that nothing changes in flat
areas: their noise stays as white as the sensor's.
"""

from __future__ import annotations

import numpy as np

from apochromat.develop.burst.sums import NO_NEXT, Sums
from apochromat.develop.demosaic import demosaic
from apochromat.light.noise import NoiseModel
from apochromat.native import kernels

THRESHOLDS = (4.2, 4.5)  # standard deviations, one for each round
LEAST = 1e-9  # variance
LEAST_TRUST = 1e-3  # well above the weight of clipped samples, which nothing is known of
BEYOND = 0.1  # of the range of merged samples around a pixel: so far may it go beyond them in a bracket, where lamps meet the dark
SHORT = 0.8  # of what a pixel's frames were trusted with: where its weight falls short of this, too many end there to know what it saw


def restore(merged: np.ndarray, sums: Sums, noise: NoiseModel, neutral: np.ndarray, dark: float) -> np.ndarray:
    """The merged RGGB mosaic (H, W) as sharp as a single frame, a new array.

    sums: what was merged; its levels are used up. noise: of one frame. neutral: (3,) camera value of white. dark:
    value below which samples show no contrast.
    """
    height, width = merged.shape
    frames, through = sums.frames, _kernels(sums)
    cells = (height // 2, 2, width // 2, 2)
    balance = (1 / neutral[[0, 1, 1, 2]]).astype(np.float64)
    model = np.array([np.mean(balance * noise.scale[[0, 1, 1, 2]]), np.mean(balance**2 * noise.offset[[0, 1, 1, 2]])])
    in_black = max(float(model[1]) / float(np.median(frames)), LEAST)
    restored, pilot = merged, np.empty(cells, np.float32)
    for threshold in THRESHOLDS:
        kernels.burst_pilot(
            mosaic=restored, balance=balance.reshape(2, 2).astype(np.float32), noise=model.astype(np.float32),
            frames=frames, threshold=threshold, pilot=pilot,
        )  # fmt: skip
        picture = demosaic(pilot.reshape(height, width), noise=in_black).transpose(2, 0, 1)
        if restored is merged:
            restored = np.empty_like(merged)
        for n, level in enumerate(through):
            kernels.burst_restore(
                merged=(restored if n else merged).reshape(cells), weight=sums.light[1], picture=picture, scale=neutral.astype(np.float32),
                restored=restored.reshape(cells), **level,
            )  # fmt: skip
        del picture  # before there are two
        if len(through) > 1:
            within = restored.reshape(cells)
            kernels.burst_limit(merged=merged.reshape(cells), restored=within, beyond=BEYOND, dark=dark, limited=within)
    return restored


def _kernels(sums: Sums) -> list[dict[str, np.ndarray]]:
    """For every level how the pixels saw the picture through its frames and all that clip later, and at which weights they did."""
    trusted = np.cumsum([level.trusted for level in sums.levels], axis=0)
    weights = list(np.maximum(trusted, LEAST_TRUST).astype(np.float32))
    steps = [SHORT * weights[0], *weights, np.full_like(weights[0], NO_NEXT)]
    for before, level in zip(sums.levels, sums.levels[1:], strict=False):
        level.seen += before.seen
    for level, weight in zip(sums.levels, weights, strict=True):
        level.seen /= weight[..., None, None, None]
    return [{"seen": level.seen, "below": steps[n], "trusted": steps[n + 1], "above": steps[n + 2]} for n, level in enumerate(sums.levels)]
