"""What a merged DNG says of the frames it was made of: EXIF's tags of composite images, and the map of how many count where.

EXIF 2.32 knows CompositeImage, SourceImageNumberOfCompositeImage and SourceExposureTimesOfCompositeImage. The map has no tag in any
standard: it lies in a directory of its own, pointed to by a private tag that other readers pass over, as a 16-bit plane of the
effective number of frames times 256 in cells of 16 x 16 pixels of the active area.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from apochromat.raw.errors import RawError
from apochromat.raw.tags import Tag
from apochromat.raw.tiff import Ifd, read_directory
from apochromat.raw.tiff_writer import LONG, SHORT, UNDEFINED, Directory, rational

COMPOSITE = 2  # "general composite image"
UNITS = 256  # of the map, per frame


def put_composite(exif: Directory, composite: dict[str, Any]) -> None:
    """The EXIF tags of a composite: {"exposures_s": of every source frame, "used": whether it was}."""
    times, used = composite["exposures_s"], composite["used"]
    taken = [t for t, is_used in zip(times, used, strict=True) if is_used]
    exif.put(Tag.CompositeImage, SHORT, COMPOSITE)
    exif.put(Tag.SourceImageNumberOfCompositeImage, SHORT, [len(times), len(taken)])
    if not all(times):
        return
    summary = [0.0, sum(times), sum(taken), max(times), max(taken), min(times), min(taken)]  # the period of shooting is not known: 0/0
    pairs = [(0, 0), *(rational(t, signed=False) for t in summary[1:])]
    body = b"".join(struct.pack("<II", *pair) for pair in pairs) + struct.pack("<HH", 1, len(times))
    body += b"".join(struct.pack("<II", *rational(t, signed=False)) for t in times)
    exif.put(Tag.SourceExposureTimesOfCompositeImage, UNDEFINED, body)


def read_composite(exif: Ifd) -> dict[str, Any] | None:
    """How many frames a composite was made of, {"given", "used"}; None for any other picture."""
    numbers = exif.numbers(Tag.SourceImageNumberOfCompositeImage)
    if numbers is None or len(numbers) != 2 or not 0 < numbers[1] <= numbers[0]:
        return None
    return {"given": int(numbers[0]), "used": int(numbers[1])}


def put_frames(directory: Directory, frames: np.ndarray) -> None:
    """The map of effective numbers of frames as a private directory below the RAW picture's."""
    codes = np.rint(frames * UNITS).clip(1, 65535).astype("<u2")
    child = Directory(segments=[codes.tobytes()])
    for tag, value in ((Tag.ImageWidth, codes.shape[1]), (Tag.ImageLength, codes.shape[0]), (Tag.RowsPerStrip, codes.shape[0])):
        child.put(tag, LONG, value)
    for tag, value in ((Tag.BitsPerSample, 16), (Tag.Compression, 1), (Tag.PhotometricInterpretation, 1), (Tag.SamplesPerPixel, 1)):
        child.put(tag, SHORT, value)
    directory.children[Tag.ApochromatFrames] = [child]


def read_frames(raw: Ifd, height: int, width: int) -> np.ndarray | None:
    """The map of a picture whose active area has this size, (rows, columns) float32; None where there is none or it is damaged."""
    shape = (-(-height // 16), -(-width // 16))
    try:
        if Tag.ApochromatFrames not in raw:
            return None
        child = read_directory(raw.data, raw.order, raw.integer(Tag.ApochromatFrames, 0))
        found = (child.integer(Tag.ImageLength, 0), child.integer(Tag.ImageWidth, 0))
        offset = child.integer(Tag.StripOffsets, 0)
        if found != shape or offset <= 0 or offset + 2 * shape[0] * shape[1] > len(raw.data):
            return None
        codes = np.frombuffer(raw.data, raw.order + "u2", shape[0] * shape[1], offset).reshape(shape)
    except RawError:
        return None
    return (codes / np.float32(UNITS)).astype(np.float32) if codes.min() > 0 else None
