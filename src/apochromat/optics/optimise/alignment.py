"""How much wavefront error on axis tilts and decentres cost: a term that makes a lens easier to build.

To first order a surface that is displaced by d along its normal adds (n cos i - n' cos i') d to the path of a ray, so one trace of the
nominal lens gives the effect of every misalignment: H. H. Hopkins and H. J. Tiziani, "A theoretical and experimental study of lens centring
errors and their influence on optical image quality", Br. J. Appl. Phys. 17, 1966; M. Rimmer, "Analysis of perturbed lens systems", Appl.
Opt. 9, 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.optimise.beams import AXIS
from apochromat.optics.perturb import ARCMIN
from apochromat.optics.trace import sag, trace_points

if TYPE_CHECKING:
    from apochromat.optics.optimise.seen import Numbers, Seen, Shape

DECENTRE_MM, TILT = 2e-3, ARCMIN  # of which the term counts the effect, along y and about x


def alignment(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Wavefront errors (waves) on axis, tilt removed, that each misalignment makes; squares of one add to its mean square.

    Misalignments: decentre (2 µm) and tilt (1') of each surface with power, and of each element about its first vertex. `shape.surfaces`
    are the first and last surfaces of the elements, in pairs.
    """
    elements = np.array(shape.surfaces).reshape(-1, 2)
    return jnp.concatenate([numbers.scale * _of_configuration(seen, c, elements).ravel() for c in shape.configurations])


def _of_configuration(seen: Seen, c: int, elements: np.ndarray) -> Any:
    """Errors (K, P) in waves."""
    lens, plan = seen.view.lens, seen.plan
    beam, index = plan.of(c, AXIS, seen.primary), seen.view.index[seen.primary]
    launched = jax.tree.map(lambda v: v[beam, : plan.points], seen.view.launched)
    points, _ = trace_points(lens, launched, index, c, apertures=False)
    at = np.concatenate([np.arange(first, last + 1) for first, last in elements])
    normals = jax.vmap(_normal)(points[:-1], *(jnp.asarray(leaf) for leaf in (lens.curvature, lens.conic, lens.even)))
    bend = _bends(lens, jnp.stack(launched[3:], -1), normals, index)[at]
    thickness = jnp.asarray(lens.thickness)[c]
    vertex = jnp.cumsum(thickness) - thickness
    owner = np.repeat(np.arange(len(elements)), elements[:, 1] - elements[:, 0] + 1)
    lever = (vertex[at] - vertex[elements[owner, 0]])[:, None]
    (_, y, z), (_, ny, nz) = (jnp.moveaxis(v[at], -1, 0) for v in (points[:-1], normals))
    decentred = DECENTRE_MM * ny * bend
    tilted, about_first = (TILT * (y * nz - height * ny) * bend for height in (z, z + lever))
    whole = [jax.ops.segment_sum(v, owner, len(elements)) for v in (decentred, about_first)]
    errors = jnp.concatenate([decentred, tilted, *whole]) * 1e6 / seen.view.samples.wavelengths[seen.primary]
    weights, slope = seen.view.samples.pupil_weights, seen.view.end.M[beam, : plan.points]
    straight = errors - (weights * errors * slope).sum(1, keepdims=True) / (weights * slope**2).sum() * slope
    return straight * jnp.sqrt(weights)


def _normal(point: Any, curvature: Any, conic: Any, even: Any) -> Any:
    """Unit normals (P, 3), towards +z, of a surface at points (P, 3)."""
    x, y = point[:, 0], point[:, 1]
    _, slope = sag(x * x + y * y, curvature, conic, even)
    normal = jnp.stack([-2 * slope * x, -2 * slope * y, jnp.ones_like(x)], -1)
    return normal / jnp.sqrt((normal**2).sum(-1, keepdims=True))


def _bends(lens: Any, direction: Any, normals: Any, index: Any) -> Any:
    """n cos i - n' cos i' (S, P) of rays that start along directions (P, 3), at surfaces with normals (S, P, 3)."""
    mirror = jnp.array([s.kind == "mirror" for s in lens.info.surfaces])

    def through(direction: Any, surface: Any) -> tuple[Any, Any]:
        normal, before, after, mirror = surface
        cosine = (direction * normal).sum(-1)
        ratio = jnp.where(mirror, 1.0, before / after)
        onward = jnp.sign(cosine) * jnp.sqrt(jnp.maximum(1 - ratio**2 * (1 - cosine**2), 1e-9))
        onward = jnp.where(mirror, -onward, onward)
        bent = ratio * direction + (onward - ratio * cosine)[:, None] * normal
        return bent, before * cosine - after * onward

    return lax.scan(through, direction, (normals, index[:-1], index[1:], mirror))[1]
