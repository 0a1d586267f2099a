"""Residuals of a merit, one function for each kind of term: zero where the lens is as a goal wants it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.first_order import matrix
from apochromat.optics.optimise.alignment import alignment
from apochromat.optics.optimise.beams import AXIS, Plan, View, points_on_surfaces
from apochromat.optics.trace import sag

LOST_UM = 1000.0  # transverse error of a ray that does not arrive
LOST_WAVES = 100.0
ZONES = np.linspace(0.0, 1.0, 9)[1:]  # of the clear radius, where edges and slopes are looked at
MARGIN = 1.03  # clear radius over height of the outermost ray


@dataclass(frozen=True)
class Shape:
    """What of a term is compiled in."""

    kind: str
    configurations: tuple[int, ...]
    fields: tuple[int, ...]
    wavelengths: tuple[int, ...]  # numbers among the samples' wavelengths
    surfaces: tuple[int, ...]


class Numbers(NamedTuple):
    """What of a term is not: scale is weight / tolerance, and equal is 1 where low = high is a target."""

    scale: Any
    low: Any  # (n,) or ()
    high: Any


class Seen(NamedTuple):
    """All that terms look at: the traced beams, points on surfaces and clear radii of them, first-order matrices, the plan's facts."""

    plan: Plan
    view: View
    primary: int  # number of the primary wavelength
    points: Any  # (B', S + 1, 6, 3) of beams at the primary wavelength, or None
    arrived: Any  # (B', 6)
    matrices: Any  # (C, 2, 2), and to the stop (C, 2, 2), or None

    def beams(self, shape: Shape, field: int, configuration: int) -> np.ndarray:
        """Numbers of a term's beams of one field, by wavelength."""
        return np.array([self.plan.of(configuration, field, w) for w in shape.wavelengths])

    def chief(self, shape: Shape) -> np.ndarray:
        """Numbers (c, f) of the beams of a term's fields at the primary wavelength."""
        return np.array([[self.plan.of(c, f, self.primary) for f in shape.fields] for c in shape.configurations])

    @property
    def heights(self) -> Any:
        """Clear radii (S,) that the rays need, with a margin."""
        r2 = (self.points[:, :-1, :, :2] ** 2).sum(-1)
        highest = jnp.max(jnp.where(self.arrived[:, None, :], r2, 0.0), axis=(0, 2))
        return MARGIN * jnp.sqrt(jnp.maximum(highest, 1e-6))


def missed(value: Any, numbers: Numbers) -> Any:
    """Residuals (n,): what lies below `low` or above `high`, scaled; a target is both at once."""
    value = jnp.ravel(value)
    return numbers.scale * (jnp.minimum(value - numbers.low, 0.0) + jnp.maximum(value - numbers.high, 0.0))


def spot(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Transverse errors (µm) about each field's polychromatic centroid; their squares add to the mean square spot radius."""
    end, good, share = _image(seen)
    centre, each = _centroid(end.y, good, share), jnp.sqrt(share)
    errors = jnp.stack([jnp.where(good, v, LOST_UM / 1e3) for v in (end.x, end.y - centre)]) * each * 1e3
    return numbers.scale * errors[:, np.array(shape.configurations)][:, :, np.array(shape.fields)].ravel()


def opd(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Wavefront errors (waves), piston alone removed, about each field's polychromatic centroid; squares add to the mean square."""
    end, good, share = _image(seen)
    path = _imaged(seen, _path(seen)) - end.L * end.x + end.M * (_centroid(end.y, good, share) - end.y)
    inside = jnp.where(good, seen.view.samples.pupil_weights, 0.0)
    piston = (inside * jnp.where(good, path, 0.0)).sum(3, keepdims=True) / jnp.maximum(inside.sum(3, keepdims=True), 1e-12)
    waves = (path - piston) * 1e6 / seen.view.samples.wavelengths[: seen.plan.shape[2]][:, None]
    errors = jnp.where(good, waves, LOST_WAVES) * jnp.sqrt(share)
    return numbers.scale * errors[np.array(shape.configurations)][:, np.array(shape.fields)].ravel()


def _image(seen: Seen) -> tuple[Any, Any, Any]:
    """The image's rays, the quadrature's alone, which of them arrive, and the weight of each; all [C, F, W, P], weights adding to one."""
    samples = seen.view.samples
    fields, wavelengths = (v / v.sum() for v in (samples.field_weights, samples.wavelength_weights))
    share = fields[:, None, None] * wavelengths[:, None] * samples.pupil_weights / seen.plan.shape[0]
    end = jax.tree.map(lambda v: _imaged(seen, v), seen.view.end)
    return end, _imaged(seen, seen.view.good), jnp.broadcast_to(share, end.x.shape)


def _imaged(seen: Seen, rays: Any) -> Any:
    """Of values (B, P + 6), those of the image's quadrature, [C, F, W, P]."""
    c, f, w = seen.plan.shape
    return rays[: c * f * w, : seen.plan.points].reshape(c, f, w, seen.plan.points)


def _centroid(y: Any, good: Any, share: Any) -> Any:
    """Polychromatic centroid [C, F, 1, 1] of the rays that arrive."""
    share = jnp.where(good, share, 0.0)
    return (share * y).sum((2, 3), keepdims=True) / jnp.maximum(share.sum((2, 3), keepdims=True), 1e-30)


def _path(seen: Seen) -> Any:
    """Optical paths (B, P + 6) from the incoming wavefront through the origin of surface 0's frame to the image plane, mm."""
    ray, view = seen.view.launched, seen.view
    vergence = jnp.asarray(view.lens.object_vergence)[np.array([b[0] for b in seen.plan.beams])][:, None]
    slope_x, slope_y = ray.L / ray.N, ray.M / ray.N
    tangent_x, tangent_y = slope_x - ray.x * vergence, slope_y - ray.y * vergence
    long, short = jnp.sqrt(1 + slope_x**2 + slope_y**2), jnp.sqrt(1 + tangent_x**2 + tangent_y**2)
    lead = (2 * (tangent_x * ray.x + tangent_y * ray.y) + vergence * (ray.x**2 + ray.y**2)) / (long + short)
    return lead + view.end.opl


def efl(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Focal length (mm) at the primary wavelength."""
    return missed(-1 / seen.matrices[0][np.array(shape.configurations), 1, 0], numbers)


def entrance_pupil(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Diameter (mm) of the entrance pupil."""
    c = np.array(shape.configurations)
    return missed(2 * jnp.asarray(seen.view.lens.stop_radius)[c] / jnp.abs(seen.matrices[1][c, 0, 0]), numbers)


def f_number(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Working f-number 1 / (2 sin u') of the real marginal ray on axis."""
    end = seen.view.end
    beams = np.array([seen.plan.of(c, AXIS, seen.primary) for c in shape.configurations])
    return missed(1 / (2 * jnp.maximum(jnp.abs(end.M[beams, -1]), 1e-6)), numbers)


def colour_focus(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Focus (µm) of least RMS wavefront error at each wavelength, from the middle of the extremes."""
    points, end, path = seen.plan.points, seen.view.end, _path(seen)
    weights = seen.view.samples.pupil_weights
    out = []
    for c in shape.configurations:
        beams = seen.beams(shape, AXIS, c)
        n = jnp.abs(end.N[beams, :points])
        errors = path[beams, :points] - (end.L * end.x + end.M * end.y)[beams, :points]
        n, errors = n - (weights * n).sum(1, keepdims=True), errors - (weights * errors).sum(1, keepdims=True)
        focus = -(weights * n * errors).sum(1) / (weights * n * n).sum(1) * 1e3
        out.append(focus - (focus.max() + focus.min()) / 2)
    return missed(jnp.stack(out), numbers)


def spherochromatism(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Balanced W040 on axis (waves of the primary wavelength) at each wavelength, from the middle of the extremes."""
    points, end, path = seen.plan.points, seen.view.end, _path(seen)
    weights, out = seen.view.samples.pupil_weights, []
    for c in shape.configurations:
        beams = seen.beams(shape, AXIS, c)
        rho2 = (jnp.asarray(seen.view.samples.pupil)[c, AXIS, :points] ** 2).sum(1)
        n = jnp.abs(end.N[beams, :points])
        errors = path[beams, :points] - (end.L * end.x + end.M * end.y)[beams, :points]
        n, errors = n - (weights * n).sum(1, keepdims=True), errors - (weights * errors).sum(1, keepdims=True)
        errors = errors - n * (weights * n * errors).sum(1, keepdims=True) / (weights * n * n).sum(1, keepdims=True)
        w040 = 30 * (weights * errors * (6 * rho2**2 - 6 * rho2 + 1)).sum(1) * 1e6 / seen.view.samples.wavelengths[seen.primary]
        out.append(w040 - (w040.max() + w040.min()) / 2)
    return missed(jnp.stack(out), numbers)


def lateral_colour(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Height (µm) of the chief ray at each wavelength, from the middle of the extremes."""
    chief = seen.plan.points
    beams = np.array([[seen.beams(shape, f, c) for f in shape.fields] for c in shape.configurations])
    height = seen.view.end.y[beams, chief] * 1e3
    return missed(height - (height.max(-1, keepdims=True) + height.min(-1, keepdims=True)) / 2, numbers)


def distortion(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Distortion of the chief ray, percent of the paraxial height."""
    chief, view, rows = seen.plan.points, seen.view, []
    for beams, c in zip(seen.chief(shape), shape.configurations, strict=True):
        vergence, (whole, front) = jnp.asarray(view.lens.object_vergence)[c], (m[c] for m in seen.matrices)
        ray = jax.tree.map(lambda v, beams=beams: v[beams, chief], view.launched)
        tangent = ray.M / ray.N - ray.y * vergence
        start = -front[0, 1] / (front[0, 0] + front[0, 1] * vergence)  # where a chief ray of tangent 1 starts
        paraxial = (whole[0, 0] * start + whole[0, 1] * (1 + start * vergence)) * tangent
        on_axis = jnp.abs(paraxial) < 1e-6
        rows.append(jnp.where(on_axis, 0.0, 100 * (view.end.y[beams, chief] / jnp.where(on_axis, 1.0, paraxial) - 1)))
    return missed(jnp.stack(rows), numbers)


def chief_ray_angle(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Angle (degrees) of the chief ray to the axis at the image."""
    beams, end = seen.chief(shape), seen.view.end
    return missed(jnp.degrees(jnp.abs(jnp.arctan(end.M / end.N)[beams, seen.plan.points])), numbers)


def relative_illumination(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Area of the pupil in direction cosines at the image, over that on axis."""
    rim = seen.plan.points + 1
    x, y = seen.view.end.L[:, rim:], seen.view.end.M[:, rim:]
    area = jnp.abs((x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]).sum(1) + x[:, -1] * y[:, 0] - x[:, 0] * y[:, -1])
    axis = np.array([[seen.plan.of(c, AXIS, seen.primary)] for c in shape.configurations])
    return missed(area[seen.chief(shape)] / jnp.maximum(area[axis], 1e-9), numbers)


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


Residuals = Callable[[Seen, Shape, Numbers], Any]
KINDS: dict[str, Residuals] = {
    f.__name__: f
    for f in (
        spot, opd, efl, f_number, entrance_pupil, colour_focus, spherochromatism, lateral_colour, distortion, chief_ray_angle,
        relative_illumination, total_track, folded_entry, folded_length, centre, edge, air, slope, image_clearance, semi_diameter,
        incidence, alignment,
    )
}  # fmt: skip
NEED_POINTS = {"folded_entry", "folded_length", "centre", "edge", "air", "slope", "semi_diameter", "incidence"}
NEED_MATRICES = {"efl", "entrance_pupil", "distortion"}


def see(plan: Plan, view: View, primary: int, kinds: set[str]) -> Seen:
    """All that terms of some kinds look at."""
    points, arrived = points_on_surfaces(plan, view, primary) if kinds & NEED_POINTS else (None, None)
    matrices = None
    if kinds & NEED_MATRICES:
        lens, index = view.lens, view.index[primary]
        stop, configurations = lens.info.stop, jnp.arange(lens.C)
        matrices = tuple(jax.vmap(lambda c, last=last: matrix(lens, index, c, last))(configurations) for last in (None, stop))
    return Seen(plan, view, primary, points, arrived, matrices)
