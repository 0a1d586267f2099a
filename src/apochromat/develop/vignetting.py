"""Vignetting: the gains of OpcodeList3 and the lens's known fall-off, on the picture as geometry left it.

Source: DNG Specification 1.7, chapter 7 (FixVignetteRadial, GainMap); lensfun's radial model where geometry took the lens from it. A gain
that the list puts before a warp is evaluated at the place the warp reads from. The gain goes to the finishing kernel as knots of a cubic
spline every 32 pixels. GainMaps and value maps that open the list are applied to the pixels themselves: their kinks are kept exactly.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

import numpy as np

from apochromat.develop import lens_profile
from apochromat.develop.apply_opcodes import Sight, covered, gain_field, mapped, multiply, refuse
from apochromat.develop.geometry import knots, light_path, trace
from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.light.opcodes import FixVignetteRadial, GainMap, MapPolynomial, MapTable, Opcode, TrimBounds, WarpRectilinear

OFF = {"vignette_gain": np.ones((3, 4, 4), np.float32)}


class VignettingParams(Params):
    """What may lift the corners."""

    opcodes: bool = parameter(True, "Apply the gains the file asks for (OpcodeList3)", label="File's gains")
    lensfun: bool = parameter(True, "Even out the lens's known fall-off where geometry found the lens in lensfun's data", label="Lens data")


def run(development: Development, params: VignettingParams) -> Development:
    """Gather the finishing kernel's gain; nothing where it is 1. ValueError for a required opcode that is not supported."""
    frame = development.frame
    opening = list(takewhile(lambda op: isinstance(op, GainMap | MapTable | MapPolynomial), frame.opcodes3))
    rest = frame.opcodes3[len(opening) :]
    known = GainMap | FixVignetteRadial | WarpRectilinear | TrimBounds
    left_out = [refuse(op, "OpcodeList3", frame.path) for op in rest if not isinstance(op, known)]
    development = replace(development, notes=(*development.notes, *left_out))
    if params.opcodes:
        for opcode in opening:
            development = _on_pixels(development, opcode)
    y, x, gain = _gain_knots(development, params, [op for op in rest if isinstance(op, known)])
    if np.all(gain == 1):
        return development
    total = development.gain.times(GainField(y, x, gain[[0, 1, 1, 2]]))
    return replace(development, gain=total).with_finish(vignette_gain=gain)


def _gain_knots(development: Development, params: VignettingParams, opcodes: list[Opcode]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Knot rows, knot columns and gain (3, rows, columns) float32 at the output pixels, along the path that geometry took."""
    moved = development.facts.get("geometry", {})
    movers = (WarpRectilinear, TrimBounds) if moved.get("opcodes") else (TrimBounds,)
    dimmers = (GainMap, FixVignetteRadial) if params.opcodes else ()
    profile = lens_profile.find(development.frame) if moved.get("lens") and params.lensfun else None
    steps = light_path(development, [op for op in opcodes if isinstance(op, movers + dimmers)], profile)
    (height, width), (oy, ox), (sh, sv) = development.shape, development.origin, development.frame.scale
    y, x = knots(round(height * sv)), knots(round(width * sh))
    gain = np.stack([trace(steps, c, y[:, None] + oy, x[None] + ox)[2] for c in range(3)])
    return y, x, gain.astype(np.float32)


def _on_pixels(development: Development, opcode: Opcode) -> Development:
    """Apply an opening opcode to camera RGB, in place; value maps see it without white balance, as the file means them."""
    assert development.rgb is not None, "vignetting runs after demosaic"
    sight = Sight(development.frame.active.height, development.frame.active.width, development.origin)
    for channel, plane in enumerate(development.rgb):
        if isinstance(opcode, GainMap):
            multiply(plane, gain_field(opcode, sight, channel))
        elif isinstance(opcode, MapTable | MapPolynomial) and 0 <= channel - opcode.area.plane < opcode.area.planes:
            area, white = covered(opcode.area, sight), np.float32(development.wb[channel])
            plane[area] = mapped(plane[area] / white, opcode, 1.0) * white
    if not isinstance(opcode, GainMap):
        return development
    fields = [gain_field(opcode, sight, channel) for channel in (0, 1, 1, 2)]
    if any(len(f.knots_y) != len(fields[0].knots_y) or len(f.knots_x) != len(fields[0].knots_x) for f in fields):
        return development
    field = replace(fields[0], gain=np.stack([f.gain[p] for p, f in enumerate(fields)]))
    return replace(development, gain=development.gain.times(field))


STAGE = Stage(
    name="vignetting",
    order=120,
    summary="The file's gains on the finished geometry, or the lens's known fall-off",
    params=VignettingParams,
    run=run,
    source="DNG Specification 1.7, chapter 7; lensfun",
)
