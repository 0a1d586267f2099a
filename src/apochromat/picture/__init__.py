"""Finished pictures out: JPEG, TIFF, PNG, AVIF, JPEG XL, each with colour profile, EXIF and the recipe that made it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from apochromat.light.rendition import Rendition
from apochromat.picture import icc, xmp
from apochromat.picture.errors import OutputExists, PictureError, UnknownFormat
from apochromat.picture.exif import Exif
from apochromat.picture.files import new_file
from apochromat.picture.format import Format, Labels, format_of

__all__ = ["OutputExists", "PictureError", "UnknownFormat", "codes", "format_of", "write"]


def write(rendition: Rendition, path: str | Path, *, quality: int = 92, overwrite: bool = False, depth: int | None = None) -> Path:
    """Write a rendition as its file name says and return the path.

    quality: 1..100 for JPEG, AVIF and JPEG XL. depth: bits a sample; by default what the pixels have, or float32 for linear ones.
    Raises OutputExists, UnknownFormat, or PictureError (unwritable, disk full, a state or size that the format cannot hold).
    """
    path = Path(path)
    kind = format_of(path)
    if not 1 <= quality <= 100:
        raise PictureError(f"quality must be between 1 and 100, found {quality}")
    _check(rendition, kind, path)
    if depth is None and rendition.state == "display":
        depth = min(8 * rendition.pixels.dtype.itemsize, max(kind.depths["display"]))
    pixels = codes(rendition.pixels, kind.depth(rendition.state, depth))
    labels = Labels(
        icc.profile(rendition.space, rendition.state, grey=pixels.ndim == 2),
        Exif(rendition.metadata, pixels.shape, rendition.space),
        xmp.packet(rendition.recipe),
    )
    with new_file(path, overwrite) as file:
        kind.encode(pixels, labels, quality, file)
    return path


def _check(rendition: Rendition, kind: Format, path: Path) -> None:
    """Raise PictureError if the format cannot hold this state, space or size."""
    kind.depth(rendition.state)
    if kind.spaces and rendition.space not in kind.spaces:
        raise PictureError(f"{path}: {kind.name} is written in {' or '.join(kind.spaces)} only, found {rendition.space}")
    side = max(rendition.pixels.shape[:2])
    if side > kind.max_side:
        raise PictureError(f"{path}: {kind.name} holds at most {kind.max_side} pixels a side, found {side}")


def codes(pixels: np.ndarray, depth: int) -> np.ndarray:
    """The same picture in uint8, uint16 or float32; values 0..1 fill the integer range and what lies outside is clipped.

    Pixels that have the wanted depth already are returned as they are, not copied.
    """
    target = np.dtype({8: "u1", 16: "u2", 32: "f4"}[depth])
    if pixels.dtype == target:
        return pixels
    if pixels.dtype.kind == "f":
        full = np.iinfo(target).max
        return np.rint(np.clip(pixels, 0, 1) * np.float32(full)).astype(target)
    if depth == 16:
        return pixels.astype(target) * np.uint16(257)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(target)
