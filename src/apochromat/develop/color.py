"""Camera colour to the working space: one matrix, from the file's calibration and the chosen white.

Source: DNG Specification 1.7, chapter 6, for files with two calibrations or a ForwardMatrix. Where a camera was calibrated under one
light only, the change of its matrix with the light is predicted from cameras whose spectral sensitivities have been measured.
"""

from __future__ import annotations

import numpy as np

from apochromat.develop.dng_color import camera_to_xyz_d50, checked_neutral, temperature_tint, white_xy
from apochromat.develop.stage import Params, Stage
from apochromat.light.development import Development
from apochromat.light.raw_frame import ColorProfile
from apochromat.light.spaces import D50_XYZ, D65_XY, D65_XYZ, bradford, rgb_to_xyz

# Chromaticities of the CIE illuminants by EXIF LightSource code (CIE 15).
_CIE_WHITES = {17: (0.4476, 0.4074), 20: (0.3324, 0.3474), 21: D65_XY, 22: (0.2990, 0.3149), 23: (0.3457, 0.3585)}
_A_K, _D65_K = 2856.0, 6504.0

# From D65 to illuminant A, the mean change of the matrix from white-balanced camera RGB to XYZ D50. Each matrix inverts the
# ColorMatrix fitted to 190 reflectances, for Nikon D850, Sony ILCE-7M3 and Canon EOS R5, whose sensitivities the Academy publishes
# (rawtoaces-data, Apache-2.0); tests/unit/test_color.py derives these numbers anew.
CHANGE_TO_A = np.array([[0.0192, -0.1010, 0.0818], [-0.0348, -0.0912, 0.1260], [0.0426, -0.2193, 0.1767]])


class ColorParams(Params):
    """No parameters: the file and the white balance say what is to be done."""


def camera_to_working(profile: ColorProfile, xy: tuple[float, float]) -> np.ndarray:
    """White-balanced camera RGB to linear Rec.2020 D65 (3, 3), for a shot white of chromaticity `xy`; white stays (1, 1, 1).

    Raises ValueError for singular matrices and impossible whites.
    """
    to_xyz = (_predicted if _is_predictable(profile) else camera_to_xyz_d50)(profile, xy)
    matrix = np.linalg.solve(rgb_to_xyz("rec2020"), bradford(D50_XYZ, D65_XYZ) @ to_xyz)
    return matrix / matrix.sum(axis=1, keepdims=True)


def _is_predictable(profile: ColorProfile) -> bool:
    """Whether the profile has ColorMatrices for one CIE illuminant only, and no ForwardMatrix."""
    illuminants = {c.illuminant for c in profile.calibrations}
    return len(illuminants) == 1 and illuminants <= _CIE_WHITES.keys() and profile.calibrations[0].forward_matrix is None


def _predicted(profile: ColorProfile, xy: tuple[float, float]) -> np.ndarray:
    """Camera to XYZ D50 of a camera calibrated under one light, carried to a light of chromaticity `xy`."""
    calibrated = _CIE_WHITES[profile.calibrations[0].illuminant]
    mired, reference = (1e6 / np.clip(temperature_tint(white)[0], 2500, 10000) for white in (xy, calibrated))
    share = (mired - reference) / (1e6 / _A_K - 1e6 / _D65_K)
    return camera_to_xyz_d50(profile, calibrated) + share * CHANGE_TO_A


def run(development: Development, params: ColorParams) -> Development:
    """Give the finishing kernel its matrix; the identity where the file has no colour matrix."""
    profile = development.frame.profile
    if not profile.calibrations:
        return development.with_finish(camera_to_working=np.eye(3, dtype=np.float32))
    xy = white_xy(profile, checked_neutral(1 / development.wb))
    return development.with_finish(camera_to_working=np.ascontiguousarray(camera_to_working(profile, xy), np.float32))


STAGE = Stage(
    name="color",
    order=100,
    summary="Camera colour to linear Rec.2020",
    params=ColorParams,
    run=run,
    source="DNG Specification 1.7, chapter 6",
)
