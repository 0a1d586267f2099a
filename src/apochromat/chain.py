"""The developing wing in one page: RawFrame -> stages in order -> Rendition.

Each stage is a module of `develop` or `look` that defines STAGE; adding one needs no edit here. Stages up to demosaic work on the
mosaic with kernels of their own; the later ones gather arguments for one fused finishing kernel, in which a stage that has not
contributed is an exact identity. So any stage's result can be taken out (`until`) without compiling anything new.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from apochromat.develop.geometry import picture_box
from apochromat.develop.stage import Params, Stage
from apochromat.light.development import Development
from apochromat.light.raw_frame import RawFrame
from apochromat.light.rendition import Rendition
from apochromat.native import kernels

Recipe = Mapping[str, Mapping[str, Any]]
RENDERINGS = ("natural", "neutral")
VECTOR = 16  # the finishing kernel's rows are at least one vector wide


@cache
def _stage_modules() -> tuple[Any, ...]:
    rooms = [importlib.import_module(f"apochromat.{room}") for room in ("develop", "look")]
    names = [f"{room.__name__}.{m.name}" for room in rooms for m in pkgutil.iter_modules(room.__path__)]
    modules = [m for m in map(importlib.import_module, names) if hasattr(m, "STAGE")]
    return tuple(sorted(modules, key=lambda m: m.STAGE.order))


def stages() -> list[Stage]:
    """Every stage, in the order in which they run."""
    return [m.STAGE for m in _stage_modules()]


def stage(name: str) -> Stage:
    """The stage of that name; KeyError if there is none."""
    return {s.name: s for s in stages()}[name]


def parameters(recipe: Recipe | None = None, rendering: str = "natural") -> dict[str, Params]:
    """Validated parameters of every stage: its defaults, then `rendering`, then `recipe`.

    Raises KeyError for an unknown stage, pydantic.ValidationError for an unknown parameter or a value out of range.
    """
    if rendering not in RENDERINGS:
        raise ValueError(f"rendering must be one of {', '.join(RENDERINGS)}, found {rendering!r}")
    recipe = recipe or {}
    known = stages()
    for name in recipe:
        if name not in {s.name for s in known}:
            raise KeyError(name)
    base = {s.name: (s.neutral or {}) if rendering == "neutral" else {} for s in known}
    return {s.name: s.params(**{**base[s.name], **recipe.get(s.name, {})}) for s in known}


def develop(
    frame: RawFrame,
    recipe: Recipe | None = None,
    *,
    until: str | None = None,
    rendering: str = "natural",
    bits: int = 8,
    tap: Callable[[Stage, Params, Development], None] | None = None,
) -> Rendition:
    """Develop one RAW frame.

    frame: as `apochromat.read` gives it. recipe: {stage: {parameter: value}} over the defaults. until: leave after this stage, linear.
    rendering: "natural", or "neutral" for measuring (camera exposure; no tone curve, sharpening or noise reduction). bits: 8 or 16,
    the depth of a finished picture's codes. tap: called after every stage with the stage, its parameters and the development.

    Returns a Rendition, upright. Raises KeyError for unknown stage names, pydantic.ValidationError for bad parameters.
    """
    chosen = parameters(recipe, rendering)
    if until is not None and until not in chosen:
        raise KeyError(until)
    development, last = Development(frame=frame, noise=frame.noise), stages()[-1]
    for current in stages():
        development = current.run(development, chosen[current.name])
        if tap:
            tap(current, chosen[current.name], development)
        if current.name == until:
            last = current
            break
    picture = rendition(development, last, bits)
    used = {name: p.model_dump(mode="json") for name, p in chosen.items()}
    notes = tuple(dict.fromkeys((*frame.notes, *development.notes)))
    return Rendition(picture.pixels, picture.space, picture.state, frame.metadata, used, notes)


def rendition(development: Development, last: Stage, bits: int = 8) -> Rendition:
    """The picture as it stands after stage `last`: a mosaic, camera RGB, linear Rec.2020, or the finished codes."""
    frame, (top, left) = development.frame, development.origin
    y, x = frame.crop.top - top, frame.crop.left - left
    window = np.s_[..., y : y + frame.crop.height, x : x + frame.crop.width]
    if development.rgb is None:
        source = development.mosaic if development.mosaic is not None else frame.samples.astype(np.float32)
        return Rendition(source[window] if development.mosaic is not None else source, "camera", "linear")
    if not development.finish:
        return Rendition(upright(development.rgb[window].transpose(1, 2, 0), frame.orientation), "camera", "linear")
    finished = last is stages()[-1]
    pixels: np.ndarray = _finish(development, np.uint8 if finished and bits == 8 else np.float32)
    if finished and bits == 16:
        pixels = np.rint(pixels * 65535).astype(np.uint16)
    space = development.facts.get("output_space", "srgb") if finished else "rec2020"
    return Rendition(upright(pixels, frame.orientation), space, "display" if finished else "linear")


def _finish(development: Development, dtype: type) -> np.ndarray:
    """Run the finishing kernel over the picture; stages that gathered nothing are off."""
    off = {k: v for m in _stage_modules() for k, v in getattr(m, "OFF", {}).items()}
    box = picture_box(development)
    pixels: np.ndarray = np.empty((box.height, max(box.width, VECTOR), 3), dtype)
    kernel = kernels.finish_u8 if dtype == np.uint8 else kernels.finish_f32
    kernel(rgb=development.rgb, left=box.left, top=box.top, output=pixels, **{**off, **development.finish})
    return pixels[:, : box.width]


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture stored with this EXIF orientation (1..8) upright, as a contiguous array."""
    pixels = np.ascontiguousarray(pixels)
    whole = pixels.view(f"V{pixels.strides[1]}") if pixels.ndim == 3 else pixels  # a pixel is moved as one item: twice as fast
    turned = whole.swapaxes(0, 1) if orientation >= 5 else whole
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    turned = np.ascontiguousarray(turned[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])
    return turned.view(pixels.dtype).reshape(*turned.shape[:2], *pixels.shape[2:])
