"""AVIF: 8 bits, no chroma subsampling, with ICC, EXIF and XMP, through the libavif that Pillow carries."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from apochromat.picture.format import Format, Labels
from apochromat.raw.tags import Tag

SPEED = 8  # of 0 (smallest file) to 10: about 0.5 s/MP of one core


def encode(pixels: np.ndarray, labels: Labels, quality: int, file: BinaryIO) -> None:
    """Write (H, W, 3) or (H, W) uint8."""
    from PIL import Image

    image = Image.fromarray(pixels)
    options = {
        "subsampling": "4:4:4",
        "speed": SPEED,
        "exif": labels.exif.tiff(without=(Tag.Orientation,)),
        "xmp": labels.xmp,
        "icc_profile": labels.icc,
    }
    image.save(file, "AVIF", quality=quality, **options)


FORMAT = Format("AVIF", (".avif",), {"display": (8,)}, encode, max_side=65536)
