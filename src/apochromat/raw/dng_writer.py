"""A RAW frame to a DNG file that any RAW developer opens (Adobe DNG specification 1.7.1)."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np

from apochromat.light.raw_frame import ColorProfile, Levels, RawFrame
from apochromat.raw import opcodes
from apochromat.raw.errors import RawError, naming
from apochromat.raw.merged import put_composite, put_frames
from apochromat.raw.segment_writer import compressed
from apochromat.raw.segments import DEFLATE, JPEG, JPEG_XL, LOSSY_JPEG, UNCOMPRESSED
from apochromat.raw.tags import Tag
from apochromat.raw.tiff_writer import ASCII, BYTE, DOUBLE, LONG, RATIONAL, SHORT, SRATIONAL, UNDEFINED, Directory, tiff_bytes

Compression = Literal["none", "deflate", "ljpeg", "jpegxl", "jpeg"]
CODES = {"none": UNCOMPRESSED, "deflate": DEFLATE, "ljpeg": JPEG, "jpegxl": JPEG_XL, "jpeg": LOSSY_JPEG}
CFA_PHOTOMETRIC, LINEAR_RAW = 32803, 34892
TEXTS = {"make": Tag.Make, "model": Tag.Model, "software": Tag.Software, "artist": Tag.Artist, "copyright": Tag.Copyright}
EXIF_TEXTS = {
    "datetime": Tag.DateTimeOriginal,
    "subsec": Tag.SubSecTimeOriginal,
    "offset_time": Tag.OffsetTimeOriginal,
    "serial": Tag.BodySerialNumber,
    "lens_make": Tag.LensMake,
    "lens": Tag.LensModel,
}
OF_THE_SHOT = {  # what DNG keeps in the first directory, whichever holds the RAW picture
    *TEXTS.values(), Tag.ImageDescription, Tag.Orientation, Tag.DNGVersion, Tag.DNGBackwardVersion, Tag.UniqueCameraModel,
    Tag.CalibrationIlluminant1, Tag.CalibrationIlluminant2, Tag.ColorMatrix1, Tag.ColorMatrix2, Tag.ForwardMatrix1, Tag.ForwardMatrix2,
    Tag.CameraCalibration1, Tag.CameraCalibration2, Tag.AnalogBalance, Tag.AsShotNeutral, Tag.AsShotWhiteXY, Tag.BaselineExposure,
}  # fmt: skip
EXIF_NUMBERS = {"exposure_s": Tag.ExposureTime, "f_number": Tag.FNumber, "focal_mm": Tag.FocalLength}


def write_dng(
    frame: RawFrame,
    path: str | Path,
    *,
    compression: Compression = "ljpeg",
    tile: int = 0,
    bits: int = 0,
    thumbnail: np.ndarray | None = None,
    overwrite: bool = False,
    threads: int = 1,
) -> Path:
    """Write a frame as DNG and give the path back; the file appears whole or not at all.

    compression: "none", "ljpeg" (lossless JPEG, the default) and "jpegxl" (lossless) are exact; "jpeg" is lossy, for 8-bit codes.
        Floating-point frames are written as 32-bit floats, "none" or "deflate": DNG knows no other way.
    tile: side of square tiles in pixels (a multiple of 16); 0 writes one strip. LibRaw misreads a mosaic of just two tiles across.
    bits: bits per integer sample, 8 to 16; 0 means 16 (8 for "jpeg").
    thumbnail: (h, w, 3) uint8 sRGB, put first in the file, the RAW picture in a directory below it.
    threads: how many tiles are compressed at a time, from 1; the file is the same.
    Raises RawError where the frame and the wish do not fit, the file exists, or it cannot be written.
    """
    path = Path(path)
    with naming(path):
        if path.exists() and not overwrite:
            raise RawError("expected a new file name, found an existing file")
        directory = dng_directory(frame, compression, tile, bits, threads)
        write_blocks(path, tiff_bytes(directory if thumbnail is None else _below_thumbnail(directory, thumbnail)))
    return path


def _below_thumbnail(raw: Directory, thumbnail: np.ndarray) -> Directory:
    """A main directory with a small picture, what belongs to the camera and the shot, and the RAW picture's directory below it."""
    if thumbnail.ndim != 3 or thumbnail.shape[2] != 3 or thumbnail.dtype != np.uint8:
        raise RawError(f"expected a thumbnail (h, w, 3) of uint8, found {thumbnail.shape} of {thumbnail.dtype}")
    height, width = thumbnail.shape[:2]
    main = Directory(children={Tag.SubIFDs: [raw]}, segments=[np.ascontiguousarray(thumbnail).tobytes()])
    for pointer in (Tag.ExifIFD, Tag.GPSInfo):
        if pointer in raw.children:
            main.children[pointer] = raw.children.pop(pointer)
    for number in [number for number in raw.fields if number in OF_THE_SHOT]:
        main.fields[number] = raw.fields.pop(number)
    for tag, value in ((Tag.NewSubfileType, 1), (Tag.ImageWidth, width), (Tag.ImageLength, height), (Tag.RowsPerStrip, height)):
        main.put(tag, LONG, value)
    for tag, values in ((Tag.BitsPerSample, [8, 8, 8]), (Tag.Compression, UNCOMPRESSED), (Tag.PhotometricInterpretation, 2)):
        main.put(tag, SHORT, values)
    main.put(Tag.SamplesPerPixel, SHORT, 3)
    main.put(Tag.PlanarConfiguration, SHORT, 1)
    return main


def dng_directory(frame: RawFrame, compression: Compression, tile: int = 0, bits: int = 0, threads: int = 1) -> Directory:
    """The one directory of a frame's DNG, before it is laid out in a file; arguments as of `write_dng`."""
    bits = 32 if frame.samples.dtype.kind == "f" else bits or (8 if compression == "jpeg" else 16)
    _check_wish(frame, compression, bits, tile, threads)
    directory = Directory(is_tiled=bool(tile))
    directory.segments = compressed(frame, compression, bits, tile, threads)
    _put_picture(directory, frame, compression, bits, tile)
    _put_geometry(directory, frame)
    _put_levels(directory, frame.levels, frame.is_mosaic)
    _put_profile(directory, frame.profile)
    _put_opcodes(directory, frame)
    _put_metadata(directory, frame)
    return directory


def _check_wish(frame: RawFrame, compression: str, bits: int, tile: int, threads: int) -> None:
    if compression not in CODES:
        raise RawError(f"expected a compression among {', '.join(CODES)}, found {compression!r}")
    suited = ("none", "deflate") if bits == 32 else ("none", "ljpeg", "jpegxl", "jpeg")
    if compression not in suited:
        raise RawError(f"expected compression {' or '.join(suited)} for {frame.samples.dtype} samples, found {compression}")
    if bits != 32 and (not 8 <= bits <= 16 or (compression == "jpeg" and bits != 8) or int(frame.samples.max(initial=0)) >= 1 << bits):
        raise RawError(f"expected samples that fit into {bits} bits, found {frame.samples.max(initial=0)}")
    if tile < 0 or tile % 16:
        raise RawError(f"expected a tile side that is a multiple of 16, found {tile}")
    if threads < 1:
        raise RawError(f"expected at least 1 thread, found {threads}")


def _put_picture(directory: Directory, frame: RawFrame, compression: str, bits: int, tile: int) -> None:
    """The tags that say how the samples are stored."""
    height, width = frame.samples.shape[:2]
    planes = 1 if frame.samples.ndim == 2 else frame.samples.shape[2]
    directory.put(Tag.NewSubfileType, LONG, 0)
    directory.put(Tag.ImageWidth, LONG, width)
    directory.put(Tag.ImageLength, LONG, height)
    directory.put(Tag.BitsPerSample, SHORT, [bits] * planes)
    directory.put(Tag.Compression, SHORT, CODES[compression])
    directory.put(Tag.PhotometricInterpretation, SHORT, CFA_PHOTOMETRIC if frame.is_mosaic else LINEAR_RAW)
    directory.put(Tag.SamplesPerPixel, SHORT, planes)
    directory.put(Tag.PlanarConfiguration, SHORT, 1)
    directory.put(Tag.SampleFormat, SHORT, [3 if bits == 32 else 1] * planes)
    if compression == "deflate":
        directory.put(Tag.Predictor, SHORT, 3)
    for tag in (Tag.TileWidth, Tag.TileLength) if tile else ():
        directory.put(tag, LONG, tile)
    if not tile:
        directory.put(Tag.RowsPerStrip, LONG, height)
    is_plain = compression in ("none", "ljpeg") and bits <= 16 and not frame.opcodes1 + frame.opcodes2 + frame.opcodes3
    version = (1, 7, 1, 0) if compression == "jpegxl" else (1, 4, 0, 0)
    directory.put(Tag.DNGVersion, BYTE, bytes(version))
    directory.put(Tag.DNGBackwardVersion, BYTE, bytes((1, 1, 0, 0) if is_plain else version))


def _put_geometry(directory: Directory, frame: RawFrame) -> None:
    active, crop = frame.active, frame.crop
    directory.put(Tag.Orientation, SHORT, frame.orientation)
    directory.put(Tag.ActiveArea, LONG, [active.top, active.left, active.bottom, active.right])
    directory.put(Tag.DefaultCropOrigin, LONG, [crop.left, crop.top])
    directory.put(Tag.DefaultCropSize, LONG, [crop.width, crop.height])
    directory.put(Tag.DefaultScale, RATIONAL, frame.scale)
    if frame.is_mosaic:
        directory.put(Tag.CFARepeatPatternDim, SHORT, [2, 2])
        directory.put(Tag.CFAPattern, BYTE, bytes("RGB".index(letter) for letter in frame.cfa))
        directory.put(Tag.CFAPlaneColor, BYTE, bytes((0, 1, 2)))
        directory.put(Tag.CFALayout, SHORT, 1)


def _put_levels(directory: Directory, levels: Levels, is_mosaic: bool) -> None:
    directory.put(Tag.BlackLevelRepeatDim, SHORT, levels.black.shape[:2])
    directory.put(Tag.BlackLevel, RATIONAL, levels.black.ravel())
    # A mosaic has one sample plane and so one WhiteLevel; where positions differ, all four are given for those who read them.
    white = levels.white[:1] if is_mosaic and np.ptp(levels.white) == 0 else levels.white
    directory.put(Tag.WhiteLevel, LONG if np.all(white == np.rint(white)) else RATIONAL, white)
    for tag, deltas in ((Tag.BlackLevelDeltaH, levels.delta_h), (Tag.BlackLevelDeltaV, levels.delta_v)):
        if deltas is not None:
            directory.put(tag, SRATIONAL, deltas)
    if levels.table is not None:
        directory.put(Tag.LinearizationTable, SHORT, levels.table)


def _put_profile(directory: Directory, profile: ColorProfile) -> None:
    tags = (
        (Tag.CalibrationIlluminant1, Tag.ColorMatrix1, Tag.ForwardMatrix1, Tag.CameraCalibration1),
        (Tag.CalibrationIlluminant2, Tag.ColorMatrix2, Tag.ForwardMatrix2, Tag.CameraCalibration2),
    )
    for (illuminant, color, forward, camera), calibration in zip(tags, profile.calibrations, strict=False):
        directory.put(illuminant, SHORT, calibration.illuminant)
        directory.put(color, SRATIONAL, calibration.color_matrix.ravel())
        for tag, matrix in ((forward, calibration.forward_matrix), (camera, calibration.camera_calibration)):
            if matrix is not None:
                directory.put(tag, SRATIONAL, matrix.ravel())
    directory.put(Tag.AnalogBalance, RATIONAL, profile.analog_balance)
    if profile.as_shot_neutral is not None:
        directory.put(Tag.AsShotNeutral, RATIONAL, profile.as_shot_neutral)
    elif profile.as_shot_xy is not None:
        directory.put(Tag.AsShotWhiteXY, RATIONAL, profile.as_shot_xy)


def _put_opcodes(directory: Directory, frame: RawFrame) -> None:
    directory.put(Tag.BaselineExposure, SRATIONAL, frame.baseline_exposure_ev)
    if frame.noise is not None:
        directory.put(Tag.NoiseProfile, DOUBLE, np.stack([frame.noise.scale, frame.noise.offset], axis=1).ravel())
        if frame.noise.frames is not None:
            put_frames(directory, frame.noise.frames)
    for tag, ops in ((Tag.OpcodeList1, frame.opcodes1), (Tag.OpcodeList2, frame.opcodes2), (Tag.OpcodeList3, frame.opcodes3)):
        if ops:
            directory.put(tag, UNDEFINED, opcodes.pack(ops))


def _put_metadata(directory: Directory, frame: RawFrame) -> None:
    """Camera and shot: the main directory, EXIF, and GPS as it was read."""
    facts = frame.metadata
    directory.put(Tag.UniqueCameraModel, ASCII, " ".join(facts[k] for k in ("make", "model") if k in facts) or "Unknown camera")
    exif, gps = Directory(), Directory()
    for target, texts in ((directory, {**TEXTS, "description": Tag.ImageDescription}), (exif, EXIF_TEXTS)):
        for key, tag in texts.items():
            if key in facts:
                target.put(tag, ASCII, facts[key])
    for key, tag in EXIF_NUMBERS.items():
        if key in facts:
            exif.put(tag, RATIONAL, facts[key])
    for key, tag in (("iso", Tag.ISOSpeedRatings), ("focal_35_mm", Tag.FocalLengthIn35mmFilm)):
        if key in facts:
            exif.put(tag, SHORT, min(round(facts[key]), 65535))
    if "composite" in facts and "exposures_s" in facts["composite"]:
        put_composite(exif, facts["composite"])
    for number, value in facts.get("gps", {}).items():
        gps.fields[number] = _gps_field(number, value)
    for pointer, child in ((Tag.ExifIFD, exif), (Tag.GPSInfo, gps)):
        if child.fields:
            directory.children[pointer] = [child]


def _gps_field(number: int, value: Any) -> tuple[int, Any]:
    """A GPS entry in the type EXIF gives it: version and altitude reference are BYTE."""
    if isinstance(value, bytes):
        return (BYTE if number in (0, 5) else UNDEFINED), value
    return (ASCII, value) if isinstance(value, str) else (RATIONAL, np.atleast_1d(value))


def write_blocks(path: Path, blocks: list[bytes]) -> None:
    """All blocks under a temporary name beside the target, then renamed."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.writelines(blocks)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise RawError(f"expected a place to write to, found none ({error.strerror})") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
