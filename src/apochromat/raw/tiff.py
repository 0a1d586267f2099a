"""A TIFF directory reader for files that may lie.

Nothing is trusted: every offset and count is checked against the file, directories are visited once, and values are read only when
asked for, so that time and memory stay proportional to the bytes that are really there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from apochromat.raw.errors import DamagedError, UnsupportedError
from apochromat.raw.tags import Tag

# Field type -> NumPy type of one number; rationals are pairs.
TYPES = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4", 12: "f8", 13: "u4"}
RATIONALS = (5, 10)
MAX_DIRECTORIES = 100


@dataclass(frozen=True)
class Field:
    """One entry of a directory: TIFF type, number of values, and where the values lie in the file."""

    type: int
    count: int
    offset: int


@dataclass
class Ifd:
    """One image file directory. `subs` are the directories its SubIFDs tag points to; `order` is "<" or ">"."""

    data: memoryview
    order: str
    fields: dict[int, Field]
    subs: list[Ifd] = field(default_factory=list)

    def __contains__(self, tag: int) -> bool:
        return tag in self.fields

    def numbers(self, tag: int) -> np.ndarray | None:
        """All values of a tag as float64 (n,), rationals divided out (NaN for x/0), or None where the tag is missing."""
        entry = self.fields.get(tag)
        if entry is None:
            return None
        values = np.frombuffer(self.bytes(tag), self.order + TYPES[entry.type]).astype(np.float64)
        if entry.type not in RATIONALS:
            return values
        denominators = np.where(values[1::2] == 0, np.nan, values[1::2])
        return values[0::2] / denominators

    def number(self, tag: int, default: float) -> float:
        """The first value of a tag, or `default` where it is missing or empty."""
        values = self.numbers(tag)
        return default if values is None or not len(values) else float(values[0])

    def integer(self, tag: int, default: int) -> int:
        """The first value of a tag as a whole number; NaN counts as missing."""
        value = self.number(tag, default)
        return int(value) if np.isfinite(value) else default

    def text(self, tag: int) -> str:
        """An ASCII (in practice UTF-8) value without padding, or ""."""
        return bytes(self.bytes(tag)).split(b"\0")[0].decode("utf-8", "replace").strip() if tag in self.fields else ""

    def bytes(self, tag: int) -> memoryview:
        """The bytes of a tag's values; DamagedError where they lie past the end of the file."""
        entry = self.fields[tag]
        size = entry.count * np.dtype(TYPES[entry.type]).itemsize * (2 if entry.type in RATIONALS else 1)
        if entry.offset + size > len(self.data):
            end = f"the end of the file at byte {len(self.data)}"
            raise DamagedError(f"expected {entry.count} values of {tag_name(tag)} at byte {entry.offset}, found {end}")
        return self.data[entry.offset : entry.offset + size]


def tag_name(tag: int) -> str:
    """The standard's name of a tag, or "tag N"."""
    return Tag(tag).name if tag in Tag._value2member_map_ else f"tag {tag}"


def byte_order(data: memoryview, magics: tuple[int, ...] = (42,)) -> str | None:
    """ "<" or ">" where the data begins as a TIFF file with one of these magic numbers, else None."""
    for mark, order in ((b"II", "<"), (b"MM", ">")):
        if bytes(data[:2]) == mark and len(data) >= 8 and struct.unpack_from(order + "H", data, 2)[0] in magics:
            return order
    return None


def read_directories(data: memoryview, magics: tuple[int, ...] = (42,)) -> list[Ifd]:
    """The chain of directories of a TIFF file, each with its SubIFDs; [] where this is no TIFF file.

    Raises DamagedError for directories past the end or in a loop.
    """
    if byte_order(data, (43,)):
        raise UnsupportedError("expected a classic TIFF structure, found BigTIFF")
    order = byte_order(data, magics)
    if order is None:
        return []
    return _chain(data, order, first_directory(data, order), set())


def first_directory(data: memoryview, order: str) -> int:
    """Where a TIFF file's first directory lies."""
    return struct.unpack_from(order + "I", data, 4)[0]


def read_directory(data: memoryview, order: str, offset: int) -> Ifd:
    """One directory on its own, such as the EXIF or GPS directory."""
    return _directory(data, order, offset)[0]


def _chain(data: memoryview, order: str, offset: int, seen: set[int]) -> list[Ifd]:
    """Directories linked from `offset`, and below each one its SubIFDs."""
    ifds = []
    while offset:
        if offset in seen:
            raise DamagedError(f"expected a list of TIFF directories, found a loop at byte {offset}")
        if len(seen) >= MAX_DIRECTORIES:
            raise DamagedError(f"expected at most {MAX_DIRECTORIES} TIFF directories, found more")
        seen.add(offset)
        ifd, following = _directory(data, order, offset)
        children = ifd.numbers(Tag.SubIFDs)
        for child in children if children is not None else ():
            ifd.subs += _chain(data, order, int(child), seen)
        ifds.append(ifd)
        offset = following
    return ifds


def _directory(data: memoryview, order: str, offset: int) -> tuple[Ifd, int]:
    """The directory at `offset` and the offset of the one after it (0 at the end)."""
    if offset + 2 > len(data):
        raise DamagedError(f"expected a TIFF directory at byte {offset}, found the end of the file at byte {len(data)}")
    count = struct.unpack_from(order + "H", data, offset)[0]
    end = offset + 2 + 12 * count
    if end > len(data):
        raise DamagedError(f"expected a TIFF directory of {count} entries at byte {offset}, found the end of the file at byte {len(data)}")
    fields = {}
    for at in range(offset + 2, end, 12):
        tag, kind, number, value = struct.unpack_from(order + "HHII", data, at)
        if kind in TYPES and tag not in fields:
            size = np.dtype(TYPES[kind]).itemsize * (2 if kind in RATIONALS else 1)
            fields[tag] = Field(kind, number, at + 8 if number * size <= 4 else value)
    following = struct.unpack_from(order + "I", data, end)[0] if end + 4 <= len(data) else 0
    return Ifd(data, order, fields), following
