"""What can go wrong with a RAW file; every message is one sentence: which file, what was expected, what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RawError(ValueError):
    """Any failure to read or write a RAW file; the message names the file."""


class NotRawError(RawError):
    """There is no RAW picture at this path: nothing, a folder, an empty file, or a file of another kind."""


class DamagedError(RawError):
    """The file contradicts itself, or part of it is missing."""


class UnsupportedError(RawError):
    """The file may be sound, but uses something this program does not read."""


class DecodeError(RawError):
    """The decoder failed, crashed, took too long or needed too much memory."""


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Put the file's name in front of any RawError raised inside."""
    try:
        yield
    except RawError as error:
        raise type(error)(f"{path}: {error}") from error
