"""Real glass for model glass, and better glass for real: nearest substitutes, then swaps of one or two glasses with re-optimisation.

All trials share one compiled merit, since real glasses differ in numbers alone. What a swap does to the power of a surface is undone by its
curvature before the descent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apochromat.optics.build import catalogue_name
from apochromat.optics.errors import LensError
from apochromat.optics.glass import Glass, glass, index_of, nearest
from apochromat.optics.lens import Lens
from apochromat.optics.model_glass import D_NM
from apochromat.optics.optimise.goal import Goal, Surfaces
from apochromat.optics.optimise.search import Optimised, optimise
from apochromat.optics.optimise.variables import surfaces_of
from apochromat.optics.perturb import is_solid

BEND = (0.5, 2.0)  # least and largest factor on a curvature that keeps its power
PAIRS = 0.5  # share of trials that swap two glasses


@dataclass(frozen=True)
class Substituted:
    """The best lens found in real glass, its merit, its glasses by surface, and how many trials there were."""

    lens: Lens
    merit: float
    glasses: dict[int, str]
    trials: int
    interrupted: bool


def substitute(
    lens: Lens,
    goal: Goal,
    *,
    surfaces: Surfaces = (),
    candidates: int | Sequence[str] = 6,
    trials: int = 30,
    seed: int = 0,
    makers: tuple[str, ...] | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Substituted:
    """Replace model glass by the nearest real glass, re-optimise, then try swaps, keeping what lowers the merit of the goal.

    surfaces: whose glass may change (numbers, labels or groups of surfaces with glass behind them); none: those of model glass, or all
    glass where there is none. candidates: how many near glasses to choose from for each, or the names of those allowed everywhere.
    trials: descents after the first, each with one or two glasses swapped at random by `seed`. makers: whose glass; None: anybody's.
    progress: called with the trial and the best merit. KeyboardInterrupt ends it with the best so far. The same seed gives the same lens.
    """
    chosen = _chosen(lens, surfaces)
    choices = {i: _choices(lens, i, candidates, makers) for i in chosen}
    goal = _without_models(goal)
    rng, tried = np.random.default_rng(seed), 0
    start = lens
    for i in chosen:
        start = swapped(start, i, choices[i][0]) if lens.info.surfaces[i].is_model else start
    best = _started(optimise(start, goal, seed), progress)
    interrupted = best.interrupted
    try:
        while tried < trials and not interrupted:
            tried += 1
            trial = _mutated(best.lens, choices, rng)
            found = optimise(trial, goal, seed)
            interrupted = found.interrupted
            best = found if found.merit < best.merit else best
            if progress is not None:
                progress(tried, best.merit)
    except KeyboardInterrupt:
        interrupted = True
    names = {i: best.lens.info.surfaces[i].glass for i in chosen}
    return Substituted(best.lens, best.merit, names, tried, interrupted)


def _started(found: Optimised, progress: Callable[[int, float], None] | None) -> Optimised:
    if progress is not None:
        progress(0, found.merit)
    return found


def swapped(lens: Lens, surface: int, new: Glass) -> Lens:
    """The lens with another glass behind a surface (and folds inside that piece), its faces bent to keep their power at d."""
    last = surface
    while last + 1 < lens.S and lens.info.surfaces[last + 1].kind == "fold":
        last += 1
    before = _indices(lens)
    rows, coefficients = list(lens.info.surfaces), np.array(lens.coefficients, float)
    for i in range(surface, last + 1):
        rows[i] = replace(rows[i], glass=catalogue_name(new.name, new.maker), is_model=False, moulded=new.moulded)
        coefficients[i] = new.coefficients
    changed = lens.replace(coefficients=coefficients, info=replace(lens.info, surfaces=tuple(rows)))
    after = _indices(changed)
    curvature, even = np.array(lens.curvature, float), np.array(lens.even, float)
    for i in {surface, min(last + 1, lens.S - 1)}:
        step = after[i + 1] - after[i]
        factor = np.clip((before[i + 1] - before[i]) / step, *BEND) if abs(step) > 1e-6 else 1.0
        curvature[i], even[i] = curvature[i] * factor, even[i] * factor
    return changed.replace(curvature=curvature, even=even)


def _indices(lens: Lens) -> np.ndarray:
    """Indices (S + 1,) at d."""
    is_model = np.array([s.is_model for s in lens.info.surfaces])
    nd = np.where(is_model, np.asarray(lens.model, float)[:, 0], index_of(np.asarray(lens.coefficients, float), D_NM))
    return np.concatenate([[1.0], nd])


def _chosen(lens: Lens, surfaces: Surfaces) -> list[int]:
    """Surfaces whose glass may change."""
    rows, solid = lens.info.surfaces, is_solid(lens)
    apart = [i for i in range(lens.S) if solid[i] and rows[i].kind not in ("cover", "filter", "fold", "mirror")]
    if surfaces:
        named = surfaces_of(lens, surfaces)
        apart = [i for i in apart if i in named]
    elif any(rows[i].is_model for i in apart):
        apart = [i for i in apart if rows[i].is_model]
    if not apart:
        where = f" at {list(surfaces)}" if surfaces else ""
        raise LensError(f"Expected glass in {lens.info.name or 'the lens'} that can be replaced, found none{where}.")
    return apart


def _choices(lens: Lens, i: int, candidates: int | Sequence[str], makers: tuple[str, ...] | None) -> list[Glass]:
    """Glasses for a surface, the nearest to what it has first; its own among them."""
    if lens.info.surfaces[i].is_model:
        nd, vd, dpgf = (float(v) for v in np.asarray(lens.model)[i])
        own: list[Glass] = []
    else:
        own = [glass(lens.info.surfaces[i].glass)]
        nd, vd, dpgf = own[0].nd, own[0].vd, own[0].dpgf
    if isinstance(candidates, int):
        return own + [g for g in nearest(nd, vd, dpgf, candidates, makers, lens.info.surfaces[i].moulded) if g not in own]
    pool = [glass(name) for name in candidates]
    return own + sorted((g for g in pool if g not in own), key=lambda g: _distance(g, nd, vd, dpgf))


def _distance(g: Glass, nd: float, vd: float, dpgf: float) -> float:
    """As `glass.nearest` measures it."""
    return float(np.hypot(np.hypot((g.nd - nd) / 0.01, g.vd - vd), (g.dpgf - dpgf) / 0.001))


def _mutated(lens: Lens, choices: dict[int, list[Glass]], rng: np.random.Generator) -> Lens:
    """The lens with one or two glasses changed for others among their choices."""
    open_to = [i for i, found in choices.items() if len(found) > 1]
    if not open_to:
        raise LensError("Expected two candidates or more for a glass, found one for each.")
    count = min(2 if rng.random() < PAIRS else 1, len(open_to))
    for i in rng.choice(open_to, count, replace=False):
        others = [g for g in choices[int(i)] if catalogue_name(g.name, g.maker) != lens.info.surfaces[int(i)].glass]
        lens = swapped(lens, int(i), others[int(rng.integers(len(others)))])
    return lens


def _without_models(goal: Goal) -> Goal:
    """The goal without index and Abbe number among its variables."""
    kept = tuple(v for v in goal.variables if v.kind not in ("nd", "vd"))
    return goal.model_copy(update={"variables": kept, "restarts": 0})
