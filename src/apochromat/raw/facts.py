"""A RAW frame in facts, for `apo info`: plain values that JSON can hold."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from apochromat.light.opcodes import Opcode, UnknownOpcode
from apochromat.light.raw_frame import RawFrame
from apochromat.raw.opcodes import NAMES

LONGEST = 64  # arrays with more numbers are described by shape and range


def describe(frame: RawFrame) -> dict[str, Any]:
    """Camera, shot, sizes, levels, colour, noise, opcodes and notes of a frame."""
    height, width = frame.samples.shape[:2]
    shot = dict(frame.metadata)
    return {
        "file": frame.path,
        "camera": {key: shot.pop(key) for key in ("make", "model") if key in shot},
        "shot": plain(shot),
        "kind": "mosaic" if frame.is_mosaic else ("linear RGB" if frame.samples.ndim == 3 else "monochrome"),
        "cfa": frame.cfa or None,
        "size": {"stored": [width, height], "active": plain(frame.active), "crop": plain(frame.crop), "scale": list(frame.scale)},
        "orientation": frame.orientation,
        "samples": {"type": str(frame.samples.dtype), "min": plain(frame.samples.min()), "max": plain(frame.samples.max())},
        "levels": plain(frame.levels),
        "color": plain(frame.profile),
        "baseline_exposure_ev": frame.baseline_exposure_ev,
        "noise_profile": plain(frame.noise),
        "opcodes": {name: [_opcode(o) for o in getattr(frame, name)] for name in ("opcodes1", "opcodes2", "opcodes3")},
        "notes": list(frame.notes),
    }


def _opcode(opcode: Opcode) -> dict[str, Any]:
    """An opcode by its DNG name."""
    if isinstance(opcode, UnknownOpcode):
        return {"name": NAMES.get(opcode.id, f"opcode {opcode.id}"), "optional": opcode.optional, "bytes": len(opcode.data)}
    return {"name": type(opcode).__name__, **plain(opcode)}


def plain(value: Any) -> Any:
    """Any value of a frame as JSON's types; long arrays as shape and range."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        small = value.size <= LONGEST
        return value.tolist() if small else {"shape": list(value.shape), "min": float(value.min()), "max": float(value.max())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value
