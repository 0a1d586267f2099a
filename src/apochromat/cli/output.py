"""What goes to stdout: whole lines, in an encoding that any file name survives."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


class OutputError(Exception):
    """Standard output takes no more."""


def say(text: str) -> None:
    """One line, or several, on stdout at once."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output could not be written: {(error.strerror or str(error)).lower()}") from error


def say_json(facts: dict[str, Any]) -> None:
    """One JSON object on a line; escaped only where a file name is no text, so that the line itself always is."""
    line = json.dumps(facts, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        line = json.dumps(facts)
    say(line)


def prepare() -> None:
    """Make the standard streams safe: none missing, and bytes of file names that are no text come out as they went in.

    Where a stream was closed its number would go to the next file opened; the null device takes its place.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="surrogateescape" if sys.stdout.encoding.lower() == "utf-8" else "backslashreplace")


def abandon() -> None:
    """Nothing more goes to stdout, not even what its buffer still holds."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
