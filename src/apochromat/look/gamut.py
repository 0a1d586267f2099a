"""Gamut: colours that the output space cannot show are brought in at their own hue and lightness.

Distance-based compression after the ACES reference gamut compression (Academy, 2020), in a space with straight lines of constant hue
after Oklab (Ottosson 2020). Colours nearer to grey than the knee pass bit-exactly; the working space stays Rec.2020.
"""

from __future__ import annotations

import numpy as np

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.light.spaces import conversion, rgb_to_cones

OFF = {"gamut_on": 0, "gamut_knee": 1.0, "gamut_cones_to_output": np.eye(3, dtype=np.float32)}


class GamutParams(Params):
    enabled: bool = parameter(True, "Bring colours beyond the output space in by hue; without it each channel is clipped")
    knee: float = parameter(0.9, "Share of the way from grey to the gamut's surface up to which colours are untouched", ge=0.5, le=1)


def cones_to(space: str) -> np.ndarray:
    """Matrix (3, 3) float32 from cone responses to linear RGB of an output space."""
    return np.ascontiguousarray(conversion("rec2020", space) @ np.linalg.inv(rgb_to_cones("rec2020")), np.float32)


def run(development: Development, params: GamutParams) -> Development:
    """Ask for mapping to sRGB; the output stage names another space where one is chosen."""
    if not params.enabled:
        return development
    return development.with_finish(gamut_on=1, gamut_knee=params.knee, gamut_cones_to_output=cones_to("srgb"))


STAGE = Stage(
    name="gamut",
    order=170,
    summary="Colours beyond the output space brought in by hue",
    params=GamutParams,
    run=run,
    source="ACES reference gamut compression; Ottosson 2020",
    neutral={"knee": 1.0},
)
