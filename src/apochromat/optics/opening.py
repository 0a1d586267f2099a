"""How wide a lens is: the stop's radius that an aperture asks for, and the clear radii that the rays of all fields need."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.first_order import first_order
from apochromat.optics.lens import Lens
from apochromat.optics.prescription import Prescription, at
from apochromat.optics.pupil import bundle
from apochromat.optics.trace import OK, Ray, trace, trace_points

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
    at_stop, _, _, status, surface = _axis(lens, np.full(FAN, height), config)
    if status[0] != OK:
        raise LensError(f"expected the marginal ray of {kind} {value:g} to pass, found it failing at surface {surface[0] + 1}{_in(p)}.")
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
    first = first_order(lens, config=config)
    diameter = value if kind == "entrance_pupil_mm" else abs(float(first.efl_mm)) / value
    return diameter / 2 / (1 + float(first.entrance_pupil_position_mm) * vergence)


def _height_of_sine(lens: Lens, p: Prescription, sine: float, config: int) -> float:
    """Least height of a ray on axis in the plane of surface 0 whose n sin u' at the image is `sine`."""
    low, high = 0.0, 2 * sine / abs(_slope(lens, config))
    for _ in range(REFINED):
        heights = np.linspace(low, high, FAN)
        _, reached, _, status, surface = _axis(lens, heights, config)
        beyond = np.flatnonzero((np.abs(reached) >= sine) | (status != OK))
        if not len(beyond) or status[beyond[0]] != OK:
            failed = f", rays beyond it fail at surface {surface[beyond[0]] + 1}" if len(beyond) else ""
            most = np.abs(reached[: beyond[0] if len(beyond) else None]).max()
            found = f"found {0.5 / sine:g} where it reaches {0.5 / most:.3g}{failed}"
            raise LensError(f"expected an f-number that the lens reaches, {found}{_in(p)}.")
        last = max(int(beyond[0]), 1)
        low, high = heights[last - 1], heights[last]
    share = (sine - abs(reached[last - 1])) / (abs(reached[last]) - abs(reached[last - 1]))
    return float(low + share * (high - low))


def _slope(lens: Lens, config: int) -> float:
    """n times the paraxial slope at the image of the ray from the axial object point at height 1 in the plane of surface 0, 1/mm."""
    return float(_axis(lens, np.zeros(FAN), config)[2][0])


def _axis(lens: Lens, heights: np.ndarray, config: int) -> tuple[np.ndarray, ...]:
    """Of rays (FAN,) from the axial object point: height at the stop, n sin u' at the image, its derivative, flag and failing surface."""
    nm = lens.info.wavelengths_nm[lens.info.primary]
    return tuple(np.asarray(v) for v in _axis_rays(lens, jnp.asarray(heights, jnp.float64), jnp.asarray(nm, jnp.float64), config))


@jax.jit
def _axis_rays(lens: Lens, heights: Any, wavelength_nm: Any, config: Any) -> tuple[Any, ...]:
    index = lens.index(wavelength_nm)

    def launched(y: Any) -> Ray:
        slope, zero = y * jnp.asarray(lens.object_vergence)[config], jnp.zeros_like(y)
        n = jax.lax.rsqrt(1 + slope**2)
        return Ray(zero, y, zero, zero, slope * n, n)

    def sine(y: Any) -> tuple[Any, Any]:
        end = trace(lens, launched(y), index, config, apertures=False)
        return index[-1] * end.M, (end.status, end.surface)

    reached, slope, (status, surface) = jax.jvp(sine, (heights,), (jnp.ones_like(heights),), has_aux=True)
    at_stop = trace(lens, launched(heights), index, config, apertures=False, last=lens.info.stop).y
    return at_stop, reached, slope, status, surface


def field_points(lens: Lens, p: Prescription) -> np.ndarray:
    """Field points (F, 2) as the lens keeps them: heights on the image or at the object become angles in the first configuration."""
    points = np.array(p.fields.points, float)
    if p.fields.kind in ("angle", "real_image_height"):
        return points
    vergence, first = float(lens.object_vergence[0]), first_order(lens)
    if p.fields.kind == "object_height":
        tangents = -points * vergence
    elif vergence == 0:
        tangents = points / float(first.efl_mm)
    else:
        tangents = -points * vergence / float(first.magnification)
    return np.degrees(np.arctan(tangents))


def clear_radii(lens: Lens, p: Prescription) -> np.ndarray:
    """Clear radii (S,): those stated, and for the others what the rays of all fields, configurations and wavelengths need."""
    stated = np.array([np.nan if s.semi_diameter is None else s.semi_diameter for s in p.surfaces])
    stop, widest = lens.info.stop, float(np.max(lens.stop_radius))
    if abs(stated[stop] / widest - 1) < 1e-6:  # the stop itself: its rim's rays pass
        stated[stop] = widest * (1 + MARGIN)
    if not np.isnan(stated).any():
        return stated
    lens = lens.replace(semi_diameter=np.where(np.isnan(stated), np.inf, stated))
    reach, passed, failed = np.zeros(lens.S), 0, 0
    for config in range(lens.C):
        for wavelength in lens.info.wavelengths_nm:
            radius, status, surface = _rims(lens, p, wavelength, config)
            passed += int((status == OK).sum())
            failed = failed or int(surface[status != OK][0]) if (status != OK).any() else failed
            reach = np.maximum(reach, np.where(status == OK, radius, 0.0).max((1, 2)))
    if not passed:
        raise LensError(f"expected rays that reach the image, found that all fail, the first of them at surface {failed + 1}{_in(p)}.")
    return np.where(np.isnan(stated), np.maximum(reach, 1e-6) * (1 + MARGIN), stated)


def _rims(lens: Lens, p: Prescription, wavelength_nm: float, config: int) -> tuple[np.ndarray, ...]:
    """Radii (S, F, RIM) at which the rays of the pupil's rim pass the surfaces, their flags and failing surfaces (F, RIM)."""
    angle = np.arange(RIM) * 2 * np.pi / RIM
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    factors = p.fields.vignetting or ((0.0,) * 5,) * len(lens.fields)
    parts = [bundle(lens, field, wavelength_nm, _vignetted(circle, f), config) for field, f in zip(lens.fields, factors, strict=True)]
    rays = Ray(*(jnp.stack(v) for v in zip(*parts, strict=True)))
    points, status, surface = _passed(lens, rays, jnp.asarray(wavelength_nm, jnp.float64), config)
    radius = np.hypot(np.asarray(points)[:-1, ..., 0], np.asarray(points)[:-1, ..., 1])
    return radius, np.asarray(status), np.asarray(surface)


def _vignetted(pupil: np.ndarray, factors: tuple[float, ...]) -> np.ndarray:
    """Pupil points (P, 2) by Zemax's factors: compressed, shifted, turned."""
    dx, dy, cx, cy, angle = factors
    x, y = pupil[:, 0] * (1 - cx) + dx, pupil[:, 1] * (1 - cy) + dy
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.stack([c * x - s * y, s * x + c * y], -1)


@jax.jit
def _passed(lens: Lens, rays: Ray, wavelength_nm: Any, config: Any) -> tuple[Any, Any, Any]:
    index = lens.index(wavelength_nm)
    points, status = trace_points(lens, rays, index, config)
    return points, status, trace(lens, rays, index, config).surface


def _in(p: Prescription) -> str:
    return f", in {p.file}" if p.file else ""
