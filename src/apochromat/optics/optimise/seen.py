"""What terms of a merit look at, what they are told, and how they count what is missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from apochromat.optics.optimise.beams import Plan, View

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
