"""Output: linear Rec.2020 to the display codes of sRGB or Display P3, both with the transfer curve of IEC 61966-2-1."""

from __future__ import annotations

from typing import Literal

import numpy as np

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.light.spaces import conversion
from apochromat.look.gamut import cones_to

OFF = {"encode_on": 0, "encode_working_to_output": np.eye(3, dtype=np.float32)}


class OutputParams(Params):
    space: Literal["srgb", "display-p3"] = parameter("srgb", "Colour space of the finished picture")


def run(development: Development, params: OutputParams) -> Development:
    """Encode for the chosen space, and let the gamut mapping, if it is on, aim at that space."""
    matrix = np.ascontiguousarray(conversion("rec2020", params.space), np.float32)
    development = development.with_finish(encode_on=1, encode_working_to_output=matrix)
    if development.finish.get("gamut_on"):
        development = development.with_finish(gamut_cones_to_output=cones_to(params.space))
    return development.with_facts(output_space=params.space)


STAGE = Stage(
    name="output",
    order=180,
    summary="Display codes of the output space",
    params=OutputParams,
    run=run,
    source="IEC 61966-2-1; SMPTE EG 432-1",
)
