"""From a path to a RAW frame, in this process."""

from __future__ import annotations

import mmap
import os
from dataclasses import replace
from pathlib import Path

from apochromat.light.raw_frame import RawFrame
from apochromat.raw import dng, libraw
from apochromat.raw.check import check
from apochromat.raw.errors import NotRawError, naming
from apochromat.raw.tags import Tag
from apochromat.raw.tiff import Ifd, byte_order, first_directory, read_directories, read_directory


def read(path: str | Path) -> RawFrame:
    """Read a RAW file, decoding it in this process; `read_isolated` does it in a child process.

    DNG goes through our own reader, everything else through LibRaw. Raises RawError with one sentence that names the file.
    """
    path = Path(path)
    with naming(path):
        data = _contents(path)
        ifds = _dng_directories(data)
        frame = dng.read(path, ifds) if ifds else libraw.read(path, data)
        return check(replace(frame, path=str(path)))


def load_decoder(path: str | Path) -> None:
    """Import what will decode this file, so that child processes need not; RawError where there is no file to decode."""
    with naming(path):
        if _dng_directories(_contents(Path(path))):
            import imagecodecs

            imagecodecs.jpeg8_decode  # noqa: B018  (each codec loads at its first mention)
        else:
            import rawpy  # noqa: F401


def _contents(path: Path) -> memoryview:
    """The file's bytes, mapped and not copied; nobody waits for a pipe whose writer may never come."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except IsADirectoryError as error:
        raise NotRawError("expected a RAW file, found a folder") from error
    except ValueError as error:
        raise NotRawError("expected a RAW file, found an empty file") from error
    except OSError as error:
        raise NotRawError(f"expected a RAW file that can be read, found none ({error.strerror})") from error


def _dng_directories(data: memoryview) -> list[Ifd]:
    """The directories of a DNG, [] for any other file: makers whose formats bend the TIFF rules are LibRaw's business."""
    order = byte_order(data)
    if order is None or Tag.DNGVersion not in read_directory(data, order, first_directory(data, order)):
        return []
    return read_directories(data)
