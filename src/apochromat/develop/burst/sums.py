"""The merge as it grows: sums of samples and weights, and how the merged pixels saw the picture. Frames come and go one at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.develop.burst.trust import grid
from apochromat.native import kernels

TAPS = 6  # pixels -2 .. 3 around each pixel
ISOLATED = 0.02  # weight of a sample that stands out from all around it: enough where every frame has it there, next to nothing else
UNLIMITED = 1e9


@dataclass
class Sums:
    """`light` is (2, H/2, 2, W/2, 2): sums of weight times light and of weight over the cells of the mosaic.

    `seen` (rows, columns, 4, 6, 6) is how the pixels of each tile and CFA position saw the picture; `trusted` and `squared` (rows,
    columns) are the sums of the tiles' weights and of their squares times the frames' noise relative to the reference's.
    """

    light: np.ndarray
    seen: np.ndarray
    trusted: np.ndarray
    squared: np.ndarray

    @classmethod
    def empty(cls, height: int, width: int) -> Sums:
        """No frame yet, for a mosaic of this even size."""
        tiles = grid(height, width)
        light = np.zeros((2, height // 2, 2, width // 2, 2), np.float32)
        return cls(light, np.zeros((*tiles, 4, TAPS, TAPS), np.float32), np.zeros(tiles), np.zeros(tiles))

    def add(
        self,
        samples: np.ndarray,
        flow: np.ndarray,
        trust: np.ndarray,
        gain: float = 1.0,
        limit: float = UNLIMITED,
        relative: np.ndarray | float = 1.0,
    ) -> None:
        """Add a frame's samples (as of `planes`) displaced by `flow` (rows, columns, 2) pixels, `trust` how far its tiles are believed.

        gain: from the samples' light to the common scale. limit: value at which samples count nothing, because they clip. relative: the
        variance of the frame's noise on the common scale over the reference's; noisier frames weigh less.
        """
        flow, weight = np.ascontiguousarray(flow, np.float32), np.ascontiguousarray(trust / relative, np.float32)
        kernels.burst_add(
            samples=samples, flow=flow, trust=weight, gain=gain, limit=limit, isolated=ISOLATED,
            before=self.light, sums=self.light,
        )  # fmt: skip
        kernels.burst_spread(flow=flow, trust=weight, before=self.seen, seen=self.seen)
        self.trusted += weight
        self.squared += np.square(weight, dtype=np.float64) * relative

    @property
    def frames(self) -> np.ndarray:
        """Effective number of frames (rows, columns) float32: the variance of one over that of the weighted mean."""
        return (np.square(self.trusted) / np.maximum(self.squared, 1e-9)).astype(np.float32)

    def mean(self) -> np.ndarray:
        """The merged mosaic (H, W)."""
        light, weight = self.light
        height, width = light.shape[0] * 2, light.shape[2] * 2
        return (light / np.maximum(weight, 1e-6)).reshape(height, width)
