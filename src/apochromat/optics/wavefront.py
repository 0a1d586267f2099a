"""Optical path difference of a pupil against a reference sphere, in waves; its Zernike terms, RMS and Strehl ratio.

The sphere is centred on an image point and passes through the middle of the exit pupil, as the chief ray meets it. Paths to it are
written with the sphere's curvature, so that a telecentric lens, whose exit pupil is infinitely far, is no special case.

W = (path of the chief ray - path of the ray) / wavelength, both from the object point to the sphere: positive where the wavefront leads,
so that undercorrected spherical aberration is positive (W. T. Welford, "Aberrations of Optical Systems", 1986, chapter 7).
"""

from __future__ import annotations

from math import factorial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.first_order import matrices
from apochromat.optics.lens import Lens
from apochromat.optics.linear import inverse, solve
from apochromat.optics.precision import float64
from apochromat.optics.pupil import aimed, tangents_of
from apochromat.optics.trace import CLIPPED, OK, Ray, trace


class Arrived(NamedTuple):
    """Rays of one object point on the image plane, and what their reference sphere needs; inside jit.

    x, y mm and L, M, N (P,); path (P,) mm from the object point, less a constant of that point; status (P,). `chief` holds the same of the
    chief ray, as scalars. `vergence` and `reach`: b11 and b01 of the system between stop and image, the exit pupil lying at -b01 / b11.
    """

    x: Any
    y: Any
    L: Any
    M: Any
    N: Any
    path: Any
    status: Any
    chief: Any
    vergence: Any
    reach: Any
    medium: Any  # index of the image space
    onward: float  # direction of the light along z at the image, 1 or -1


def launched_path(ray: Ray, object_vergence: Any) -> Any:
    """Path (mm) of rays (P,) from their object point to z = 0, less that of the ray through the origin; infinity included."""
    x, y, s, t = ray.x, ray.y, ray.L / ray.N, ray.M / ray.N
    a, b = s - x * object_vergence, t - y * object_vergence
    return (2 * (a * x + b * y) + object_vergence * (x * x + y * y)) / (jnp.sqrt(1 + s * s + t * t) + jnp.sqrt(1 + a * a + b * b))


def arrive(lens: Lens, tangents: Any, wavelength_nm: Any, pupil: Any, config: Any, *, apertures: bool = True) -> Arrived:
    """Aim rays of a field, by its tangents (2,), through pupil points (P, 2) and trace them to the image plane; inside jit."""
    ray = aimed(lens, tangents, lens.index(wavelength_nm), jnp.concatenate([jnp.zeros((1, 2)), pupil]), config)
    return arrived(lens, ray, wavelength_nm, config, apertures=apertures)


def arrived(lens: Lens, ray: Ray, wavelength_nm: Any, config: Any, *, apertures: bool = True) -> Arrived:
    """Trace rays (1 + P,) of one object point, the chief ray first, to the image plane; inside jit."""
    index = lens.index(wavelength_nm)
    end = trace(lens, ray, index, config, apertures=apertures)
    path = end.opl + launched_path(ray, jnp.asarray(lens.object_vergence)[config])
    front, whole = matrices(lens, index, config)
    back = whole @ inverse(front)
    onward = (-1.0) ** sum(s.kind == "mirror" for s in lens.info.surfaces)
    lost = (end.status[0] != OK) & (end.status[0] != CLIPPED)  # an obscured chief ray still marks the image point
    status = jnp.where(lost & (end.status[1:] == OK), end.status[0], end.status[1:])
    chief = tuple(v[0] for v in (end.x, end.y, end.L, end.M, end.N, path))
    x, y, L, M, N, path = (v[1:] for v in (end.x, end.y, end.L, end.M, end.N, path))
    return Arrived(x, y, L, M, N, path, status, chief, back[1, 1] / onward, back[0, 1], index[-1], onward)


def path_difference(at: Arrived, defocus_mm: Any = 0.0, about: Any = None, *, far: bool = False) -> Any:
    """Chief ray's path less that of each ray (P,), in mm, to the sphere about the chief ray's point, `defocus_mm` beyond the image.

    about: x, y (2,) mm of another image point in that plane. far: to a plane across each ray, a sphere of infinite radius.
    Rays that never reached the image have 0.
    """
    shift = at.onward * defocus_mm
    centre = _in_plane(at.chief, shift) if about is None else about
    curvature = 0.0 if far else at.chief[4] * at.vergence / (shift * at.vergence + at.reach)
    usable = (at.status == OK) | (at.status == CLIPPED)
    rays = tuple(jnp.where(usable, v, c) for v, c in zip((at.x, at.y, at.L, at.M, at.N, at.path), at.chief, strict=True))
    whole = _to_sphere(at.chief, centre, shift, curvature, at.medium)
    return jnp.where(usable, whole - _to_sphere(rays, centre, shift, curvature, at.medium), 0.0)


def _in_plane(ray: Any, shift: Any) -> tuple[Any, Any]:
    """Where a ray (x, y, L, M, N, path) meets the plane at z = shift."""
    x, y, L, M, N, _ = ray
    return x + shift * L / N, y + shift * M / N


def _to_sphere(ray: Any, centre: Any, shift: Any, curvature: Any, medium: Any) -> Any:
    """Path of a ray to the sphere about `centre`, plus the sphere's radius: finite for a sphere of no curvature."""
    x, y, L, M, N, path = ray
    u, v, w = x - centre[0], y - centre[1], -shift
    along = u * L + v * M + w * N
    beside = along * along - (u * u + v * v + w * w)
    root = jnp.sqrt(jnp.maximum(1 + beside * curvature**2, 1e-9))
    return path - medium * (along + beside * curvature / (1 + root))


@float64
def opd(
    lens: Lens,
    field: Any,
    wavelength_nm: Any,
    pupil: Any,
    config: Any = 0,
    defocus_mm: Any = 0.0,
    about: Any = None,
    *,
    apertures: bool = True,
) -> tuple[Any, Any]:
    """OPD in waves (P,) of one field (2,), as the lens declares fields, at pupil points (P, 2) of the stop's unit disc, and flags (P,).

    defocus_mm: of the image plane, positive away from the lens. about: x, y (2,) mm of the sphere's centre; None: the chief ray's point.
    A clipped ray has its OPD and its flag; one that never arrives has 0 and its flag. Differentiable in every leaf.
    """
    field, wavelength = jnp.asarray(field)[None], jnp.asarray(wavelength_nm)[None]
    waves, status = opds(lens, field, wavelength, pupil, config, defocus_mm, about, apertures=apertures)
    return waves[0, 0], status[0, 0]


@float64
def opds(
    lens: Lens,
    fields: Any,
    wavelengths_nm: Any,
    pupil: Any,
    config: Any = 0,
    defocus_mm: Any = 0.0,
    about: Any = None,
    *,
    apertures: bool = True,
) -> tuple[Any, Any]:
    """OPD in waves (F, W, P) of fields (F, 2) at wavelengths (W,), and flags, in one compiled call.

    pupil: points (P, 2), or (F, P, 2) of each field's own; about (F, 2). See `opd`.
    """
    fields, wavelengths, pupil, defocus = (jnp.asarray(v, jnp.float64) for v in (fields, wavelengths_nm, pupil, defocus_mm))
    pupil = jnp.broadcast_to(pupil, (len(fields), *pupil.shape[-2:]))
    centre = None if about is None else jnp.broadcast_to(jnp.asarray(about, jnp.float64), jnp.shape(fields))
    return _opds(lens, fields, wavelengths, pupil, defocus, config, centre, apertures=apertures)


def _opds_inside(lens: Lens, fields: Any, wavelengths: Any, pupils: Any, defocus: Any, config: Any, about: Any, *, apertures: bool) -> Any:
    def one(field: Any, pupil: Any, centre: Any, wavelength: Any) -> tuple[Any, Any]:
        at = arrive(lens, tangents_of(lens, field, config), wavelength, pupil, config, apertures=apertures)
        return path_difference(at, defocus, centre) / (wavelength * 1e-6), at.status

    each = jax.vmap(one, (None, None, None, 0))
    return jax.vmap(each, (0, 0, None if about is None else 0, None))(fields, pupils, about, wavelengths)


_opds = jax.jit(_opds_inside, static_argnames="apertures")


def noll(terms: int) -> list[tuple[int, int]]:
    """(n, m) of Zernike terms 1 to `terms` in Noll's order, m negative for sines. R. J. Noll, JOSA 66, 207 (1976)."""
    order: list[tuple[int, int]] = []
    n = 0
    while len(order) < terms:
        for m in sorted(range(n % 2, n + 1, 2)):
            j = len(order) + 1
            order += [(n, 0)] if m == 0 else [(n, m), (n, -m)] if j % 2 == 0 else [(n, -m), (n, m)]
        n += 1
    return order[:terms]


def zernike(points: np.ndarray, terms: int = 37) -> np.ndarray:
    """Noll's Zernike polynomials (P, terms), of unit variance over the unit disc, at points (P, 2)."""
    radius, angle = np.hypot(points[:, 0], points[:, 1]), np.arctan2(points[:, 1], points[:, 0])
    columns = []
    for n, m in noll(terms):
        k = abs(m)
        radial = np.zeros_like(radius)
        for s in range((n - k) // 2 + 1):
            ways = factorial(s) * factorial((n + k) // 2 - s) * factorial((n - k) // 2 - s)
            radial += (-1) ** s * factorial(n - s) / ways * radius ** (n - 2 * s)
        around = np.cos(k * angle) if m >= 0 else np.sin(k * angle)
        columns.append(np.sqrt((n + 1) * (1 if m == 0 else 2)) * radial * around)
    return np.stack(columns, -1)


@float64
def zernike_fit(waves: Any, points: np.ndarray, weights: Any = None, terms: int = 37) -> Any:
    """Coefficients (..., terms) in waves RMS, in Noll's order from piston, of OPD (..., P) at points (P, 2) of the unit disc.

    weights (..., P): of a quadrature, 0 for rays to leave out. Least squares; needs more points than terms. Differentiable.
    """
    basis = jnp.asarray(zernike(np.asarray(points), terms))
    weights = jnp.broadcast_to(1.0 if weights is None else jnp.asarray(weights), jnp.shape(waves))
    gram = jnp.einsum("pi,...p,pj->...ij", basis, weights, basis)
    return solve(gram, jnp.einsum("pi,...p,...p->...i", basis, weights, waves)[..., None])[..., 0]


def spherical(coefficients: Any) -> Any:
    """Balanced W040 in waves: the coefficient of rho^4 in Zernike term 11, from which focus and piston are taken."""
    return 6 * np.sqrt(5) * coefficients[..., 10]


@float64
def rms(waves: Any, weights: Any = None) -> Any:
    """RMS (...) of OPD (..., P) about its mean, in waves; weights (..., P) of a quadrature, 0 for rays to leave out."""
    return jnp.sqrt(jnp.maximum(variance(waves, waves, 1.0 if weights is None else weights), 1e-30))


@float64
def strehl(waves: Any, weights: Any = None) -> Any:
    """Strehl ratio (...) of OPD (..., P): |mean of exp(2 pi i W)|^2, without Marechal's approximation."""
    weights = jnp.broadcast_to(1.0 if weights is None else jnp.asarray(weights), jnp.shape(waves))
    return jnp.abs((weights * jnp.exp(2j * jnp.pi * jnp.asarray(waves))).sum(-1) / weights.sum(-1)) ** 2


def variance(a: Any, b: Any, weights: Any) -> Any:
    """Weighted covariance (...) of two sets (..., P)."""
    share = jnp.broadcast_to(weights, jnp.shape(a))
    share = share / share.sum(-1, keepdims=True)
    return (share * (a - (share * a).sum(-1, keepdims=True)) * (b - (share * b).sum(-1, keepdims=True))).sum(-1)
