"""Exposure: time, exposure index and number of frames from the light on the scene, with a limit on motion."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from apochromat.camera.errors import CameraError

MID_GREY = 0.18
MID_EXPOSURE_LX_S = 10.0  # on the sensor, of mid grey at exposure index 1: standard output sensitivity, ISO 12232:2019
NIGHT_LX, NIGHT_EV = 30.0, -0.35  # below this light, by how much a doubling less of it darkens the picture, as the eye sees a night
DARKEST_EV = -1.5
SHORTEST_S = 1 / 16000
GOOD_INDEX = 4.0  # times the base index: noise of a frame that needs no companion
MOST_FRAMES = 12


@dataclass(frozen=True)
class Exposure:
    """Of each frame of a shot."""

    exposure_s: float
    iso: float
    frames: int
    ev: float  # by how much mid grey lies above the standard, as wished or as the night asks


def mid_grey_lx(illuminance_lx: float, f_number: float, transmission: float) -> float:
    """Illuminance on the sensor, on axis, of a mid-grey plane under an illuminance."""
    return MID_GREY * illuminance_lx * transmission / (4 * f_number**2)


def automatic(
    illuminance_lx: float, f_number: float, transmission: float, base_iso: float, most_iso: float, limit_s: float, ev: float = 0.0
) -> Exposure:
    """The exposure a camera would choose: base index until the motion limit, then a higher one; frames as the index asks for.

    ev: the photographer's correction. Raises CameraError for an illuminance that is not positive.
    """
    if not (math.isfinite(illuminance_lx) and illuminance_lx > 0):
        raise CameraError(f"expected an illuminance above 0 lx, found {illuminance_lx:g}")
    night = max(DARKEST_EV, NIGHT_EV * max(0.0, math.log2(NIGHT_LX / illuminance_lx)))
    product = 2 ** (ev + night) * MID_EXPOSURE_LX_S / mid_grey_lx(illuminance_lx, f_number, transmission)  # exposure time x index
    exposure_s = min(max(product / base_iso, SHORTEST_S), limit_s)
    iso = min(max(product / exposure_s, base_iso), most_iso)
    frames = min(max(round(iso / (GOOD_INDEX * base_iso)), 1), MOST_FRAMES)
    return Exposure(exposure_s, iso, frames, ev + night)


def fixed(found: Exposure, exposure_s: float | None, iso: float | None, base_iso: float, most_iso: float) -> Exposure:
    """An automatic exposure with its time or index, or both, as the photographer wants; the one left free makes up for the other.

    Raises CameraError for an index that the camera does not have.
    """
    if iso is not None and not base_iso <= iso <= most_iso:
        raise CameraError(f"expected an exposure index from {base_iso:g} to {most_iso:g}, found {iso:g}")
    product = found.exposure_s * found.iso
    if exposure_s is not None and iso is None:
        iso = min(max(product / exposure_s, base_iso), most_iso)
    elif iso is not None and exposure_s is None:
        exposure_s = product / iso
    elif iso is None or exposure_s is None:
        return found
    return replace(found, exposure_s=exposure_s, iso=iso, ev=found.ev + math.log2(exposure_s * iso / product))
