"""From a start to a better lens: one descent, or a seeded search by basin hopping about the best of many.

D. J. Wales and J. P. K. Doye, "Global optimization by basin-hopping", J. Phys. Chem. A 101, 1997.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from apochromat.optics.lens import Lens
from apochromat.optics.optimise.goal import Goal
from apochromat.optics.optimise.least_squares import Progress, descend
from apochromat.optics.optimise.merit import Merit

SHARE = 0.3  # of the iterations that a hop gets


@dataclass(frozen=True)
class Optimised:
    """A lens found, its merit (a sum of squares) and that of the start, and what each kind of term adds to it."""

    lens: Lens
    merit: float
    start_merit: float
    parts: dict[str, float]
    gains: int  # steps that lowered the merit of their descent
    interrupted: bool


class _Best:
    """The best seen so far, told to the caller as it comes."""

    def __init__(self, tell: Callable[[int, float], None] | None) -> None:
        self.found: Progress | None = None
        self.start, self.count, self._tell = np.inf, 0, tell

    def __call__(self, progress: Progress) -> None:
        self.count += 1
        if self.found is None:
            self.start = progress.merit
        if self.found is None or progress.merit < self.found.merit:
            self.found = progress
        if self._tell is not None:
            self._tell(self.count, self.found.merit)


def optimise(lens: Lens, goal: Goal, seed: int = 0, progress: Callable[[int, float], None] | None = None) -> Optimised:
    """The best lens found for a goal. The same start, goal and seed give the same lens.

    progress: called with the number of gains so far and the best merit. KeyboardInterrupt, there or anywhere after the first evaluation,
    ends the search: the best so far is returned with `interrupted` set. Raises LensError where the goal names what the lens has not.
    """
    merit, best, interrupted = Merit(lens, goal), _Best(progress), False
    try:
        descend(merit, np.zeros(len(merit.variables)), merit.bounds(), goal.iterations, best)
        _hop(merit, goal, best, np.random.default_rng(seed))
    except KeyboardInterrupt:
        interrupted = True
    if best.found is None:
        raise KeyboardInterrupt
    return Optimised(merit.lens(best.found.x), best.found.merit, best.start, merit.parts(best.found.residuals), best.count, interrupted)


def _hop(merit: Merit, goal: Goal, best: _Best, rng: np.random.Generator) -> None:
    """Descents from about the best so far, hops of every size from the whole spread to a thirtieth of it."""
    for _ in range(goal.restarts):
        assert best.found is not None
        hop = goal.spread * 30.0 ** -rng.random() * rng.standard_normal(len(best.found.x))
        descend(merit, best.found.x + hop, merit.bounds(), max(5, int(goal.iterations * SHARE)), best)
