"""Detail that merging the nearest samples softened, put back where it is certain.

The merged pixel is the mean of samples up to a pixel away, so it saw the picture through a small kernel that is known. Subtracting
what an estimate of the picture loses through the same kernel undoes it (back-projection, Irani & Peleg, "Improving resolution by image
registration", 1991). The estimate keeps only what stands above the noise (kernels/burst_pilot.py), so that nothing changes in flat
areas: their noise stays as white as the sensor's.
"""

from __future__ import annotations

import numpy as np

from apochromat.develop.burst.sums import Sums
from apochromat.develop.demosaic import demosaic
from apochromat.light.noise import NoiseModel
from apochromat.native import kernels

THRESHOLDS = (4.2, 4.5)  # standard deviations, one for each round
LEAST = 1e-9  # variance


def restore(merged: np.ndarray, sums: Sums, noise: NoiseModel, neutral: np.ndarray) -> np.ndarray:
    """The merged RGGB mosaic (H, W) as sharp as a single frame, a new array.

    sums: what was merged; its kernels are used up. noise: of one frame. neutral: (3,) camera value of white.
    """
    height, width = merged.shape
    frames, trusted = np.maximum(sums.frames, 1), np.maximum(sums.trusted, 1e-6).astype(np.float32)
    sums.seen /= trusted[..., None, None, None]
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
        restored = np.empty_like(merged)
        kernels.burst_restore(
            merged=merged.reshape(cells), weight=sums.light[1], trusted=trusted, picture=picture, scale=neutral.astype(np.float32),
            seen=sums.seen, restored=restored.reshape(cells),
        )  # fmt: skip
    return restored
