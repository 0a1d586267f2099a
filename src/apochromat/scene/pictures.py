"""Reading picture files as linear RGB."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

from apochromat.scene.errors import SceneError
from apochromat.scene.exr import read_exr


def read_picture(path: str | Path) -> np.ndarray:
    """Linear RGB (h, w, 3) float32 of an EXR, HDR, TIFF, JPEG or PNG file, opacity left out. SceneError if it cannot be read."""
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SceneError(f"{path}: expected a picture that ends in {', '.join(READERS)}, found {path.suffix or 'no ending'!r}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SceneError(f"{path}: expected a readable picture, found: {error.strerror}") from error
    try:
        return _as_rgb(reader(data))
    except SceneError as error:
        raise SceneError(f"{path}: {error}") from error
    except Exception as error:  # the codecs raise types of their own for damaged data
        raise SceneError(f"{path}: expected a sound {path.suffix[1:].upper()} picture, found: {error}") from error


def decode_srgb(values: np.ndarray) -> np.ndarray:
    """Linear light 0..1 of sRGB values 0..1. Source: IEC 61966-2-1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _from_codes(codes: np.ndarray) -> np.ndarray:
    """Linear light of integer sRGB codes, by a table; floating numbers are linear already."""
    if codes.dtype.kind == "f":
        return codes.astype(np.float32)
    if codes.dtype not in (np.uint8, np.uint16):
        raise SceneError(f"expected samples of 8 or 16 bits or floating numbers, found {codes.dtype}")
    most = np.iinfo(codes.dtype).max
    return decode_srgb(np.arange(most + 1) / most)[codes]


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[-1] not in (1, 2, 3, 4) or not picture.size:
        raise SceneError(f"expected one grey or RGB picture, found samples of shape {picture.shape}")
    return np.repeat(picture[..., :1], 3, axis=-1) if picture.shape[-1] < 3 else picture[..., :3]


def _read_tiff(data: bytes) -> np.ndarray:
    with tifffile.TiffFile(BytesIO(data)) as file:
        samples = file.pages.first.asarray()
    planar = samples.ndim == 3 and samples.shape[0] in (3, 4) and samples.shape[-1] not in (3, 4)
    return _from_codes(np.moveaxis(samples, 0, -1) if planar else samples)


READERS: dict[str, Callable[[bytes], np.ndarray]] = {
    ".exr": read_exr,
    ".hdr": lambda data: imagecodecs.rgbe_decode(data),
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".jpg": lambda data: _from_codes(imagecodecs.jpeg_decode(data)),
    ".jpeg": lambda data: _from_codes(imagecodecs.jpeg_decode(data)),
    ".png": lambda data: _from_codes(imagecodecs.png_decode(data)),
}
