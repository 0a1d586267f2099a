"""Rows of a lens table from Zemax surfaces: coordinate breaks become fold mirrors or the tilt and decentre of one surface.

A break is followed where a centred lens can say it: one without effect; one before a flat mirror at 45 degrees with its like behind (a
fold: the lens is described along the unfolded axis, so that curvatures and thicknesses behind it change sign); one that the break behind
the same surface undoes. Any other is an error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.zmx_glass import medium

NONE = 1e9  # mm: a clear radius so large is none
KINDS = ("cover", "filter", "fold")  # said by a surface's comment
SAME = 1e-9  # degrees or mm


def rows(surfaces: list[Any], notes: Any, file: str) -> list[dict[str, Any]]:
    """Documents of the surfaces between object and image, thicknesses as arrays over configurations turned into numbers or lists."""
    table: list[dict[str, Any]] = []
    sign, i = 1.0, 0
    while i < len(surfaces):
        s, following = surfaces[i], surfaces[i + 1 : i + 3]
        if s.type != "COORDBRK":
            table.append(_row(s, sign, file))
            i += 1
        elif not any(_parameters(s)):
            _lengthen(table, s, sign)
            i += 1
        elif len(following) == 2 and _is_fold(s, *following):
            _lengthen(table, s, sign)
            row, sign = _row(following[0], sign, file), -sign
            table.append({**row, "kind": "fold", "thickness": sign * (following[0].thickness + following[1].thickness)})
            notes.add(f"surface {following[0].number}: fold mirror, described along the unfolded axis")
            i += 3
        elif len(following) == 2 and _is_undone(s, *following) and sign > 0:
            _lengthen(table, s, sign)
            x, y, a, b, _ = _parameters(s)
            moved = {"tilt_deg": (a, b), "decenter_mm": (x, y), "thickness": following[1].thickness}
            table.append({**_row(following[0], sign, file), **moved})
            i += 3
        else:
            raise LensError(f"expected coordinate breaks to fold by 45 degrees or to be undone, found surface {s.number}, in {file}.")
    for before, row in zip([{}, *table], table, strict=False):
        if row.get("stop") and row["kind"] == "standard" and not (row["curvature"] or "even" in row or "glass" in row or "glass" in before):
            row["kind"] = "stop"
    return [{**row, "thickness": _numbers(row["thickness"])} for row in table]


def _parameters(s: Any) -> list[float]:
    """Decentres x, y (mm) and tilts x, y, z (degrees) of a break."""
    return [s.parameters.get(i, 0.0) for i in range(1, 6)]


def _is_fold(s: Any, mirror: Any, after: Any) -> bool:
    tilts = _parameters(s)
    about_one = sorted(abs(v) for v in tilts) == [0, 0, 0, 0, 45] and 45 in (abs(tilts[2]), abs(tilts[3]))
    flat = mirror.is_mirror and mirror.curvature == 0 and not any(mirror.parameters.values())
    return bool(about_one and flat and after.type == "COORDBRK" and np.allclose(_parameters(after), tilts, atol=SAME))


def _is_undone(s: Any, surface: Any, after: Any) -> bool:
    """Decentre, tilt, surface; then the opposite tilt before the opposite decentre."""
    opposite = after.type == "COORDBRK" and np.allclose(_parameters(after), [-v for v in _parameters(s)], atol=SAME)
    order = not s.parameters.get(6) and bool(after.parameters.get(6))
    return bool(opposite and order and surface.type != "COORDBRK" and not surface.thickness.any() and _parameters(s)[4] == 0)


def _lengthen(table: list[dict[str, Any]], s: Any, sign: float) -> None:
    """A break's thickness belongs to the surface before it; before the first surface it makes a flat one."""
    if not s.thickness.any():
        return
    if not table:
        table.append({"thickness": np.zeros_like(s.thickness)})
    table[-1]["thickness"] = table[-1]["thickness"] + sign * s.thickness


def _row(s: Any, sign: float, file: str) -> dict[str, Any]:
    """One surface as a document, its signs along the unfolded axis."""
    word, _, rest = s.comment.partition(":")
    kind = word.strip().lower() if word.strip().lower() in KINDS else "standard"
    row: dict[str, Any] = {"kind": kind, "label": s.comment if kind == "standard" else rest.strip(), "thickness": sign * s.thickness}
    if s.is_mirror:
        row["kind"] = "mirror"
    if s.stop:
        row["stop"] = True
    row |= {"curvature": sign * s.curvature, "conic": s.conic, "inner_radius": s.inner, **medium(s, file)}
    if s.type == "EVENASPH" and any(s.parameters.values()):
        row["even"] = tuple(sign * s.parameters.get(i, 0.0) for i in range(1, 9))
    if (clear := s.clear if s.clear is not None else None if s.stop or not s.is_fixed else s.diameter) is not None:
        row["semi_diameter"] = math.inf if clear >= NONE else clear
    return row


def _numbers(thickness: np.ndarray) -> float | tuple[float, ...]:
    """One number where all configurations agree."""
    values = tuple(float(v) for v in thickness)
    return values[0] if len(set(values)) == 1 else values
