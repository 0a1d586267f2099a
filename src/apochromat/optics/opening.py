"""How wide a lens is: the stop's radius that an aperture asks for, and the clear radii that the rays of all fields need."""

from __future__ import annotations

import math

import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.glass import index_of, model_index
from apochromat.optics.lens import D_NM, Lens
from apochromat.optics.plain import STEP, aimed, chief_tangents, march, matrix
from apochromat.optics.prescription import Prescription, at

FAN = 257  # rays of an axial fan
REFINED = 4  # times that a fan is narrowed to the interval sought: a linear step at the end is then exact to rounding
RIM = 32  # points of the pupil's rim that find clear radii
MARGIN = 2e-3  # relative, of a clear radius beyond the rays that found it


def stop_radii(lens: Lens, p: Prescription) -> np.ndarray:
    """Stop radius (C,) mm that the aperture asks for: the height at the stop of the real marginal ray on axis."""
    kind, value = p.aperture.kind, getattr(p.aperture, p.aperture.kind)
    if kind == "stop_radius_mm":
        return np.array([at(value, c) for c in range(lens.C)])
    count = 1 if p.aperture.fixed_stop else lens.C
    radii = [_stop_radius(lens, p, kind, at(value, c), c) for c in range(count)]
    return np.array(radii * lens.C if p.aperture.fixed_stop else radii)


def _stop_radius(lens: Lens, p: Prescription, kind: str, value: float, config: int) -> float:
    """The marginal ray's height at the stop in one configuration."""
    height = _height_of_sine(lens, p, 1 / (2 * value), config) if kind == "f_number" else _height(lens, p, kind, value, config)
    at_stop, _, failed = _axis(lens, np.array([height]), config)
    if failed[0] >= 0:
        raise LensError(f"expected the marginal ray of {kind} {value:g} to pass, found it failing at surface {failed[0] + 1}{_in(p)}.")
    return float(abs(at_stop[0]))


def _height(lens: Lens, p: Prescription, kind: str, value: float, config: int) -> float:
    """Height of the marginal ray in the plane of surface 0, from first-order quantities."""
    vergence = float(lens.object_vergence[config])
    if kind == "object_na":
        if vergence == 0 or value >= 1:
            where = f"{value:g} at {'infinity' if vergence == 0 else f'{1 / vergence:g} mm'}"
            raise LensError(f"expected a numerical aperture below 1 at a near object, found {where}{_in(p)}.")
        return math.tan(math.asin(value)) / vergence
    if kind == "paraxial_working_f_number":
        return 1 / (2 * value * abs(_slope(lens, config)))
    index = index_at(lens)
    diameter = value if kind == "entrance_pupil_mm" else abs(1 / matrix(lens, index, config)[1, 0]) / value
    front = matrix(lens, index, config, lens.info.stop)
    return diameter / 2 / (1 + front[0, 1] / front[0, 0] * vergence)


def _height_of_sine(lens: Lens, p: Prescription, sine: float, config: int) -> float:
    """Least height of a ray on axis in the plane of surface 0 whose n sin u' at the image is `sine`."""
    low, high = 0.0, 2 * sine / abs(_slope(lens, config))
    for _ in range(REFINED):
        heights = np.linspace(low, high, FAN)
        _, reached, failed = _axis(lens, heights, config)
        beyond = np.flatnonzero((np.abs(reached) >= sine) | (failed >= 0))
        if not len(beyond) or failed[beyond[0]] >= 0:
            where = f", rays beyond it fail at surface {failed[beyond[0]] + 1}" if len(beyond) else ""
            most = np.abs(reached[: beyond[0] if len(beyond) else None]).max()
            found = f"found {0.5 / sine:g} where it reaches {0.5 / most:.3g}{where}"
            raise LensError(f"expected an f-number that the lens reaches, {found}{_in(p)}.")
        last = max(int(beyond[0]), 1)
        low, high = heights[last - 1], heights[last]
    share = (sine - abs(reached[last - 1])) / (abs(reached[last]) - abs(reached[last - 1]))
    return float(low + share * (high - low))


def _slope(lens: Lens, config: int) -> float:
    """n times the paraxial slope at the image of the ray from the axial object point at height 1 in the plane of surface 0, 1/mm."""
    return float(_axis(lens, np.array([STEP * 1j]), config)[1][0].imag / STEP)


def _axis(lens: Lens, heights: np.ndarray, config: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of rays from the axial object point: height at the stop, n sin u' at the image, and the surface that failed (-1: none)."""
    index = index_at(lens)[:, None]
    start = np.stack([0 * heights, heights])
    slopes = start * float(lens.object_vergence[config])
    _, direction, failed = march(lens, start, slopes, index, config)
    before, _, _ = march(lens, start, slopes, index, config, lens.info.stop)
    return before[-1, 1], index[-1] * direction[1], failed


def index_at(lens: Lens, wavelength_nm: float | None = None) -> np.ndarray:
    """Indices (S + 1,) at a wavelength, or at the primary one."""
    nm = lens.info.wavelengths_nm[lens.info.primary] if wavelength_nm is None else wavelength_nm
    is_model, (nd, vd, dpgf) = np.array([s.is_model for s in lens.info.surfaces]), np.asarray(lens.model).T
    real = np.where(is_model, model_index(nd, vd, dpgf, nm), index_of(lens.coefficients, nm))
    at_d = np.where(is_model, nd, index_of(lens.coefficients, D_NM))
    return np.concatenate([[1.0], real + lens.nd_shift + lens.dispersion_shift * (real - at_d)])


def field_points(lens: Lens, p: Prescription) -> np.ndarray:
    """Field points (F, 2) as the lens keeps them: heights on the image or at the object become angles in the first configuration."""
    points = np.array(p.fields.points, float)
    if p.fields.kind in ("angle", "real_image_height"):
        return points
    vergence, index = float(lens.object_vergence[0]), index_at(lens)
    whole, front = matrix(lens, index, 0), matrix(lens, index, 0, lens.info.stop)
    if p.fields.kind == "object_height":
        tangents = -points * vergence
    elif vergence == 0:
        tangents = -points * whole[1, 0]
    else:  # the paraxial chief ray of slope 1 at the object point's distance
        entrance = front[0, 1] / front[0, 0]
        slope = 1 / (1 + entrance * vergence)
        tangents = points / (whole[0, 1] * slope - whole[0, 0] * slope * entrance)
    return np.degrees(np.arctan(tangents))


def clear_radii(lens: Lens, p: Prescription) -> np.ndarray:
    """Clear radii (S,): those stated, and for the others what the rays of all fields, configurations and wavelengths need."""
    stated = np.array([np.nan if s.semi_diameter is None else s.semi_diameter for s in p.surfaces])
    stop, widest = lens.info.stop, float(np.max(lens.stop_radius))
    if abs(stated[stop] / widest - 1) < 1e-6:  # the stop itself: its rim's rays pass
        stated[stop] = widest * (1 + MARGIN)
    if not np.isnan(stated).any():
        _require_one(lens.replace(semi_diameter=stated), p)
        return stated
    lens = lens.replace(semi_diameter=np.where(np.isnan(stated), np.inf, stated))
    reach, lost = np.zeros(lens.S), []
    for config in range(lens.C):
        tangents = chief_tangents(lens, index_at(lens), config)
        for wavelength in lens.info.wavelengths_nm:
            radius, failed = _pierced(lens, p, tangents, _circle(), wavelength, config)
            reach = np.maximum(reach, np.where(failed < 0, radius, 0.0).max((1, 2)))
            lost.append(failed)
    _require_any(np.array(lost), p)
    return np.where(np.isnan(stated), np.maximum(reach, 1e-6) * (1 + MARGIN), stated)


def _require_any(failed: np.ndarray, p: Prescription) -> None:
    """Raise LensError if every ray fails at some surface; -1: it does not."""
    if (failed >= 0).all():
        found = f"found that all fail, the first of them at surface {failed.flat[0] + 1}"
        raise LensError(f"expected rays that reach the image, {found}{_in(p)}.")


def _require_one(lens: Lens, p: Prescription) -> None:
    """Raise LensError if in no configuration a ray of any field passes; ends with the first that does."""
    failed = []
    for config, field in np.ndindex(lens.C, len(lens.fields)):
        factors = p.fields.vignetting[field : field + 1]
        alone = p.model_copy(update={"fields": p.fields.model_copy(update={"vignetting": factors})})
        one = lens.replace(fields=lens.fields[field : field + 1])
        found = _pierced(one, alone, chief_tangents(one, index_at(lens), config), _inside(), None, config)[1]
        if (found < 0).any():
            return
        failed.append(found)
    _require_any(np.array(failed), p)


def _circle() -> np.ndarray:
    """Points (RIM, 2) of the pupil's rim."""
    angle = np.arange(RIM) * 2 * np.pi / RIM
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def _inside() -> np.ndarray:
    """Points (4, 2) of the pupil, two near its rim and two half way, which an obscuration may hide."""
    return np.array([[0.0, 0.99], [0.99, 0.0], [0.0, -0.5], [-0.5, 0.0]])


def _pierced(
    lens: Lens, p: Prescription, tangents: np.ndarray, points: np.ndarray, wavelength_nm: float | None, config: int
) -> tuple[np.ndarray, np.ndarray]:
    """Radii (S, F, P) at which rays of fields by their tangents (2, F) and pupil points (P, 2) pass the surfaces, and the surfaces that
    stop them (F, P; -1: none)."""
    factors = p.fields.vignetting or ((0.0,) * 5,) * len(lens.fields)
    pupil = np.stack([_vignetted(points, f).T for f in factors], 1)
    index = index_at(lens, wavelength_nm)
    start = aimed(lens, tangents, pupil, index, config)
    slopes = tangents[:, :, None] + start * float(lens.object_vergence[config])
    pierced, _, failed = march(lens, start, slopes, index[:, None, None], config)
    radius = np.hypot(pierced[:-1, 0], pierced[:-1, 1])
    outside = (radius > lens.semi_diameter[:, None, None]) | (radius < lens.inner_radius[:, None, None])
    clipped = np.where(outside.any(0), outside.argmax(0), -1)
    return radius, np.where(failed < 0, clipped, failed)


def _vignetted(pupil: np.ndarray, factors: tuple[float, ...]) -> np.ndarray:
    """Pupil points (P, 2) by Zemax's factors: compressed, shifted, turned."""
    dx, dy, cx, cy, angle = factors
    x, y = pupil[:, 0] * (1 - cx) + dx, pupil[:, 1] * (1 - cy) + dy
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.stack([c * x - s * y, s * x + c * y], -1)


def _in(p: Prescription) -> str:
    return f", in {p.file}" if p.file else ""
