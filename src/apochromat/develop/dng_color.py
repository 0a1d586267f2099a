"""Camera colour as DNG describes it: shot white, and white-balanced camera RGB to XYZ.

Source: DNG Specification 1.7, chapter 6 ("Mapping Camera Color Space to CIE XYZ Space"); correlated colour temperature after
A. R. Robertson, "Computation of correlated color temperature and distribution temperature", JOSA 58 (1968).
"""

from __future__ import annotations

import numpy as np

from apochromat.light.raw_frame import ColorProfile
from apochromat.light.spaces import D50_XY, D50_XYZ, bradford, xyz_of_xy

# EXIF LightSource -> colour temperature in K; the middle of the range where the standard gives one.
_ILLUMINANT_K = {
    1: 5500, 2: 4150, 3: 2850, 4: 5500, 9: 5500, 10: 6500, 11: 7500, 12: 6400, 13: 5050, 14: 4150, 15: 3525, 16: 2925,
    17: 2850, 18: 5500, 19: 6500, 20: 5500, 21: 6500, 22: 7500, 23: 5000, 24: 3200,
}  # fmt: skip

# Robertson's isotemperature lines: reciprocal megakelvin, u and v (CIE 1960), slope.
_ISOTEMPERATURE = np.array([
    (0, 0.18006, 0.26352, -0.24341), (10, 0.18066, 0.26589, -0.25479), (20, 0.18133, 0.26846, -0.26876),
    (30, 0.18208, 0.27119, -0.28539), (40, 0.18293, 0.27407, -0.30470), (50, 0.18388, 0.27709, -0.32675),
    (60, 0.18494, 0.28021, -0.35156), (70, 0.18611, 0.28342, -0.37915), (80, 0.18740, 0.28668, -0.40955),
    (90, 0.18880, 0.28997, -0.44278), (100, 0.19032, 0.29326, -0.47888), (125, 0.19462, 0.30141, -0.58204),
    (150, 0.19962, 0.30921, -0.70471), (175, 0.20525, 0.31647, -0.84901), (200, 0.21142, 0.32312, -1.0182),
    (225, 0.21807, 0.32909, -1.2168), (250, 0.22511, 0.33439, -1.4512), (275, 0.23247, 0.33904, -1.7298),
    (300, 0.24010, 0.34308, -2.0637), (325, 0.24792, 0.34655, -2.4681), (350, 0.25591, 0.34951, -2.9641),
    (375, 0.26400, 0.35200, -3.5814), (400, 0.27218, 0.35407, -4.3633), (425, 0.28039, 0.35577, -5.3762),
    (450, 0.28863, 0.35714, -6.7262), (475, 0.29685, 0.35823, -8.5955), (500, 0.30505, 0.35907, -11.324),
    (525, 0.31320, 0.35968, -15.628), (550, 0.32129, 0.36011, -23.325), (575, 0.32931, 0.36038, -40.770),
    (600, 0.33724, 0.36051, -116.45),
])  # fmt: skip
_TINT_SCALE = 3000.0  # tint units per unit of CIE 1960 uv distance from the Planckian locus; positive for whites on its green side


def temperature_tint(xy: tuple[float, float]) -> tuple[float, float]:
    """Correlated colour temperature in K (1667..1e6) and tint of a chromaticity."""
    u, v = _uv(xy)
    mired, lines_u, lines_v, slope = _ISOTEMPERATURE.T
    norm = np.hypot(1, slope)
    distance = ((v - lines_v) - slope * (u - lines_u)) / norm  # falls from positive to negative along the locus
    i = int(np.clip(np.argmax(distance < 0), 1, len(mired) - 1)) if np.any(distance < 0) else len(mired) - 1
    share = float(np.clip(distance[i - 1] / (distance[i - 1] - distance[i]), 0, 1))
    here = _locus(float(mired[i - 1] + share * (mired[i] - mired[i - 1])))
    offset = (u - here[0]) * here[2] + (v - here[1]) * here[3]
    return 1e6 / max(mired[i - 1] + share * (mired[i] - mired[i - 1]), 1.0), _TINT_SCALE * offset


def xy_of_temperature(temperature_k: float, tint: float = 0.0) -> tuple[float, float]:
    """Chromaticity of a colour temperature in K and a tint; the inverse of `temperature_tint`."""
    u, v, du, dv = _locus(1e6 / temperature_k)
    u, v = u + tint / _TINT_SCALE * du, v + tint / _TINT_SCALE * dv
    scale = u - 4 * v + 2
    return 1.5 * u / scale, v / scale


def _locus(mired: float) -> tuple[float, float, float, float]:
    """Point of the Planckian locus (u, v) at a reciprocal temperature, and the unit vector of its isotemperature line (upwards)."""
    table, u, v, slope = _ISOTEMPERATURE.T
    du, dv = np.interp(mired, table, -1 / np.hypot(1, slope)), np.interp(mired, table, -slope / np.hypot(1, slope))
    length = np.hypot(du, dv)
    return float(np.interp(mired, table, u)), float(np.interp(mired, table, v)), float(du / length), float(dv / length)


def _uv(xy: tuple[float, float]) -> tuple[float, float]:
    scale = -2 * xy[0] + 12 * xy[1] + 3
    return 4 * xy[0] / scale, 6 * xy[1] / scale


def _inverse(matrix: np.ndarray, name: str) -> np.ndarray:
    if not np.all(np.isfinite(matrix)) or np.linalg.cond(matrix) > 1e6:
        raise ValueError(f"expected an invertible {name}, found {np.asarray(matrix).tolist()}")
    return np.linalg.inv(matrix)


def _mixed(profile: ColorProfile, xy: tuple[float, float], name: str) -> np.ndarray | None:
    """Matrix `name` interpolated between the calibrations that have it, linear in inverse temperature; None if none has."""
    having = [c for c in profile.calibrations if getattr(c, name) is not None]
    if not having:
        return None
    first, last = having[0], having[-1]
    kelvin = [_ILLUMINANT_K.get(c.illuminant, 0) for c in (first, last)]
    if 0 in kelvin or kelvin[0] == kelvin[1]:
        return getattr(first, name)
    warm, cool = 1e6 / kelvin[0], 1e6 / kelvin[1]
    share = np.clip((1e6 / temperature_tint(xy)[0] - cool) / (warm - cool), 0, 1)
    return share * getattr(first, name) + (1 - share) * getattr(last, name)


def _calibration(profile: ColorProfile, xy: tuple[float, float]) -> np.ndarray:
    """AnalogBalance times CameraCalibration (3, 3)."""
    individual = _mixed(profile, xy, "camera_calibration")
    return np.diag(profile.analog_balance) @ (np.eye(3) if individual is None else individual)


def xyz_to_camera(profile: ColorProfile, xy: tuple[float, float]) -> np.ndarray:
    """XYZ under the shot's white to camera RGB before white balance (3, 3), for a white of chromaticity `xy`."""
    matrix = _mixed(profile, xy, "color_matrix")
    if matrix is None:
        raise ValueError("expected a colour profile with at least one ColorMatrix, found none")
    return _calibration(profile, xy) @ matrix


def neutral_of_xy(profile: ColorProfile, xy: tuple[float, float]) -> np.ndarray:
    """Camera RGB (3,) of a white of chromaticity `xy`, its largest component 1. ValueError if one is not positive."""
    return checked_neutral(xyz_to_camera(profile, xy) @ xyz_of_xy(xy))


def checked_neutral(neutral: np.ndarray) -> np.ndarray:
    """The neutral scaled to a largest component of 1; ValueError if a component is not positive and finite."""
    neutral = np.asarray(neutral, np.float64)
    if neutral.shape != (3,) or not np.all(np.isfinite(neutral)) or neutral.min() <= 0:
        raise ValueError(f"expected three positive components of the camera neutral, found {neutral.tolist()}")
    return neutral / neutral.max()


def white_xy(profile: ColorProfile, neutral: np.ndarray) -> tuple[float, float]:
    """Chromaticity of the white that gives camera RGB `neutral` (3,), found by the specification's fixed-point iteration."""
    neutral, xy = checked_neutral(neutral), D50_XY
    for _ in range(30):
        x, y, z = _inverse(xyz_to_camera(profile, xy), "ColorMatrix") @ neutral
        if not (x + y + z > 0 and x > 0 and y > 0):
            raise ValueError(f"expected a camera neutral that is a real colour under the file's ColorMatrix, found {neutral.tolist()}")
        following = (float(x / (x + y + z)), float(y / (x + y + z)))
        if abs(following[0] - xy[0]) + abs(following[1] - xy[1]) < 1e-9:
            break
        xy = following if _ < 25 else ((xy[0] + following[0]) / 2, (xy[1] + following[1]) / 2)  # ends a two-point cycle
    return xy


def as_shot_neutral(profile: ColorProfile) -> np.ndarray:
    """Camera RGB (3,) of the white that the camera chose, largest component 1; of D50 where the file does not say."""
    if profile.as_shot_neutral is not None:
        return checked_neutral(profile.as_shot_neutral)
    return neutral_of_xy(profile, profile.as_shot_xy or D50_XY)


def camera_to_xyz_d50(profile: ColorProfile, xy: tuple[float, float]) -> np.ndarray:
    """White-balanced camera RGB to XYZ adapted to D50 (3, 3), for a shot white of chromaticity `xy`: (1, 1, 1) goes to D50 white.

    Uses the ForwardMatrix where the file has one, else the inverse ColorMatrix with Bradford adaptation.
    Raises ValueError for singular matrices and impossible whites.
    """
    neutral = neutral_of_xy(profile, xy)
    forward = _mixed(profile, xy, "forward_matrix")
    if forward is None:
        to_xyz = _inverse(xyz_to_camera(profile, xy), "ColorMatrix") * neutral
        matrix = bradford(xyz_of_xy(xy), D50_XYZ) @ to_xyz
    else:
        to_reference = _inverse(_calibration(profile, xy), "CameraCalibration") * neutral
        matrix = forward @ (to_reference / to_reference.sum(1)[:, None])
    _inverse(matrix, "camera to XYZ matrix")
    return matrix * (D50_XYZ / matrix.sum(1))[:, None]
