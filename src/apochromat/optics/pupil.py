"""Rays that fill the stop: really aimed, for any field, with the aim differentiated implicitly; and quadratures over the pupil.

Newton's iteration in the plane of surface 0, on stopped gradients, first for the chief ray by steps of the field from the axis outwards,
then for every ray from there; one differentiable step at the end carries the implicit derivative.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.first_order import matrix
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64
from apochromat.optics.trace import FAR, Ray, trace

FIELD_STEPS = 6  # from the axis to the field
CHIEF_STEPS = 6  # of Newton's iteration at each of them
STEPS = 12  # of it for the rays
AIMED = 1e-7  # of the stop's radius: a ray that misses by more has not been aimed
LONGEST = 0.5  # of the entrance pupil's radius, a step


@float64
def bundle(lens: Lens, field: Any, wavelength_nm: Any, pupil: Any, config: Any = 0) -> Ray:
    """Rays (P,) of one field (2,) (as the lens declares fields) through `stop_radius` x pupil (P, 2) at the stop.

    A ray that cannot be aimed starts FAR beside the lens, where the trace flags it as missed.
    """
    return _bundle(lens, *(jnp.asarray(v, jnp.float64) for v in (field, wavelength_nm, pupil)), config)


@float64
def bundles(lens: Lens, fields: Any, wavelength_nm: Any, pupil: Any, config: Any = 0) -> Ray:
    """Rays (F, P) of fields (F, 2) through the same points of the stop."""
    return _bundles(lens, *(jnp.asarray(v, jnp.float64) for v in (fields, wavelength_nm, pupil)), config)


@float64
def field_angles(lens: Lens, config: Any = 0) -> Any:
    """The lens's fields (F, 2) in degrees at the object, those given as real image heights solved for at the primary wavelength."""
    return _angles(lens, config)


@jax.jit
def _bundle(lens: Lens, field: Any, wavelength_nm: Any, pupil: Any, config: Any) -> Ray:
    return aimed(lens, _tangents(lens, field, config), lens.index(wavelength_nm), pupil, config)


@jax.jit
def _bundles(lens: Lens, fields: Any, wavelength_nm: Any, pupil: Any, config: Any) -> Ray:
    return jax.vmap(lambda field: _bundle(lens, field, wavelength_nm, pupil, config))(fields)


@jax.jit
def _angles(lens: Lens, config: Any) -> Any:
    tangents = jax.vmap(lambda field: _tangents(lens, field, config))(jnp.asarray(lens.fields))
    return jnp.degrees(jnp.arctan(tangents))


def aimed(lens: Lens, tangents: Any, index: Any, pupil: Any, config: Any) -> Ray:
    """Rays (P,) of a field by its tangents (2,), as `bundle` gives them; inside jit."""
    index = jnp.asarray(index)
    front = lax.stop_gradient(matrix(lens, index, config, lens.info.stop))
    radius = jnp.asarray(lens.stop_radius)[config]
    fixed, fixed_index, fixed_radius = lax.stop_gradient((lens, index, radius))
    entrance, scale = front[0, 1] / front[0, 0], fixed_radius / front[0, 0]
    slopes = lax.stop_gradient(tangents)

    def outwards(step: Any, offset: Any) -> Any:
        part = slopes * (step + 1) / FIELD_STEPS
        start, middle = offset - part * entrance, jnp.zeros((1, 2))
        return _newton(fixed, part, fixed_index, start, middle, config, fixed_radius, scale, CHIEF_STEPS) + part * entrance

    offset = lax.fori_loop(0, FIELD_STEPS, outwards, jnp.zeros((1, 2)))
    chief = -slopes * entrance + offset
    across = jnp.linalg.inv(_jacobian(fixed, slopes, fixed_index, chief, config)[1][0] + 1e-12 * jnp.eye(2))
    start = chief + fixed_radius * lax.stop_gradient(pupil) @ across.T
    near = jnp.abs(start - chief).max(1, keepdims=True) < 3 * jnp.abs(scale)
    start = jnp.where(near, start, chief + scale * lax.stop_gradient(pupil))
    points = _newton(fixed, slopes, fixed_index, start, lax.stop_gradient(pupil), config, fixed_radius, scale, STEPS)

    points = lax.stop_gradient(points)
    at_stop, jacobian = _jacobian(fixed, slopes, fixed_index, points, config)
    reached = jnp.abs(at_stop - fixed_radius * pupil).max(1, keepdims=True) < AIMED * jnp.maximum(fixed_radius, 1e-3)
    inverse = lax.stop_gradient(_inverse(jacobian))
    residual = _at_stop(lens, tangents, index, points, config) - radius * pupil
    points = points - jnp.einsum("pij,pj->pi", inverse, jnp.where(reached, residual, 0.0))
    return _launched(lens, tangents, jnp.where(reached, points, FAR), config)


def _newton(lens: Lens, tangents: Any, index: Any, points: Any, pupil: Any, config: Any, radius: Any, scale: Any, steps: int) -> Any:
    """Points (P, 2) in the plane of surface 0 from which rays reach radius * pupil at the stop."""

    def step(_: Any, points: Any) -> Any:
        at_stop, jacobian = _jacobian(lens, tangents, index, points, config)
        move = jnp.einsum("pij,pj->pi", _inverse(jacobian), at_stop - radius * pupil)
        length = jnp.sqrt((move**2).sum(1, keepdims=True)) + 1e-30
        return points - move * jnp.minimum(1.0, LONGEST * jnp.abs(scale) / length)

    return lax.fori_loop(0, steps, step, points)


def _inverse(jacobian: Any) -> Any:
    """Inverses of (P, 2, 2), those of singular ones finite."""
    (a, b), (c, d) = jacobian[:, 0].T, jacobian[:, 1].T
    determinant = a * d - b * c
    determinant = jnp.where(jnp.abs(determinant) < 1e-9, 1e-9, determinant)
    return jnp.stack([jnp.stack([d, -b], -1), jnp.stack([-c, a], -1)], 1) / determinant[:, None, None]


def _jacobian(lens: Lens, tangents: Any, index: Any, points: Any, config: Any) -> tuple[Any, Any]:
    """Where rays from points (P, 2) pass the stop (P, 2), and the derivative (P, 2, 2)."""

    def reach(p: Any) -> Any:
        return _at_stop(lens, tangents, index, p, config)

    columns = [jax.jvp(reach, (points,), (jnp.zeros_like(points).at[:, i].set(1.0),)) for i in (0, 1)]
    return columns[0][0], jnp.stack([columns[0][1], columns[1][1]], -1)


def _at_stop(lens: Lens, tangents: Any, index: Any, points: Any, config: Any) -> Any:
    end = trace(lens, _launched(lens, tangents, points, config), index, config, apertures=False, last=lens.info.stop)
    return jnp.stack([end.x, end.y], -1)


def _launched(lens: Lens, tangents: Any, points: Any, config: Any) -> Ray:
    """Rays of a field through points (P, 2) of the plane of surface 0; a near object's point lies tan(field) x distance beside the axis."""
    vergence = jnp.asarray(lens.object_vergence)[config]
    slopes = tangents + points * vergence
    n = lax.rsqrt(1 + (slopes**2).sum(-1))
    return Ray(points[:, 0], points[:, 1], jnp.zeros_like(n), slopes[:, 0] * n, slopes[:, 1] * n, n)


def _tangents(lens: Lens, field: Any, config: Any) -> Any:
    """Tangents (2,) of a field's angles at the object."""
    if lens.info.field_kind == "angle":
        return jnp.tan(jnp.radians(field))
    index = lens.index(jnp.asarray(lens.info.wavelengths_nm[lens.info.primary]))

    def height(tangents: Any, lens: Lens, index: Any) -> Any:
        ray = aimed(lens, tangents, index, jnp.zeros((1, 2)), config)
        end = trace(lens, ray, index, config, apertures=False)
        return jnp.stack([end.x[0], end.y[0]])

    fixed, fixed_index = lax.stop_gradient((lens, index))
    slope = jax.jacfwd(height)(jnp.zeros(2), fixed, fixed_index)
    tangents = jnp.linalg.solve(slope, field)

    def step(_: Any, tangents: Any) -> Any:
        move = jnp.linalg.solve(jax.jacfwd(height)(tangents, fixed, fixed_index), height(tangents, fixed, fixed_index) - field)
        return tangents - jnp.clip(move, -0.2, 0.2)

    tangents = lax.stop_gradient(lax.fori_loop(0, 12, step, tangents))
    inverse = lax.stop_gradient(jnp.linalg.inv(jax.jacfwd(height)(tangents, fixed, fixed_index)))
    return tangents - inverse @ (height(tangents, lens, index) - lax.stop_gradient(field))


def square(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 2) of a square grid of `count` across the unit disc, cell centres inside it, and equal weights that add to one."""
    axis = (np.arange(count) + 0.5) * 2 / count - 1
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    points = points[(points**2).sum(1) <= 1]
    return points, np.full(len(points), 1 / len(points))


def rings(count: int, arms: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (count * arms, 2) of a Gaussian quadrature over the unit disc and their weights, which add to one.

    G. W. Forbes, "Optical system assessment for design: numerical ray tracing in the Gaussian pupil", JOSA A 5, 1988.
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    radius, angle = np.sqrt((nodes + 1) / 2), 2 * np.pi * (np.arange(arms) + 0.5) / arms
    points = radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return points.reshape(-1, 2), np.repeat(weights / 2 / arms, arms)
