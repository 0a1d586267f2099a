"""Terms of a merit about the lens's body: lengths, thicknesses, slopes and angles on its surfaces, clear radii."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.optimise.seen import Numbers, Seen, Shape, missed
from apochromat.optics.trace import sag

ZONES = np.linspace(0.0, 1.0, 9)[1:]  # of the clear radius, where edges and slopes are looked at


def total_track(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Surface 0 to the image (mm), unfolded."""
    return missed(jnp.asarray(seen.view.lens.thickness)[np.array(shape.configurations)].sum(1), numbers)


def folded_entry(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Length (mm) along the entry axis: first vertex to the fold, and the largest clear radius from there on."""
    fold, heights = shape.surfaces[0], seen.heights
    before = jnp.asarray(seen.view.lens.thickness)[np.array(shape.configurations), :fold].sum(1)
    return missed(before + heights[fold:].max(), numbers)


def folded_length(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Length (mm) along the folded axis: the fold to the image, and the largest clear radius before the fold."""
    fold, heights = shape.surfaces[0], seen.heights
    after = jnp.asarray(seen.view.lens.thickness)[np.array(shape.configurations), fold:].sum(1)
    return missed(after + heights[: fold + 1].max(), numbers)


def _gaps(seen: Seen, shape: Shape) -> tuple[Any, Any]:
    """Thickness (c, n) and edges (c, n, zones) of the gaps behind a term's surfaces, mm, positive along the light."""
    lens, at = seen.view.lens, np.array(shape.surfaces)
    onward = np.array([(-1.0) ** sum(s.kind == "mirror" for s in lens.info.surfaces[: i + 1]) for i in at])
    thickness = jnp.asarray(lens.thickness)[np.array(shape.configurations)][:, at] * onward
    after = np.minimum(at + 1, lens.S - 1)
    reach = jnp.maximum(seen.heights[at], seen.heights[after])[:, None] * ZONES
    step = (_sags(seen, after, reach) * (after > at)[:, None] - _sags(seen, at, reach)) * onward[:, None]
    return thickness, thickness[:, :, None] + step


def _sags(seen: Seen, at: np.ndarray, reach: Any) -> Any:
    """Sags (n, zones) of surfaces at heights (n, zones)."""
    lens = seen.view.lens
    shapes = (jnp.asarray(leaf)[at] for leaf in (lens.curvature, lens.conic, lens.even))
    return jax.vmap(lambda r2, c, k, a: sag(r2, c, k, a)[0])(reach**2, *shapes)


def centre(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Centre thickness (mm) of glass."""
    return missed(_gaps(seen, shape)[0], _spread(numbers, len(shape.configurations)))


def edge(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Thickness (mm) of glass at zones of the clear radius."""
    return missed(_gaps(seen, shape)[1], _spread(numbers, len(shape.configurations), len(ZONES)))


def air(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Clearance (mm) between surfaces, on axis and at zones of the clear radius."""
    middle, edges = _gaps(seen, shape)
    return missed(jnp.concatenate([middle[..., None], edges], -1), numbers)


def _spread(numbers: Numbers, configurations: int, zones: int = 1) -> Numbers:
    """Bounds by surface (n,), repeated for configurations and zones."""
    low, high = (jnp.tile(jnp.repeat(jnp.atleast_1d(v), zones), configurations) if jnp.ndim(v) else v for v in numbers[1:])
    return Numbers(numbers.scale, low, high)


def slope(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Angle (degrees) of surfaces to the plane across the axis, at zones of the clear radius."""
    lens, at = seen.view.lens, np.array(shape.surfaces)
    reach = seen.heights[at][:, None] * ZONES
    shapes = (jnp.asarray(leaf)[at] for leaf in (lens.curvature, lens.conic, lens.even))
    steep = 2 * reach * jax.vmap(lambda r2, c, k, a: sag(r2, c, k, a)[1])(reach**2, *shapes)
    return missed(jnp.degrees(jnp.arctan(jnp.abs(steep))), numbers)


def incidence(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Angle (degrees) between surfaces and chief and rim rays, on the side where it is larger."""
    lens, at = seen.view.lens, np.array(shape.surfaces)
    points = jnp.moveaxis(seen.points, 1, 0)  # (S + 1, B', 6, 3)
    thickness = jnp.asarray(lens.thickness)[np.array([c for c, _, w in seen.plan.beams if w == seen.primary])].T
    along = jnp.zeros_like(points[1:]).at[..., 2].set(thickness[:, :, None]) + points[1:] - points[:-1]
    along = along / jnp.sqrt((along**2).sum(-1, keepdims=True) + 1e-12)
    x, y = points[:-1, ..., 0], points[:-1, ..., 1]
    steep = jax.vmap(lambda r2, c, k, a: sag(r2, c, k, a)[1])(x * x + y * y, lens.curvature, lens.conic, lens.even)
    normal = jnp.stack([-2 * steep * x, -2 * steep * y, jnp.ones_like(x)], -1) / jnp.sqrt(1 + 4 * steep**2 * (x * x + y * y))[..., None]
    cosines = jnp.minimum(jnp.abs((along * normal).sum(-1))[1:], jnp.abs((along[:-1] * normal[1:]).sum(-1)))
    angles = jnp.degrees(jnp.arccos(jnp.clip(cosines[at - 1], 0.0, 1 - 1e-9)))
    return missed(jnp.where(seen.arrived, angles, 0.0), numbers)


def image_clearance(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Distance (mm) from the last surface to the image."""
    return missed(jnp.abs(jnp.asarray(seen.view.lens.thickness)[np.array(shape.configurations), -1]), numbers)


def semi_diameter(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Clear radius (mm) that the rays need."""
    return missed(seen.heights[np.array(shape.surfaces)], numbers)
