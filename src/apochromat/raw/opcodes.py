"""DNG opcode lists: bytes to typed opcodes and back (DNG 1.7, chapter 7). Everything in them is big-endian."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from apochromat.light.opcodes import (
    Area,
    FixBadPixelsConstant,
    FixBadPixelsList,
    FixVignetteRadial,
    GainMap,
    MapPolynomial,
    MapTable,
    Opcode,
    TrimBounds,
    UnknownOpcode,
    WarpRectilinear,
)
from apochromat.raw.errors import DamagedError

NAMES = {
    1: "WarpRectilinear",
    2: "WarpFisheye",
    3: "FixVignetteRadial",
    4: "FixBadPixelsConstant",
    5: "FixBadPixelsList",
    6: "TrimBounds",
    7: "MapTable",
    8: "MapPolynomial",
    9: "GainMap",
    10: "DeltaPerRow",
    11: "DeltaPerColumn",
    12: "ScalePerRow",
    13: "ScalePerColumn",
    14: "WarpRectilinear2",
}
MAX_DEGREE = 8  # of MapPolynomial, DNG 1.7


class _Cursor:
    """Reads numbers off a block of bytes and never past its end."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.at, self.what = data, 0, what

    def take(self, dtype: str, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        if self.at + size > len(self.data):
            raise DamagedError(f"expected {size} more bytes in {self.what}, found {len(self.data) - self.at}")
        self.at += size
        return np.frombuffer(self.data, ">" + dtype, count, self.at - size).astype(dtype)

    def integer(self) -> int:
        return int(self.take("u4", 1)[0])

    def integers(self, count: int) -> list[int]:
        return self.take("u4", count).tolist()

    def doubles(self, count: int) -> np.ndarray:
        values = self.take("f8", count)
        if not np.all(np.isfinite(values)):
            raise DamagedError(f"expected finite numbers in {self.what}, found {values[~np.isfinite(values)][0]}")
        return values


def parse(data: bytes, name: str) -> tuple[Opcode, ...]:
    """The opcodes of one list, in order; `name` ("OpcodeList2") goes into messages.

    Raises DamagedError for lengths past the end of the list, sizes that contradict each other, or impossible areas.
    """
    cursor = _Cursor(data, name)
    opcodes = []
    for index in range(cursor.integer()):
        number = cursor.integer()
        version = tuple(cursor.take("u1", 4).tolist())
        flags, size = cursor.integers(2)
        body = _Cursor(cursor.take("u1", size).tobytes(), f"opcode {index + 1} ({NAMES.get(number, number)}) of {name}")
        head: dict[str, Any] = {"version": version, "optional": bool(flags & 1), "preview_skip": bool(flags & 2)}
        opcodes.append(_PARSERS[number](body, head) if number in _PARSERS else UnknownOpcode(id=number, data=body.data, **head))
    return tuple(opcodes)


def pack(opcodes: tuple[Opcode, ...]) -> bytes:
    """The bytes of an opcode list."""
    blocks = [struct.pack(">I", len(opcodes))]
    for opcode in opcodes:
        number, body = _body(opcode)
        flags = int(opcode.optional) | int(opcode.preview_skip) << 1
        blocks.append(struct.pack(">I4BII", number, *opcode.version, flags, len(body)) + body)
    return b"".join(blocks)


def _area(cursor: _Cursor) -> Area:
    area = Area(*cursor.integers(8))
    if area.bottom < area.top or area.right < area.left or not area.row_pitch or not area.col_pitch:
        raise DamagedError(f"expected an area of pixels in {cursor.what}, found {area}")
    return area


def _gain_map(cursor: _Cursor, head: dict[str, Any]) -> GainMap:
    area = _area(cursor)
    rows, cols = cursor.integers(2)
    spacing, origin = cursor.doubles(2), cursor.doubles(2)
    planes = cursor.integer()
    if not rows or not cols or not planes:
        raise DamagedError(f"expected at least one point in {cursor.what}, found {rows} x {cols} x {planes}")
    gains = cursor.take("f4", rows * cols * planes).reshape(rows, cols, planes)
    if not np.all(np.isfinite(gains)) or gains.min() < 0:
        raise DamagedError(f"expected gains of zero or more in {cursor.what}, found negative or undefined ones")
    return GainMap(area=area, spacing=tuple(spacing.tolist()), origin=tuple(origin.tolist()), gains=gains, **head)


def _warp_rectilinear(cursor: _Cursor, head: dict[str, Any]) -> WarpRectilinear:
    planes = cursor.integer()
    if not planes:
        raise DamagedError(f"expected at least one set of coefficients in {cursor.what}, found none")
    coefficients = cursor.doubles(6 * planes).reshape(planes, 6)
    return WarpRectilinear(coefficients=coefficients, center=tuple(cursor.doubles(2).tolist()), **head)


def _fix_vignette_radial(cursor: _Cursor, head: dict[str, Any]) -> FixVignetteRadial:
    return FixVignetteRadial(coefficients=cursor.doubles(5), center=tuple(cursor.doubles(2).tolist()), **head)


def _fix_bad_pixels_constant(cursor: _Cursor, head: dict[str, Any]) -> FixBadPixelsConstant:
    constant, phase = cursor.integers(2)
    return FixBadPixelsConstant(constant=constant, phase=phase, **head)


def _fix_bad_pixels_list(cursor: _Cursor, head: dict[str, Any]) -> FixBadPixelsList:
    phase, points, boxes = cursor.integers(3)
    return FixBadPixelsList(
        phase=phase,
        points=cursor.take("u4", 2 * points).astype(np.int64).reshape(-1, 2),
        boxes=cursor.take("u4", 4 * boxes).astype(np.int64).reshape(-1, 4),
        **head,
    )


def _trim_bounds(cursor: _Cursor, head: dict[str, Any]) -> TrimBounds:
    top, left, bottom, right = cursor.integers(4)
    if bottom <= top or right <= left:
        raise DamagedError(f"expected bounds that hold pixels in {cursor.what}, found rows {top} to {bottom}, columns {left} to {right}")
    return TrimBounds(top=top, left=left, bottom=bottom, right=right, **head)


def _map_table(cursor: _Cursor, head: dict[str, Any]) -> MapTable:
    area = _area(cursor)
    count = cursor.integer()
    if not 1 <= count <= 65536:
        raise DamagedError(f"expected 1 to 65536 entries in {cursor.what}, found {count}")
    return MapTable(area=area, table=cursor.take("u2", count), **head)


def _map_polynomial(cursor: _Cursor, head: dict[str, Any]) -> MapPolynomial:
    area = _area(cursor)
    degree = cursor.integer()
    if degree > MAX_DEGREE:
        raise DamagedError(f"expected a degree of at most {MAX_DEGREE} in {cursor.what}, found {degree}")
    return MapPolynomial(area=area, coefficients=cursor.doubles(degree + 1), **head)


_PARSERS: dict[int, Callable[[_Cursor, dict[str, Any]], Opcode]] = {
    1: _warp_rectilinear,
    3: _fix_vignette_radial,
    4: _fix_bad_pixels_constant,
    5: _fix_bad_pixels_list,
    6: _trim_bounds,
    7: _map_table,
    8: _map_polynomial,
    9: _gain_map,
}


def _area_bytes(area: Area) -> bytes:
    bounds = (area.top, area.left, area.bottom, area.right)
    return struct.pack(">8I", *bounds, area.plane, area.planes, area.row_pitch, area.col_pitch)


def _floats(dtype: str, *values: np.ndarray | tuple[float, ...]) -> bytes:
    return b"".join(np.asarray(value).astype(dtype).tobytes() for value in values)


def _body(opcode: Opcode) -> tuple[int, bytes]:
    """An opcode's number and the bytes of its parameters."""
    match opcode:
        case WarpRectilinear(coefficients=sets, center=center):
            return 1, struct.pack(">I", len(sets)) + _floats(">f8", sets, center)
        case FixVignetteRadial(coefficients=k, center=center):
            return 3, _floats(">f8", k, center)
        case FixBadPixelsConstant(constant=constant, phase=phase):
            return 4, struct.pack(">2I", constant, phase)
        case FixBadPixelsList(phase=phase, points=points, boxes=boxes):
            return 5, struct.pack(">3I", phase, len(points), len(boxes)) + _floats(">u4", points, boxes)
        case TrimBounds(top=top, left=left, bottom=bottom, right=right):
            return 6, struct.pack(">4I", top, left, bottom, right)
        case MapTable(area=area, table=table):
            return 7, _area_bytes(area) + struct.pack(">I", len(table)) + _floats(">u2", table)
        case MapPolynomial(area=area, coefficients=k):
            return 8, _area_bytes(area) + struct.pack(">I", len(k) - 1) + _floats(">f8", k)
        case GainMap(area=area, spacing=spacing, origin=origin, gains=gains):
            rows, cols, planes = gains.shape
            grid = struct.pack(">2I", rows, cols) + _floats(">f8", spacing, origin) + struct.pack(">I", planes)
            return 9, _area_bytes(area) + grid + _floats(">f4", gains)
        case UnknownOpcode(id=number, data=data):
            return number, data
        case _:
            raise TypeError(f"expected a DNG opcode, found {type(opcode).__name__}")
