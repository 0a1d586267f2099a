"""Rays that fill the stop: really aimed, for any field, with the aim differentiated implicitly; and quadratures over the pupil.

Newton's iteration in the plane of surface 0, on stopped gradients, first for the chief ray as the field grows from the axis outwards, then
for every ray from there; one differentiable step at the end carries the implicit derivative. Each trace that is written down costs
seconds of compilation, so values and derivatives come from one.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.first_order import centred_matrices
from apochromat.optics.lens import Lens
from apochromat.optics.linear import inverse
from apochromat.optics.precision import float64
from apochromat.optics.trace import FAR, Ray, at_stop, trace, trace_points

CHIEF_STEPS = 24  # of Newton's iteration, at most, for the chief ray; the field is whole after half of them
HEIGHT_STEPS = 40  # of it for a chief ray to a given image height
STEPS = 16  # of it for the other rays
SINGULAR = 1e-12  # a smaller determinant gives no direction
SETTLED = 1e-9  # of the longest step: the iteration ends
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
    return aimed(lens, tangents_of(lens, field, config), lens.index(wavelength_nm), pupil, config)


@jax.jit
def _bundles(lens: Lens, fields: Any, wavelength_nm: Any, pupil: Any, config: Any) -> Ray:
    return jax.vmap(lambda field: _bundle(lens, field, wavelength_nm, pupil, config))(fields)


@jax.jit
def _angles(lens: Lens, config: Any) -> Any:
    tangents = jax.vmap(lambda field: tangents_of(lens, field, config))(jnp.asarray(lens.fields))
    return jnp.degrees(jnp.arctan(tangents))


def aimed(lens: Lens, tangents: Any, index: Any, pupil: Any, config: Any) -> Ray:
    """Rays (P,) of a field by its tangents (2,), as `bundle` gives them; inside jit."""
    index, pupil = jnp.asarray(index), lax.stop_gradient(pupil)
    radius = jnp.asarray(lens.stop_radius)[config]
    fixed, slopes, fixed_index, fixed_radius = lax.stop_gradient((lens, tangents, index, radius))
    front = centred_matrices(fixed, fixed_index, config)[0]
    entrance, scale = front[0, 1] / front[0, 0], fixed_radius / front[0, 0]

    def miss(points: Any, part: Any, target: Any) -> Any:
        return _at_stop(fixed, slopes * part, fixed_index, points - slopes * part * entrance, config) - target

    longest = LONGEST * jnp.abs(scale)
    chief, across = _solved(miss, jnp.zeros((1, 2)), jnp.zeros((1, 2)), longest, CHIEF_STEPS)
    start = chief + fixed_radius * pupil @ _inverse(across)[0].T
    start = jnp.where(jnp.abs(start - chief).max(1, keepdims=True) < 3 * jnp.abs(scale), start, chief + scale * pupil)
    points, jacobian = _solved(miss, start, fixed_radius * pupil, longest, STEPS, whole=True)

    points, inverse = lax.stop_gradient((points - slopes * entrance, _inverse(jacobian)))
    residual = _at_stop(lens, tangents, index, points, config) - radius * pupil
    reached = jnp.abs(residual).max(1, keepdims=True) < AIMED * jnp.maximum(fixed_radius, 1e-3)
    points = points - jnp.einsum("pij,pj->pi", inverse, jnp.where(reached, residual, 0.0))
    return launched(lens, tangents, jnp.where(reached, points, FAR), config)


def _solved(miss: Any, start: Any, target: Any, longest: Any, steps: int, *, whole: bool = False) -> tuple[Any, Any]:
    """Roots (P, k) of `miss(points, part of the field, target)` by Newton's iteration, and its derivative (P, k, k) there.

    The field grows from the axis to its whole over the first half of the steps, unless it is `whole` from the start. No gradients.
    """

    def step(state: Any) -> Any:
        points, _, count, _ = state
        part = jnp.where(whole, 1.0, jnp.minimum(1.0, (count // 2 + 1) * 4 / steps))
        value, jacobian = _with_jacobian(lambda p: miss(p, part, target), points)
        move = jnp.einsum("pij,pj->pi", _inverse(jacobian), value)
        length = jnp.sqrt((move**2).sum(1, keepdims=True)) + 1e-30
        move = move * jnp.minimum(1.0, longest / length)
        return points - move, jacobian, count + 1, jnp.max(jnp.abs(move)) + (part < 1)

    def unsettled(state: Any) -> Any:
        return (state[2] < steps) & (state[3] > SETTLED * longest)

    size = start.shape[1]
    begin = (start, jnp.broadcast_to(jnp.eye(size), (*start.shape, size)), 0, jnp.asarray(jnp.inf))
    points, jacobian, _, _ = lax.while_loop(unsettled, step, begin)
    return points, jacobian


def _with_jacobian(function: Any, points: Any) -> tuple[Any, Any]:
    """Value (P, k) of a function that acts on each row of points (P, k), and the derivative (P, k, k), in one trace."""
    basis = jnp.broadcast_to(jnp.eye(points.shape[1])[:, None], (points.shape[1], *points.shape))
    value, columns = jax.vmap(lambda way: jax.jvp(function, (points,), (way,)), out_axes=(None, 0))(basis)
    return value, jnp.moveaxis(columns, 0, -1)


def _inverse(jacobian: Any) -> Any:
    """Inverses of (P, k, k), those of singular ones finite."""
    return inverse(jacobian, SINGULAR)


def _at_stop(lens: Lens, tangents: Any, index: Any, points: Any, config: Any) -> Any:
    end = trace(lens, launched(lens, tangents, points, config), index, config, apertures=False, last=lens.info.stop)
    return jnp.stack([end.x, end.y], -1)


def launched(lens: Lens, tangents: Any, points: Any, config: Any) -> Ray:
    """Rays of a field through points (P, 2) of the plane of surface 0; a near object's point lies tan(field) x distance beside the axis."""
    vergence = jnp.asarray(lens.object_vergence)[config]
    slopes = tangents + points * vergence
    n = lax.rsqrt(1 + (slopes**2).sum(-1))
    return Ray(points[:, 0], points[:, 1], jnp.zeros_like(n), slopes[:, 0] * n, slopes[:, 1] * n, n)


def tangents_of(lens: Lens, field: Any, config: Any) -> Any:
    """Tangents (2,) of a field (2,), as the lens declares fields, at the object; inside jit."""
    if lens.info.field_kind == "angle":
        return jnp.tan(jnp.radians(field))
    index = lens.index(jnp.asarray(lens.info.wavelengths_nm[lens.info.primary]))
    fixed, fixed_index = lax.stop_gradient((lens, index))
    whole = centred_matrices(fixed, fixed_index, config)[1]

    def miss(unknown: Any, part: Any, target: Any, lens: Lens = fixed, index: Any = fixed_index) -> Any:
        """Of a chief ray by its tangents and point (1, 4): where it passes the stop, and how far it lands from the image height."""
        ray = launched(lens, unknown[0, :2], unknown[:, 2:], config)
        points, _ = trace_points(lens, ray, index, config, apertures=False)
        return jnp.concatenate([points[-1, :, :2] - target * part, at_stop(lens, ray, points, config)], 1)

    start = jnp.zeros((1, 4))
    unknown, jacobian = _solved(miss, start, lax.stop_gradient(field)[None], LONGEST * jnp.abs(1 / whole[1, 0]), HEIGHT_STEPS)
    unknown, inverse = lax.stop_gradient((unknown, _inverse(jacobian)))
    moved = miss(unknown, 1.0, field[None], lens, index)
    return (unknown - jnp.einsum("pij,pj->pi", inverse, moved))[0, :2]


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
