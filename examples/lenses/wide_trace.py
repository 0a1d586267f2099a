"""A trace that loses no ray, for the design of wide phone lenses: damped least squares then never meets a cliff.

Each surface is a polynomial in r^2 that goes on straight beyond its zone; total reflection eases into grazing refraction; Newton's steps
are bounded. Where rays stay inside their zones the trace is exact.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.lens import TERMS

NEWTON = 9  # steps of the intersection
AIM = 6  # steps of the aim
GRAZING = 0.03  # square of the cosine below which refraction eases


def slopes_basis() -> np.ndarray:
    """Polynomials (TERMS, TERMS) in the square of the relative radius, by degree, whose slopes are orthonormal over the disc.

    After G. W. Forbes, "Shape specification for axially symmetric optical surfaces", Opt. Express 15, 2007.
    """
    nodes, weights = np.polynomial.legendre.leggauss(40)
    u, powers = np.sqrt((nodes + 1) / 2), np.arange(1, TERMS + 1)[:, None]
    slope, basis = 2 * powers * u ** (2 * powers - 1), np.eye(TERMS)
    for j in range(TERMS):
        for i in [*range(j), *range(j)]:
            basis[j] -= ((basis[j] @ slope) * (basis[i] @ slope) * weights / 2).sum() * basis[i]
        basis[j] /= np.sqrt(((basis[j] @ slope) ** 2 * weights / 2).sum())
    return basis


BASIS = slopes_basis()


def sag(t: Any, shape: Any) -> tuple[Any, Any]:
    """Height at t = (r / zone)^2 and its derivative by t; straight on beyond t = 1."""
    inside, u = jnp.minimum(t, 1.0), jnp.sqrt(jnp.maximum(t, 1.0))
    height, slope = jnp.zeros_like(inside), jnp.zeros_like(inside)
    for j in range(TERMS - 1, -1, -1):
        slope = slope * inside + (j + 1) * shape[j]
        height = (height + shape[j]) * inside
    return height + slope * 2 * (u - 1), slope / u


def _miss(t: Any, ray: Any, shape: Any, flat: Any) -> tuple[Any, Any]:
    x, y, z, L, M, N = ray
    x, y, z = x + t * L, y + t * M, z + t * N
    height, slope = sag((x * x + y * y) * flat, shape)
    return z - height, jnp.maximum(N - 2 * slope * flat * (x * L + y * M), 0.2)


def _through(ray: Any, surface: Any) -> tuple[Any, Any]:
    """A ray through one surface into the next one's frame; and what is kept of it."""
    shape, flat, before, after, thickness = surface
    fixed, fixed_shape = lax.stop_gradient((ray, shape))

    def newton(_: int, t: Any) -> Any:
        value, slope = _miss(t, fixed, fixed_shape, flat)
        return t - jnp.clip(value / slope, -1.0, 1.0)

    plane = -fixed[2] / fixed[5]
    t = lax.fori_loop(0, NEWTON, newton, plane)
    value, slope = _miss(lax.stop_gradient(t), ray, shape, flat)
    t = lax.stop_gradient(t) - value / slope
    x, y, z, L, M, N = ray
    x, y, z = x + t * L, y + t * M, z + t * N
    _, slope = sag((x * x + y * y) * flat, shape)
    gx, gy = 2 * slope * flat * x, 2 * slope * flat * y
    nz = lax.rsqrt(1 + gx * gx + gy * gy)
    cos_in, ratio = (N - gx * L - gy * M) * nz, before / after
    square = 1 - ratio**2 * (1 - cos_in**2)
    cos_out = jnp.sqrt(jnp.where(square > GRAZING, square, GRAZING * jnp.exp(jnp.clip(square / GRAZING - 1, -10.0, 0.0))))
    k = cos_out - ratio * cos_in
    L, M, N = ratio * L - k * gx * nz, ratio * M - k * gy * nz, ratio * N + k * nz
    N = jnp.where(N > 0.15, N, 0.15 * jnp.exp(jnp.clip(N / 0.15 - 1, -8.0, 0.0)))
    length = lax.rsqrt(L * L + M * M + N * N)
    start = jnp.hypot(fixed[0] + plane * fixed[3], fixed[1] + plane * fixed[4])
    return (x, y, z - thickness, L * length, M * length, N * length), (x, y, jnp.minimum(cos_in, 1.5 * cos_out), t, start)


def traced(ray: Any, shapes: Any, flat: Any, index: Any, thickness: Any, last: int | None = None) -> tuple[Any, Any]:
    surfaces = jax.tree.map(lambda v: v[:last], (shapes, flat, index[:-1], index[1:], thickness))
    return lax.scan(_through, ray, surfaces)


def on_plane(ray: Any) -> tuple[Any, Any]:
    x, y, z, L, M, N = ray
    return x - z / N * L, y - z / N * M


def launched(points: Any, tangents: Any) -> Any:
    x, y, n = points[..., 0], points[..., 1], lax.rsqrt(1 + tangents**2) + jnp.zeros_like(points[..., 0])
    return x, y, jnp.zeros_like(x), jnp.zeros_like(x), tangents * n, n


def paraxial(shapes: Any, flat: Any, index: Any, thickness: Any, last: int | None = None) -> tuple[Any, Any]:
    """Height and optical slope (2,) in the end: of a ray at height 1, and of one at slope 1."""

    def step(state: Any, surface: Any) -> tuple[Any, None]:
        (y, slope), (bend, before, after, gap) = state, surface
        slope = slope - (after - before) * bend * y
        return (y + gap * slope / after, slope), None

    surfaces = jax.tree.map(lambda v: v[:last], (2 * shapes[:, 0] * flat, index[:-1], index[1:], thickness))
    return lax.scan(step, (jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])), surfaces)[0]


def aimed(stop: int, lens: tuple[Any, ...], front: Any, tangents: Any, goal: Any) -> Any:
    """Points (F, P, 2) in the plane of the first vertex of rays that pass `goal` (F, P, 2) at the stop."""
    fixed, fixed_goal, fixed_front = lax.stop_gradient((lens, goal, front))
    shift = tangents[:, None] * fixed_front[1] / fixed_front[0]

    def reached(points: Any, lens: Any) -> Any:
        return jnp.stack(on_plane(traced(launched(points, tangents[:, None]), *lens, stop)[0]), -1)

    def linear(points: Any) -> tuple[Any, Any]:
        ways = [jnp.zeros_like(points).at[..., i].set(1.0) for i in (0, 1)]
        (value, a), (_, b) = (jax.jvp(lambda p: reached(p, fixed), (points,), (way,)) for way in ways)
        determinant = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
        rows = jnp.stack([b[..., 1], -b[..., 0], -a[..., 1], a[..., 0]], -1).reshape(*points.shape, 2)
        return value, rows / jnp.where(jnp.abs(determinant) < 0.05, 0.05, determinant)[..., None, None]

    def step(_: int, points: Any) -> Any:
        value, inverse = linear(points)
        return points - jnp.clip(jnp.einsum("...ij,...j->...i", inverse, value - fixed_goal), -0.6, 0.6)

    start = fixed_goal / fixed_front[0] - jnp.stack([0 * shift, shift], -1)
    points = lax.stop_gradient(lax.fori_loop(0, AIM, step, start))
    inverse = lax.stop_gradient(linear(points)[1])
    return points - jnp.einsum("...ij,...j->...i", inverse, jnp.clip(reached(points, lens) - goal, -0.2, 0.2))
