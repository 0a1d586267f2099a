"""Aimed rays of many fields and wavelengths, traced in batches of one shape: every analysis shares one compiled trace.

A beam is a field at a wavelength with up to POINTS pupil points. Beams are padded and cut into batches of BEAMS; a pupil of more points is
several beams.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64
from apochromat.optics.pupil import aimed, field_angles
from apochromat.optics.trace import OK, trace_points

BEAMS, POINTS = 16, 32
FIELD_BATCH = 32  # fields by image height solved for at once

WHY = ("ok", "miss it", "are totally reflected at it", "are clipped at it", "do not converge on it")


class Rays(NamedTuple):
    """Rays of F fields x W wavelengths x P pupil points, from the plane of surface 0 to the image; mm, direction cosines."""

    start: np.ndarray  # (F, W, P, 6) x, y, z, L, M, N in the frame of surface 0
    points: np.ndarray  # (F, W, P, S + 1, 3) on every surface in its own frame; the last on the image
    L: np.ndarray  # (F, W, P) at the image
    M: np.ndarray
    N: np.ndarray
    status: np.ndarray  # flags of trace.py
    surface: np.ndarray  # where a ray failed, -1 for none

    @property
    def ok(self) -> np.ndarray:
        """(F, W, P) rays that arrive."""
        return self.status == OK

    @property
    def landed(self) -> np.ndarray:
        """(F, W, P, 2) x, y mm on the image; nan for rays that do not arrive."""
        return np.where(self.ok[..., None], self.points[..., -1, :2], np.nan)


def sweep(lens: Lens, count: int, config: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Relative fields (count,) from 0 to 1 and their tangents (count, 2) along the direction of the widest field."""
    widest = widest_field(lens)
    part = np.linspace(0, 1, count)
    return part, tangents(lens, part[:, None] * widest, config)


def widest_field(lens: Lens) -> np.ndarray:
    """The field (2,) farthest from the axis, as the lens declares fields."""
    points = np.asarray(lens.fields, float).reshape(-1, 2)
    if not len(points):
        raise LensError(f"Expected at least one field, found none in {lens.info.source or lens.info.name or 'the lens'}.")
    return points[np.argmax((points**2).sum(1))]


def tangents(lens: Lens, fields: Any, config: int = 0) -> np.ndarray:
    """Tangents (F, 2) at the object of fields (F, 2) as the lens declares them: degrees, or mm on the image, which are solved for."""
    fields = np.asarray(fields, float).reshape(-1, 2)
    if lens.info.field_kind == "angle":
        return np.tan(np.radians(fields))
    padded = np.zeros((-(-len(fields) // FIELD_BATCH) * FIELD_BATCH, 2))
    padded[: len(fields)] = fields
    angles = [field_angles(lens.replace(fields=batch), config) for batch in padded.reshape(-1, FIELD_BATCH, 2)]
    return np.tan(np.radians(np.concatenate(angles)[: len(fields)]))


def rays(lens: Lens, tangents: Any, wavelengths_nm: Any, pupil: Any, config: int = 0, *, apertures: bool = True) -> Rays:
    """Rays of fields by their tangents (F, 2), wavelengths (W,), pupil points (P, 2) of the unit disc or (F, P, 2) of each field's.

    Without apertures no clear radius and no obscuration flags a ray.
    """
    if not apertures:
        lens = lens.replace(semi_diameter=np.full(lens.S, np.inf), inner_radius=np.zeros(lens.S))
    tangents, wavelengths = np.asarray(tangents, float).reshape(-1, 2), np.atleast_1d(np.asarray(wavelengths_nm, float))
    pupil = np.asarray(pupil, float)
    pupil = np.broadcast_to(pupil, (len(tangents), *pupil.shape[-2:]))
    return Rays(*_in_batches(lens, tangents, wavelengths, pupil, config))


def across(tangents: Any) -> np.ndarray:
    """Unit vectors (F, 2) of each field's meridional direction; y for the axis."""
    tangents = np.asarray(tangents, float)
    length = np.hypot(*tangents.T)[:, None]
    return np.where(length > 0, tangents / np.where(length > 0, length, 1), np.array([0.0, 1.0]))


def primary_nm(lens: Lens) -> float:
    """The wavelength of reference."""
    return float(lens.info.wavelengths_nm[lens.info.primary])


def field_labels(lens: Lens, fields: Any) -> list[str]:
    """Distance of each field from the axis, with its unit."""
    unit = "°" if lens.info.field_kind == "angle" else " mm"
    return [f"{np.hypot(*field):.3g}{unit}" for field in np.asarray(fields, float)]


def field_axis(lens: Lens) -> str:
    """Label of an axis of fields."""
    return "Field angle (°)" if lens.info.field_kind == "angle" else "Image height (mm)"


def require_any(rays: Rays, lens: Lens, what: str) -> None:
    """Raise LensError if not one ray arrives, and say at which surface most of them fail and how."""
    if rays.ok.any():
        return
    surface = int(np.bincount(rays.surface[rays.surface >= 0].ravel()).argmax()) if (rays.surface >= 0).any() else 0
    status = int(np.bincount(rays.status[rays.surface == surface].ravel(), minlength=2).argmax()) if (rays.surface >= 0).any() else 1
    name = lens.info.source or lens.info.name or "the lens"
    raise LensError(f"Expected rays to reach the image for {what}, found none: at surface {surface + 1} they {WHY[status]}, in {name}.")


@float64
def _in_batches(lens: Lens, tangents: np.ndarray, wavelengths: np.ndarray, pupil: np.ndarray, config: int) -> list[np.ndarray]:
    """Arrays (F, W, P, ...) of the trace over all fields x wavelengths x runs of pupil points (F, P, 2)."""
    fields, count = len(tangents), pupil.shape[1]
    runs = -(-count // POINTS)
    padded = np.zeros((fields, runs * POINTS, 2))
    padded[:, :count] = pupil
    f, w, r = (v.ravel() for v in np.indices((fields, len(wavelengths), runs)))
    beams = len(f)
    f, w, r = (np.resize(v, -(-beams // BEAMS) * BEAMS) for v in (f, w, r))
    given = tangents[f], wavelengths[w], padded.reshape(-1, runs, POINTS, 2)[f, r]
    parts = [_traced(lens, *(v[i : i + BEAMS] for v in given), config) for i in range(0, len(f), BEAMS)]
    whole = (np.concatenate([np.asarray(p[k]) for p in parts])[:beams] for k in range(len(parts[0])))
    return [v.reshape(fields, len(wavelengths), runs * POINTS, *v.shape[2:])[:, :, :count] for v in whole]


@jax.jit
def _traced(lens: Lens, tangents: Any, wavelengths: Any, pupil: Any, config: Any) -> tuple[Any, ...]:
    """The fields of `Rays` for one batch of beams."""

    def one(tangent: Any, wavelength: Any, points: Any) -> tuple[Any, ...]:
        index = lens.index(wavelength)
        ray = aimed(lens, tangent, index, points, config)
        pierced, end = trace_points(lens, ray, index, config)
        return jnp.stack(ray, -1), jnp.moveaxis(pierced, 0, 1), end.L, end.M, end.N, end.status, end.surface

    return jax.vmap(one)(jnp.asarray(tangents), jnp.asarray(wavelengths), jnp.asarray(pupil))
