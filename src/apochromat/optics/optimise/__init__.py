"""Optimisation: damped least squares with exact Jacobians, global search, and real glass for model glass; goals are data."""

from apochromat.optics.optimise.goal import Goal, Rays, Term, Variable, read_goal
from apochromat.optics.optimise.least_squares import Progress
from apochromat.optics.optimise.merit import Merit
from apochromat.optics.optimise.search import Optimised, optimise
from apochromat.optics.optimise.substitute import Substituted, substitute, swapped

__all__ = [
    "Goal",
    "Merit",
    "Optimised",
    "Progress",
    "Rays",
    "Substituted",
    "Term",
    "Variable",
    "optimise",
    "read_goal",
    "substitute",
    "swapped",
]
