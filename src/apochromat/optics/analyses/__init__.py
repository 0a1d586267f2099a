"""Analyses of a lens, one file each: `compute(lens, config=0, ...)` gives numbers, `draw(result, figure)` a picture of them.

A module of this folder whose name has no underscore in front is an analysis. It declares `TITLE`, `ORDER` (its place in
a report), `compute`, which returns a frozen `Result`, `draw`, which takes that result and an empty matplotlib figure or subfigure, and
`size_in`, the figure's size for a result. Its docstring says what is shown, with the definition's source. Nothing else knows its name.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from apochromat.optics.errors import LensError


@cache
def names() -> tuple[str, ...]:
    """Names of all analyses, in the order of a report."""
    found = [m.name for m in iter_modules(__path__) if not m.name.startswith("_")]
    return tuple(sorted(found, key=lambda name: (analysis(name).ORDER, name)))


def analysis(name: str) -> ModuleType:
    """The module of one analysis. Raises LensError, which lists all, for an unknown name."""
    if not name.isidentifier() or name.startswith("_") or name not in {m.name for m in iter_modules(__path__)}:
        known = ", ".join(sorted(m.name for m in iter_modules(__path__) if not m.name.startswith("_")))
        raise LensError(f"Expected an analysis out of {known}; found '{name}'.")
    return import_module(f"{__name__}.{name}")
