"""How a sensor answers light: electrons per photon of each colour, chief-ray angle, crosstalk between colours."""

from __future__ import annotations

import math

import numpy as np

from apochromat.light.spectra import luminance
from apochromat.light.spectrum import GRID_NM, STEP_NM
from apochromat.sensor.description import Sensor
from apochromat.sensor.operating_point import operating_point

_JOULE_NM = 6.62607015e-34 * 299792458 * 1e9  # energy of a photon times its wavelength, J nm (SI)
_SATURATION_SPEED = 78.0  # ISO 12232: speed times the exposure of saturation, lx s


def quantum_efficiency(sensor: Sensor) -> np.ndarray:
    """Electrons per photon (3, 71) of R, G and B pixels on `light.spectrum.GRID_NM`, IR-cut included, crosstalk not."""
    return np.stack([curve(GRID_NM) for curve in (sensor.qe.red, sensor.qe.green, sensor.qe.blue)]) * sensor.ir_cut(GRID_NM)


def microlens_share(sensor: Sensor, mismatch_deg: np.ndarray | float) -> np.ndarray:
    """Share of the light, of the angle's shape, that a pixel keeps; degrees between the chief ray and the one its microlens is for."""
    return sensor.microlens(np.abs(np.asarray(mismatch_deg, float)))


def crosstalk_matrix(sensor: Sensor) -> np.ndarray:
    """What crosstalk makes of the electrons (3,) of R, G and B pixels under flat light: (3, 3), rows sum to 1.

    On an RGGB mosaic, red and blue pixels have four green neighbours beside them and four of the other colour at their corners; a
    green one has two red and two blue beside it and green at its corners. On a quad mosaic three of the eight are of the same four.
    """
    side, corner = sensor.crosstalk.side.value, sensor.crosstalk.corner.value
    own = 1 - 4 * (side + corner)
    if sensor.cfa == "quad RGGB":
        same, both = own + 2 * side + corner, side + corner
        return np.array([[same, 2 * both, corner], [both, same + corner, both], [corner, 2 * both, same]])
    return np.array([[own, 4 * side, 4 * corner], [2 * side, own + 4 * corner, 2 * side], [4 * corner, 4 * side, own]])


def electrons_per_lx_s(sensor: Sensor, light: np.ndarray) -> np.ndarray:
    """Electrons (3,) that R, G and B pixels collect in flat light of the spectrum (71,) and 1 lx s on the sensor; crosstalk included."""
    irradiance = np.asarray(light, float) / luminance(light)  # W/(m^2 nm) of 1 lx: luminance counts the same lumens
    photons = irradiance * GRID_NM / _JOULE_NM * (sensor.pixels.pitch_um.value * 1e-6) ** 2
    return crosstalk_matrix(sensor) @ quantum_efficiency(sensor) @ photons * STEP_NM


def highlight_headroom_ev(sensor: Sensor, iso: float, light: np.ndarray) -> float:
    """Stops from the exposure that saturates by the definition of ISO 12232 (78 lx s / ISO) to the one at which green reaches stored
    white under a light (71,): what BaselineExposure gives back."""
    white_e = operating_point(sensor, iso=iso, exposure_s=1e-3).white_e
    return math.log2(white_e / electrons_per_lx_s(sensor, light)[1] * iso / _SATURATION_SPEED)
