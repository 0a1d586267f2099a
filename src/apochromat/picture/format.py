"""What a picture format is, and the registry: every module of `formats` that defines FORMAT."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from apochromat.picture import formats
from apochromat.picture.errors import PictureError, UnknownFormat
from apochromat.picture.exif import Exif


@dataclass(frozen=True)
class Labels:
    """What travels beside the pixels: an ICC profile (empty where none is true), EXIF, and an XMP packet."""

    icc: bytes
    exif: Exif
    xmp: bytes


@dataclass(frozen=True)
class Format:
    """One file format.

    depths: bits a sample by state ("display", "linear"), the default first; a state that is missing cannot be held.
    encode(pixels, labels, quality, file): write (H, W, 3) or (H, W) uint8, uint16 or float32 as `depths` promises; quality 1..100.
    spaces: colour spaces the container can be tagged with, None = any.
    max_side: the longest side in pixels that the format can hold.
    """

    name: str
    extensions: tuple[str, ...]
    depths: Mapping[str, tuple[int, ...]]
    encode: Callable[[np.ndarray, Labels, int, BinaryIO], None]
    spaces: tuple[str, ...] | None = None
    max_side: int = 2**31 - 1

    def depth(self, state: str, wanted: int | None = None) -> int:
        """Bits a sample for pictures of this state: the default, or `wanted` if the format has it (else PictureError)."""
        depths = self.depths.get(state, ())
        if not depths:
            raise PictureError(f"{self.name} cannot hold linear pixels: choose .tiff for a picture taken out before the output stage")
        if wanted is not None and wanted not in depths:
            raise PictureError(f"{self.name} holds {_either(depths)} bits a sample for {state} pixels, found {wanted}")
        return wanted or depths[0]


def _either(values: tuple[int, ...]) -> str:
    return " or ".join(map(str, sorted(values)))


@cache
def registry() -> dict[str, Format]:
    """Every format by each of its extensions (".jpg")."""
    names = [f"{formats.__name__}.{m.name}" for m in pkgutil.iter_modules(formats.__path__)]
    found = [importlib.import_module(name).FORMAT for name in names]
    return {extension: f for f in found for extension in f.extensions}


def format_of(path: Path) -> Format:
    """The format that a file name's extension asks for; UnknownFormat names the nearest one there is."""
    known, extension = registry(), path.suffix.lower()
    if extension in known:
        return known[extension]
    near = get_close_matches(extension, known, n=1, cutoff=0.5)
    if not extension:
        raise UnknownFormat(f"{path}: expected a name that ends in {', '.join(known)}")
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(known)}"
    raise UnknownFormat(f"{path}: {extension} is not a picture format this program writes; {hint}")
