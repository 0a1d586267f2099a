"""A wide phone lens, once designed, as a prescription with its near distances (`wide.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.build import build
from apochromat.optics.lens import TERMS
from apochromat.optics.optimise import Goal, optimise
from apochromat.optics.prescription import Prescription, checked

if TYPE_CHECKING:
    from wide import Draft

WEIGHTS = {435.8343: 0.3, 486.1327: 0.8, 546.074: 1.0, 587.5618: 0.9, 656.2725: 0.6}  # of the lens


def document(draft: Draft, name: str) -> dict[str, Any]:
    """The lens as a document, its clear radii as far as the designed rays reach."""
    r, seen = draft.recipe, draft.merit_at(1.0).seen(draft.variables())
    reach = np.hypot(seen.met[0], seen.met[1]).max((1, 2))
    rows = []
    for i, (kind, medium) in enumerate(zip(draft.kinds, draft.media, strict=True)):
        row: dict[str, Any] = {"thickness": round(float(draft.thickness[i]), 6)}
        if kind == "lens":
            even = draft.shapes[i] / draft.zone[i] ** (2 * np.arange(1, TERMS + 1))
            row |= {"radius": float(f"{0.5 / even[0]:.9g}"), "conic": -1, "even": [0.0, *(float(f"{a:.9g}") for a in even[1:])]}
        row |= {} if kind == "lens" else {"kind": kind}
        row |= {"glass": medium} if medium else {}
        rows.append(row if kind == "stop" else row | {"semi_diameter": round(float(reach[i]) + 0.015, 3)})
    return {
        "name": name,
        "source": "examples/lenses/wide.py",
        "notes": r.notes,
        "aperture": {"f_number": r.f_number},
        "fields": {"kind": "real_image_height", "points": r.heights},
        "wavelengths": {"nm": list(WEIGHTS), "weights": list(WEIGHTS.values()), "primary_nm": 546.074},
        "sensor": {"pixel_um": r.pixel_um, "image_radius_mm": r.heights[-1]},
        "surface": rows,
    }


def focused(stated: dict[str, Any], efl: float, near_mm: list[float]) -> Prescription:
    """The lens with a configuration for each near distance, the whole of it moved away from its filter."""
    if not near_mm:
        return checked(stated, "")
    names = [f"{d / 1000:g} m" for d in near_mm]
    configurations = [{"name": "infinity"}, *({"name": n, "object_distance_mm": d} for n, d in zip(names, near_mm, strict=True))]
    stated = stated | {"configuration": configurations, "aperture": stated["aperture"] | {"fixed_stop": True}}
    last = next(i for i, row in enumerate(stated["surface"]) if row.get("kind") == "filter") - 1
    gap = stated["surface"][last]["thickness"]
    stated["surface"][last]["thickness"] = [gap, *(gap + efl**2 / d for d in near_mm)]
    lens = build(checked(stated, ""))
    goal = Goal.model_validate(
        {
            "fields": stated["fields"]["points"][:3],
            "variables": [{"kind": "thickness", "surfaces": [last], "configurations": names, "each": True}],
            "terms": [{"kind": "spot"}],
            "iterations": 20,
        }
    )
    thickness = optimise(lens, goal, seed=0).lens.thickness[:, last]
    stated["surface"][last]["thickness"] = [round(float(t), 6) for t in thickness]
    return checked(stated, "")
