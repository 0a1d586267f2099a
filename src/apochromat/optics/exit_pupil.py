"""The exit pupil on a regular grid of directions at the image: light, path, and where each ray lands.

The image of a point is a Fourier transform over direction cosines at the image (Debye), not over the stop: the two differ for oblique
fields, whose pupil is anamorphic, and for distorted pupils. A few hundred rays of each field, aimed at the stop, are traced at each
wavelength; polynomials over their directions carry what the grid needs: the angle eikonal (M. Born, E. Wolf, "Principles of Optics",
section 4.1), whose derivative is where a ray lands; where it started, whose Jacobian is its light; and by how much it clears the stop
and the edges that cut deepest. What the fit leaves of the path is known, and if it is too much, more rays and a higher degree follow.
Where rays get lost within the stop, because they miss a surface or are totally reflected, the beam ends at the last that arrive:
polynomials are not followed beyond them.

Light is that of a uniformly lit object's beam per unit of direction cosines. Cells that an edge cuts count by the part that is open.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.lens import Lens
from apochromat.optics.linear import solve
from apochromat.optics.precision import float64
from apochromat.optics.pupil import aimed, rings, tangents_of
from apochromat.optics.trace import CLIPPED, OK, Ray, Traced, at_stop, trace_points
from apochromat.optics.wavefront import launched_path

LEVELS = ((14, 9, 32), (24, 14, 52))  # degree of the polynomials, rings and arms of rays in the stop, and one ring on its rim
ENOUGH = 5e-3  # waves RMS that a fit may leave before the next level is taken
FAINT = 1e-3  # weight in the fit of rays that an aperture clips
EDGES = 4  # apertures, besides the stop, that may cut one beam
ASTRAY = 30.0  # wavelengths and RMS distances of the clear rays from the image point, beyond which a clipped ray counts as lost
RIDGE = 1e-9  # on the equations of the fit: a pupil far from the stop's disc leaves some polynomials open
SMOOTH = 10  # degree of the polynomials of all but the path
FACETS, BEYOND = 64, 1.02  # of the polygon about the rays that arrive; of its size, where none are lost, to which polynomials are followed


class Beam(NamedTuple):
    """One object point's light at one wavelength; polynomials over the unit square of directions, (D + 1, D + 1) by Legendre's; jit's."""

    wavelength: Any  # nm
    medium: Any  # index of the image space
    turn: Any  # (2, 2) rows: the grid's axes in x and y
    middle: Any  # (2,) direction cosines in the middle of the pupil, along the grid's axes
    half: Any  # (2,) half widths, in direction cosines
    point: Any  # (2,) mm, the image point along the grid's axes: where the chief ray of the primary wavelength meets the image plane
    drift: Any  # (2,) of that point per mm of defocus
    lead: Any  # path of a reference ray less that of each, mm, to plane wavefronts' feet at the image point
    source: Any  # (2, ...) mm, where rays start
    margins: Any  # (1 + EDGES, ...) of the stop and of the edges that cut deepest: positive inside
    spread: Any  # mm, the furthest that a ray that passes lands from the image point along either axis, in any of the planes asked for
    bounds: Any  # (FACETS,) of the polygon beyond which there are no rays: distances of its sides from the middle, in half widths
    arriving: Any  # share of the stop whose rays arrive at all
    residual: Any  # waves RMS that the polynomial leaves of the path


class Pupil(NamedTuple):
    """A regular grid of directions (n, n), rows along the second axis; inside jit."""

    amplitude: Any  # (n, n), the sum of light over an unvignetted pupil being 1
    light: Any  # (n, n) of each cell; the squared amplitude where no edge cuts it
    lead: Any  # (n, n) mm
    toward: Any  # two (n, n): direction cosines along the grid's axes
    beside: Any  # two (n, n): mm from the image point in the image plane


@float64
def beams(lens: Lens, fields: Any, wavelengths_nm: Any, turns: Any, config: Any, planes_mm: Any) -> Beam:
    """Beams (F, W) of fields (F, 2) at wavelengths (W,), grids turned by (F, 2, 2), as finely fitted as they need; planes (Z,) mm."""
    arrays = [jnp.asarray(v, jnp.float64) for v in (fields, wavelengths_nm, turns, planes_mm)]
    for level in range(len(LEVELS)):
        found = beams_at(lens, *arrays, config, level)
        if float(found.residual.max()) <= ENOUGH:
            break
    return found


@partial(jax.jit, static_argnames="level")
def beams_at(lens: Lens, fields: Any, wavelengths_nm: Any, turns: Any, planes_mm: Any, config: Any, level: int) -> Beam:
    """`beams` by one level of fit: differentiable."""
    primary = lens.info.wavelengths_nm[lens.info.primary]
    every = jnp.append(wavelengths_nm, primary)

    def one(field: Any, turn: Any) -> Beam:
        pupil = jnp.concatenate([jnp.zeros((1, 2)), jnp.asarray(_nodes(level))])
        ray = aimed(lens, tangents_of(lens, field, config), lens.index(primary), pupil, config)
        ends, margins = jax.vmap(lambda wavelength: _traced(lens, ray, wavelength, config))(every)
        chief = jax.tree.map(lambda v: v[-1, 0], ends)
        point, drift = jnp.stack([chief.x, chief.y]), jnp.stack([chief.L, chief.M]) / jnp.abs(chief.N)
        nodes = jax.tree.map(lambda v: v[:-1, 1:], ends)
        start = _source(lens, Ray(*(v[1:] for v in ray)), config)
        fit = partial(_fitted, lens, start, turn, point, drift, planes_mm, level)
        return jax.vmap(fit)(wavelengths_nm, nodes, margins[:-1, :, 1:])

    return jax.vmap(one)(fields, turns)


@cache
def _nodes(level: int) -> np.ndarray:
    """Points (P, 2) of the stop."""
    _, count, arms = LEVELS[level]
    angle = 2 * np.pi * np.arange(arms) / arms
    return np.concatenate([rings(count, arms)[0], np.stack([np.cos(angle), np.sin(angle)], -1)])


@cache
def _shares(level: int) -> np.ndarray:
    """What each of the nodes (P,) has of the stop's area: those on its rim, nothing."""
    _, count, arms = LEVELS[level]
    return np.concatenate([rings(count, arms)[1], np.zeros(arms)])


@cache
def _facets() -> np.ndarray:
    """Directions (FACETS, 2) from the middle of the beam to the sides of the polygon about it."""
    angle = 2 * np.pi * np.arange(FACETS) / FACETS
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def _source(lens: Lens, ray: Ray, config: Any) -> Any:
    """Coordinates (P, 2) whose area is a beam's light: start of rays from infinity, sines at a near object times its distance."""
    vergence = jnp.asarray(lens.object_vergence)[config]
    near = vergence != 0
    sines = jnp.stack([ray.L, ray.M], -1) / jnp.where(near, vergence, 1.0)
    return jnp.where(near, sines, jnp.stack([ray.x, ray.y], -1))


def _traced(lens: Lens, ray: Ray, wavelength: Any, config: Any) -> tuple[Traced, Any]:
    """Rays (P,) on the image plane, with the path from their object point, and margins (1 + 2 S, P) of the stop and of every edge."""
    index = lens.index(wavelength)
    points, end = trace_points(lens, ray, index, config, apertures=False)
    r2 = ((points[:-1, :, :2] - jnp.asarray(lens.decenter)[:, None]) ** 2).sum(-1)
    semi2, inner2 = jnp.asarray(lens.semi_diameter)[:, None] ** 2, jnp.asarray(lens.inner_radius)[:, None] ** 2
    finite = jnp.isfinite(semi2)
    outer = jnp.where(finite, 1 - r2 / jnp.where(finite, semi2, 1.0), 1.0)
    inner = jnp.where(inner2 > 0, r2 / jnp.where(inner2 > 0, inner2, 1.0) - 1, 1.0)
    stop = 1 - (at_stop(lens, ray, points, config) ** 2).sum(-1) / jnp.asarray(lens.stop_radius)[config] ** 2
    margins = jnp.concatenate([stop[None], outer, inner])
    clipped = (end.status == OK) & (margins[1:].min(0) < 0)
    path = end.opl + launched_path(ray, jnp.asarray(lens.object_vergence)[config])
    return end._replace(opl=path, status=jnp.where(clipped, CLIPPED, end.status)), margins


def _fitted(
    lens: Lens, start: Any, turn: Any, point: Any, drift: Any, planes: Any, level: int, wavelength: Any, end: Traced, margins: Any
) -> Beam:
    """The beam of nodes (P,) at one wavelength."""
    toward, landed = (jnp.stack(v, -1) @ turn.T for v in ((end.L, end.M), (end.x - point[0], end.y - point[1])))
    clear = end.status == OK
    arrives = clear | (end.status == CLIPPED) & ~_astray(landed, clear, wavelength * 1e-6)
    low, high = _range(toward, arrives)
    middle, half = (low + high) / 2, jnp.maximum((high - low) / 2, 1e-9)
    medium = lens.index(wavelength)[-1]
    lead = medium * (landed * toward).sum(-1) - end.opl
    weight = jnp.where(clear, 1.0, jnp.where(arrives, FAINT, 0.0))
    lead = jnp.where(arrives, lead - (weight * lead).sum() / jnp.maximum(weight.sum(), 1e-30), 0.0)
    deepest = lax.top_k(-lax.stop_gradient(jnp.where(arrives, margins[1:], 1.0).min(1)), min(EDGES, len(margins) - 1))[1]
    values = jnp.concatenate([lead[:, None], start, margins[:1].T, margins[1:][deepest].T], 1)
    place = jnp.where(arrives[:, None], (toward - middle) / half, 0.0)
    coefficients, left = _least_squares(place, jnp.where(arrives[:, None], values, 0.0), weight, level)
    waves = left[:, 0] / (wavelength * 1e-6)
    bounds = (place @ _facets().T).max(0) * jnp.where(arrives.all(), BEYOND, 1.0)
    arriving = jnp.where(arrives, jnp.asarray(_shares(level)), 0.0).sum()
    residual = jnp.sqrt(jnp.where(clear, waves**2, 0.0).sum() / jnp.maximum(clear.sum(), 1))
    slopes = toward / jnp.abs(end.N)[:, None] - drift @ turn.T
    apart = jnp.abs(landed + planes[:, None, None] * slopes)
    spread = jnp.where(clear[:, None], apart, 0.0).max()
    lead_of, source, edges = coefficients[0], coefficients[1:3], coefficients[3:]
    return Beam(
        wavelength, medium, turn, middle, half, turn @ point, turn @ drift, lead_of, source, edges, spread, bounds, arriving, residual
    )  # fmt: skip


def _astray(landed: Any, clear: Any, least_mm: Any) -> Any:
    """Which rays (P,) land so far out that they tell nothing of the clear ones: beyond its clear radius an asphere may do anything."""
    square = (landed**2).sum(-1)
    usual = jnp.where(clear, square, 0.0).sum() / jnp.maximum(clear.sum(), 1)
    return clear.any() & (square > ASTRAY**2 * (usual + least_mm**2))


def _range(values: Any, mask: Any) -> tuple[Any, Any]:
    """Least and greatest (2,) of values (P, 2) where the mask holds."""
    far = jnp.inf
    low, high = jnp.where(mask[:, None], values, far).min(0), jnp.where(mask[:, None], values, -far).max(0)
    return jnp.where(mask.any(), low, 0.0), jnp.where(mask.any(), high, 0.0)


def _least_squares(place: Any, values: Any, weight: Any, level: int) -> tuple[Any, Any]:
    """Polynomials (K, D + 1, D + 1) of values (P, K) at places (P, 2), and what they leave (P, K): the first of full degree."""
    degree = LEVELS[level][0]
    rows, columns = _terms(degree)
    smooth = int((rows + columns <= SMOOTH).sum())
    x, y = (legendre(place[:, i], degree) for i in (0, 1))
    basis, turned = (x[:, rows] * y[:, columns]) @ jnp.asarray(_orthogonal(level)), jnp.asarray(_orthogonal(level))
    weighted = basis.T * (weight / (weight.sum() + 1e-30))
    gram, right = weighted @ basis + RIDGE * jnp.eye(len(rows)), weighted @ values
    found = solve(gram, right, [len(rows)] + [smooth] * (values.shape[1] - 1))
    square = jnp.zeros((values.shape[1], degree + 1, degree + 1)).at[:, rows, columns].set((turned @ found).T)
    return square, values - basis @ found


@cache
def _terms(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Orders along either axis of all products up to a total degree, the lowest first."""
    pairs = [(total - j, j) for total in range(degree + 1) for j in range(total + 1)]
    rows, columns = np.array(pairs).T
    return rows, columns


@cache
def _orthogonal(level: int) -> np.ndarray:
    """Matrix (terms, terms) that makes products of Legendre polynomials orthonormal over the nodes, each with those before it."""
    degree = LEVELS[level][0]
    x, y = (np.polynomial.legendre.legvander(v, degree) for v in _nodes(level).T)
    rows, columns = _terms(degree)
    _, upper = np.linalg.qr(x[:, rows] * y[:, columns])
    return np.asarray(np.linalg.inv(upper) * np.sqrt(len(x)))


def legendre(place: Any, degree: int) -> Any:
    """Legendre polynomials (P, degree + 1) at places (P,)."""
    rows = [jnp.ones_like(place), place]
    for k in range(1, degree):
        rows.append(((2 * k + 1) * place * rows[k] - k * rows[k - 1]) / (k + 1))
    return jnp.stack(rows, -1)


def pupil_on_grid(beam: Beam, count: int, step: Any) -> Pupil:
    """The grid of `count` x `count` directions, `step` (2,) apart in direction cosines; inside jit."""
    offset = jnp.arange(count) - (count - 1) / 2
    limit = beam.bounds.max()
    places = [jnp.clip(offset * step[i] / beam.half[i], -limit, limit) for i in (0, 1)]
    degree = beam.lead.shape[-1] - 1
    values, slopes = zip(*(jax.jvp(partial(legendre, degree=degree), (p,), (jnp.ones_like(p),)) for p in places), strict=True)

    def over(polynomial: Any, along: int | None = None) -> Any:
        """A polynomial on the grid, or its derivative along one axis."""
        x, y = (slopes[i] / beam.half[i] if along == i else values[i] for i in (0, 1))
        return y @ jnp.swapaxes(polynomial, -1, -2) @ x.T

    dx, dy = over(beam.source, 0), over(beam.source, 1)
    density = jnp.abs(dx[0] * dy[1] - dx[1] * dy[0])
    cover = _covered(jnp.concatenate([over(beam.margins), _within(beam.bounds, *places)[None]]))
    whole = jnp.maximum((jnp.minimum(cover[0], cover[-1]) * density).sum(), 1e-30) / jnp.maximum(beam.arriving, 1e-30)
    opened = cover.min(0)
    beside = tuple(over(beam.lead, i) / beam.medium for i in (0, 1))
    toward = jnp.meshgrid(*(beam.middle[i] + offset * step[i] for i in (0, 1)))
    amplitude = opened * jnp.sqrt(density / whole + 1e-30)
    return Pupil(amplitude, opened * density / whole, over(beam.lead), tuple(toward), beside)


def _within(bounds: Any, x: Any, y: Any) -> Any:
    """How far (n, m) places of a grid, x (m,) by y (n,), are inside the polygon with bounds (FACETS,)."""
    x, y, bounds = (lax.stop_gradient(v).astype(jnp.float32) for v in (x, y, bounds))
    along, across = (jnp.asarray(side, jnp.float32) for side in _facets().T)

    def nearer(k: Any, least: Any) -> Any:
        return jnp.minimum(least, bounds[k] - along[k] * x - across[k] * y[:, None])

    return lax.fori_loop(0, FACETS, nearer, jnp.full((len(y), len(x)), jnp.inf, jnp.float32), unroll=8)


def _covered(margins: Any) -> Any:
    """Share (K, n, n) of each cell where a margin is positive, as of a straight edge."""
    reach = sum(jnp.abs(_slope(margins, axis)) for axis in (1, 2))
    return jnp.clip(0.5 + margins / jnp.maximum(reach, 1e-30), 0, 1)


def _slope(values: Any, axis: int) -> Any:
    """Central differences per cell along an axis, one-sided at its ends."""
    return jnp.gradient(values, axis=axis)


def lead_in_plane(beam: Beam, pupil: Pupil, plane_mm: Any) -> Any:
    """Lead (n, n) in mm to the image point in the plane `plane_mm` beyond the image."""
    along = jnp.sqrt(jnp.maximum(1 - pupil.toward[0] ** 2 - pupil.toward[1] ** 2, 0.0))
    moved = sum(d * t for d, t in zip(beam.drift, pupil.toward, strict=True))
    return pupil.lead - beam.medium * plane_mm * (moved + along)


def beside_in_plane(beam: Beam, pupil: Pupil, plane_mm: Any) -> tuple[Any, Any]:
    """Where rays land beside the image point, two (n, n) in mm along the grid's axes, in the plane `plane_mm` beyond the image."""
    along = jnp.sqrt(jnp.maximum(1 - pupil.toward[0] ** 2 - pupil.toward[1] ** 2, 1e-9))
    x, y = (b + plane_mm * (t / along - d) for b, t, d in zip(pupil.beside, pupil.toward, beam.drift, strict=True))
    return x, y


def turn_to(field: np.ndarray) -> np.ndarray:
    """Axes (2, 2), sagittal and tangential, of a field (2,); x and y on the axis."""
    size = np.hypot(*field)
    tangential = np.array([0.0, 1.0]) if size == 0 else np.asarray(field) / size
    return np.array([[tangential[1], -tangential[0]], tangential])
