"""One progress line per batch on stderr, redrawn on a terminal, and a summary at the end."""

from __future__ import annotations

import sys
import time
from pathlib import Path


class Progress:
    """Progress of `total` files; a single file, or `quiet`, shows nothing."""

    def __init__(self, total: int, quiet: bool) -> None:
        self.total, self.done, self.start = total, 0, time.monotonic()
        self.speaks = total > 1 and not quiet
        self.draws = self.speaks and sys.stderr.isatty()
        self._draw("")

    def advance(self, raw: Path, failed: int) -> None:
        """One more file is through."""
        self.done += 1
        self._draw(f"{raw.name}{f', {failed} failed' if failed else ''}")

    def _draw(self, last: str) -> None:
        if self.draws:
            print(f"\r\x1b[K{self.done}/{self.total} {last}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self.draws:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def summarise(self, failed: int) -> None:
        """How many, and how long."""
        if self.speaks:
            seconds = time.monotonic() - self.start
            ending = f", {failed} failed" if failed else ""
            print(f"{self.total - failed} of {self.total} developed in {seconds:.1f} s{ending}", file=sys.stderr, flush=True)


class Steps:
    """The step that is being done, redrawn on a terminal, and notes; `quiet` shows nothing."""

    def __init__(self, quiet: bool) -> None:
        self.speaks = not quiet
        self.draws = self.speaks and sys.stderr.isatty()

    def tell(self, step: str, part: float) -> None:
        """The step, and how much of it is done (0 to 1)."""
        if self.draws:
            print(f"\r\x1b[K{step} {100 * part:.0f} %", end="", file=sys.stderr, flush=True)

    def note(self, sentence: str) -> None:
        """A line that stays."""
        self.clear()
        if self.speaks:
            print(sentence, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the step's line away."""
        if self.draws:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
