"""All kinds of terms of a merit by name, and what they look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from apochromat.optics.first_order import matrices
from apochromat.optics.optimise import body_terms as body
from apochromat.optics.optimise import image_terms as image
from apochromat.optics.optimise.alignment import alignment
from apochromat.optics.optimise.beams import Plan, View, points_on_surfaces
from apochromat.optics.optimise.seen import Numbers, Seen, Shape

Residuals = Callable[[Seen, Shape, Numbers], Any]
KINDS: dict[str, Residuals] = {
    f.__name__: f
    for f in (
        image.spot, image.opd, image.efl, image.f_number, image.entrance_pupil, image.colour_focus, image.spherochromatism,
        image.lateral_colour, image.distortion, image.chief_ray_angle, image.relative_illumination,
        body.total_track, body.folded_entry, body.folded_length, body.centre, body.edge, body.air, body.slope, body.image_clearance,
        body.semi_diameter, body.incidence, alignment,
    )
}  # fmt: skip
NEED_POINTS = {"folded_entry", "folded_length", "centre", "edge", "air", "slope", "semi_diameter", "incidence"}
NEED_MATRICES = {"efl", "entrance_pupil", "distortion"}


def see(plan: Plan, view: View, primary: int, kinds: set[str]) -> Seen:
    """All that terms of some kinds look at."""
    points, arrived = points_on_surfaces(plan, view, primary) if kinds & NEED_POINTS else (None, None)
    of_axis = None
    if kinds & NEED_MATRICES:
        lens, index = view.lens, view.index[primary]
        front, whole = jax.vmap(lambda c: matrices(lens, index, c))(jnp.arange(lens.C))
        of_axis = whole, front
    return Seen(plan, view, primary, points, arrived, of_axis)
