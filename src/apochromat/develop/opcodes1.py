"""OpcodeList1: corrections of the numbers as stored, before anything else (DNG Specification 1.7, chapter 7).

Coordinates are those of the whole stored image; a CFA mosaic is one plane. A frame without such opcodes passes through uncopied.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apochromat.develop.apply_opcodes import Sight, carry_out, gain_field, is_gain, multiply, refuse, trimmed, within
from apochromat.develop.bad_pixels import repair
from apochromat.develop.stage import Params, Stage
from apochromat.light.development import Development
from apochromat.light.opcodes import FixBadPixelsConstant, Opcode, TrimBounds
from apochromat.light.raw_frame import Box, RawFrame


class Opcodes1Params(Params):
    """No parameters: the file says what is to be done."""


def run(development: Development, params: Opcodes1Params) -> Development:
    """Apply the frame's OpcodeList1 to a copy of its samples. ValueError for an unsupported opcode that is not optional."""
    frame = development.frame
    if not frame.opcodes1:
        return development
    samples = np.array(frame.samples, np.float32, order="C")
    bounds, notes = Box(0, 0, *samples.shape[:2]), []
    for opcode in frame.opcodes1:
        if isinstance(opcode, TrimBounds):
            box = Box(opcode.top, opcode.left, opcode.bottom, opcode.right)
            bounds = _nested(bounds, within(box, Sight(bounds.height, bounds.width), frame.path))
        elif not _apply(samples[bounds.top : bounds.bottom, bounds.left : bounds.right], opcode, frame):
            notes.append(refuse(opcode, "OpcodeList1", frame.path))
    changed = _within_bounds(replace(frame, samples=_as_stored(samples, frame.samples.dtype), opcodes1=()), bounds)
    return replace(development, frame=changed, notes=(*development.notes, *notes))


def _nested(outer: Box, inner: Box) -> Box:
    return Box(outer.top + inner.top, outer.left + inner.left, outer.top + inner.bottom, outer.left + inner.right)


def _as_stored(samples: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Samples back in the type they were stored in, rounded and kept in range."""
    return np.rint(samples).clip(0, 65535).astype(dtype) if np.issubdtype(dtype, np.integer) else samples


def _apply(image: np.ndarray, opcode: Opcode, frame: RawFrame) -> bool:
    """Carry out one opcode on the stored image in place; False where it is not supported here."""
    planes = [image] if image.ndim == 2 else [image[..., i] for i in range(image.shape[2])]
    sight = Sight(*image.shape[:2])
    if isinstance(opcode, FixBadPixelsConstant):
        for plane in planes:
            repair(plane, np.argwhere(plane == opcode.constant), frame.is_mosaic)
    elif is_gain(opcode):
        for i, plane in enumerate(planes):
            scaled = np.ascontiguousarray(plane)  # a plane of the stored image may be strided
            multiply(scaled, gain_field(opcode, sight, i))
            plane[:] = scaled
    else:
        return carry_out(opcode, planes, sight, 65535, frame.is_mosaic)
    return True


def _within_bounds(frame: RawFrame, bounds: Box) -> RawFrame:
    """The frame cut to `bounds` of its stored image; the active area keeps what lies inside."""
    a = frame.active
    top, left = max(a.top, bounds.top), max(a.left, bounds.left)
    kept = Box(top - a.top, left - a.left, min(a.bottom, bounds.bottom) - a.top, min(a.right, bounds.right) - a.left)
    if kept.height <= 0 or kept.width <= 0:
        raise ValueError(f"expected TrimBounds to keep a part of the active area, found that it keeps none: {frame.path}")
    if kept != Box(0, 0, a.height, a.width):
        frame = trimmed(frame, kept)
    active = frame.active
    moved = Box(active.top - bounds.top, active.left - bounds.left, active.bottom - bounds.top, active.right - bounds.left)
    samples = np.ascontiguousarray(frame.samples[bounds.top : bounds.bottom, bounds.left : bounds.right])
    return replace(frame, samples=samples, active=moved)


STAGE = Stage(
    name="opcodes1",
    order=10,
    summary="The file's own corrections of the stored numbers",
    params=Opcodes1Params,
    run=run,
    source="DNG Specification 1.7, chapter 7",
)
