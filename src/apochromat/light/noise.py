"""Sensor noise as a number: variance = scale * signal + offset, per colour plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NoiseModel:
    """Variance of a sample of value s (black subtracted, 1.0 = white level): scale * s + offset (DNG NoiseProfile).

    `scale` and `offset` are (3,) for R, G, B (or (1,) monochrome), before any gain. After a gain g on the signal the variance at
    the new value s' = g*s is g*scale*s' + g*g*offset.
    """

    scale: np.ndarray
    offset: np.ndarray

    def variance(self, signal: np.ndarray | float, gain: np.ndarray | float, plane: int) -> np.ndarray:
        """Variance of plane `plane` at values `signal` reached after `gain`."""
        return gain * self.scale[plane] * np.maximum(signal, 0) + np.square(gain) * self.offset[plane]
