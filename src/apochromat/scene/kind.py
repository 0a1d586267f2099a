"""How a built-in scene is declared: one file that defines SCENE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from apochromat.light.scene import Layer, Unpainted
from apochromat.scene.canvas import Frame


@dataclass(frozen=True)
class Painting:
    """What a scene's painter gives: layers, far to near, whose coefficients (K, H, W) weigh `palette` (K, 71).

    A palette spectrum is light times reflectance, the light scaled to 1 cd/m^2: coefficient 1 of a white reflectance is then the
    radiance of a perfect white diffuser on the reference plane, whatever its illuminance.
    """

    palette: np.ndarray
    layers: tuple[Layer | Unpainted, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SceneKind:
    """A scene that can be made at any size from a seed.

    lux: illuminance on the reference plane unless another is asked for. light: name of the light on that plane. reference: what the
    plane is, in words. paint: frame, spectrum of that light (71,) at 1 cd/m^2, random numbers -> Painting. The painter draws its random
    numbers independently of the frame's size, so that another size shows the same picture.
    """

    name: str
    help: str
    lux: float
    light: str
    reference: str
    paint: Callable[[Frame, np.ndarray, np.random.Generator], Painting]
