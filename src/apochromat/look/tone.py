"""Tone: one curve for the whole picture, on lightness, that keeps hue.

A monotone rational quadratic spline (Gregory & Delbourgo 1982) through black, grey 0.18 and the scene's white; chroma follows the
mean of the curve's ratio and slope, so colours gain a little where contrast does and fade to white at the top, along lines of
constant hue (Oklab, Ottosson 2020).
"""

from __future__ import annotations

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development

OFF = {"tone_on": 0, "tone_white": 1.0, "tone_toe": 1.0, "tone_contrast": 1.0, "tone_shoulder": 1.0, "tone_richness": 0.0}
_GREY, _GREY_SHOWN = 0.18**0.5, 0.21**0.5  # as in kernels/tone.py


_NIGHT_DEEPER = 0.3  # share of the slope at black that night takes away


class ToneParams(Params):
    enabled: bool = parameter(True, "Apply the tone curve; without it values above 1 clip")
    contrast: float = parameter(1.15, "Slope of the curve at middle grey; 1 is the scene's own contrast", ge=0.7, le=2.0)
    shadows: float = parameter(0.7, "Slope of the curve at black: lower is deeper, higher more open", ge=0.1, le=1.5)
    highlights: float = parameter(0.6, "Slope at white as a share of the mean slope above grey: lower is softer", ge=0.05, le=1.0)
    richness: float = parameter(0.3, "How far colours follow the curve's slope: 0 keeps saturation, 1 behaves as film", ge=0, le=1)


def run(development: Development, params: ToneParams) -> Development:
    """Give the finishing kernel the curve; its white is the brightest light that the exposure stage found, at most 2 EV above 1.

    At night it may lie 3 EV above 1, for lamps, and black is deeper.
    """
    if not params.enabled:
        return development
    night = development.facts.get("night", 0.0)
    white = min(max(development.facts.get("scene_white", 1.0), 0.5), 4.0 * 2**night) ** 0.5
    mean = (1 - _GREY_SHOWN) / (white - _GREY)
    return development.with_finish(
        tone_on=1,
        tone_white=white,
        tone_toe=params.shadows * (1 - _NIGHT_DEEPER * night),
        tone_contrast=params.contrast,
        tone_shoulder=params.highlights * mean,
        tone_richness=params.richness,
    )


STAGE = Stage(
    name="tone",
    order=160,
    summary="Natural global tone that keeps hue",
    params=ToneParams,
    run=run,
    source="Gregory & Delbourgo 1982; Ottosson 2020",
    neutral={"enabled": False},
)
