"""TIFF: 16 or 8 bits for finished pictures, 32-bit float or 16 bits for linear ones; one uncompressed strip, read by everything.

EXIF is a TIFF without pixels, so its directories, with the image's own tags added, are the head of the file (TIFF 6.0).
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from apochromat.picture.errors import PictureError
from apochromat.picture.exif import Entry
from apochromat.picture.format import Format, Labels
from apochromat.raw.tags import Tag
from apochromat.raw.tiff_writer import BYTE, LONG, SHORT, UNDEFINED

LARGEST = 2**32 - 2**20  # bytes of pixels: offsets have 32 bits
XMP, ICC = 700, 34675


def encode(pixels: np.ndarray, labels: Labels, quality: int, file: BinaryIO) -> None:
    """Write (H, W, 3) or (H, W) uint8, uint16 or float32; `quality` has no meaning here."""
    if pixels.nbytes > LARGEST:
        raise PictureError(f"TIFF holds at most {LARGEST} bytes of pixels, found {pixels.nbytes}")
    tags = _image_tags(pixels) | {XMP: (BYTE, labels.xmp)}
    if labels.icc:
        tags[ICC] = (UNDEFINED, labels.icc)
    # The strip begins where the directories end, wherever that is said to be.
    start = len(labels.exif.tiff(tags))
    file.write(labels.exif.tiff(tags | {Tag.StripOffsets: (LONG, [start])}))
    file.write(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).data.cast("B"))


def _image_tags(pixels: np.ndarray) -> dict[int, Entry]:
    """Size, depth and layout of the picture; the place of its strip is left 0."""
    height, width, samples = (*pixels.shape, 1)[:3]
    return {
        Tag.ImageWidth: (LONG, [width]),
        Tag.ImageLength: (LONG, [height]),
        Tag.BitsPerSample: (SHORT, [8 * pixels.itemsize] * samples),
        Tag.Compression: (SHORT, [1]),  # none
        Tag.PhotometricInterpretation: (SHORT, [1 if samples == 1 else 2]),  # black is zero, or RGB
        Tag.StripOffsets: (LONG, [0]),
        Tag.SamplesPerPixel: (SHORT, [samples]),
        Tag.RowsPerStrip: (LONG, [height]),
        Tag.StripByteCounts: (LONG, [pixels.nbytes]),
        Tag.SampleFormat: (SHORT, [3 if pixels.dtype.kind == "f" else 1] * samples),
    }


FORMAT = Format("TIFF", (".tiff", ".tif"), {"display": (16, 8), "linear": (32, 16)}, encode)
