"""A lens as it is used: focused on one distance, stopped down, looking at something at another; and how it maps the world to the sensor.

Traced in NumPy (`plain.py`), so that nothing has to be compiled for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.opening import index_at
from apochromat.optics.plain import aimed, march, matrix

SMALL = 1e-3  # tangent of a field whose chief ray gives the image's scale
FIELDS = 49  # from the axis to the widest
LIGHTS = 13  # of these fields, those whose illumination is traced
RINGS, ARMS = 12, 32  # of the pupil's mesh
LEAST_RISE, MOST_RISE = 0.2, 2.5  # of the real height over the ideal one, beyond which rays go astray
WIDER = 1.02  # of the sensor's corner, mapped too


def vergence_of(distance_m: float) -> float:
    """1/mm of an object's distance in m (np.inf: far); raises LensError for one that is not positive."""
    if not distance_m > 0:
        raise LensError(f"expected a distance above 0 m, found {distance_m:g}.")
    return 0.0 if np.isinf(distance_m) else 1e-3 / distance_m


def focused(lens: Lens, distance_m: float, f_number: float | None = None) -> Lens:
    """The lens in one configuration, focused on an object (np.inf: far), its stop closed to a working f-number on axis (None: open).

    Gaps between the lens's declared focus positions are taken linearly in vergence, and the sensor is moved so that the paraxial focus
    stands before or behind it as it does, by its designer's choice, in those positions. Raises LensError for a distance that is not
    positive or an f-number that the lens cannot reach.
    """
    vergence, declared = vergence_of(distance_m), np.asarray(lens.object_vergence, float)
    order = np.argsort(declared)
    wanted = np.interp(vergence, declared[order], [_defocus(_alone(lens, c)) for c in order])
    gaps = np.stack([np.interp(vergence, declared[order], t) for t in np.asarray(lens.thickness, float)[order].T])
    stop = np.interp(vergence, declared[order], np.asarray(lens.stop_radius, float)[order])
    found = _alone(lens, 0).replace(thickness=gaps[None], stop_radius=np.array([stop]), object_vergence=np.array([vergence]))
    gaps[-1] += _defocus(found) - wanted
    found = found.replace(thickness=gaps[None])
    return found if f_number is None else _stopped(found, f_number)


def _alone(lens: Lens, config: int) -> Lens:
    """One configuration, as a lens of its own."""
    leaves = {name: np.asarray(getattr(lens, name), float)[config : config + 1] for name in ("thickness", "stop_radius", "object_vergence")}
    return lens.replace(info=replace(lens.info, configurations=("",)), **leaves)


def _defocus(lens: Lens) -> float:
    """How far (mm) the paraxial focus stands behind the image plane."""
    whole, vergence = matrix(lens, index_at(lens), 0), float(lens.object_vergence[0])
    height, slope = whole @ np.array([1.0, vergence])
    onward = (-1.0) ** sum(s.kind == "mirror" for s in lens.info.surfaces)
    return float(-height / slope * onward)


def _stopped(lens: Lens, f_number: float) -> Lens:
    """The stop closed until the real marginal ray has the working f-number."""
    widest = working_f_number(lens)
    if not f_number >= widest * 0.999:
        raise LensError(f"expected an f-number of {widest:.3g} or more of {lens.info.name or 'the lens'}, found f/{f_number:g}.")
    for _ in range(4):
        lens = lens.replace(stop_radius=np.asarray(lens.stop_radius) * working_f_number(lens) / f_number)
    return lens


def working_f_number(lens: Lens) -> float:
    """Working f-number 1 / (2 n sin u') of the real marginal ray on axis at the primary wavelength. Raises LensError where it fails."""
    index = index_at(lens)
    rim = np.array([[[0.0, 0.0]], [[1.0, -1.0]]])
    start = aimed(lens, np.zeros((2, 1)), rim, index, 0)
    _, direction, failed = march(lens, start, start * float(lens.object_vergence[0]), index[:, None, None], 0)
    if (failed >= 0).any():
        where = lens.info.name or "the lens"
        raise LensError(f"expected the marginal ray to pass {where}, found it failing at surface {failed.max() + 1}.")
    return float(1 / (index[-1] * abs(direction[1, 0, 0] - direction[1, 0, 1])))


def scaled(lens: Lens, factor: float) -> Lens:
    """The lens with all its lengths times a factor: the same angles on a smaller or larger sensor."""
    lengths = ("thickness", "stop_radius", "semi_diameter", "inner_radius", "decenter")
    leaves = {name: np.asarray(getattr(lens, name), float) * factor for name in lengths}
    orders = 1 - 2 * (1 + np.arange(np.shape(lens.even)[1]))
    return lens.replace(
        curvature=np.asarray(lens.curvature, float) / factor,
        even=np.asarray(lens.even, float) * float(factor) ** orders,
        object_vergence=np.asarray(lens.object_vergence, float) / factor,
        **leaves,
    )


def looking_at(lens: Lens, distance_m: float) -> Lens:
    """A focused lens with its object at another distance: what lies there is out of focus."""
    return lens.replace(object_vergence=np.array([vergence_of(distance_m)]))


@dataclass(frozen=True)
class Mapping:
    """How a focused lens maps the world to the sensor, by the ideal height that a lens without distortion would give; (n,) each.

    `scale_mm`: ideal height over the tangent of the field. Heights reach `ideal_mm[-1]`; beyond, nothing arrives.
    """

    ideal_mm: np.ndarray
    real_mm: np.ndarray
    illumination: np.ndarray  # relative to the axis
    chief_ray_deg: np.ndarray  # at the sensor, from its normal
    scale_mm: float
    f_number: float  # working, on axis

    def real(self, ideal_mm: np.ndarray) -> np.ndarray:
        """Real heights of ideal ones, straight on beyond the last."""
        return _onward(ideal_mm, self.ideal_mm, self.real_mm)

    def ideal(self, real_mm: np.ndarray) -> np.ndarray:
        """Ideal heights of real ones, straight on beyond the last."""
        return _onward(real_mm, self.real_mm, self.ideal_mm)


def _onward(x: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Piecewise linear interpolation, carried on beyond the last point by the last slope."""
    slope = (values[-1] - values[-2]) / (known[-1] - known[-2])
    return np.interp(x, known, values) + np.maximum(x - known[-1], 0) * slope


def mapping(lens: Lens, height_mm: float) -> Mapping:
    """How a focused lens maps fields up to a real height on the sensor, and a little beyond, or as far as it sees."""
    scale = float(_chief(lens, np.array([0.0, SMALL]))[0][1] / SMALL)
    widest = height_mm / abs(scale)
    for _ in range(8):
        slopes = np.linspace(0, widest, FIELDS)
        height, angle = _chief(lens, slopes)
        rise = np.diff(np.abs(height), prepend=0.0) / (abs(scale) * slopes[1])
        seen = np.isfinite(height) & (rise > LEAST_RISE) & (rise < MOST_RISE)
        seen[0] = True
        last = FIELDS if seen.all() else max(int(np.argmin(seen)), 3)
        reached = float(abs(height[last - 1]))
        if abs(reached / (WIDER * height_mm) - 1) < 1e-3 or (last == FIELDS and reached < height_mm and _ == 7):
            break
        widest = slopes[last - 1] * (min(1.2, WIDER * height_mm / reached) if last == FIELDS else 1.0)
        if last < FIELDS and reached < WIDER * height_mm:
            break
    slopes, height, angle = slopes[:last], np.abs(height[:last]), np.abs(angle[:last])
    some = np.unique(np.linspace(0, last - 1, LIGHTS).astype(int))
    light = np.interp(slopes, slopes[some], _illumination(lens, slopes[some], np.gradient(height, slopes)[some], height[some]))
    return Mapping(slopes * abs(scale), height, light, np.degrees(angle), abs(scale), working_f_number(lens))


def _chief(lens: Lens, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights (F,) in mm and angles (F,), radians, at the sensor of chief rays of fields by their tangents along y; nan where lost."""
    landed, direction, _, _ = _rays(lens, slopes, np.zeros((2, 1)))
    return landed[1, :, 0], np.arctan2(direction[1, :, 0], np.abs(direction[2, :, 0]))


def _rays(lens: Lens, slopes: np.ndarray, pupil: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rays of F fields along y through pupil points (2, P): landed (2, F, P), directions (3, F, P), coordinates (2, F, P) whose area is the
    beam's etendue per unit of tangents, and by how much each ray clears every aperture (F, P), below 0 where it does not."""
    index, tangents = index_at(lens), np.stack([0 * slopes, slopes])
    vergence = float(lens.object_vergence[0])
    start = aimed(lens, tangents, np.broadcast_to(pupil[:, None], (2, len(slopes), pupil.shape[1])), index, 0)
    sloped = tangents[:, :, None] + start * vergence
    points, direction, failed = march(lens, start, sloped, index[:, None, None], 0)
    sines = sloped / np.sqrt(1 + (sloped**2).sum(0))
    beam = sines / vergence if vergence else start / (1 + slopes[:, None] ** 2)
    r2 = (points[:-1] ** 2).sum(1)
    semi2, inner2 = (np.asarray(v, float)[:, None, None] ** 2 for v in (lens.semi_diameter, lens.inner_radius))
    clear = np.minimum(1 - r2 / semi2, np.where(inner2 > 0, r2 / np.where(inner2 > 0, inner2, 1) - 1, 1)).min(0)
    return points[-1], direction, beam, np.where(failed < 0, np.nan_to_num(clear, nan=-1.0), -1.0)


def _illumination(lens: Lens, slopes: np.ndarray, tangential: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Irradiance (F,) of a uniform scene by that on axis: the beam's etendue over the patch of sensor that it falls on.

    tangential: derivative of the height by the slope.

    M. P. Rimmer, "Relative illumination calculations", SPIE 655 (1986), as in `analyses/relative_illumination.py`.
    """
    radius, angle = np.sqrt(np.linspace(0, 1, RINGS + 1)), 2 * np.pi * np.arange(ARMS) / ARMS
    mesh = (radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)).reshape(-1, 2).T
    _, _, beam, clear = _rays(lens, slopes, mesh)
    shape = (len(slopes), RINGS + 1, ARMS)
    corners, margin = (_corners(v.reshape(*v.shape[:-2], *shape)) for v in (beam, clear))
    (ax, ay), (bx, by) = corners[2] - corners[0], corners[3] - corners[1]
    area = 0.5 * np.abs(ax * by - ay * bx)
    open_share = np.clip(0.5 + margin.mean(0) / np.maximum(np.abs(margin - margin.mean(0)).max(0), 1e-9) / 2, 0, 1)
    sagittal = np.concatenate([tangential[:1], height[1:] / slopes[1:]])
    light = (np.nan_to_num(area) * open_share).sum((1, 2)) / (tangential * sagittal)
    return light / light[0]


def _corners(values: np.ndarray) -> np.ndarray:
    """The four corners (4, ..., rings, arms) of each cell of a polar mesh (..., rings + 1, arms), in order around it."""
    onward = np.roll(values, -1, axis=-1)
    return np.stack([values[..., :-1, :], values[..., 1:, :], onward[..., 1:, :], onward[..., :-1, :]])
