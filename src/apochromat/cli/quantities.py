"""Quantities as they are typed on the command line, and as they are told."""

from __future__ import annotations

import math

from apochromat.cli.errors import UsageError


def number(option: str, text: str, low: float, high: float) -> float:
    """A number of an option, from low to high. Raises UsageError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise UsageError(f"{option} {text}: expected a number from {low:g} to {high:g}")
    return value


def seconds(text: str) -> float:
    """An exposure as photographers write it: 1/15, 0.5, 2."""
    over, _, under = text.removesuffix("s").strip().partition("/")
    try:
        value = float(over) / float(under or 1)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 1e-6 <= value <= 3600:
        raise UsageError(f"--exposure {text}: expected seconds such as 1/15 or 0.5")
    return value


def distance(text: str) -> float | None:
    """Metres of --focus; None: auto. Raises UsageError."""
    if text in ("auto", "far"):
        return None if text == "auto" else math.inf
    return number("--focus", text.removesuffix("m"), 0.02, 1e6)


def size(text: str) -> tuple[int, int] | None:
    """Rows and columns of WxH."""
    if not text:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"--crop {text}: expected WIDTHxHEIGHT in pixels, such as 1024x768")
    return int(height), int(width)


def figures(value: float) -> str:
    """A number as people read it: three figures of a small one, a large one whole."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
