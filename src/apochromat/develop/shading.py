"""OpcodeList2: lens shading and the file's other corrections of linear light (DNG Specification 1.7, chapter 7).

Opcodes run in their order on the active area. Gains are composed into one GainField, which multiplies the mosaic once and travels
on with it, because noise and clip level grow with the gain.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apochromat.develop.apply_opcodes import Sight, carry_out, covered, gain_field, is_gain, mapped, multiply, refuse, trimmed, within
from apochromat.develop.stage import Params, Stage
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.light.opcodes import FixBadPixelsConstant, FixVignetteRadial, GainMap, MapPolynomial, MapTable, Opcode, TrimBounds
from apochromat.light.raw_frame import Box

_POSITION_OF_PLANE = (0, 1, 3)  # CFA position that stands for R, G, B where there is no mosaic


class ShadingParams(Params):
    """No parameters: the file says what is to be done."""


def run(development: Development, params: ShadingParams) -> Development:
    """Apply the frame's OpcodeList2. ValueError for an unsupported opcode that is not optional."""
    pending = GainField.unity()
    for opcode in development.frame.opcodes2:
        if is_gain(opcode):
            pending = pending.times(_field(development, opcode))
            continue
        development, pending = _apply(_shade(development, pending), opcode), GainField.unity()
        _renew_padding(development)
    return _shade(development, pending)


def _sight(development: Development) -> Sight:
    return Sight(development.frame.active.height, development.frame.active.width, development.origin)


def _field(development: Development, opcode: GainMap | FixVignetteRadial) -> GainField:
    """The opcode's gain for the mosaic, or for the planes of an RGB image in the positions that stand for them."""
    sight = _sight(development)
    if development.mosaic is not None:
        return gain_field(opcode, sight)
    fields = [gain_field(opcode, sight, plane) for plane in range(3)]
    held = next((f for f in fields if not f.is_unity), fields[0])
    planes = [f if not f.is_unity else replace(held, gain=np.ones_like(held.gain)) for f in fields]
    return replace(held, gain=np.stack([planes[i].gain[_POSITION_OF_PLANE[i]] for i in (0, 1, 1, 2)]))


def _shade(development: Development, field: GainField) -> Development:
    """Multiply the image by a gain field, in place, and note it."""
    if field.is_unity:
        return development
    if development.mosaic is not None:
        multiply(development.mosaic, field)
    else:
        for plane, position in zip(development.planes, _POSITION_OF_PLANE, strict=True):
            multiply(plane, field.of_plane(position))
    return replace(development, gain=development.gain.times(field))


def _apply(development: Development, opcode: Opcode) -> Development:
    """Carry out one opcode that is not a smooth gain."""
    if isinstance(opcode, TrimBounds):
        return _trim(development, opcode)
    if carry_out(opcode, development.planes, _sight(development), 1.0, development.mosaic is not None):
        if isinstance(opcode, MapTable | MapPolynomial):
            return replace(development, saturation=_mapped_saturation(development, opcode))
        if not isinstance(opcode, GainMap):
            return development
        note = "a GainMap whose pitch cuts across the colour mosaic was applied, but noise and clip levels do not know of it"
    else:
        where = "OpcodeList2, after linearisation" if isinstance(opcode, FixBadPixelsConstant) else "OpcodeList2"
        note = refuse(opcode, where, development.frame.path)
    return replace(development, notes=(*development.notes, note))


def _mapped_saturation(development: Development, opcode: MapTable | MapPolynomial) -> np.ndarray:
    """The clip levels after a value map: those of CFA positions that lie in its area are mapped too."""
    rows, columns = covered(opcode.area, _sight(development))
    touched = [(p // 2 - rows.start) % rows.step == 0 and (p % 2 - columns.start) % columns.step == 0 for p in range(4)]
    return np.where(touched, mapped(development.saturation, opcode, 1.0), development.saturation)


def _renew_padding(development: Development) -> None:
    """Mirror the active area's edge again into the rows and columns that pad the mosaic."""
    if development.mosaic is None:
        return
    active, (oy, ox) = development.frame.active, development.origin
    for image, first, size in ((development.mosaic, -oy, active.height), (development.mosaic.T, -ox, active.width)):
        image[:first] = image[2 * first : first : -1]
        beyond = len(image) - first - size
        image[first + size :] = image[first + size - 2 : first + size - 2 - beyond : -1]


def _trim(development: Development, opcode: TrimBounds) -> Development:
    """Cut the image to the bounds; a mosaic keeps whole cells, so up to one row or column more on each side."""
    frame, sight = development.frame, _sight(development)
    box = within(Box(opcode.top, opcode.left, opcode.bottom, opcode.right), sight, frame.path)
    oy, ox = development.origin
    cell = 2 if development.mosaic is not None else 1
    top, left = (box.top - oy) // cell * cell, (box.left - ox) // cell * cell
    bottom, right = -((oy - box.bottom) // cell) * cell, -((ox - box.right) // cell) * cell
    kept = [np.ascontiguousarray(plane[top:bottom, left:right]) for plane in development.planes]
    changed = replace(
        development,
        frame=trimmed(frame, box),
        origin=(oy + top - box.top, ox + left - box.left),
        gain=development.gain.shifted(-top, -left),
    )
    clip = development.clip
    if clip is not None:
        clip = np.ascontiguousarray(clip[top // 2 : (bottom + 1) // 2, left // 2 : (right + 1) // 2])
    if development.mosaic is None:
        return replace(changed, clip=clip, rgb=np.stack(kept))
    return replace(changed, clip=clip, mosaic=kept[0])


STAGE = Stage(
    name="shading",
    order=30,
    summary="Lens shading and other corrections that the file asks for in linear light",
    params=ShadingParams,
    run=run,
    source="DNG Specification 1.7, chapter 7",
)
