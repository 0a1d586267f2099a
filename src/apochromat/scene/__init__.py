"""What stands in front of the camera: built-in scenes made at any size from a seed, and pictures with a stated luminance.

A built-in scene is one file of `scene/library` that defines SCENE; a new one needs no edit elsewhere.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

import numpy as np

from apochromat.light.scene import Scene
from apochromat.light.spectra import illuminant
from apochromat.scene import library
from apochromat.scene.canvas import Frame
from apochromat.scene.errors import SceneError
from apochromat.scene.image import image_scene
from apochromat.scene.kind import SceneKind

__all__ = ["SceneError", "SceneKind", "image_scene", "make_scene", "scene_kind", "scene_names"]
MOST_LUX = 2e5  # direct sun is 1e5


@cache
def _kinds() -> dict[str, SceneKind]:
    modules = [importlib.import_module(f"{library.__name__}.{m.name}") for m in pkgutil.iter_modules(library.__path__)]
    return {m.SCENE.name: m.SCENE for m in modules if hasattr(m, "SCENE")}


def scene_names() -> list[str]:
    """Names of the built-in scenes, sorted."""
    return sorted(_kinds())


def scene_kind(name: str) -> SceneKind:
    """What a built-in scene declares: help, light, lux, reference plane. SceneError names the nearest for an unknown name."""
    if name not in _kinds():
        near = difflib.get_close_matches(name, scene_names(), 1) or scene_names()
        raise SceneError(f"expected a scene among {', '.join(scene_names())}, found {name!r}; the nearest is {near[0]}")
    return _kinds()[name]


def make_scene(
    name: str, height: int, width: int, *, seed: int = 0, lux: float | None = None, light: str | None = None, painted: bool = True
) -> Scene:
    """A built-in scene of height x width cells.

    seed: another seed, another picture of the same kind. lux: illuminance of the reference plane, above 0 to 2e5, every radiance scaled
    with it; None: the scene's own. light: name of the light on the reference plane as in `light.spectra.illuminant`; None: its own.
    painted: False leaves layers of scenes of several to be painted when they are asked for.
    Raises SceneError for an unknown name or a number out of range, SpectrumError for an unknown light.
    """
    kind = scene_kind(name)
    lux = kind.lux if lux is None else lux
    if not (np.isfinite(lux) and 0 < lux <= MOST_LUX):
        raise SceneError(f"expected an illuminance above 0 and up to {MOST_LUX:g} lx for {name}, found {lux!r}")
    if min(height, width) < 16:
        raise SceneError(f"expected at least 16 x 16 cells for {name}, found {height} x {width}")
    spectrum = illuminant(light or kind.light)
    painting = kind.paint(Frame(height, width), spectrum, np.random.default_rng(seed))
    basis = painting.palette * (lux / np.pi)
    layers = tuple(layer.painted() for layer in painting.layers) if painted else painting.layers
    return Scene(name, basis, layers, float(lux), kind.reference, spectrum, painting.notes)
