"""Samples of a lens against tests 2, 3 and 5: one compiled call traces a block of them and measures what the tests ask for."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.certificate.rays import bare
from apochromat.optics.certificate.reference import InField, Landed, OnAxis, Reference, mtf_row
from apochromat.optics.lens import Lens
from apochromat.optics.linear import solve
from apochromat.optics.perturb import Errors, applied, in_blocks
from apochromat.optics.precision import float64
from apochromat.optics.trace import OK, trace

BLOCK, TOGETHER = 32, 4  # samples in a compiled call, and of these traced together


@float64
def values(lens: Lens, errors: Errors, draws: np.ndarray, reference: Reference) -> np.ndarray:
    """What the checks of tests 2, 3 and 5 measure (N, checks), in their order, of samples (N, K); infinite where a sample loses a ray.

    Lost counts a ray of the axis, or a chief ray; any other that the nominal lens carries and the sample does not keeps its nominal path.
    """
    lens, reference = bare(lens), jax.tree.map(jnp.asarray, reference)
    return in_blocks(draws, BLOCK, lambda block: _values(lens, errors, block, reference, mtf_row()))


@partial(jax.jit, static_argnames=("errors", "mtf_field"))
def _values(lens: Lens, errors: Errors, draws: Any, reference: Reference, mtf_field: int) -> Any:
    landed, arrives = lax.map(lambda draw: _landed(applied(lens, errors, draw), reference), draws, batch_size=TOGETHER)
    return jax.vmap(lambda rays, ok: _measured(reference, rays, ok, mtf_field))(landed, arrives)


def _landed(lens: Lens, reference: Reference) -> tuple[Landed, Any]:
    """Rays (1 + F, W, P) of one sample on the image plane, and which arrive."""

    def one(ray: Any, path: Any, wavelength: Any) -> tuple[Landed, Any]:
        end = trace(lens, ray, lens.index(wavelength), reference.config, apertures=False)
        return Landed(end.x, end.y, end.L, end.M, end.N, path + end.opl - end.L * end.x - end.M * end.y), end.status == OK

    return jax.vmap(one, (1, 1, 0), 1)(reference.ray, reference.path, reference.wavelengths_nm)


def _measured(reference: Reference, rays: Landed, arrives: Any, mtf_field: int) -> Any:
    """Values (checks,) of one sample."""
    lost = ~(arrives[0].all() & arrives[1:, :, -1].all())
    kept = arrives & reference.used
    rays = jax.tree.map(lambda new, old: jnp.where(kept, new, old), rays, reference.landed)
    change = jax.tree.map(jnp.subtract, rays, reference.landed)
    focus, point = _focus(reference, rays)
    wave = _wavefront(reference.axis, jax.tree.map(lambda v: v[0], change), point)
    spreads, image = _spreads(reference, rays, point[2])
    nominal, moved = jax.tree.map(lambda v: v[1 + mtf_field], (reference.landed, change))
    mtf = _transfers(reference.fields, nominal, moved, image[mtf_field])
    return jnp.where(lost, jnp.inf, jnp.concatenate([focus, wave, spreads, mtf]))


def _focus(reference: Reference, rays: Landed) -> tuple[Any, Any]:
    """Test 2: largest shift, and that at g, in DOF; and the sample's common focus (3,)."""
    axis = reference.axis
    moved = best(jax.tree.map(lambda v: v[0], rays), reference.weights) - axis.best
    foci = axis.focus_mm + axis.shown @ moved[:, 2]
    within, at_g = foci[:-1], foci[-1]
    z = (within.max() + within.min()) / 2
    shifts = jnp.stack([(within.max() - within.min()) / 2, jnp.abs(at_g - z)])
    return shifts / axis.dof_mm, jnp.append(axis.common + moved[reference.green, :2], z)


def best(rays: Landed, weights: Any) -> Any:
    """Points (W, 3) of least RMS wavefront of rays (W, P): the error is linear in the point, so normal equations about the mean give it."""
    directions = jnp.stack([rays.L, rays.M, rays.N], -1)
    apart, path = directions - (weights @ directions)[:, None], rays.path - (rays.path @ weights)[:, None]
    normal = jnp.einsum("wpi,p,wpj->wij", apart, weights, apart)
    scale = jnp.sqrt(jnp.einsum("wii->wi", normal))  # the direction along the axis varies far less than those across
    normal = normal / (scale[:, :, None] * scale[:, None])
    return -solve(normal, (jnp.einsum("wpi,p,wp->wi", apart, weights, path) / scale)[..., None])[..., 0] / scale


def _wavefront(axis: OnAxis, change: Landed, point: Any) -> Any:
    """Test 3: peak to valley about the point (3,), the worst from F to C, and at g, in waves."""
    smooth = axis.lines @ jnp.einsum("wtp,wp->wt", axis.projection, _about(change, point))
    A, L, M, N = axis.rays
    path = A + L * point[0] + M * point[1] + N * point[2] + smooth @ axis.fine.T
    waves = (path.max(1) - path.min(1)) / axis.waves_mm
    return jnp.stack([waves[:-1].max(), waves[-1]])


def _about(rays: Landed, point: Any) -> Any:
    """Path of rays, or its change, to the perpendicular from a point (3,): A + d.Q."""
    return rays.path + rays.L * point[0] + rays.M * point[1] + rays.N * point[2]


def _spreads(reference: Reference, rays: Landed, z: Any) -> tuple[Any, Any]:
    """Test 5: spreads of chief rays and centroids (F x 4 flat, in pixels) in the plane z, and image points (F, 3) at 546.1 nm."""
    fields = reference.fields
    seen, before = (jnp.stack([v.x, v.y, v.L / v.N, v.M / v.N], -1)[1:] for v in (rays, reference.landed))
    moved = jnp.einsum("sw,fkwp,fwpc->fksc", fields.lines, fields.light, seen - before)
    places = fields.nominal + moved
    places = places[..., :2] + z * places[..., 2:]
    apart = places[:, :, fields.rows]
    apart = jnp.sqrt(((apart[:, :, :, None] - apart[:, :, None]) ** 2).sum(-1)) / fields.pixel_mm
    spread = jnp.stack([apart[..., :-1, :-1].max((-2, -1)), apart.max((-2, -1))], -1)
    centre = places[:, 1, fields.green]
    return spread.ravel(), jnp.concatenate([centre, jnp.broadcast_to(z, (len(centre), 1))], 1)


def _transfers(fields: InField, nominal: Landed, change: Landed, point: Any) -> Any:
    """Test 5: for sagittal and tangential lines the polychromatic MTF, and its part of that at 546.1 nm."""
    shift = point - fields.point
    moved = _about(change, point) + nominal.L * shift[0] + nominal.M * shift[1] + nominal.N * shift[2]
    smooth = (fields.lines @ jnp.einsum("wtp,wp->wt", fields.projection, moved)).astype(jnp.float32)
    phase = fields.phase + jnp.einsum("sdgt,st->sdg", fields.slopes, smooth)
    real, imaginary = ((fields.overlap * part).sum(-1) for part in (jnp.cos(phase), jnp.sin(phase)))
    many = jnp.hypot(fields.neutral @ real, fields.neutral @ imaginary)
    one = jnp.hypot(real[fields.green], imaginary[fields.green])
    return jnp.stack([many, many / jnp.maximum(one, 1e-9)], -1).ravel()
