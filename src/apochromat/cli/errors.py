"""Exit codes and complaints."""

from __future__ import annotations

import sys

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


class UsageError(Exception):
    """The command line asks for something that cannot be; nothing has been done yet."""


def complain(sentence: str) -> None:
    """One line on stderr."""
    print(f"apo: {' '.join(sentence.split())}", file=sys.stderr, flush=True)
