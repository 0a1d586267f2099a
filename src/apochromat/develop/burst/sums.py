"""The merge as it grows: sums of samples and weights, and how the merged pixels saw the picture. Frames come and go one at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apochromat.develop.burst.planes import UNLIMITED
from apochromat.develop.burst.trust import TILE, grid, tile_means
from apochromat.native import kernels

TAPS = 6  # pixels -2 .. 3 around each pixel
ISOLATED = 0.02  # weight of a sample that stands out from all around it: enough where every frame has it there, next to nothing else
ALIKE = 1.1  # frames that clip at lights which differ by less are of one level
LEAST = 0.05  # frames: where nothing but clipped samples is left
NO_NEXT = 1e30  # weight that no pixel reaches


@dataclass
class Level:
    """Frames of about one exposure, which clip at light `reach` on the common scale.

    `seen` (rows, columns, 4, 6, 6) is how the pixels of each tile and CFA position saw the picture through them; `trusted` and `squared`
    (rows, columns) are the sums of the tiles' weights and of their squares times the frames' noise relative to the reference's.
    """

    reach: float
    seen: np.ndarray
    trusted: np.ndarray
    squared: np.ndarray


@dataclass
class Sums:
    """`light` is (2, H/2, 2, W/2, 2): sums of weight times light and of weight over the cells of the mosaic.

    `levels`, those that clip last first: where the frames of a level count, all those before do, so that a pixel's weight tells which.
    """

    light: np.ndarray
    levels: list[Level] = field(default_factory=list)

    @classmethod
    def empty(cls, height: int, width: int) -> Sums:
        """No frame yet, for a mosaic of this even size."""
        return cls(np.zeros((2, height // 2, 2, width // 2, 2), np.float32))

    def add(
        self,
        samples: np.ndarray,
        flow: np.ndarray,
        trust: np.ndarray,
        gain: float = 1.0,
        reach: float = UNLIMITED,
        relative: np.ndarray | float = 1.0,
        clipped: float = 0.0,
        dark: float = 0.0,
    ) -> None:
        """Add a frame's samples (as of `planes`) displaced by `flow` (rows, columns, 2) pixels, `trust` how far its tiles are believed.

        gain: from the samples' light to the common scale. reach: the light on it at which the frame clips. relative: the variance of the
        frame's noise on the common scale over the reference's; noisier frames weigh less. clipped:
        the weight of clipped samples; they should count for one frame, where there is nothing else.
        dark: value of the samples below which they show no contrast, in a bracket; 0 else.
        """
        flow, weight = np.ascontiguousarray(flow, np.float32), np.ascontiguousarray(trust / relative, np.float32)
        level = self._level(reach)
        given: dict[str, Any] = {"samples": samples, "flow": flow, "trust": weight, "before": self.light, "sums": self.light}
        given |= {"gain": gain, "isolated": ISOLATED, "clipped": clipped}
        if dark > 0:
            kernels.burst_add_edges(**given, dark=dark)
        else:
            kernels.burst_add(**given)
        kernels.burst_spread(flow=flow, trust=weight, before=level.seen, seen=level.seen)
        level.trusted += weight
        level.squared += np.square(weight, dtype=np.float64) * relative

    def _level(self, reach: float) -> Level:
        """The level of frames that clip there, made if there is none."""
        for level in self.levels:
            if max(level.reach, reach) < ALIKE * min(level.reach, reach):
                return level
        tiles = grid(*self.shape)
        made = Level(reach, np.zeros((*tiles, 4, TAPS, TAPS), np.float32), np.zeros(tiles), np.zeros(tiles))
        self.levels = sorted([*self.levels, made], key=lambda level: -level.reach)
        return made

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the mosaic."""
        return self.light.shape[1] * 2, self.light.shape[3] * 2

    @property
    def frames(self) -> np.ndarray:
        """Effective number of frames (rows, columns) float32: the variance of one over that of the weighted mean."""
        shares = self._shares()
        trusted = sum(share * level.trusted for share, level in zip(shares, self.levels, strict=True))
        squared = sum(share * level.squared for share, level in zip(shares, self.levels, strict=True))
        return np.maximum(np.square(trusted) / np.maximum(squared, 1e-9), LEAST).astype(np.float32)

    def _shares(self) -> list[np.ndarray | float]:
        """How far the frames of each level counted in a pixel of the tiles' mean variance; those that clip last always do."""
        if len(self.levels) == 1:
            return [1.0]
        weight = 1 / tile_means(1 / np.maximum(self.light[1].reshape(self.shape), LEAST), 2 * TILE)
        shares: list[np.ndarray | float] = [1.0]
        below = self.levels[0].trusted
        for level in self.levels[1:]:
            shares.append(np.clip((weight - below) / np.maximum(level.trusted, 1e-6), 0, 1))
            below = below + level.trusted
        return shares

    def mean(self) -> np.ndarray:
        """The merged mosaic (H, W), in the memory of the sums of light, which are used up."""
        light, weight = self.light
        np.maximum(weight, 1e-9, out=weight)
        return np.divide(light, weight, out=light).reshape(self.shape)
