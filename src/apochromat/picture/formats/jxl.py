"""JPEG XL: 16 or 8 bits, sRGB, with EXIF and XMP as boxes of the container (ISO/IEC 18181-2)."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from apochromat.picture.format import Format, Labels

EFFORT = 4  # above it the time rises fourfold for 5 % smaller files


def box(kind: bytes, payload: bytes) -> bytes:
    """One box of the container."""
    return (len(payload) + 8).to_bytes(4, "big") + kind + payload


def encode(pixels: np.ndarray, labels: Labels, quality: int, file: BinaryIO) -> None:
    """Write (H, W, 3) or (H, W) uint8 or uint16, sRGB; quality 100 is lossless."""
    import imagecodecs

    options = {"lossless": True} if quality == 100 else {"level": quality, "lossless": False}
    file.write(imagecodecs.jpegxl_encode(pixels, effort=EFFORT, usecontainer=True, **options))
    file.write(box(b"Exif", bytes(4) + labels.exif.tiff()))
    file.write(box(b"xml ", labels.xmp))


FORMAT = Format("JPEG XL", (".jxl",), {"display": (16, 8)}, encode, spaces=("srgb",))
