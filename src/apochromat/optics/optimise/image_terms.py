"""Terms of a merit about the image: each gives residuals that are zero where the lens is as a goal wants it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.optimise.beams import AXIS
from apochromat.optics.optimise.seen import Numbers, Seen, Shape, missed
from apochromat.optics.wavefront import launched_path

LOST_UM = 1000.0  # transverse error of a ray that does not arrive
LOST_WAVES = 100.0


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
    vergence = jnp.asarray(seen.view.lens.object_vergence)[np.array([b[0] for b in seen.plan.beams])][:, None]
    return launched_path(seen.view.launched, vergence) + seen.view.end.opl


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
    weights, out = seen.view.samples.pupil_weights, []
    for c in shape.configurations:
        n, errors = _on_axis(seen, shape, c)
        out.append(-_defocus(n, errors, weights) * 1e3)
    return missed(_from_middle(jnp.stack(out)), numbers)


def spherochromatism(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Balanced W040 on axis (waves of the primary wavelength) at each wavelength, from the middle of the extremes."""
    samples, out = seen.view.samples, []
    for c in shape.configurations:
        rho2 = (jnp.asarray(samples.pupil)[c, AXIS, : seen.plan.points] ** 2).sum(1)
        n, errors = _on_axis(seen, shape, c)
        errors = errors - n * _defocus(n, errors, samples.pupil_weights)[:, None]
        w040 = 30 * (samples.pupil_weights * errors * (6 * rho2**2 - 6 * rho2 + 1)).sum(1)
        out.append(w040 * 1e6 / samples.wavelengths[seen.primary])
    return missed(_from_middle(jnp.stack(out)), numbers)


def _on_axis(seen: Seen, shape: Shape, configuration: int) -> tuple[Any, Any]:
    """Direction cosine N and path (mm), both (W, P) less their means, of a term's beams on axis."""
    beams, end, weights = seen.beams(shape, AXIS, configuration), seen.view.end, seen.view.samples.pupil_weights
    paths = _path(seen) - (end.L * end.x + end.M * end.y)
    n, errors = (v[beams, : seen.plan.points] for v in (jnp.abs(end.N), paths))
    return n - (weights * n).sum(1, keepdims=True), errors - (weights * errors).sum(1, keepdims=True)


def _defocus(n: Any, errors: Any, weights: Any) -> Any:
    """Share (W,) of N in the errors, by least squares: mm of defocus, towards the lens."""
    return (weights * n * errors).sum(1) / (weights * n * n).sum(1)


def _from_middle(values: Any) -> Any:
    """Values (..., W) from the middle of their extremes."""
    return values - (values.max(-1, keepdims=True) + values.min(-1, keepdims=True)) / 2


def lateral_colour(seen: Seen, shape: Shape, numbers: Numbers) -> Any:
    """Height (µm) of the chief ray at each wavelength, from the middle of the extremes."""
    chief = seen.plan.points
    beams = np.array([[seen.beams(shape, f, c) for f in shape.fields] for c in shape.configurations])
    return missed(_from_middle(seen.view.end.y[beams, chief] * 1e3), numbers)


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
