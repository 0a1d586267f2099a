"""Axial chromatic aberration: purple and green fringes at bright, high-contrast edges.

Source: colour differences in the transition between an edge's sides are bounded by the sides' own, Chung, Kim, Kang & Kang,
"Detecting and eliminating chromatic aberration in digital images", ICIP 2009; local linear model, He & Sun, "Fast guided filter", 2015.
"""

from __future__ import annotations

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development

OFF = {"fringes_purple": 0.0, "fringes_green": 0.0}


class FringesParams(Params):
    purple: float = parameter(0.9, "Share of purple and blue fringes to remove; 0 = off.", ge=0, le=1)
    green: float = parameter(0.5, "Share of green fringes to remove; thin leaves against a bright sky can lose green; 0 = off.", ge=0, le=1)


def run(development: Development, params: FringesParams) -> Development:
    """Arguments of the finishing kernel; it acts on linear working RGB."""
    return development.with_finish(fringes_purple=params.purple, fringes_green=params.green)


STAGE = Stage(
    name="fringes",
    order=130,
    summary="Removes purple and green fringes at bright edges",
    params=FringesParams,
    run=run,
    source="Chung et al. 2009; He & Sun 2015",
    neutral={"purple": 0.0, "green": 0.0},
)
