"""The merit of a goal for a lens: residuals and their exact Jacobian, compiled once for a structure of lens and goal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens, SurfaceInfo
from apochromat.optics.optimise.beams import AXIS, Plan, Samples, half_pupil, pupils, seen
from apochromat.optics.optimise.goal import Goal, Rays, Term
from apochromat.optics.optimise.seen import Numbers, Shape
from apochromat.optics.optimise.terms import KINDS, NEED_POINTS, see
from apochromat.optics.optimise.variables import Slot, Variables, configurations_of, moved, surfaces_of, variables_of
from apochromat.optics.perturb import elements_of, is_solid
from apochromat.optics.precision import float64
from apochromat.optics.pupil import bundles
from apochromat.optics.trace import OK, trace_points

TOLERANCE = {
    "spot": 1.0, "opd": 0.1, "efl": 0.01, "f_number": 0.01, "entrance_pupil": 0.01, "colour_focus": 1.0, "spherochromatism": 0.05,
    "lateral_colour": 0.1, "distortion": 0.1, "chief_ray_angle": 0.5, "relative_illumination": 0.01, "total_track": 0.01,
    "folded_entry": 0.01, "folded_length": 0.01, "centre": 0.005, "edge": 0.005, "air": 0.005, "slope": 0.5, "image_clearance": 0.01,
    "semi_diameter": 0.01, "incidence": 1.0, "alignment": 0.01,
}  # fmt: skip
WANTED = {
    "colour_focus": (0.0, 0.0), "spherochromatism": (0.0, 0.0), "lateral_colour": (0.0, 0.0), "distortion": (0.0, 0.0),
    "air": (0.05, np.inf), "slope": (-np.inf, 45.0), "incidence": (-np.inf, 60.0),
}  # fmt: skip
MOULDED, GROUND = {"centre": 0.3, "edge": 0.25}, {"centre": 0.8, "edge": 0.5}  # mm, least thickness of plastic and of glass
FARTHEST = 2  # of the lens's own largest field, that of a goal
FRACTIONS = np.linspace(0, 1, 41)[1:]  # of the pupil, at which vignetting is looked for


@dataclass(frozen=True)
class Key:
    """What of a merit is compiled in."""

    slots: tuple[tuple[Slot, ...], ...]
    plan: Plan
    shapes: tuple[Shape, ...]
    primary: int


class Data(NamedTuple):
    """What of a merit is not."""

    lens: Lens
    samples: Samples
    numbers: tuple[Numbers, ...]
    scale: Any  # (V,)


class Merit:
    """Residuals (R,) of a goal by changes x (V,) of a lens's variables, in units of their scale. The merit is the sum of squares."""

    def __init__(self, lens: Lens, goal: Goal) -> None:
        if lens.info.is_perturbed:
            raise LensError(f"Expected a lens symmetric about its axis, found {lens.info.name} with tilts or decentres.")
        self.start, self.goal = lens, goal
        self.variables = variables_of(lens, goal.variables, heights(lens))
        key, data = _prepared(lens, goal, self.variables)
        self._key, self._data = key, data

    @float64
    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Residuals (R,), all finite."""
        return np.asarray(_residuals(self._key, self._data, jnp.asarray(x)))

    @float64
    def linearised(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (R,) and their Jacobian (R, V)."""
        residuals, jacobian, owner = _linearised(self._key, self._data, jnp.asarray(x))
        self._owner = np.asarray(owner)
        return np.asarray(residuals), np.asarray(jacobian)

    @float64
    def lens(self, x: np.ndarray) -> Lens:
        """The lens that x describes, its leaves NumPy arrays. Clear radii that are finite follow the heights of the outermost rays."""
        changed = jax.tree.map(np.asarray, moved(self.start, self._key.slots, self._data.scale, jnp.asarray(x)))
        if not np.isfinite(changed.semi_diameter).any():
            return changed
        return changed.replace(semi_diameter=np.asarray(self.start.semi_diameter) * needed(changed) / needed(self.start))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest x (V,)."""
        return self.variables.bounds(self.start)

    def parts(self, residuals: np.ndarray) -> dict[str, float]:
        """Sum of squares by kind of term, of residuals (R,) that `linearised` gave."""
        found: dict[str, float] = {}
        sums = np.bincount(self._owner, residuals**2, len(self._key.shapes))
        for shape, part in zip(self._key.shapes, sums.tolist(), strict=True):
            found[shape.kind] = found.get(shape.kind, 0.0) + part
        return found


def _terms(key: Key, data: Data, x: Any) -> list[Any]:
    """Residuals of each term."""
    lens = moved(data.lens, key.slots, data.scale, x)
    everything = see(key.plan, seen(key.plan, lens, data.samples), key.primary, {s.kind for s in key.shapes})
    return [KINDS[s.kind](everything, s, n) for s, n in zip(key.shapes, data.numbers, strict=True)]


@partial(jax.jit, static_argnums=0)
def _residuals(key: Key, data: Data, x: Any) -> Any:
    return jnp.concatenate(_terms(key, data, x))


@partial(jax.jit, static_argnums=0)
def _linearised(key: Key, data: Data, x: Any) -> tuple[Any, Any, Any]:
    """Residuals (R,), Jacobian (R, V), and which term each residual is of (R,)."""

    def residuals_of(x: Any) -> tuple[Any, Any]:
        terms = _terms(key, data, x)
        owner = jnp.repeat(jnp.arange(len(terms)), np.array([t.size for t in terms]), total_repeat_length=sum(t.size for t in terms))
        residuals = jnp.concatenate(terms)
        return residuals, (residuals, owner)

    jacobian, (residuals, owner) = jax.jacfwd(residuals_of, has_aux=True)(x)
    return residuals, jacobian, owner


def _prepared(lens: Lens, goal: Goal, variables: Variables) -> tuple[Key, Data]:
    """Sort a goal into what is compiled and what is not."""
    fields = _fields(lens, goal)
    image_nm = goal.wavelengths_nm or lens.info.wavelengths_nm
    weights = goal.wavelength_weights or ((1.0,) * len(image_nm) if goal.wavelengths_nm else lens.info.weights)
    primary_nm = lens.info.wavelengths_nm[lens.info.primary]
    others = [w for term in goal.terms for w in term.wavelengths_nm] + [primary_nm]
    wavelengths = [*image_nm, *dict.fromkeys(w for w in others if w not in image_nm)]
    shapes = tuple(_shape(lens, term, len(fields), wavelengths, len(image_nm)) for term in goal.terms)
    primary = wavelengths.index(primary_nm)
    points, pupil_weights = half_pupil(goal.rays.rings, goal.rays.arms)
    plan = _plan(shapes, (lens.C, len(fields), len(image_nm)), primary, len(points))
    turned = np.vstack([_on_y(lens, fields), [[0.0, 0.0]]])
    samples = Samples(
        fields=turned,
        wavelengths=np.array(wavelengths),
        pupil=pupils(points, _vignetting(lens, goal.rays, turned)),
        pupil_weights=pupil_weights,
        field_weights=np.array(goal.field_weights or (1.0,) * len(fields)),
        wavelength_weights=np.array(weights, float),
    )
    numbers = tuple(_numbers(lens, term, shape) for term, shape in zip(goal.terms, shapes, strict=True))
    return Key(variables.slots, plan, shapes, primary), Data(plain(lens), samples, numbers, np.array(variables.scale))


def _fields(lens: Lens, goal: Goal) -> np.ndarray:
    """The goal's fields (F, 2), or the lens's. Those far beyond the lens's own are degrees where it has mm, or the reverse."""
    own = np.asarray(lens.fields, float)
    fields = np.array(goal.fields or own, float).reshape(-1, 2)
    largest, most = (float(np.hypot(*v.T).max()) for v in (fields, own))
    if most > 0 and largest > FARTHEST * most:
        kind = "degrees" if lens.info.field_kind == "angle" else "mm of image height"
        raise LensError(f"Expected fields up to {most:g} {kind}, as {lens.info.name} declares them, found {largest:g} in the goal.")
    return fields


def plain(lens: Lens) -> Lens:
    """The lens without names, so that lenses of one structure share compiled code whatever their glasses and labels."""
    info = lens.info
    surfaces = tuple(SurfaceInfo(kind=s.kind, is_model=s.is_model) for s in info.surfaces)
    names = tuple(str(c) for c in range(lens.C))
    nameless = replace(info, name="", surfaces=surfaces, configurations=names, pixel_um=None, image_radius_mm=None, notes=(), source="")
    return jax.tree.map(lambda leaf: np.asarray(leaf, float), lens.replace(info=nameless))


def _shape(lens: Lens, term: Term, fields: int, wavelengths: list[float], of_image: int) -> Shape:
    """What of a term is compiled in; LensError where it names what is not there."""
    if any(not 0 <= f < fields for f in term.fields):
        raise LensError(f"Expected fields 0 to {fields - 1} in the term {term.kind}, found {list(term.fields)}.")
    if any(not 300 <= w <= 2500 for w in term.wavelengths_nm):
        raise LensError(f"Expected wavelengths from 300 to 2500 nm in the term {term.kind}, found {list(term.wavelengths_nm)}.")
    return Shape(
        kind=term.kind,
        configurations=tuple(configurations_of(lens, term.configurations)),
        fields=term.fields or tuple(range(fields)),
        wavelengths=tuple(wavelengths.index(w) for w in term.wavelengths_nm) or tuple(range(of_image)),
        surfaces=_surfaces(lens, term),
    )


def _surfaces(lens: Lens, term: Term) -> tuple[int, ...]:
    """Surfaces that a term is about."""
    rows, solid = lens.info.surfaces, is_solid(lens)
    if term.kind.startswith("folded"):
        found = [i for i, s in enumerate(rows) if s.kind == "fold"] if not term.surfaces else surfaces_of(lens, term.surfaces)
        if not found:
            raise LensError(f"Expected a fold in {lens.info.name} for the term {term.kind}, found none.")
        return tuple(found[:1])
    if term.kind == "alignment":
        powered = np.asarray(lens.curvature).astype(bool) | np.asarray(lens.even).any(1)
        return tuple(i for a, b in elements_of(lens) if powered[a : b + 1].any() for i in (a, b))
    if term.surfaces or term.kind not in NEED_POINTS:
        return tuple(surfaces_of(lens, term.surfaces))
    plates = ("cover", "filter", "fold")
    apart = [i for i in range(lens.S - 1) if rows[i].kind not in plates and rows[i + 1].kind != "fold"]
    if term.kind in ("centre", "edge"):
        return tuple(i for i in apart if solid[i])
    if term.kind == "air":
        return tuple(i for i in apart if not solid[i])
    return tuple(i for i in range(lens.S) if rows[i].kind == "standard")


def _numbers(lens: Lens, term: Term, shape: Shape) -> Numbers:
    """Scale and bounds of a term; LensError where it wants nothing."""
    low, high = WANTED.get(term.kind, (-np.inf, np.inf)) if term.target is term.low is term.high is None else (-np.inf, np.inf)
    if term.target is not None:
        low = high = term.target
    low, high = low if term.low is None else term.low, high if term.high is None else term.high
    lows: Any = low
    if term.kind in MOULDED and low == -np.inf and high == np.inf:
        lows = np.array([(MOULDED if lens.info.surfaces[i].moulded else GROUND)[term.kind] for i in shape.surfaces])
    elif term.kind not in ("spot", "opd", "alignment") and low == -np.inf and high == np.inf:
        raise LensError(f"Expected a target, low or high in the term {term.kind}, found none.")
    scale = term.weight / (term.tolerance or TOLERANCE[term.kind])
    return Numbers(np.asarray(scale), np.asarray(lows, float), np.asarray(high, float))


def _plan(shapes: tuple[Shape, ...], image: tuple[int, int, int], primary: int, points: int) -> Plan:
    """The image's beams, and those that terms need besides."""
    beams = [(c, f, w) for c in range(image[0]) for f in range(image[1]) for w in range(image[2])]
    wanted: list[tuple[int, int, int]] = []
    for s in shapes:
        if s.kind in ("colour_focus", "spherochromatism"):
            wanted += [(c, AXIS, w) for c in s.configurations for w in s.wavelengths]
        elif s.kind == "lateral_colour":
            wanted += [(c, f, w) for c in s.configurations for f in s.fields for w in s.wavelengths]
        elif s.kind in ("chief_ray_angle", "distortion", "relative_illumination") or s.kind in NEED_POINTS:
            wanted += [(c, f, primary) for c in s.configurations for f in s.fields]
        if s.kind in ("f_number", "relative_illumination", "alignment"):
            wanted += [(c, AXIS, primary) for c in s.configurations]
    return Plan(tuple(dict.fromkeys(beams + wanted)), image, points)


def _on_y(lens: Lens, fields: np.ndarray) -> np.ndarray:
    """Fields (F, 2) turned about the axis to +y."""
    if lens.info.field_kind == "angle":
        tangents = np.tan(np.radians(fields))
        return np.stack([np.zeros(len(fields)), np.degrees(np.arctan(np.hypot(*tangents.T)))], -1)
    return np.stack([np.zeros(len(fields)), np.hypot(*fields.T)], -1)


def _vignetting(lens: Lens, rays: Rays, fields: np.ndarray) -> np.ndarray:
    """Vignetting factors (C, F + 1, 4): those of the goal, or such as just pass the clear radii, or none."""
    factors = np.zeros((lens.C, len(fields), 4))
    if isinstance(rays.vignetting, tuple):
        if len(rays.vignetting) != len(fields) - 1 or any(v[0] for v in rays.vignetting):
            found = [list(v) for v in rays.vignetting]
            raise LensError(f"Expected vignetting [0, VDY, VCX, VCY] of {len(fields) - 1} fields, found {found}.")
        factors[:, :-1] = rays.vignetting
    elif rays.vignetting == "apertures" and np.isfinite(lens.semi_diameter).any():
        for c in range(lens.C):
            factors[c] = _passing(lens, fields, c)
    return factors


@float64
def _passing(lens: Lens, fields: np.ndarray, config: int) -> np.ndarray:
    """Vignetting factors (F, 4) of the pupils that clear radii leave, by their extent along y and x."""
    arms = np.stack([[0, 1], [0, -1], [1, 0]])[:, None] * FRACTIONS[:, None]
    wavelength, lens = lens.info.wavelengths_nm[lens.info.primary], plain(lens)
    rays = bundles(lens, fields, wavelength, arms.reshape(-1, 2), config)
    _, status = _points(lens, rays, wavelength, config)
    passes = np.asarray(status).reshape(len(fields), 3, -1) == OK
    extent = np.where(passes, FRACTIONS, 0.0).max(-1)
    extent = np.where(extent > 0, extent, 1.0)
    top, bottom, side = extent.T
    return np.stack([np.zeros(len(fields)), (top - bottom) / 2, 1 - side, 1 - (top + bottom) / 2], -1)


@jax.jit
def _points(lens: Lens, rays: Any, wavelength_nm: Any, config: Any) -> tuple[Any, Any]:
    points, end = trace_points(lens, rays, lens.index(wavelength_nm), config)
    return points, end.status


@float64
def heights(lens: Lens) -> np.ndarray:
    """Clear radii (S,): declared, or else what the rays of the lens's fields need; mm."""
    declared = np.asarray(lens.semi_diameter, float)
    return np.where(np.isfinite(declared), declared, needed(lens))


@float64
def needed(lens: Lens) -> np.ndarray:
    """Heights (S,) of the outermost rays of the lens's fields that fill the stop, at the primary wavelength; 0.05 mm at least."""
    edge = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 0.0]])
    wavelength = lens.info.wavelengths_nm[lens.info.primary]
    fields, lens, found = _on_y(lens, np.asarray(lens.fields)), unvignetted(plain(lens)), np.full(lens.S, 0.05)
    for c in range(lens.C):
        points, status = _points(lens, bundles(lens, fields, wavelength, edge, c), wavelength, c)
        reach = np.where(np.asarray(status) == OK, np.hypot(points[:-1, ..., 0], points[:-1, ..., 1]), 0.0)
        found = np.maximum(found, reach.max((1, 2)))
    return found


def unvignetted(lens: Lens) -> Lens:
    """The lens without clear radii."""
    return lens.replace(semi_diameter=np.full(lens.S, np.inf), inner_radius=np.zeros(lens.S))
