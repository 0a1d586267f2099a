"""Damped least squares: Levenberg and Marquardt's step with adaptive damping, kept inside bounds.

D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", J. SIAM 11, 1963; damping by the ratio of the gain
found to the gain foretold after H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

FIRST_DAMPING = 1e-2
LEAST_DAMPING, MOST_DAMPING = 1e-12, 1e12
LONGEST = 10.0  # units of scale that one variable may move in a step
SETTLED = 1e-6  # relative gain of the merit that is as good as none
PATIENCE = 3  # such gains in a row end the descent
TRIALS = 12  # of damping, in a row, without a gain


class Problem(Protocol):
    """What the descent asks of a merit."""

    def linearised(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (R,) and Jacobian (R, V)."""
        ...


@dataclass(frozen=True)
class Progress:
    """How far a descent is: Jacobians computed, sum of squares, damping, and where it stands."""

    evaluations: int
    merit: float
    damping: float
    x: np.ndarray
    residuals: np.ndarray


Report = Callable[[Progress], object]


def descend(
    problem: Problem, x: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], evaluations: int = 100, report: Report | None = None
) -> Progress:
    """The least sum of squares that damped steps from x (V,) find between bounds (V,), (V,); never worse than x.

    Ends when steps gain no more, or after `evaluations` Jacobians. `report` is told each gain; what it raises ends the descent.
    """
    x = np.clip(x, *bounds)
    residuals, jacobian = problem.linearised(x)
    state = Progress(1, float(residuals @ residuals), FIRST_DAMPING, x, residuals)
    growth, rejected, idle = 2.0, 0, 0
    if report is not None:
        report(state)
    for count in range(2, evaluations + 1):
        step, foretold = _step(state, jacobian, bounds)
        residuals, found = problem.linearised(state.x + step)
        merit = float(residuals @ residuals)
        gain = state.merit - merit
        if gain > 0:
            idle = idle + 1 if gain <= SETTLED * state.merit else 0
            eased = state.damping * max(1 / 5, 1 - (2 * min(gain / max(foretold, 1e-300), 1.2) - 1) ** 3)
            state = Progress(count, merit, max(eased, LEAST_DAMPING), state.x + step, residuals)
            jacobian, growth, rejected = found, 2.0, 0
            if report is not None:
                report(state)
        else:
            state = replace(state, evaluations=count, damping=min(state.damping * growth, MOST_DAMPING))
            growth, rejected = min(growth * 2, 64.0), rejected + 1
        if idle == PATIENCE or rejected == TRIALS:
            break
    return state


def _step(state: Progress, jacobian: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, float]:
    """The damped step inside the bounds and the gain that it foretells; variables at a bound that it would leave are held there."""
    (low, high), x = bounds, state.x
    gradient, normal = jacobian.T @ state.residuals, jacobian.T @ jacobian
    diagonal = np.diag(normal)
    weight = state.damping * (diagonal + 1e-6 * diagonal.max() + 1e-30)
    free = ~(((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0)))
    step = np.zeros_like(x)
    for _ in range(4):
        if not free.any():
            break
        step[:] = 0
        inside = np.ix_(free, free)
        step[free] = np.linalg.solve(normal[inside] + np.diag(weight[free]), -gradient[free])
        beyond = free & ((x + step < low) | (x + step > high))
        if not beyond.any():
            break
        held = np.clip(x + step, low, high) - x
        if np.abs(held[beyond]).max() > 1e-12:
            step = held
            break
        free &= ~beyond
    step *= min(1.0, LONGEST / max(np.abs(step).max(), 1e-30))
    step = np.clip(x + step, low, high) - x
    return step, -float(2 * gradient @ step + step @ normal @ step)
