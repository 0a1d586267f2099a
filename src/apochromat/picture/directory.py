"""Tagged directories as TIFF 6.0 lays them out, which is the form of EXIF and the head of a TIFF file."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
NUMBERS = {SHORT: "H", LONG: "I"}


class Entry(NamedTuple):
    """A tag's field type and value: bytes for BYTE, ASCII and UNDEFINED; numbers, or (numerator, denominator) pairs, else."""

    type: int
    value: Any


Directory = Mapping[int, "Entry | Directory"]


def structure(tags: Directory) -> bytes:
    """A whole little-endian TIFF structure; a tag whose value is a directory of its own points to it."""
    return b"II*\0" + struct.pack("<I", 8) + _directory(tags, 8)


def _directory(tags: Directory, place: int) -> bytes:
    """One directory that begins at `place` of the structure, with its values and sub-directories behind it."""
    head, data = struct.pack("<H", len(tags)), b""
    behind = place + 2 + 12 * len(tags) + 4
    for tag, entry in sorted(tags.items()):
        if isinstance(entry, Entry):
            kind, (count, payload) = entry.type, _payload(entry)
        else:
            kind, count, payload = LONG, 1, struct.pack("<I", behind + len(data))
            data += _directory(entry, behind + len(data))
        if len(payload) > 4:
            payload, data = struct.pack("<I", behind + len(data)), data + payload + bytes(len(payload) % 2)
        head += struct.pack("<HHI", tag, kind, count) + payload.ljust(4, b"\0")
    return head + bytes(4) + data


def _payload(entry: Entry) -> tuple[int, bytes]:
    """Number of values, and their bytes."""
    if entry.type in NUMBERS:
        values = entry.value if isinstance(entry.value, tuple) else (entry.value,)
        return len(values), struct.pack(f"<{len(values)}{NUMBERS[entry.type]}", *values)
    if entry.type == RATIONAL:
        return len(entry.value), b"".join(struct.pack("<II", *pair) for pair in entry.value)
    payload = entry.value + b"\0" if entry.type == ASCII else entry.value
    return len(payload), payload
