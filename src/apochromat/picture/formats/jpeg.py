"""JPEG: 8 bits, no chroma subsampling, with EXIF, XMP and ICC in their application segments.

Segments: EXIF in APP1 straight after SOI (CIPA DC-008, which leaves no room for JFIF's APP0), XMP in APP1 (ISO 16684-1), the profile
in APP2 (ICC.1:2022, annex B.4). The encoder's bytes are written as they are, less their JFIF head: no further copy of the picture.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from apochromat.picture.errors import PictureError
from apochromat.picture.format import Format, Labels

SOI = b"\xff\xd8"
ROOM = 65533  # bytes of payload that one segment can hold


def segment(marker: int, payload: bytes) -> bytes:
    """One JPEG segment; PictureError if the payload does not fit."""
    if len(payload) > ROOM:
        raise PictureError(f"JPEG segments hold {ROOM} bytes, found metadata of {len(payload)} bytes")
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def encode(pixels: np.ndarray, labels: Labels, quality: int, file: BinaryIO) -> None:
    """Write (H, W, 3) or (H, W) uint8."""
    import simplejpeg

    grey = pixels.ndim == 2
    image = np.ascontiguousarray(pixels[..., None] if grey else pixels)
    stream = memoryview(simplejpeg.encode_jpeg(image, quality, "GRAY" if grey else "RGB", "Gray" if grey else "444"))
    file.write(SOI + segment(0xE1, b"Exif\0\0" + labels.exif.tiff()))
    file.write(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + labels.xmp))
    if labels.icc:
        file.write(segment(0xE2, b"ICC_PROFILE\0\1\1" + labels.icc))
    file.write(stream[_after_head(stream) :])


def _after_head(stream: memoryview) -> int:
    """Where the tables begin: behind SOI and the encoder's JFIF segment."""
    return 4 + int.from_bytes(stream[4:6], "big") if stream[2:4] == b"\xff\xe0" else 2


FORMAT = Format("JPEG", (".jpg", ".jpeg"), {"display": (8,)}, encode, max_side=65500)
