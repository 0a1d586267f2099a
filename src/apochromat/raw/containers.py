"""Where formats other than DNG keep their metadata: TIFF relatives, Fujifilm RAF, Canon CR3 and CRW (CIFF).

Only metadata is read here, and what cannot be read is left out: LibRaw decides whether the picture itself is sound.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from apochromat.raw import metadata as exif
from apochromat.raw.errors import DamagedError, RawError
from apochromat.raw.tags import Tag
from apochromat.raw.tiff import Ifd, byte_order, first_directory, read_directories, read_directory

TIFF_RELATIVES = (42, 0x4F52, 0x5352, 0x55)  # plain; Olympus "RO" and "RS"; Panasonic RW2
RAF_MARK = b"FUJIFILMCCD-RAW "
RAF_LAYOUT = 0x130
CR3_METADATA = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
CIFF_MARK = b"HEAPCCDR"
CIFF_FOLDER = 0x2800  # type bits of a record that is itself a heap


def metadata(data: memoryview) -> dict[str, Any]:
    """Metadata of any format known here, {} for others."""
    for find in (_tiff, _raf, _cr3, _ciff):
        try:
            if facts := find(data):
                return facts
        except (RawError, struct.error):
            continue
    return {}


def is_rotated_fuji(data: memoryview) -> bool:
    """Whether this is a RAF file of a Super CCD, whose rows and columns run diagonally (RAF tag 0x130)."""
    if bytes(data[:16]) != RAF_MARK:
        return False
    try:
        at = struct.unpack_from(">I", data, 92)[0]
        count = struct.unpack_from(">I", data, at)[0]
        at += 4
        for _ in range(min(count, 255)):
            tag, size = struct.unpack_from(">HH", data, at)
            if tag == RAF_LAYOUT:
                return not data[at + 5] & 8
            at += 4 + size
    except (struct.error, IndexError):
        pass
    return False


def check_complete(data: memoryview) -> None:
    """DamagedError where a format whose lengths are known here says that it goes on after the end of the file.

    LibRaw fills the missing part of a cut file with zeros and says nothing.
    """
    end = max(_tiff_end(data), _raf_end(data), _cr3_end(data))
    if bytes(data[6:14]) == CIFF_MARK and not _has_ciff_directory(data):
        raise DamagedError("expected a CRW file's directory at its end, found none")
    if end > len(data):
        raise DamagedError(f"expected a file of at least {end} bytes, found its end after {len(data)}")


def _tiff_end(data: memoryview) -> int:
    """Where the last strip or tile of a TIFF file ends; 0 where its directories cannot be followed."""
    end = 0
    with suppress(RawError):
        for ifd in read_directories(data):
            for each in (ifd, *ifd.subs):
                for place, size in ((Tag.StripOffsets, Tag.StripByteCounts), (Tag.TileOffsets, Tag.TileByteCounts)):
                    offsets, counts = each.numbers(place), each.numbers(size)
                    if offsets is not None and counts is not None and len(offsets) == len(counts) > 0:
                        end = max(end, int((offsets + counts).max()))
    return end


def _raf_end(data: memoryview) -> int:
    """Where the RAW block of a RAF file ends."""
    if bytes(data[:16]) != RAF_MARK or len(data) < 108:
        return 0
    offset, size = struct.unpack_from(">II", data, 100)
    return offset + size


def _cr3_end(data: memoryview) -> int:
    """Where the last box of a CR3 file ends."""
    at = 0
    while bytes(data[4:12]) == b"ftypcrx " and at + 16 <= len(data):
        size = struct.unpack_from(">I", data, at)[0]
        size = struct.unpack_from(">Q", data, at + 8)[0] if size == 1 else size
        if size < 8:
            break
        at += size
    return at


def _tiff(data: memoryview) -> dict[str, Any]:
    """TIFF and its relatives (NEF, CR2, ARW, PEF, ORF, RW2): only the first directory and what hangs on it."""
    order = byte_order(data, TIFF_RELATIVES)
    if order is None:
        return {}
    return exif.from_directories(read_directory(data, order, first_directory(data, order)))


def _raf(data: memoryview) -> dict[str, Any]:
    """RAF: the EXIF block of the JPEG preview."""
    if bytes(data[:16]) != RAF_MARK:
        return {}
    at = struct.unpack_from(">I", data, 84)[0] + 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker, size = struct.unpack_from(">BH", data, at + 1)
        if marker == 0xE1 and bytes(data[at + 4 : at + 10]) == b"Exif\0\0":
            return _tiff(data[at + 10 : at + 2 + size])
        at += 2 + size
    return {}


def _cr3(data: memoryview) -> dict[str, Any]:
    """CR3: three TIFF blocks in a box of their own, the main, EXIF and GPS directories."""
    if bytes(data[4:12]) != b"ftypcrx ":
        return {}
    blocks: dict[bytes, Ifd] = {}
    for kind, body in _boxes(data):
        for inner, inside in _boxes(body) if kind == b"moov" else ():
            if inner == b"uuid" and bytes(inside[:16]) == CR3_METADATA:
                blocks |= {name: ifds[0] for name, block in _boxes(inside[16:]) if name[:3] == b"CMT" and (ifds := read_directories(block))}
    facts = exif.from_directories(*(blocks[name] for name in (b"CMT1", b"CMT2") if name in blocks))
    if b"CMT4" in blocks:
        facts["gps"] = exif.gps_values(blocks[b"CMT4"])
    return facts


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes of an ISO base media file (ISO/IEC 14496-12): type and contents."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        end = len(data) if size == 0 else at + size
        if (size and size < head) or end > len(data):
            return
        yield kind, data[at + head : end]
        at = end


def _has_ciff_directory(data: memoryview) -> bool:
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "<")
    table = struct.unpack_from(order + "I", data, len(data) - 4)[0]
    start = struct.unpack_from(order + "I", data, 2)[0]
    if start + table + 6 > len(data):
        return False
    return start + table + 2 + 10 * struct.unpack_from(order + "H", data, start + table)[0] <= len(data)


def _ciff(data: memoryview) -> dict[str, Any]:
    """CRW: maker, model, owner and time from the heaps of the Camera Image File Format (CIFF 1.0)."""
    if bytes(data[6:14]) != CIFF_MARK:
        return {}
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "<")
    records = dict(_ciff_records(data[struct.unpack_from(order + "I", data, 2)[0] :], order, depth=0))
    facts: dict[str, Any] = {}
    if 0x080A in records:
        facts |= {key: text for key, text in zip(("make", "model"), _texts(records[0x080A]), strict=False) if text}
    if 0x0810 in records and (owner := _texts(records[0x0810])[0]):
        facts["artist"] = owner
    if 0x080B in records and (firmware := _texts(records[0x080B])[0]):
        facts["software"] = firmware
    if 0x180E in records:
        seconds = struct.unpack_from(order + "I", records[0x180E])[0]
        facts["datetime"] = datetime.fromtimestamp(seconds, UTC).strftime("%Y:%m:%d %H:%M:%S")
    return facts


def _texts(record: memoryview) -> list[str]:
    return [part.decode("latin-1").strip() for part in bytes(record).split(b"\0")]


def _ciff_records(heap: memoryview, order: str, depth: int) -> Iterator[tuple[int, memoryview]]:
    """Records of a heap and of the heaps inside it; the directory stands at its end."""
    table = struct.unpack_from(order + "I", heap, len(heap) - 4)[0]
    count = struct.unpack_from(order + "H", heap, table)[0]
    for at in range(table + 2, table + 2 + 10 * count, 10):
        kind, size, offset = struct.unpack_from(order + "HII", heap, at)
        if kind & 0xC000:
            yield kind & 0x3FFF, heap[at + 2 : at + 10]
        elif kind & 0x3800 in (CIFF_FOLDER, 0x3000) and depth < 8:
            yield from _ciff_records(heap[offset : offset + size], order, depth + 1)
        else:
            yield kind & 0x3FFF, heap[offset : offset + size]
