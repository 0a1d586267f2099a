"""The exit pupil on a regular grid of directions at the image: amplitude, path and where each ray lands.

The image of a point is a Fourier transform over direction cosines at the image (Debye), not over the stop: the two differ for oblique
fields, whose pupil is anamorphic, and for distorted pupils. A few rays are aimed through the stop; polynomials through them say from
where a ray must start to arrive in a wanted direction; every point of the grid is then a real ray. What the polynomials leave of the
direction is made up for by the path's exact derivative, the ray's own transverse aberration.

The squared amplitude is the light of a uniformly lit object's beam per unit of direction cosines: |d(x0, y0) / d(L, M)|.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.lens import Lens
from apochromat.optics.pupil import aimed, launched, rings, tangents_of
from apochromat.optics.trace import OK, trace
from apochromat.optics.wavefront import Arrived, arrived, path_difference

NODES = rings(6, 12)[0]  # of the stop, aimed
DEGREE = 6  # of the polynomials
BEYOND = 1.2  # of the pupil's rim, to which polynomials are followed
RIM = 1.01  # half width of the grid that holds the pupil, over that of the nodes


class Cone(NamedTuple):
    """One object point's rays, aimed, and polynomials from direction cosines at the image to start and stop; inside jit."""

    tangents: Any  # (2,)
    wavelength: Any
    middle: Any  # (2,) direction cosines in the middle of the pupil, along the grid's axes
    half: Any  # (2,) half widths, in direction cosines
    weights: Any  # (terms, 4) of the polynomials: x0, y0 (mm) and the stop's two coordinates
    turn: Any  # (2, 2) rows: the grid's axes in x and y
    spread: Any  # mm, the furthest that a ray lands from the image point, along either axis


class Pupil(NamedTuple):
    """Rays (n, n) of a regular grid of directions, rows along the second axis; inside jit."""

    at: Arrived  # (n * n,)
    light: Any  # (n, n) squared amplitude, the sum over an unvignetted pupil being 1
    short: Any  # (n, n, 2) what each ray's direction lacks to the grid's


def image_point(lens: Lens, field: Any, config: Any, defocus_mm: Any) -> Any:
    """x, y (2,) mm where the chief ray of the primary wavelength meets the plane `defocus_mm` beyond the image; inside jit."""
    index = lens.index(jnp.asarray(lens.info.wavelengths_nm[lens.info.primary]))
    ray = aimed(lens, tangents_of(lens, field, config), index, jnp.zeros((1, 2)), config)
    end = trace(lens, ray, index, config, apertures=False)
    shift = _onward(lens) * defocus_mm
    return jnp.stack([end.x[0] + shift * end.L[0] / end.N[0], end.y[0] + shift * end.M[0] / end.N[0]])


def cone(lens: Lens, field: Any, wavelength: Any, config: Any, point: Any, defocus_mm: Any, turn: Any) -> Cone:
    """Aim the nodes of one object point and fit the polynomials; point (2,) mm: the image point; inside jit."""
    index, tangents = lens.index(wavelength), tangents_of(lens, field, config)
    ray = aimed(lens, tangents, index, jnp.asarray(NODES), config)
    free = trace(lens, ray, index, config, apertures=False)
    clear = trace(lens, ray, index, config).status == OK
    arrives = free.status == OK
    toward = jnp.stack([free.L, free.M], -1) @ turn.T
    low, high = _range(toward, arrives)
    middle, half = (low + high) / 2, jnp.maximum((high - low) / 2 * RIM, 1e-9)
    basis = _legendre((toward - middle) / half) * arrives[:, None]
    values = jnp.concatenate([jnp.stack([ray.x, ray.y], -1), jnp.asarray(NODES)], -1) * arrives[:, None]
    weights = jnp.linalg.solve(basis.T @ basis + 1e-13 * jnp.eye(basis.shape[1]), basis.T @ values)
    landed = _landed(lens, free, defocus_mm) - point
    spread = jnp.abs(jnp.where(clear[:, None], landed @ turn.T, 0.0)).max()
    return Cone(tangents, wavelength, middle, half, weights, turn, spread)


def pupil_on_grid(lens: Lens, beam: Cone, config: Any, count: int, step: Any) -> Pupil:
    """Trace the grid of `count` x `count` directions, `step` (2,) apart in direction cosines; inside jit."""
    offset = jnp.arange(count) - (count - 1) / 2
    wanted = jnp.stack(jnp.meshgrid(offset * step[0], offset * step[1]), -1).reshape(-1, 2)
    place = wanted / beam.half
    place = place * jnp.minimum(1.0, BEYOND / jnp.maximum(jnp.sqrt((place**2).sum(-1, keepdims=True)), 1e-9))
    start, *slopes = _start_and_slopes(beam, place)
    points = jnp.concatenate([_centre_of_stop(beam), start[:, :2]])
    ray = launched(lens, beam.tangents, points, config)
    at = arrived(lens, ray, beam.wavelength, config)
    area = jnp.abs(slopes[0][:, 0] * slopes[1][:, 1] - slopes[0][:, 1] * slopes[1][:, 0]) * ray.N[1:] ** 3
    full = jnp.where((start[:, 2:] ** 2).sum(-1) <= 1, area, 0.0)
    light = (jnp.where(at.status == OK, full, 0.0) / full.sum()).reshape(count, count)
    toward = jnp.stack([at.L, at.M], -1) @ beam.turn.T
    return Pupil(at, light, (beam.middle + wanted - toward).reshape(count, count, 2))


def path(lens: Lens, rays: Pupil, beam: Cone, point: Any, defocus_mm: Any) -> tuple[Any, Any]:
    """OPD (n, n) in mm to a plane wavefront's foot below `point`, and where rays land beside it (n, n, 2), along the grid's axes."""
    shape = rays.light.shape
    beside = (_landed(lens, rays.at, defocus_mm) - point) @ beam.turn.T
    beside = jnp.where((rays.light > 0)[..., None], beside.reshape(*shape, 2), 0.0)
    lead = path_difference(rays.at, defocus_mm, point, far=True).reshape(shape)
    return lead + rays.at.medium * (beside * rays.short).sum(-1), beside


def _onward(lens: Lens) -> float:
    return (-1.0) ** sum(s.kind == "mirror" for s in lens.info.surfaces)


def _landed(lens: Lens, end: Any, defocus_mm: Any) -> Any:
    """Points (P, 2) of rays in the plane `defocus_mm` beyond the image."""
    shift = _onward(lens) * defocus_mm
    return jnp.stack([end.x + shift * end.L / end.N, end.y + shift * end.M / end.N], -1)


def _range(values: Any, mask: Any) -> tuple[Any, Any]:
    """Least and greatest (2,) of values (P, 2) where the mask holds."""
    far = jnp.inf
    low, high = jnp.where(mask[:, None], values, far).min(0), jnp.where(mask[:, None], values, -far).max(0)
    return jnp.where(mask.any(), low, 0.0), jnp.where(mask.any(), high, 0.0)


def _legendre(place: Any) -> Any:
    """Products (P, terms) of Legendre polynomials up to a total degree, at places (P, 2)."""
    rows = [jnp.ones_like(place), place]
    for k in range(1, DEGREE):
        rows.append(((2 * k + 1) * place * rows[k] - k * rows[k - 1]) / (k + 1))
    return jnp.stack([rows[i][:, 0] * rows[j][:, 1] for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)], -1)


def _start_and_slopes(beam: Cone, place: Any) -> tuple[Any, Any, Any]:
    """Start and stop coordinates (P, 4) at places (P, 2) of the unit square, and their derivatives along either axis."""

    def start(place: Any) -> Any:
        return _legendre(place) @ beam.weights

    along = [jax.jvp(start, (place,), (jnp.zeros_like(place).at[:, i].set(1.0),)) for i in (0, 1)]
    return along[0][0], along[0][1], along[1][1]


def _centre_of_stop(beam: Cone) -> Any:
    """Start (1, 2) of the ray through the middle of the stop, by Newton's steps on the polynomials."""

    def step(_: Any, place: Any) -> Any:
        start, along, across = _start_and_slopes(beam, place)
        slope = jnp.stack([along[0, 2:], across[0, 2:]], -1)
        return place - jnp.linalg.solve(slope, start[0, 2:])[None]

    place = lax.stop_gradient(lax.fori_loop(0, 4, step, jnp.zeros((1, 2))))
    return _start_and_slopes(beam, place)[0][:, :2]


def turn_to(field: np.ndarray) -> np.ndarray:
    """Axes (2, 2), sagittal and tangential, of a field (2,); x and y on the axis."""
    size = np.hypot(*field)
    tangential = np.array([0.0, 1.0]) if size == 0 else np.asarray(field) / size
    return np.array([[tangential[1], -tangential[0]], tangential])
