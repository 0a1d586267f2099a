"""Sequential ray trace: a scan over the surfaces, each intersection differentiated implicitly.

Newton's iteration runs on stopped gradients; one differentiable step at its end is zero in value and carries the implicit function's
derivative, so that values and gradients are exact and no iteration is recorded. A ray that fails is flagged and goes on along the axis;
square roots and divisions are kept from what would make them infinite, so that nothing that is not finite enters a value or a gradient.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.lens import TERMS, Lens

OK, MISSED, TOTAL_REFLECTION, CLIPPED, UNCONVERGED = range(5)
RESIDUAL = 1e-10  # mm: a larger one is flagged
SETTLED = 1e-6  # mm: Newton's iteration ends, its error being the square of its last step
STEPS = 16  # of it, at most
FAR = 1e5  # mm beside the axis: what starts or goes there has missed
GRAZING = 1e-3  # least cosine between ray and surface
CURVED = 1e-9  # least square of the cosine that a conic's root may have
SOFT = 0.02  # square of the cosine below which a soft trace eases into total reflection


class Ray(NamedTuple):
    """Position (mm) in the frame of the next surface, and direction cosines; arrays of one shape."""

    x: Any
    y: Any
    z: Any
    L: Any
    M: Any
    N: Any


class Traced(NamedTuple):
    """Rays on the image plane (x, y mm), direction cosines, optical path from the start (mm), flag, and the surface that set it."""

    x: Any
    y: Any
    L: Any
    M: Any
    N: Any
    opl: Any
    status: Any  # int8: OK, MISSED, TOTAL_REFLECTION, CLIPPED, UNCONVERGED
    surface: Any  # int8: index of the surface at which the ray first failed, -1 for none


class _Surface(NamedTuple):
    """One surface as the scan sees it: scalars, but for the polynomial and the rotation."""

    curvature: Any
    conic: Any
    even: Any
    semi2: Any
    inner2: Any
    before: Any
    ratio: Any  # of the index before to the one behind; 1 of a mirror
    onward: Any  # -1 of a mirror, which turns the light back, else 1
    thickness: Any
    rotation: Any
    decenter: Any
    number: Any


@partial(jax.jit, static_argnames=("apertures", "last", "soft"))
def trace(
    lens: Lens, ray: Ray, index: Any, config: Any = 0, *, apertures: bool = True, last: int | None = None, soft: bool = False
) -> Traced:
    """Trace rays of any shape from the frame of surface 0 to the image plane, or into the frame of surface `last`.

    index: (S + 1,) as `Lens.index` gives it. apertures: flag rays beyond a clear radius. soft: a ray beyond total reflection is bent as far
    as it goes and carries on, so that a merit has a slope back. Raises nothing: every ray has a flag.
    """

    def step(state: Any, surface: _Surface) -> tuple[Any, None]:
        return _through(state, surface, lens.info.is_perturbed, apertures, soft), None

    state, _ = lax.scan(step, _start(ray), _surfaces(lens, index, config, last))
    return _ended(state, index[-1] if last is None else index[last])


@partial(jax.jit, static_argnames="apertures")
def trace_points(lens: Lens, ray: Ray, index: Any, config: Any = 0, *, apertures: bool = True) -> tuple[Any, Traced]:
    """Points (S + 1, ..., 3) where rays meet each surface and the image, each in its own frame; and what `trace` gives."""

    def step(state: Any, surface: _Surface) -> tuple[Any, Any]:
        state = _through(state, surface, lens.info.is_perturbed, apertures)
        after = state[0]
        return state, jnp.stack([after.x, after.y, after.z + surface.thickness], -1)

    state, points = lax.scan(step, _start(ray), _surfaces(lens, index, config, None))
    end = _ended(state, index[-1])
    return jnp.concatenate([points, jnp.stack([end.x, end.y, jnp.zeros_like(end.x)], -1)[None]]), end


def at_stop(lens: Lens, ray: Ray, points: Any, config: Any) -> Any:
    """Points (..., 2) where rays, by their start and the points of `trace_points`, pass the plane of the stop's vertex."""
    stop = lens.info.stop
    if stop == 0:
        return jnp.stack([ray.x, ray.y], -1)
    here, before = points[stop], points[stop - 1]
    along = here[..., 2] - before[..., 2] + jnp.asarray(lens.thickness)[config][stop - 1]
    along = jnp.where(jnp.abs(along) < 1e-12, 1.0, along)
    return here[..., :2] - (here[..., 2] / along)[..., None] * (here - before)[..., :2]


def _start(ray: Ray) -> Any:
    """The scan's state before the first surface: rays, path, flag, and the surface that set it."""
    shape = jnp.shape(ray.x)
    return ray, jnp.zeros_like(ray.x), jnp.zeros(shape, jnp.int8), jnp.full(shape, -1, jnp.int8)


def _ended(state: Any, medium: Any) -> Traced:
    """Rays of the scan's last state on the plane z = 0."""
    ray, opl, status, failed = state
    t = -ray.z / ray.N
    return Traced(ray.x + t * ray.L, ray.y + t * ray.M, ray.L, ray.M, ray.N, opl + medium * t, status, failed)


def _surfaces(lens: Lens, index: Any, config: Any, last: int | None) -> _Surface:
    """The lens's first surfaces, stacked for the scan."""
    mirror = np.array([s.kind == "mirror" for s in lens.info.surfaces])
    stacked = _Surface(
        curvature=jnp.asarray(lens.curvature),
        conic=jnp.asarray(lens.conic),
        even=jnp.asarray(lens.even),
        semi2=jnp.asarray(lens.semi_diameter) ** 2,
        inner2=jnp.asarray(lens.inner_radius) ** 2,
        before=index[:-1],
        ratio=jnp.where(mirror, 1.0, index[:-1] / index[1:]),
        onward=np.where(mirror, -1.0, 1.0),
        thickness=jnp.asarray(lens.thickness)[config],
        rotation=rotations(jnp.asarray(lens.tilt)) if lens.info.is_perturbed else None,
        decenter=jnp.asarray(lens.decenter) if lens.info.is_perturbed else None,
        number=np.arange(len(mirror), dtype=np.int8),
    )
    return jax.tree.map(lambda leaf: leaf[:last], stacked)


def rotations(tilt: Any) -> Any:
    """Matrices (S, 3, 3) from a surface's mount to the surface turned about x, then y."""
    (a, b), zero = tilt.T, jnp.zeros(len(tilt))
    one = zero + 1
    about_x = jnp.array([[one, zero, zero], [zero, jnp.cos(a), jnp.sin(a)], [zero, -jnp.sin(a), jnp.cos(a)]])
    about_y = jnp.array([[jnp.cos(b), zero, -jnp.sin(b)], [zero, one, zero], [jnp.sin(b), zero, jnp.cos(b)]])
    return jnp.einsum("ijs,jks->sik", about_y, about_x)


def sag(r2: Any, curvature: Any, conic: Any, even: Any) -> tuple[Any, Any]:
    """Height (mm) of an even asphere at squared radius r2 (mm^2), and its derivative with respect to r2, of coefficients even (8,)."""
    root = jnp.sqrt(jnp.maximum(1 - (1 + conic) * curvature**2 * r2, CURVED))
    value, slope = jnp.zeros(()), jnp.zeros(())  # Horner's scheme for the polynomial and, beside it, for its derivative
    for j in range(TERMS - 1, -1, -1):
        slope = slope * r2 + value
        value = value * r2 + lax.index_in_dim(even, j, keepdims=False)
    return curvature * r2 / (1 + root) + value * r2, curvature / (2 * root) + slope * r2 + value


def _miss(t: Any, ray: Ray, s: _Surface) -> tuple[Any, Any]:
    """Distance by which the ray misses the surface after path t, and its derivative in t, never near zero."""
    x, y, z = ray.x + t * ray.L, ray.y + t * ray.M, ray.z + t * ray.N
    height, slope = sag(x * x + y * y, s.curvature, s.conic, s.even)
    df = ray.N - 2 * slope * (x * ray.L + y * ray.M)
    return z - height, jnp.where(jnp.abs(df) < GRAZING, jnp.where(df < 0, -GRAZING, GRAZING), df)


def _intersect(ray: Ray, s: _Surface) -> Any:
    """Path to the surface by Newton's iteration, all rays until the last has settled."""

    def unsettled(state: Any) -> Any:
        _, moved, step = state
        return (moved > SETTLED) & (step < STEPS)

    def newton(state: Any) -> Any:
        t, _, step = state
        f, df = _miss(t, ray, s)
        return t - f / df, jnp.max(jnp.abs(f / df)), step + 1

    return lax.while_loop(unsettled, newton, (-ray.z / ray.N, jnp.asarray(jnp.inf), 0))[0]


def _through(state: Any, s: _Surface, is_perturbed: bool, apertures: bool, soft: bool = False) -> Any:
    """Carry rays to surface s, through it, and into the next surface's frame."""
    ray, opl, status, failed = state
    if is_perturbed:
        ray = _turned(ray._replace(x=ray.x - s.decenter[0], y=ray.y - s.decenter[1]), s.rotation)
    ray, far = _within_reach(ray)
    t = lax.stop_gradient(_intersect(*lax.stop_gradient((ray, s))))
    f, df = _miss(t, ray, s)
    t = t - f / df  # next to nothing in value, and the implicit function's derivative
    x, y, z = ray.x + t * ray.L, ray.y + t * ray.M, ray.z + t * ray.N
    r2 = x * x + y * y
    nx, ny, nz = _normal(x, y, s)
    cos_in = nx * ray.L + ny * ray.M + nz * ray.N
    cos_out2 = 1 - s.ratio**2 * (1 - cos_in**2)
    if soft:
        cos_out2 = jnp.where(cos_out2 > SOFT, cos_out2, SOFT * jnp.exp(jnp.clip(cos_out2 / SOFT - 1, -10.0, 0.0)))

    missed = (1 - (1 + s.conic) * s.curvature**2 * r2 <= CURVED) | far
    reflected = cos_out2 <= CURVED
    flag = jnp.where(apertures & ((r2 > s.semi2) | (r2 < s.inner2)), CLIPPED, OK)
    flag = jnp.where(reflected, TOTAL_REFLECTION, flag)
    flag = jnp.where(~(jnp.abs(f) <= RESIDUAL), UNCONVERGED, flag)  # so that a residual that is not a number counts
    flag = jnp.where(missed, MISSED, flag).astype(jnp.int8)

    cos_out = jnp.sign(cos_in) * jnp.sqrt(jnp.where(reflected, 1.0, cos_out2))
    k = s.onward * cos_out - s.ratio * cos_in
    after = Ray(x, y, z, s.ratio * ray.L + k * nx, s.ratio * ray.M + k * ny, s.ratio * ray.N + k * nz)
    if soft:
        length = jnp.sqrt(after.L**2 + after.M**2 + after.N**2)
        after = after._replace(L=after.L / length, M=after.M / length, N=after.N / length)
    after = _along_axis(after, (flag != OK) & (flag != CLIPPED))
    if is_perturbed:
        after = _turned(after, s.rotation.T)
        after = after._replace(x=after.x + s.decenter[0], y=after.y + s.decenter[1])
    first = (status == OK) & (flag != OK)
    status, failed = jnp.where(first, flag, status), jnp.where(first, s.number, failed)
    return after._replace(z=after.z - s.thickness), opl + s.before * t, status, failed


def _within_reach(ray: Ray) -> tuple[Ray, Any]:
    """Rays, those that would pass the vertex FAR away put on the axis; and which these are."""
    t = lax.stop_gradient(-ray.z / ray.N)
    far = ~((ray.x + t * ray.L) ** 2 + (ray.y + t * ray.M) ** 2 < FAR**2)
    return _along_axis(ray, far), far


def _normal(x: Any, y: Any, s: _Surface) -> tuple[Any, Any, Any]:
    """Unit normal of the surface above (x, y), towards +z."""
    r2 = x * x + y * y
    _, slope = sag(r2, s.curvature, s.conic, s.even)
    nz = lax.rsqrt(4 * slope**2 * r2 + 1)
    return -2 * slope * x * nz, -2 * slope * y * nz, nz


def _along_axis(ray: Ray, lost: Any) -> Ray:
    """Rays, those lost replaced by one through the vertex, along the axis."""
    zero, onward = jnp.zeros_like(ray.N), jnp.where(ray.N < 0, -1.0, 1.0)
    return Ray(*(jnp.where(lost, axis, v) for v, axis in zip(ray, (zero, zero, zero, zero, zero, onward), strict=True)))


def _turned(ray: Ray, rotation: Any) -> Ray:
    """The ray in a frame turned by a rotation (3, 3) about the vertex."""
    position = [sum(row[j] * v for j, v in enumerate(ray[:3])) for row in rotation]
    direction = [sum(row[j] * v for j, v in enumerate(ray[3:])) for row in rotation]
    return Ray(*position, *direction)
