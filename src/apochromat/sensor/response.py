"""How a sensor answers light: electrons per photon of each colour, chief-ray angle, crosstalk between colours."""

from __future__ import annotations

import numpy as np

from apochromat.light.spectrum import GRID_NM
from apochromat.sensor.description import Sensor


def quantum_efficiency(sensor: Sensor) -> np.ndarray:
    """Electrons per photon (3, 71) of R, G and B pixels on `light.spectrum.GRID_NM`, IR-cut included, crosstalk not."""
    return np.stack([curve(GRID_NM) for curve in (sensor.qe.red, sensor.qe.green, sensor.qe.blue)]) * sensor.ir_cut(GRID_NM)


def microlens_share(sensor: Sensor, mismatch_deg: np.ndarray | float) -> np.ndarray:
    """Share of the light, of the angle's shape, that a pixel keeps; degrees between the chief ray and the one its microlens is for."""
    return sensor.microlens(np.abs(np.asarray(mismatch_deg, float)))


def crosstalk_matrix(sensor: Sensor) -> np.ndarray:
    """What crosstalk makes of the electrons (3,) of R, G and B pixels under flat light: (3, 3), rows sum to 1.

    On an RGGB mosaic, red and blue pixels have four green neighbours beside them and four of the other colour at their corners; a
    green one has two red and two blue beside it and green at its corners.
    """
    side, corner = sensor.crosstalk.side.value, sensor.crosstalk.corner.value
    own = 1 - 4 * (side + corner)
    return np.array([[own, 4 * side, 4 * corner], [2 * side, own + 4 * corner, 2 * side], [4 * corner, 4 * side, own]])
