"""The colour of a sensor as DNG states it: matrices fitted to its own response, the white locked.

A matrix N from white-balanced camera RGB to XYZ is fitted over the training reflectances under the light by least squares of
CIEDE2000, among those with N (1, 1, 1) = XYZ of the light, so that greys have no tint. ColorMatrix is its inverse; ForwardMatrix is
fitted in the same way to the colours adapted to D50. Source of the terms: DNG Specification 1.7, chapter 6.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import optimize

from apochromat.light.color_difference import cat16, ciede2000, lab
from apochromat.light.raw_frame import Calibration, ColorProfile
from apochromat.light.spaces import D50_XYZ, D65_XYZ, bradford
from apochromat.light.spectra import color_checker, illuminant, training_reflectances, xyz
from apochromat.light.spectrum import GRID_NM
from apochromat.sensor.description import Sensor
from apochromat.sensor.errors import SensorError
from apochromat.sensor.response import crosstalk_matrix, quantum_efficiency

_CALIBRATION_LIGHTS = {17: "A", 21: "D65"}  # EXIF LightSource


def camera_rgb(sensor: Sensor, radiance: np.ndarray) -> np.ndarray:
    """Relative electrons (..., 3) of R, G and B pixels under flat light of spectra (..., 71) in power; crosstalk included."""
    return (np.asarray(radiance, float) * GRID_NM) @ (crosstalk_matrix(sensor) @ quantum_efficiency(sensor)).T


def camera_neutral(sensor: Sensor, light: np.ndarray) -> np.ndarray:
    """Camera RGB (3,) of white under a light (71,), maximum 1 (AsShotNeutral); SensorError for what is no light."""
    light = np.asarray(light, float)
    good = light.shape == GRID_NM.shape and bool(np.all(np.isfinite(light))) and light.min() >= 0
    white = camera_rgb(sensor, light) if good else np.zeros(3)
    if white.min() <= 0:
        raise SensorError(f"expected a light as {len(GRID_NM)} finite numbers of at least 0 that R, G and B see, found shape {light.shape}")
    return white / white.max()


def color_profile(sensor: Sensor, light: np.ndarray) -> ColorProfile:
    """Matrices for illuminants A (17) and D65 (21), and the neutral of a shot under `light` (71,), a spectrum of power."""
    calibrations = tuple(_calibration(sensor, code, name) for code, name in _CALIBRATION_LIGHTS.items())
    return ColorProfile(calibrations, as_shot_neutral=camera_neutral(sensor, light))


def best_3x3_error(sensor: Sensor, light: np.ndarray) -> float:
    """Mean CIEDE2000 on the 24 patches of the ColorChecker under `light` (71,) by the matrix that is best for just these: the floor.

    Any 3 x 3, white not locked; colours adapted to D65 by CAT16.
    """
    camera, target = _samples(sensor, light, np.stack(list(color_checker().values())), D65_XYZ)
    wanted = lab(target, D65_XYZ)
    start = _locked_fit(camera, target, D65_XYZ)

    def mean(entries: np.ndarray) -> float:
        return float(ciede2000(lab(camera @ entries.reshape(3, 3).T, D65_XYZ), wanted).mean())

    found = optimize.minimize(mean, start.ravel(), method="Powell", options={"xtol": 1e-6, "ftol": 1e-9, "maxiter": 200})
    return min(float(found.fun), mean(start.ravel()))


@cache
def _calibration(sensor: Sensor, code: int, name: str) -> Calibration:
    light, training = illuminant(name), training_reflectances()
    neutral, white = camera_neutral(sensor, light), xyz(light) / xyz(light)[1]
    to_xyz = _locked_fit(*_samples(sensor, light, training, white), white)
    camera, target = _samples(sensor, light, training, D65_XYZ)
    to_d50 = _locked_fit(camera, target @ bradford(D65_XYZ, D50_XYZ).T, D50_XYZ)
    return Calibration(code, color_matrix=neutral[:, None] * np.linalg.inv(to_xyz), forward_matrix=to_d50)


def _samples(sensor: Sensor, light: np.ndarray, reflectances: np.ndarray, white: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """White-balanced camera RGB and XYZ (n, 3 each) of reflectances (n, 71) under a light; XYZ adapted by CAT16 to `white` (3,)."""
    camera = camera_rgb(sensor, light * reflectances) / camera_rgb(sensor, light)
    found = xyz(light * reflectances) / xyz(light)[1]
    return camera, found @ cat16(xyz(light) / xyz(light)[1], white).T


def _locked_fit(camera: np.ndarray, target: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Matrix (3, 3) that maps (1, 1, 1) to `white` and camera RGB (n, 3) to XYZ (n, 3), by least squares of CIEDE2000."""
    blue, rest = camera[:, 2], camera[:, :2] - camera[:, 2:]
    start = np.linalg.lstsq(rest, target - blue[:, None] * white, rcond=None)[0].T
    wanted = lab(target, white)

    def residuals(entries: np.ndarray) -> np.ndarray:
        return ciede2000(lab(camera @ _completed(entries.reshape(3, 2), white).T, white), wanted)

    return _completed(optimize.least_squares(residuals, start.ravel()).x.reshape(3, 2), white)


def _completed(columns: np.ndarray, white: np.ndarray) -> np.ndarray:
    """The matrix whose first two columns are `columns` (3, 2) and whose rows sum to `white`."""
    return np.column_stack([columns, white - columns.sum(axis=1)])
