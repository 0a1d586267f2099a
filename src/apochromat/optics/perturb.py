"""A lens as it is built: errors of radius, thickness, index and Abbe number, tilts and decentres of elements and of their surfaces.

An element is what lies between two air gaps, so a cemented group is one. It tilts about its first vertex, which is written as a tilt and a
decentre of each of its surfaces and a change of the gaps around them; the surfaces of an element also err on their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from apochromat.optics.errors import LensError
from apochromat.optics.lens import AIR, Lens
from apochromat.optics.precision import float64

Quantity = Literal["radius", "thickness", "nd", "vd", "element decentre", "element tilt", "surface decentre", "surface tilt"]
ARCMIN = np.pi / 180 / 60


class Tolerances(BaseModel):
    """Half ranges of uniform errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    glass_nd: float = Field(ge=0, allow_inf_nan=False)
    glass_vd_percent: float = Field(ge=0, lt=50, allow_inf_nan=False)
    plastic_nd: float = Field(ge=0, allow_inf_nan=False)
    plastic_vd_percent: float = Field(ge=0, lt=50, allow_inf_nan=False)
    radius_percent: float = Field(ge=0, lt=50, allow_inf_nan=False)
    thickness_um: float = Field(ge=0, allow_inf_nan=False)
    decentre_um: float = Field(ge=0, allow_inf_nan=False, description="Of an element, and of each of its surfaces")
    tilt_arcmin: float = Field(ge=0, allow_inf_nan=False, description="Of an element, and of each of its surfaces")


@dataclass(frozen=True)
class Declared:
    """The tolerance sets by name, how firm they are ("assumed": no maker's data), and the version of the file that declares them."""

    sets: dict[str, Tolerances]
    status: str
    version: str


@cache
def declared() -> Declared:
    """The tolerance sets of the certificate's one declared file, `certificate/thresholds.toml`."""
    from apochromat.optics.certificate.thresholds import thresholds

    document = thresholds()
    table = document["tolerances"]
    return Declared({name: Tolerances(**rows) for name, rows in table["sets"].items()}, table["status"], document["version"])


def tolerances(name: str = "precision") -> Tolerances:
    """A declared set; LensError names those there are."""
    sets = declared().sets
    if name not in sets:
        raise LensError(f"Expected a set of tolerances ({', '.join(sets)}), found {name!r}.")
    return sets[name]


@dataclass(frozen=True)
class Error:
    """One number that errs: of a surface, the gap or glass behind it, or the element that starts with it."""

    quantity: Quantity
    surface: int
    axis: int  # of a tilt or decentre: 0 x, 1 y
    half_range: float  # mm, radians, or relative to the value
    part: str = ""  # the prescription's name of the element

    @property
    def label(self) -> str:
        """What errs, in words; surfaces count from 1."""
        whose, _, what = self.quantity.rpartition(" ")
        moved = f"{what} {'xy'[self.axis]} of {'the element at ' if whose == 'element' else ''}surface"
        behind = {"thickness": "thickness", "nd": "nd", "vd": "Vd"}
        kind = f"{behind[self.quantity]} behind surface" if self.quantity in behind else moved if whose else f"{what} of surface"
        return f"{kind} {self.surface + 1}{f' ({self.part})' if self.part else ''}"


@dataclass(frozen=True)
class Errors:
    """The K errors of a lens, and its elements as (first, last) surfaces. Hashable; `sampled` and `applied` use it."""

    errors: tuple[Error, ...]
    elements: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.errors)

    def sampled(self, samples: int, seed: int) -> np.ndarray:
        """Uniform draws (samples, K) in -1 to 1; the same seed gives the same draws."""
        return np.random.default_rng(seed).uniform(-1, 1, (samples, len(self)))

    def table(self) -> np.ndarray:
        """Half ranges (K,) in mm, radians, or relative to the value."""
        return np.array([e.half_range for e in self.errors])


def errors_of(lens: Lens, within: Tolerances) -> Errors:
    """All errors of a lens within tolerances. Cover and filter plates, the stop and the image distance have none; flat surfaces no radius.

    A gap split by a stop or fold errs in each part, its glass as one. An element of flat surfaces alone has no tilt or decentre, and
    neither have its surfaces.
    """
    rows = lens.info.surfaces
    glass = [solid and rows[i].kind not in ("fold", "mirror") for i, solid in enumerate(is_solid(lens))]
    flat = (np.asarray(lens.curvature) == 0) & ~np.asarray(lens.even).any(1)
    shaped = [s.kind in ("standard", "mirror") and not flat[i] for i, s in enumerate(rows)]
    plates = {i for i, s in enumerate(rows) if s.kind in ("cover", "filter")}
    elements = tuple(e for e in elements_of(lens) if any(shaped[e[0] : e[1] + 1]))
    found = [Error("radius", i, 0, within.radius_percent / 100) for i in range(lens.S) if shaped[i]]
    found += [Error("thickness", i, 0, within.thickness_um / 1e3) for i in range(lens.S - 1) if i not in plates]
    for i in range(lens.S):
        if glass[i] and i not in plates:
            nd, vd = (within.plastic_nd, within.plastic_vd_percent) if rows[i].moulded else (within.glass_nd, within.glass_vd_percent)
            found += [Error("nd", i, 0, nd), Error("vd", i, 0, vd / 100)]
    for first, last in elements:
        found += [Error("element decentre", first, k, within.decentre_um / 1e3) for k in (0, 1)]
        found += [Error("element tilt", first, k, within.tilt_arcmin * ARCMIN) for k in (0, 1)]
        for i in range(first, last + 1):
            if last > first and rows[i].kind in ("standard", "mirror"):
                found += [Error("surface decentre", i, k, within.decentre_um / 1e3) for k in (0, 1) if shaped[i]]
                found += [Error("surface tilt", i, k, within.tilt_arcmin * ARCMIN) for k in (0, 1)]
    parts = _parts(lens)
    return Errors(tuple(replace(e, part=parts[e.surface]) for e in found if e.half_range > 0), elements)


def _parts(lens: Lens) -> list[str]:
    """The prescription's names (S,): that of a surface is its own, or that of the last one before it in its element that has one."""
    names = [s.label for s in lens.info.surfaces]
    for first, last in elements_of(lens):
        for i in range(first + 1, last + 1):
            names[i] = names[i] or names[i - 1]
    return names


def is_solid(lens: Lens) -> np.ndarray:
    """Which surfaces (S,) have glass or plastic behind them."""
    catalogued = (np.asarray(lens.coefficients, float) != np.array(AIR)).any(1)
    return catalogued | np.array([s.is_model for s in lens.info.surfaces])


def elements_of(lens: Lens) -> list[tuple[int, int]]:
    """First and last surface of each element: glass between two air gaps, or a mirror in air; plates, stops and folds in air are none."""
    found, first = [], None
    for i, (s, behind) in enumerate(zip(lens.info.surfaces, is_solid(lens), strict=True)):
        if first is None and (behind or s.kind == "mirror"):
            first = i
        if first is not None and not behind:
            if not all(lens.info.surfaces[j].kind in ("cover", "filter") for j in range(first, i + 1)):
                found.append((first, i))
            first = None
    return found


def in_blocks(draws: np.ndarray, size: int, evaluate: Callable[[np.ndarray], Any]) -> np.ndarray:
    """Values (N, ...) of draws (N, K), evaluated in float64 by blocks of one shape, the last filled up with zeros, on every core."""
    padded = np.pad(draws, ((0, -len(draws) % size), (0, 0)))
    blocks = [padded[i : i + size] for i in range(0, len(padded), size)]

    @float64
    def evaluated(block: np.ndarray) -> np.ndarray:
        return np.asarray(evaluate(block))

    with ThreadPoolExecutor(min(len(blocks), len(os.sched_getaffinity(0)))) as pool:
        return np.concatenate(list(pool.map(evaluated, blocks)))[: len(draws)]


@float64
def built(lens: Lens, errors: Errors, draw: Any) -> Lens:
    """The lens with errors: draw (K,) in half ranges, -1 to 1. Differentiable, and can be mapped over draws."""
    return applied(lens, errors, jnp.asarray(draw, jnp.float64))


def applied(lens: Lens, errors: Errors, draw: Any) -> Lens:
    """`built`, for use inside jit and vmap."""
    sized = draw * jnp.asarray(errors.table())

    def of(quantity: str, axis: int = 0) -> Any:
        """Errors of one quantity by surface (S,)."""
        chosen = [(k, e.surface) for k, e in enumerate(errors.errors) if e.quantity == quantity and e.axis == axis]
        if not chosen:
            return jnp.zeros(lens.S)
        numbers, surfaces = (np.array(v) for v in zip(*chosen, strict=True))
        return jnp.zeros(lens.S).at[surfaces].add(sized[numbers])

    bend = 1 / (1 + of("radius"))
    tilt, decenter, gaps = _mounted(lens, errors, of)
    melt = _melts(lens)
    return lens.perturbed(
        curvature=jnp.asarray(lens.curvature) * bend,
        even=jnp.asarray(lens.even).at[:, 0].multiply(bend),
        thickness=jnp.asarray(lens.thickness) + of("thickness") * _onward(lens) + gaps,
        nd_shift=jnp.asarray(lens.nd_shift) + of("nd")[melt],
        dispersion_shift=(1 + jnp.asarray(lens.dispersion_shift)) / (1 + of("vd")[melt]) - 1,
        tilt=jnp.asarray(lens.tilt) + tilt,
        decenter=jnp.asarray(lens.decenter) + decenter,
    )


def _melts(lens: Lens) -> np.ndarray:
    """The surface (S,) before each medium's piece of glass: a fold or mirror inside a piece changes nothing of it."""
    first = np.arange(lens.S)
    for i, s in enumerate(lens.info.surfaces[1:], 1):
        first[i] = first[i - 1] if s.kind in ("fold", "mirror") else i
    return first


def _onward(lens: Lens) -> np.ndarray:
    """Direction (S,) of the light along z behind each surface."""
    return np.cumprod([-1.0 if s.kind == "mirror" else 1.0 for s in lens.info.surfaces])


def _mounted(lens: Lens, errors: Errors, of: Any) -> tuple[Any, Any, Any]:
    """Tilts (S, 2) and decentres (S, 2) of surfaces, their own and their element's, and changes of the gaps (S,)."""
    tilt = jnp.stack([of("surface tilt", k) for k in (0, 1)], -1)
    decenter = jnp.stack([of("surface decentre", k) for k in (0, 1)], -1)
    of_tilt = jnp.stack([of("element tilt", k) for k in (0, 1)], -1)
    of_decenter = jnp.stack([of("element decentre", k) for k in (0, 1)], -1)
    first = np.arange(lens.S)
    for start, end in errors.elements:
        first[start : end + 1] = start
    inside = np.isin(np.arange(lens.S), [i for a, b in errors.elements for i in range(a, b + 1)])[:, None]
    thickness = jnp.asarray(lens.thickness)[0]
    vertex = jnp.cumsum(thickness) - thickness
    lever = jnp.where(inside[:, 0], vertex - vertex[first], 0.0)
    a, b = jnp.where(inside, of_tilt[first], 0.0).T
    # The element's axis points along (sin b, -sin a cos b, cos a cos b).
    sideways = lever[:, None] * jnp.stack([jnp.sin(b), -jnp.sin(a) * jnp.cos(b)], -1)
    along = lever * (jnp.cos(a) * jnp.cos(b) - 1)
    gaps = jnp.concatenate([along[1:] - along[:-1], -along[-1:]])
    return tilt + jnp.stack([a, b], -1), decenter + jnp.where(inside, of_decenter[first], 0.0) + sideways, gaps
