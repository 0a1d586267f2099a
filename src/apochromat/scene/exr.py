"""OpenEXR in: single-part pictures in scan lines, stored raw or compressed with RLE, ZIPS, ZIP or PIZ.

Source: "OpenEXR file layout" and "Technical introduction to OpenEXR", Academy Software Foundation.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from apochromat.scene.errors import SceneError
from apochromat.scene.exr_piz import unpack_piz

MAGIC = 20000630
TILED, DEEP, PARTS = 0x200, 0x800, 0x1000
COMPRESSIONS = ("none", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB")
LINES = {"none": 1, "RLE": 1, "ZIPS": 1, "ZIP": 16, "PIZ": 32}  # scan lines a block
TYPES = (np.dtype("<u4"), np.dtype("<f2"), np.dtype("<f4"))
MOST_PIXELS = 400_000_000


@dataclass(frozen=True)
class _Header:
    channels: list[tuple[str, np.dtype]]  # as stored: sorted by name
    compression: str
    x: int
    y: int
    width: int
    height: int
    end: int  # where the table of blocks starts

    @property
    def row_bytes(self) -> int:
        return self.width * sum(kind.itemsize for _, kind in self.channels)


def read_exr(data: bytes) -> np.ndarray:
    """Linear samples (h, w, 3) or, for a picture of Y alone, (h, w, 1), float32. SceneError for what it cannot read."""
    try:
        header = _header(data)
        return _blocks(data, header)
    except (struct.error, IndexError, zlib.error, UnicodeDecodeError, OverflowError) as error:
        raise SceneError("expected a sound OpenEXR file, found one that is cut short or damaged") from error


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at, at + 256)
    if end < 0:
        raise SceneError("expected an OpenEXR header, found one that does not end")
    return data[at:end].decode(), end + 1


def _header(data: bytes) -> _Header:
    magic, flags = struct.unpack_from("<2I", data)
    if magic != MAGIC:
        raise SceneError(f"expected an OpenEXR file, found one that starts with {data[:4]!r}")
    if flags & (TILED | DEEP | PARTS):
        raise SceneError("expected one flat picture in scan lines, found a tiled, deep or multi-part OpenEXR file")
    found, at = {}, 8
    while data[at] != 0:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<i", data, at)
        found[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    for name in ("channels", "compression", "dataWindow"):
        if name not in found:
            raise SceneError(f"expected the attribute {name} in the OpenEXR header, found none")
    code = found["compression"][0]
    compression = COMPRESSIONS[code] if code < len(COMPRESSIONS) else f"number {code}"
    if compression not in LINES:
        raise SceneError(f"expected OpenEXR compression none, RLE, ZIPS, ZIP or PIZ, found {compression}")
    x0, y0, x1, y1 = struct.unpack("<4i", found["dataWindow"])
    width, height = x1 - x0 + 1, y1 - y0 + 1
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise SceneError(f"expected a picture of 1 to {MOST_PIXELS} pixels, found {width} x {height}")
    return _Header(_channels(found["channels"]), compression, x0, y0, width, height, at + 1)


def _channels(data: bytes) -> list[tuple[str, np.dtype]]:
    found, at = [], 0
    while data[at] != 0:
        name, at = _text(data, at)
        kind, _, across, down = struct.unpack_from("<4i", data, at)
        if (across, down) != (1, 1):
            raise SceneError(f"expected every channel at full size, found {name} sampled every {across} x {down} pixels")
        if not 0 <= kind < len(TYPES):
            raise SceneError(f"expected samples of type 0 to 2 in channel {name}, found {kind}")
        found.append((name, TYPES[kind]))
        at += 16
    return found


def _blocks(data: bytes, header: _Header) -> np.ndarray:
    names = [name for name, _ in header.channels]
    wanted = ["R", "G", "B"] if {"R", "G", "B"} <= set(names) else ["Y"]
    if wanted == ["Y"] and "Y" not in names:
        raise SceneError(f"expected the channels R, G and B or Y, found {', '.join(names)}")
    lines = LINES[header.compression]
    count = -(-header.height // lines)
    picture = np.zeros((header.height, header.width, len(wanted)), np.float32)
    for offset in struct.unpack_from(f"<{count}Q", data, header.end):
        y, size = struct.unpack_from("<2i", data, offset)
        top = y - header.y
        rows = min(lines, header.height - top)
        block = data[offset + 8 : offset + 8 + size]
        if top < 0 or rows < 1 or len(block) != size:
            raise SceneError(f"expected a block of {size} bytes at row {top} of {header.height}, found {len(block)}")
        planes = _planes(block, rows, header)
        for i, name in enumerate(wanted):
            picture[top : top + rows, :, i] = planes[name]
    return picture


def _planes(block: bytes, rows: int, header: _Header) -> dict[str, np.ndarray]:
    """Channels (rows, width) of a block by name."""
    full = rows * header.row_bytes
    if header.compression == "PIZ" and len(block) < full:
        return unpack_piz(block, rows, header.width, header.channels)
    if header.compression != "none" and len(block) < full:
        raw = zlib.decompress(block) if header.compression != "RLE" else _runs(block)
        block = _unpredicted(raw)
    if len(block) != full:
        raise SceneError(f"expected {full} bytes in a block of {rows} rows, found {len(block)}")
    lines = np.frombuffer(block, np.uint8).reshape(rows, header.row_bytes)
    planes, at = {}, 0
    for name, kind in header.channels:
        end = at + header.width * kind.itemsize
        planes[name] = np.ascontiguousarray(lines[:, at:end]).view(kind)
        at = end
    return planes


def _runs(block: bytes) -> bytes:
    found, at = bytearray(), 0
    while at < len(block):
        count = block[at] - 256 if block[at] > 127 else block[at]
        if count < 0:
            found += block[at + 1 : at + 1 - count]
            at += 1 - count
        else:
            found += block[at + 1 : at + 2] * (count + 1)
            at += 2
    return bytes(found)


def _unpredicted(raw: bytes) -> bytes:
    """Undo the differences between bytes, then weave the two halves together."""
    values = np.frombuffer(raw, np.uint8).astype(np.uint8)
    values[1:] += 128
    values = np.cumsum(values, dtype=np.uint8)
    woven = np.empty_like(values)
    half = (len(values) + 1) // 2
    woven[0::2], woven[1::2] = values[:half], values[half:]
    return woven.tobytes()
