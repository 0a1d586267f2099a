"""Sensor noise as a number: variance = scale * signal + offset, per colour plane."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

CELL = 16  # px of the active area in a cell of `frames`, each way


@dataclass(frozen=True)
class NoiseModel:
    """Variance of a sample of value s (black subtracted, 1.0 = white level): scale * s + offset (DNG NoiseProfile).

    `scale` and `offset` are (3,) for R, G, B (or (1,) monochrome), before any gain. After a gain g on the signal the variance at
    the new value s' = g*s is g*scale*s' + g*g*offset.

    `frames`, where noise differs over the picture (merged bursts): effective number of frames averaged into each cell of 16 x 16 px of
    the active area, float32 (ceil(height / 16), ceil(width / 16)), above 0; None where noise is uniform. `scale` and `offset` are then
    those of the median count, and the variance at a place is median(frames) / frames times theirs.
    """

    scale: np.ndarray
    offset: np.ndarray
    frames: np.ndarray | None = None

    def variance(self, signal: np.ndarray | float, gain: np.ndarray | float, plane: int) -> np.ndarray:
        """Variance of plane `plane` at values `signal` reached after `gain`, where the number of frames is the median one."""
        return gain * self.scale[plane] * np.maximum(signal, 0) + np.square(gain) * self.offset[plane]

    def scaled(self, share: np.ndarray | float) -> NoiseModel:
        """The model of `share` times the variance (a number, or one per plane), everywhere."""
        return replace(self, scale=self.scale * share, offset=self.offset * share)

    def relative_variance(self) -> np.ndarray:
        """Variance of each cell over that of the median cell, float32 (h, w); (1, 1) of 1 where noise is uniform.

        Raises ValueError where a number of frames is not a positive number.
        """
        if self.frames is None:
            return np.ones((1, 1), np.float32)
        if not (np.isfinite(self.frames) & (self.frames > 0)).all():
            raise ValueError(f"expected effective numbers of frames above 0, found {np.min(self.frames)} to {np.max(self.frames)}")
        return (np.median(self.frames) / self.frames).astype(np.float32)
