"""Numbers of a lens that an optimiser moves: which leaves they are, their scale and their bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.optimise.goal import Surfaces, Variable
from apochromat.optics.perturb import is_solid

BEND = 0.02  # mm of sag at the edge that one unit of a surface's variable makes
SHIFT, INDEX, ABBE = 0.2, 0.02, 2.0  # mm, index, Abbe number by which one unit of theirs moves
BOUNDS = {"nd": (1.43, 2.1), "vd": (17.0, 95.0), "conic": (-50.0, 10.0), "stop_radius": (1e-3, 1e3)}  # where the goal gives none
Slot = tuple[str, tuple[int, ...], float]  # leaf, index in it, factor


@dataclass(frozen=True)
class Variables:
    """V variables: each moves its slots of the lens's leaves together. Hashable: the structure alone, no numbers that change."""

    slots: tuple[tuple[Slot, ...], ...]
    labels: tuple[str, ...]
    scale: tuple[float, ...]  # of the leaf by one unit of the variable
    low: tuple[float, ...]  # in the leaf's units
    high: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.slots)

    def values(self, lens: Lens) -> np.ndarray:
        """The variables' values (V,) in a lens, in its own units."""
        return np.array([float(np.asarray(getattr(lens, slots[0][0]))[slots[0][1]]) for slots in self.slots])

    def bounds(self, lens: Lens) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest changes (V,) from a lens, in units of their scale; a value beyond a bound may stay, but not move on."""
        at, scale = self.values(lens), np.array(self.scale)
        return np.minimum((np.array(self.low) - at) / scale, 0), np.maximum((np.array(self.high) - at) / scale, 0)


def moved(lens: Lens, slots: tuple[tuple[Slot, ...], ...], scale: Any, x: Any) -> Lens:
    """The lens, its variables changed by x (V,) units of their scale (V,). Differentiable."""
    leaves: dict[str, Any] = {}
    for leaf in sorted({slot[0] for group in slots for slot in group}):
        found = [(i, index, factor) for i, group in enumerate(slots) for name, index, factor in group if name == leaf]
        which = np.array([i for i, _, _ in found])
        where = tuple(np.array(axis) for axis in zip(*(index for _, index, _ in found), strict=True))
        change = jnp.array([factor for _, _, factor in found]) * (jnp.asarray(scale) * x)[which]
        leaves[leaf] = jnp.asarray(getattr(lens, leaf)).at[where].add(change)
    return lens.replace(**leaves)


def variables_of(lens: Lens, wanted: tuple[Variable, ...], heights: np.ndarray) -> Variables:
    """The variables that a goal names. heights (S,): clear radii (mm), by which curvatures and aspheres are scaled.

    Raises LensError where a surface, group or configuration does not exist or cannot change so.
    """
    rows: list[tuple[tuple[Slot, ...], str, float, float, float]] = []
    for variable in wanted:
        rows += _MAKERS[variable.kind](lens, variable, heights)
    unique = {row[0]: row for row in rows}  # the later of two declarations counts
    if not unique:
        raise LensError(f"Expected variables of {lens.info.name or 'the lens'}, found none that can change.")
    slots, labels, scale, low, high = zip(*unique.values(), strict=True)
    return Variables(slots, labels, scale, low, high)


def surfaces_of(lens: Lens, named: Surfaces) -> list[int]:
    """Numbers of surfaces by number, label or group; all for none."""
    found: list[int] = []
    for name in named:
        if isinstance(name, int) and -lens.S <= name < lens.S:
            found.append(name % lens.S)
            continue
        matching = [i for i, s in enumerate(lens.info.surfaces) if name and name in (s.label, s.group)]
        if not matching:
            raise LensError(f"Expected the number (0 to {lens.S - 1}), label or group of a surface of {lens.info.name}, found {name!r}.")
        found += matching
    return found if named else list(range(lens.S))


def configurations_of(lens: Lens, named: tuple[int | str, ...]) -> list[int]:
    """Numbers of configurations by name or number; all for none."""
    names = lens.info.configurations
    for name in named:
        if name not in names and not (isinstance(name, int) and 0 <= name < lens.C):
            raise LensError(f"Expected a configuration of {lens.info.name} ({', '.join(names)}), found {name!r}.")
    return [name if isinstance(name, int) else names.index(name) for name in named] or list(range(lens.C))


def _row(variable: Variable, slots: tuple[Slot, ...], label: str, scale: float) -> tuple[tuple[Slot, ...], str, float, float, float]:
    low, high = BOUNDS.get(variable.kind, (-np.inf, np.inf))
    return slots, label, scale, low if variable.low is None else variable.low, high if variable.high is None else variable.high


def _shapes(lens: Lens, variable: Variable) -> list[int]:
    """Surfaces whose shape may change: those named, or all that are not flat by kind."""
    found = surfaces_of(lens, variable.surfaces)
    flat = [i for i in found if lens.info.surfaces[i].kind in ("fold", "stop", "cover", "filter")]
    if variable.surfaces and flat:
        kind = lens.info.surfaces[flat[0]].kind
        raise LensError(f"Expected a surface of {lens.info.name} whose shape can change, found number {flat[0]}, a {kind}.")
    glass = [False, *is_solid(lens)]
    means = [i for i in found if variable.surfaces or glass[i] or glass[i + 1] or lens.info.surfaces[i].kind == "mirror"]
    return [i for i in means if i not in flat]


def _tied(variable: Variable, leaf: str, index: tuple[int, ...]) -> tuple[Slot, ...]:
    return ((leaf, index, 1.0), *((leaf, (surface, *index[1:]), factor) for surface, factor in variable.tie))


def _curvatures(lens: Lens, variable: Variable, heights: np.ndarray) -> list[Any]:
    return [
        _row(variable, _tied(variable, "curvature", (i,)), f"curvature {i}", 2 * BEND / heights[i] ** 2) for i in _shapes(lens, variable)
    ]


def _conics(lens: Lens, variable: Variable, heights: np.ndarray) -> list[Any]:
    curvature = np.asarray(lens.curvature)
    scales = np.clip(8 * BEND / np.maximum(np.abs(curvature) ** 3 * heights**4, 1e-9), 0.01, 5.0)
    return [_row(variable, _tied(variable, "conic", (i,)), f"conic {i}", scales[i]) for i in _shapes(lens, variable)]


def _evens(lens: Lens, variable: Variable, heights: np.ndarray) -> list[Any]:
    return [
        _row(variable, _tied(variable, "even", (i, order // 2 - 1)), f"r^{order} {i}", BEND / heights[i] ** order)
        for i in _shapes(lens, variable)
        for order in variable.orders
    ]


def _thicknesses(lens: Lens, variable: Variable, heights: np.ndarray) -> list[Any]:
    fixed = ("cover", "filter")
    named = surfaces_of(lens, variable.surfaces)
    found = named if variable.surfaces else [i for i in named if lens.info.surfaces[i].kind not in fixed]
    configurations = configurations_of(lens, variable.configurations)
    rows = []
    for i in found:
        groups = [[c] for c in configurations] if variable.each else [configurations]
        for group in groups:
            slots = tuple(("thickness", (c, i), 1.0) for c in group)
            slots += tuple(("thickness", (c, surface), factor) for c in group for surface, factor in variable.tie)
            label = f"thickness {i}" + (f" {lens.info.configurations[group[0]]}" if variable.each else "")
            rows.append(_row(variable, slots, label, SHIFT))
    return rows


def _moves(lens: Lens, variable: Variable, heights: np.ndarray) -> list[Any]:
    """A shift of a group in each configuration; the variable's value is the gap before it."""
    found = surfaces_of(lens, variable.surfaces)
    first, last = min(found), max(found)
    if not variable.surfaces or first == 0:
        raise LensError(f"Expected a group of {lens.info.name} with an air gap before it to move, found {list(variable.surfaces)}.")
    return [
        _row(
            variable,
            (("thickness", (c, first - 1), 1.0), ("thickness", (c, last), -1.0)),
            f"move {first}-{last} {lens.info.configurations[c]}",
            SHIFT / 4,
        )
        for c in configurations_of(lens, variable.configurations)
    ]


def _defocus(lens: Lens, variable: Variable, heights: np.ndarray) -> list[Any]:
    """The image plane, in all configurations together or in each."""
    configurations, last = configurations_of(lens, variable.configurations), lens.S - 1
    groups = [[c] for c in configurations] if variable.each else [configurations]
    return [_row(variable, tuple(("thickness", (c, last), 1.0) for c in group), f"defocus {group[0]}", SHIFT / 20) for group in groups]


def _model(column: int, scale: float) -> Any:
    def rows(lens: Lens, variable: Variable, heights: np.ndarray) -> list[Any]:
        named = surfaces_of(lens, variable.surfaces)
        found = [i for i in named if lens.info.surfaces[i].is_model]
        if variable.surfaces and len(found) < len(named):
            raise LensError(f"Expected surfaces of {lens.info.name} with model glass behind them, found {list(variable.surfaces)}.")
        return [_row(variable, (("model", (i, column), 1.0),), f"{variable.kind} {i}", scale) for i in found]

    return rows


def _stops(lens: Lens, variable: Variable, heights: np.ndarray) -> list[Any]:
    configurations = configurations_of(lens, variable.configurations)
    groups = [[c] for c in configurations] if variable.each else [configurations]
    return [_row(variable, tuple(("stop_radius", (c,), 1.0) for c in group), f"stop radius {group[0]}", SHIFT) for group in groups]


_MAKERS: dict[str, Any] = {
    "curvature": _curvatures,
    "conic": _conics,
    "even": _evens,
    "thickness": _thicknesses,
    "move": _moves,
    "defocus": _defocus,
    "nd": _model(0, INDEX),
    "vd": _model(1, ABBE),
    "stop_radius": _stops,
}
