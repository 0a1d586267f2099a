#!/usr/bin/env python3
"""Design a lens of the library again with the public optimiser: `python examples/lenses/design.py tele-apo -o tele-apo.toml`.

Each folder here holds one design: `recipe.toml` (where it starts, its glasses, how aperture and field grow) and `goal.toml` (what is
wanted, docs/optics/optimise.md). From a start of spheres the descent is followed while aperture and field grow together; an aspheric order
joins once the beams are wide enough to tell it from the lower ones.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from apochromat.optics.build import build
from apochromat.optics.files import read_lens, write_toml
from apochromat.optics.glass import glass
from apochromat.optics.lens import Lens
from apochromat.optics.optimise import Goal, Optimised, optimise, read_goal, swapped
from apochromat.optics.prescription import Prescription, checked

HERE = Path(__file__).parent
JOINS = {4: 0.0, 6: 0.42, 8: 0.6, 10: 0.75, 12: 0.88, 14: 0.95}  # share of the aperture from which an order of r is free
CLOSED = {"low": -1e-13, "high": 1e-13}


@dataclass(frozen=True)
class Recipe:
    """How a lens is made: `recipe.toml`."""

    start: str  # a library lens, or a file in the folder
    angles_deg: list[float]  # fields at the object while it is designed
    aperture: dict[str, Any]  # of the lens in the end
    note: str  # what it is
    glass: dict[str, str]  # by label of the element's first surface
    bend: dict[str, list[float]]  # curvatures of an element's two faces at the start, 1/mm
    shares: tuple[float, ...] = (1.0,)  # of aperture and field: first, then the largest step, ...
    over: float = 1.0  # aperture while designing, over that of the start
    iterations: int = 10  # at each share
    last: int = 120  # at the end
    fail: float = 900.0  # merit above which a step is taken back and halved


def designed(folder: Path) -> Prescription:
    """The lens that the recipe and the goal of a folder make."""
    recipe = Recipe(**({"glass": {}, "bend": {}} | tomllib.loads((folder / "recipe.toml").read_text())))
    document = read_lens(folder / recipe.start if recipe.start.endswith(".toml") else recipe.start)
    goal = read_goal(folder / "goal.toml")
    lens = started(build(document), recipe)
    return finished(grown(lens, goal, recipe).lens, document, recipe, folder.name)


def started(lens: Lens, recipe: Recipe) -> Lens:
    """The start with the recipe's glasses and bendings, its fields by angle, and no clear radii."""
    labels = {s.label: i for i, s in enumerate(lens.info.surfaces) if s.label}
    for label, name in recipe.glass.items():
        lens = swapped(lens, labels[label], glass(name))
    curvature = np.array(lens.curvature)
    for label, bend in recipe.bend.items():
        curvature[labels[label] : labels[label] + 2] = bend
    fields = np.array([[0.0, angle] for angle in recipe.angles_deg])
    info = replace(lens.info, field_kind="angle")
    radii = np.full(lens.S, np.inf)
    stop = np.asarray(lens.stop_radius) * recipe.over
    return lens.replace(curvature=curvature, fields=fields, semi_diameter=radii, stop_radius=stop, info=info)


def grown(lens: Lens, goal: Goal, recipe: Recipe) -> Optimised:
    """Follow the descent from a small share of aperture and field to all of both, in steps that halve where rays get lost."""
    share, *steps = recipe.shares
    step = steps[0] if steps else 1.0
    best = told(share, optimise(opened(lens, lens, share), at(goal, share, 3 * recipe.iterations)))
    while share < 1 and step > 0.005:
        wider = min(1.0, share + step)
        found = followed(opened(best.lens, lens, wider), at(goal, wider, recipe.iterations), 20 + 100 * wider)
        if found.merit > 150 + recipe.fail * wider:
            step /= 2
        else:
            best, share, step = told(wider, found), wider, min(1.3 * step, 0.12)
    return told(share, optimise(opened(best.lens, lens, share), at(goal, share, recipe.last)))


def followed(lens: Lens, goal: Goal, enough: float) -> Optimised:
    """Up to three descents, while they gain."""
    found = optimise(lens, goal)
    for _ in range(2):
        if found.merit < enough or found.merit > 0.9 * found.start_merit:
            break
        found = optimise(found.lens, goal)
    return found


def opened(lens: Lens, full: Lens, share: float) -> Lens:
    """The lens with a share of the full aperture."""
    return lens.replace(stop_radius=np.asarray(full.stop_radius) * share)


def at(goal: Goal, share: float, iterations: int) -> Goal:
    """The goal for a share of the fields, with the aspheric orders that it can tell apart."""
    variables = []
    for v in goal.variables:
        orders = [(o,) for o in v.orders] if v.kind == "even" else []
        variables += [v.model_copy(update={"orders": o} | ({} if share >= JOINS[o[0]] else CLOSED)) for o in orders] or [v]
    fields = tuple((x * share, y * share) for x, y in goal.fields)
    return goal.model_copy(update={"fields": fields, "variables": tuple(variables), "iterations": iterations})


def told(share: float, found: Optimised) -> Optimised:
    """Say how far it is."""
    print(f"share {share:.3f}: merit {found.start_merit:.4g} -> {found.merit:.4g}", file=sys.stderr, flush=True)
    return found


def finished(lens: Lens, document: Prescription, recipe: Recipe, name: str) -> Prescription:
    """The document with the designed numbers, rounded, its aperture and fields as before; clear radii from the rays."""
    stated = document.model_dump(by_alias=True, exclude_defaults=True) | {"aperture": recipe.aperture, "name": name}
    stated |= {"source": "examples/lenses/design.py", "notes": (recipe.note,)}
    thickness = still(np.asarray(lens.thickness))
    rows = [row(lens, i, thickness[:, i], stated["surface"][i]) for i in range(lens.S)]
    found = checked(stated | {"surface": rows}, "")
    for r, radius in zip(rows, build(found).semi_diameter, strict=True):
        r.setdefault("semi_diameter", round(float(radius) + 0.002, 3))
    return checked(stated | {"surface": rows}, "")


def still(thickness: np.ndarray) -> np.ndarray:
    """Thicknesses (C, S) rounded, the last that moves so that the image stays where it is."""
    rounded = np.round(thickness, 6)
    moving = np.flatnonzero(np.ptp(rounded, axis=0) > 0)
    if len(moving):
        rounded[:, moving[-1]] += rounded[0].sum() - rounded.sum(1)
    return np.round(rounded, 6)


def row(lens: Lens, i: int, thickness: np.ndarray, stated: dict[str, Any]) -> dict[str, Any]:
    """One surface's row: designed shape, thickness and glass; prism and plates keep their clear radii."""
    kept = ("kind", "label", "group", "glass", "conic", "stop", "moulded")
    found = {k: stated[k] for k in kept if k in stated}
    surface = lens.info.surfaces[i]
    found["thickness"] = tuple(map(float, thickness)) if np.ptp(thickness) else float(thickness[0])
    if surface.glass and surface.kind != "fold":
        found["glass"] = surface.glass
    if lens.curvature[i]:
        found["radius"] = float(f"{1 / lens.curvature[i]:.7g}")
    if even := tuple(float(f"{a:.8g}") for a in np.trim_zeros(np.asarray(lens.even[i]), "b")):
        found["even"] = even
    if surface.kind != "stop" and not (lens.curvature[i] or even) and "semi_diameter" in stated:
        found["semi_diameter"] = stated["semi_diameter"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(f.name for f in HERE.iterdir() if (f / "recipe.toml").exists()))
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    write_toml(designed(HERE / arguments.name), arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
