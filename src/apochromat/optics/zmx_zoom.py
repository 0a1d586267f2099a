"""Configurations and pickups of a Zemax lens file: which thickness takes which value in which configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from apochromat.optics.errors import LensError

SHAPE = re.compile("CRVT|GLSS|CONN|PRAM|PAR[1-8]|STPS|IGNR|INDX|MIND|MABB|MDPG")  # operands that change a surface


@dataclass(frozen=True)
class Zoom:
    """How many configurations there are, and what of the aperture moves between them."""

    count: int = 1
    aperture: tuple[float, ...] = ()  # as the aperture record counts it
    stop_radius: tuple[float, ...] = ()  # mm


def configure(surfaces: list[Any], system: list[Any], after: list[Any], scale: float, notes: Any, file: str) -> Zoom:
    """Give every thickness one value for each configuration (`surfaces` change). Raises LensError for what cannot be followed."""
    start = next((i for i, r in enumerate(after) if r.key == "MNUM"), None)
    count = after[start].whole(0, 1) if start is not None else 1
    if not 1 <= count <= 100:
        raise LensError(f"expected 1 to 100 configurations in MNUM, found {count}, in {file}.")
    moved: dict[tuple[str, int], dict[int, Any]] = {}
    for r in after[start + 1 :] if start is not None else []:
        if r.key not in ("MOFF", "TOL", "BLNK") and len(r.words) > 2:
            moved.setdefault((r.key, r.whole(0)), {})[r.whole(1)] = r
    for s in surfaces:
        s.thickness = np.full(count, float(s.thickness))
    zoom = Zoom(count)
    for (key, place), values in moved.items():
        zoom = _apply(zoom, key, place, values, surfaces, scale, notes, file)
    return zoom


def _apply(zoom: Zoom, key: str, place: int, values: dict[int, Any], surfaces: list[Any], scale: float, notes: Any, file: str) -> Zoom:
    """One operand in all configurations."""
    moves = len({r.words[2] for r in values.values()}) > 1
    if key == "THIC":
        if place >= len(surfaces):
            raise LensError(f"expected a surface below {len(surfaces)} in THIC, found {place}, in {file}.")
        for config, r in values.items():
            if 1 <= config <= zoom.count:
                surfaces[place].thickness[config - 1] = r.number(2) * scale
        surfaces[place].solve = None
    elif key in ("APER", "SDIA") and not moves:
        return zoom
    elif key in ("APER", "SDIA"):
        numbers = tuple(values[i].number(2) if i in values else 0.0 for i in range(1, zoom.count + 1))
        if key == "APER":
            return Zoom(zoom.count, numbers, zoom.stop_radius)
        if surfaces[place].stop:
            return Zoom(zoom.count, zoom.aperture, tuple(v * scale for v in numbers))
        surfaces[place].diameter = max(numbers) * scale
        notes.add(f"surface {place}: its clear radius differs between configurations; the largest is kept")
    elif SHAPE.fullmatch(key) and moves:
        raise LensError(f"expected only thicknesses, aperture and stop to move, found {key} of surface {place} moving, in {file}.")
    elif moves:
        notes.add(f"configurations: {key} {place} moves in the file and is not followed")
    return zoom


def solve(surfaces: list[Any], notes: Any, file: str) -> None:
    """Follow pickups of thickness and glass, compensators and positions, in every configuration. Raises LensError for a cycle."""
    for s in surfaces:
        if s.solve is not None and s.solve.key == "MAZH":
            notes.add(f"surface {s.number}: the thickness is solved for in the file; its value there is kept")
    done: set[tuple[str, int]] = set()
    for s in surfaces:
        for quantity in ("thickness", "glass", "curvature"):
            _follow(quantity, s.number, surfaces, done, [], file)


def _follow(quantity: str, number: int, surfaces: list[Any], done: set[tuple[str, int]], path: list[int], file: str) -> None:
    """Settle what a surface's quantity is picked up from, then the quantity."""
    if number in path:
        chain = " from ".join(f"surface {n}" for n in [*path[path.index(number) :], number])
        raise LensError(f"expected pickups that end, found a cycle: {quantity} of {chain}, in {file}.")
    if (quantity, number) in done:
        return
    for source in _sources(quantity, surfaces[number]):
        if not 0 <= source < len(surfaces):
            raise LensError(f"expected a pickup from surfaces 0 to {len(surfaces) - 1}, found {source} at surface {number}, in {file}.")
        _follow(quantity, source, surfaces, done, [*path, number], file)
    done.add((quantity, number))
    if quantity == "thickness":
        _settle(surfaces[number], surfaces)
    elif quantity == "glass" and (source_of := _sources("glass", surfaces[number])):
        surfaces[number].glass = [*surfaces[source_of[0]].glass[:1], "0", "0", *surfaces[source_of[0]].glass[3:]]


def _sources(quantity: str, s: Any) -> list[int]:
    """Numbers of the surfaces that a quantity is picked up from."""
    if quantity == "curvature":
        return [] if s.curvature_from is None else [s.curvature_from]
    if quantity == "glass":
        return [int(s.glass[2])] if len(s.glass) > 2 and s.glass[1] == "2" and s.glass[2].isdecimal() else []
    if s.solve is None or s.solve.key == "MAZH":
        return []
    first = s.solve.whole(0)
    return list(range(first, s.number)) if s.solve.key == "TOLE" else [first]


def _settle(s: Any, surfaces: list[Any]) -> None:
    """The thickness that a pickup, a compensator or a position gives."""
    if (sources := _sources("thickness", s)) == []:
        return
    unit = s.unit
    given = sum(surfaces[i].thickness for i in sources)
    if s.solve.key == "PZUP":
        s.thickness = given * s.solve.number(1, 1.0) + s.solve.number(2, 0.0) * unit
    else:
        s.thickness = s.solve.number(1) * unit - given
