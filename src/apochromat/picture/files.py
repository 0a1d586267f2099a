"""Output files that are whole or not there: written under a temporary name in the same folder, then given their name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from apochromat.picture.errors import OutputExists, PictureError


@contextmanager
def new_file(path: Path, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file, open for writing and reading, that becomes `path` when the block ends well and vanishes when it does not.

    Raises OutputExists if `path` is there and `overwrite` is not set, PictureError for any failure of the file system.
    """
    refuse_existing(path, overwrite)
    temporary = path.with_name(f".apo-{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "x+b") as file:
            yield file
        _publish(temporary, path, overwrite)
    except OSError as error:
        raise PictureError(f"{path} could not be written: {(error.strerror or str(error)).lower()}") from error
    finally:
        # Also on Ctrl-C; the temporary name is gone already where all went well.
        _remove(temporary)


def refuse_existing(path: Path, overwrite: bool = False) -> None:
    """Raise OutputExists if `path` is there and replacing it was not asked for, PictureError if it is a folder."""
    if os.path.isdir(path):
        raise PictureError(f"{path} is a folder, expected the name of a file")
    if not overwrite and os.path.lexists(path):
        raise OutputExists(f"{path} exists already; give --overwrite (overwrite=True) to replace it")


def _publish(temporary: Path, path: Path, overwrite: bool) -> None:
    """Give the finished file its name; without `overwrite` in one step that fails if the name has been taken meanwhile."""
    if not overwrite:
        try:
            os.link(temporary, path)
            return
        except OSError:
            refuse_existing(path)  # the name is taken, or the file system has no hard links
    os.replace(temporary, path)


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return  # the folder itself is gone or cannot be looked into: nothing of ours is left there
