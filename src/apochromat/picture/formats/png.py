"""PNG: 8 or 16 bits, lossless, with iCCP, eXIf and iTXt chunks (PNG specification, third edition)."""

from __future__ import annotations

import zlib
from typing import BinaryIO

import numpy as np

from apochromat.picture.format import Format, Labels

HEAD = 8 + 25  # signature and IHDR, which come before every other chunk


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def encode(pixels: np.ndarray, labels: Labels, quality: int, file: BinaryIO) -> None:
    """Write (H, W, 3) or (H, W) uint8 or uint16; `quality` has no meaning here."""
    import imagecodecs

    stream = memoryview(imagecodecs.png_encode(np.ascontiguousarray(pixels), 3))
    file.write(stream[:HEAD])
    if labels.icc:
        file.write(chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(labels.icc)))
    file.write(chunk(b"eXIf", labels.exif.tiff()))
    file.write(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + labels.xmp))
    file.write(stream[HEAD:])


FORMAT = Format("PNG", (".png",), {"display": (8, 16)}, encode)
