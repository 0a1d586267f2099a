"""The merit of a wide phone lens while it is designed: spots, and what the lens misses of its aims (`wide.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from wide_trace import BASIS, aimed, launched, on_plane, paraxial, sag, traced

from apochromat.optics.lens import TERMS
from apochromat.optics.precision import float64

SCALE, SHIFT = 0.02, 0.1  # of shapes (slope) and thicknesses (mm): one unit of a variable
ZONES = np.linspace(0, 1, 11)[1:]
RIM = np.radians(np.linspace(-90, 90, 9))


class Numbers(NamedTuple):
    """What of a merit is not compiled in."""

    index: Any  # (W, S + 1)
    zone: Any  # (S,) radius up to which a surface is its polynomial, mm
    clear: Any  # (S,) clear radius, mm
    tangents: Any  # (F,) of the fields
    pupil: Any  # (F, P + 1 + rim, 2): quadrature, chief ray, rim
    pupil_weights: Any  # (P,)
    field_weights: Any  # (F,)
    colours: Any  # (W,) weights that add to one
    aperture: Any  # height of the marginal ray on axis over the focal length
    aims: dict[str, Any]


@dataclass(frozen=True)
class Form:
    """What of it is."""

    surfaces: int
    stop: int
    primary: int  # number of the wavelength
    powered: tuple[int, ...]
    spaces: tuple[tuple[int, int, str], ...]  # first and last surface; "edge", "air" or "back"
    points: int


class Seen(NamedTuple):
    """A lens as its rays see it."""

    shapes: Any  # (S, TERMS) coefficients of (r / zone)^2, ^4 ...
    thickness: Any  # (S,)
    efl: Any
    stop_radius: Any
    pupil_shift: Any  # of the real stop radius against the paraxial one, relative
    x: Any  # (W, F, P + 1) mm on the image, the last the chief ray
    y: Any
    rim: Any  # ray (6 of (F, 1 + rim)) at the primary wavelength, the first the chief ray
    met: Any  # of them, (S, F, 1 + rim) each: x, y, least cosine, path, distance from the axis in the plane of the vertex


def unpacked(form: Form, x: Any) -> tuple[Any, Any]:
    """Shapes (S, TERMS) and thicknesses (S,) of variables."""
    count = len(form.powered) * TERMS
    shapes = jnp.zeros((form.surfaces, TERMS)).at[np.array(form.powered)].set(SCALE * x[:count].reshape(-1, TERMS) @ BASIS)
    return shapes, SHIFT * x[count:]


def seen(form: Form, x: Any, n: Numbers) -> Seen:
    """Trace all rays of a merit."""
    shapes, thickness = unpacked(form, x)
    flat, index = 1 / n.zone**2, n.index[form.primary]
    efl = -1 / paraxial(shapes, flat, index, thickness)[1][0]
    front = paraxial(shapes, flat, index, thickness, form.stop)[0]
    height, zero = (n.aperture * efl)[None], jnp.zeros(1)
    marginal, _ = traced((zero, height, zero, zero, zero, jnp.ones(1)), shapes, flat, index, thickness, form.stop)
    radius = on_plane(marginal)[1][0]
    points = aimed(form.stop, (shapes, flat, index, thickness), front, n.tangents, n.pupil * radius)

    def of_colour(index: Any, points: Any) -> tuple[Any, Any]:
        return traced(launched(points, n.tangents[:, None]), shapes, flat, index, thickness)

    x, y = on_plane(jax.vmap(lambda i: of_colour(i, points[:, : form.points + 1])[0])(n.index))
    rim, met = of_colour(index, points[:, form.points :])
    return Seen(shapes, thickness, efl, radius, radius / (height[0] * front[0]) - 1, x, y, rim, met)


def centroids(form: Form, s: Seen, n: Numbers) -> Any:
    """Heights (F,) mm of the polychromatic centroids."""
    return jnp.einsum("wfp,w,p->f", s.y[..., : form.points], n.colours, n.pupil_weights)


def illumination(s: Seen) -> Any:
    """Relative illumination (F,): area of the pupil in direction cosines at the image."""
    L, M = s.rim[3][:, 1:], s.rim[4][:, 1:]
    area = jnp.abs((L[:, :-1] * M[:, 1:] - L[:, 1:] * M[:, :-1]).sum(1))
    return area / area[0]


def _below(value: Any, most: Any, tolerance: float) -> Any:
    return jnp.maximum(value - most, 0).ravel() / tolerance


def _above(value: Any, least: Any, tolerance: float) -> Any:
    return jnp.maximum(least - value, 0).ravel() / tolerance


def residuals(form: Form, x: Any, n: Numbers) -> Any:
    """Residuals (R,): spots, then what the lens misses of its aims."""
    s = seen(form, x, n)
    smooth = SCALE * x[: len(form.powered) * TERMS].reshape(-1, TERMS) * n.aims["smooth"]
    return jnp.concatenate([_spots(form, s, n), _image(form, s, n), _spaces(form, s, n), _surfaces(form, s, n), smooth.ravel()])


def _spots(form: Form, s: Seen, n: Numbers) -> Any:
    """Transverse errors about the centroids, and those of the rim beside the quadrature: without them its edge turns up."""
    centre, P = centroids(form, s, n)[:, None], form.points
    share = jnp.sqrt(n.colours[:, None, None] * n.field_weights[:, None] * n.pupil_weights) * 1e3 / n.aims["spot"]
    rim_share = jnp.sqrt(n.field_weights * n.aims["rim"] / len(RIM))[:, None] * 1e3 / n.aims["spot"]
    x, y = (v[:, 1:] for v in on_plane(s.rim))
    errors = (s.x[..., :P] * share, (s.y[..., :P] - centre) * share, x * rim_share, (y - centre) * rim_share)
    return jnp.concatenate([v.ravel() for v in errors])


def _image(form: Form, s: Seen, n: Numbers) -> Any:
    """Focal length, distortion, height in the corner, chief ray's angle, illumination, track, real aperture."""
    aims, chief = n.aims, s.y[form.primary, :, form.points]
    distortion = 100 * (chief[1:] / (s.efl * n.tangents[1:]) - 1)
    angle = jnp.degrees(jnp.arcsin(jnp.clip(s.rim[4][:, 0], -0.99, 0.99)))
    found = [_below(s.efl, aims["efl"][1], 0.02), _above(s.efl, aims["efl"][0], 0.02)]
    found += [_below(distortion, aims["distortion"][1], 0.3), _above(distortion, aims["distortion"][0], 0.3)]
    found += [((chief[-1] - aims["height"]) * aims["whole"] / 0.01)[None], _below(angle, aims["chief_ray_angle"], 0.5)]
    found += [_above(illumination(s), aims["illumination"], 0.01), _below(s.thickness.sum(), aims["track"], 0.03)]
    sine = jnp.abs(s.rim[4][0, -1]) / n.aperture - 1  # of the real marginal ray, against Abbe's condition
    return jnp.concatenate([*found, (sine / 0.002)[None], _below(jnp.abs(s.pupil_shift), aims["pupil_shift"], 0.005)])


def _spaces(form: Form, s: Seen, n: Numbers) -> Any:
    """Edges of glass and clearances of air."""
    found = []
    for first, last, kind in form.spaces:
        widest = jnp.maximum(n.clear[first], n.clear[last]) if kind == "edge" else 1.01 * jnp.minimum(n.clear[first], n.clear[last])
        here, there = (sag((widest * ZONES / n.zone[i]) ** 2, s.shapes[i])[0] for i in (first, last))
        found.append(_above(s.thickness[first:last].sum() + there - here, n.aims[kind], 0.01))
    return jnp.concatenate(found)


def _surfaces(form: Form, s: Seen, n: Numbers) -> Any:
    """Slopes, a quarter steeper beyond the clear radius; angles of incidence; rays inside the clear radius and forward."""
    powered, powers = np.array(form.powered), np.arange(1, TERMS + 1)[:, None, None]
    found = []
    for most, reach in ((1.0, n.clear[powered] / n.zone[powered]), (1.25, jnp.ones(len(powered)))):
        u = reach[:, None] * ZONES
        slope = jnp.abs((s.shapes[powered].T[:, :, None] * 2 * powers * u ** (2 * powers - 1)).sum(0)) / n.zone[powered][:, None]
        found.append(_below(slope, most * n.aims["slope"], 0.03))
    x, y, cosine, path, _ = s.met
    outermost = jnp.sqrt(x * x + y * y + 1e-9).max((1, 2))
    found += [_above(cosine, n.aims["cosine"], 0.02), _below((outermost / n.clear)[powered], 0.995, 0.005)]
    found += [_below(outermost, n.aims["radius"], 0.05), 0.3 * _above(path[powered[1:]], 0.02, 0.02)]
    return jnp.concatenate(found)


@partial(jax.jit, static_argnums=0)
def _linearised(form: Form, x: Any, n: Numbers) -> tuple[Any, Any]:
    def twice(x: Any) -> tuple[Any, Any]:
        found = residuals(form, x, n)
        return found, found

    jacobian, found = jax.jacfwd(twice, has_aux=True)(x)
    return found, jacobian


_seen = jax.jit(seen, static_argnums=0)


@dataclass(frozen=True)
class WideMerit:
    """What `least_squares.descend` asks of a merit."""

    form: Form
    numbers: Numbers

    @float64
    def linearised(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (R,) and their Jacobian (R, V); a merit without numbers is a large one."""
        found, jacobian = (np.asarray(v) for v in _linearised(self.form, jnp.asarray(x), self.numbers))
        if np.isfinite(found).all() and np.isfinite(jacobian).all():
            return found, jacobian
        return np.full_like(found, 1e6), np.zeros_like(jacobian)

    @float64
    def seen(self, x: np.ndarray) -> Seen:
        """The rays, as NumPy arrays."""
        return jax.tree.map(np.asarray, _seen(self.form, jnp.asarray(x), self.numbers))
