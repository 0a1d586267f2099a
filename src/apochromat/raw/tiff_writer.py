"""TIFF directories to bytes: little-endian, values beside their directory, pixel data last (TIFF 6.0)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from apochromat.raw.tags import Tag

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, FLOAT, DOUBLE = 1, 2, 3, 4, 5, 7, 10, 11, 12
FORMATS = {SHORT: "<u2", LONG: "<u4", FLOAT: "<f4", DOUBLE: "<f8"}


@dataclass
class Directory:
    """One directory to be written: values by tag, directories by the tag that points to them, and strips or tiles."""

    fields: dict[int, tuple[int, Any]] = field(default_factory=dict)
    children: dict[int, list[Directory]] = field(default_factory=dict)
    segments: Sequence[bytes] = ()
    is_tiled: bool = False

    def put(self, tag: Tag, kind: int, values: Any) -> None:
        """Set a tag to bytes or text (BYTE, ASCII, UNDEFINED) or to one or more numbers."""
        self.fields[tag] = (kind, values if isinstance(values, str | bytes) else np.atleast_1d(values))


def tiff_bytes(main: Directory) -> list[bytes]:
    """A TIFF file, as blocks to be written one after the other."""
    everything = list(_walk(main))
    for directory in everything:
        _reserve(directory)
    offsets, at = [], 8
    for directory in everything:
        offsets.append(at)
        at += len(_directory_bytes(directory, at))
    for directory in everything:
        at = _point_at_segments(directory, at)
        for tag, children in directory.children.items():
            places = [offset for child in children for other, offset in zip(everything, offsets, strict=True) if other is child]
            directory.put(Tag(tag), LONG, places)
    blocks = [b"II*\0" + struct.pack("<I", 8)]
    blocks += [_directory_bytes(directory, offset) for directory, offset in zip(everything, offsets, strict=True)]
    blocks += [_padded(segment) for directory in everything for segment in directory.segments]
    return blocks


def _walk(directory: Directory) -> list[Directory]:
    below = [child for children in directory.children.values() for child in children]
    return [directory, *(d for child in below for d in _walk(child))]


def _reserve(directory: Directory) -> None:
    """Give pointers their place, so that sizes are final before offsets are known."""
    for tag, children in directory.children.items():
        directory.put(Tag(tag), LONG, np.zeros(len(children)))
    _point_at_segments(directory, 0)


def _point_at_segments(directory: Directory, at: int) -> int:
    """Lay the segments out from byte `at`; the byte after them."""
    if not directory.segments:
        return at
    places = []
    for segment in directory.segments:
        places.append(at)
        at += len(segment) + len(segment) % 2
    directory.put(Tag.TileOffsets if directory.is_tiled else Tag.StripOffsets, LONG, places)
    directory.put(Tag.TileByteCounts if directory.is_tiled else Tag.StripByteCounts, LONG, [len(s) for s in directory.segments])
    return at


def _directory_bytes(directory: Directory, offset: int) -> bytes:
    """A directory at `offset`, followed by the values that do not fit into its entries."""
    entries, beyond = [], b""
    start = offset + 2 + 12 * len(directory.fields) + 4
    for tag, (kind, values) in sorted(directory.fields.items()):
        count, body = _encode(kind, values)
        if len(body) > 4:
            body, beyond = struct.pack("<I", start + len(beyond)), beyond + _padded(body)
        entries.append(struct.pack("<HHI", tag, kind, count) + body.ljust(4, b"\0"))
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + beyond


def _padded(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)


def _encode(kind: int, values: Any) -> tuple[int, bytes]:
    """Number of values and their bytes."""
    if kind == ASCII:
        text = values.encode() + b"\0"
        return len(text), text
    if kind in (BYTE, UNDEFINED):
        return len(values), values if isinstance(values, bytes) else np.asarray(values, np.uint8).tobytes()
    if kind in (RATIONAL, SRATIONAL):
        pairs = [rational(float(value), signed=kind == SRATIONAL) for value in values]
        return len(pairs), b"".join(struct.pack("<ii" if kind == SRATIONAL else "<II", *pair) for pair in pairs)
    return len(values), np.asarray(values).astype(FORMATS[kind]).tobytes()


def rational(value: float, signed: bool) -> tuple[int, int]:
    """The best fraction with 32-bit terms and a denominator of at most a million; 0/0 for what is not a number."""
    limit = 2**31 - 1 if signed else 2**32 - 1
    if not math.isfinite(value) or abs(value) > limit or (value < 0 and not signed):
        return 0, 0
    most = max(1, min(10**6, int(limit / max(abs(value), 1))))
    fraction = Fraction(value).limit_denominator(most)
    return fraction.numerator, fraction.denominator
