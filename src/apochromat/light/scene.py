"""What stands in front of the camera: spectral radiance in layers of depth, through a basis of few spectra."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layer:
    """What lies at one distance.

    coefficients (K, H, W) float32: radiance L(λ) = sum over k of coefficients[k] * basis[k], already multiplied by the cover.
    cover (H, W) float32 in 0..1: how much of a cell the layer hides of what lies behind it; None: all of it.
    """

    coefficients: np.ndarray
    distance_m: float  # np.inf: far
    cover: np.ndarray | None = None
    moves: bool = False  # a moving object: displaced from frame to frame by the shot's motion of the subject

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        height, width = self.coefficients.shape[1:]
        return height, width

    def painted(self) -> Layer:
        """The layer itself."""
        return self


@dataclass(frozen=True)
class Unpainted:
    """A layer of (H, W) cells that is painted when it is asked for, and then each time anew, so that scenes of many need not be held."""

    shape: tuple[int, int]
    distance_m: float
    paint: Callable[[], Layer]
    moves: bool = False

    def painted(self) -> Layer:
        """The layer, the same each time."""
        return self.paint()


@dataclass(frozen=True)
class Scene:
    """Spectral radiance W / (sr m^2 nm) in layers from far to near, (H, W) cells as a lens without distortion images them on the sensor.

    basis (K, 71): spectra on `light.spectrum.GRID_NM`. A cell holds the mean over its area. `illuminance_lx` is that of the reference
    plane named by `reference`, so that a perfect white diffuser there has the luminance illuminance / pi (cd/m^2). `light` (71,): the
    relative spectrum of the light that makes this white.
    """

    name: str
    basis: np.ndarray
    layers: tuple[Layer | Unpainted, ...]
    illuminance_lx: float
    reference: str
    light: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.layers[0].shape
