"""Rays of a merit: a frozen pupil quadrature, a chief ray and a rim for each field, wavelength and configuration, all traced at once.

The lens is symmetric about its axis, so each field is turned to the y axis and the half pupil x >= 0 is traced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from apochromat.optics.lens import Lens
from apochromat.optics.pupil import aimed, rings, tangents_of
from apochromat.optics.trace import OK, Ray, Traced, trace, trace_points

RIM = np.radians([-90.0, -45.0, 0.0, 45.0, 90.0])  # bottom to top of the pupil
AXIS = -1  # number of the axis among the fields


@dataclass(frozen=True)
class Plan:
    """Which beams there are: (configuration, field, number of the wavelength) each, those of the image first, [C, F, W] in order."""

    beams: tuple[tuple[int, int, int], ...]
    shape: tuple[int, int, int]  # of the image's
    points: int  # of the quadrature

    def of(self, configuration: int, field: int, wavelength: int) -> int:
        """Number of a beam."""
        return self.beams.index((configuration, field, wavelength))


class Samples(NamedTuple):
    """Numbers of the beams, none of them compiled in."""

    fields: Any  # (F + 1, 2), the last the axis
    wavelengths: Any  # (W,) nm, the image's first
    pupil: Any  # (C, F + 1, P + 6, 2): quadrature, chief ray, rim
    pupil_weights: Any  # (P,)
    field_weights: Any  # (F,)
    wavelength_weights: Any  # (of the image,)


class View(NamedTuple):
    """A lens seen through the beams; B beams of P + 6 rays."""

    lens: Lens
    launched: Ray  # (B, P + 6)
    end: Traced  # (B, P + 6)
    index: Any  # (W, S + 1)
    samples: Samples

    @property
    def good(self) -> Any:
        """Which rays arrive."""
        return self.end.status == OK


def half_pupil(count: int, arms: int) -> tuple[np.ndarray, np.ndarray]:
    """The half x > 0 of a Gaussian quadrature: points (P, 2) and weights that add to one."""
    points, weights = rings(count, arms)
    turned = points @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # by 90 degrees: with 6, 10, 14 arms none lies on the y axis
    doubled = np.where(turned[:, 0] > 1e-9, 2.0, np.where(turned[:, 0] > -1e-9, 1.0, 0.0)) * weights
    return turned[doubled > 0], doubled[doubled > 0]


def pupils(points: np.ndarray, vignetting: np.ndarray) -> np.ndarray:
    """Pupil points (..., P + 6, 2) of quadrature, chief ray and rim under vignetting factors (..., 4): VDX, VDY, VCX, VCY."""
    rim = np.stack([np.cos(RIM), np.sin(RIM)], -1)
    every = np.concatenate([points, [[0.0, 0.0]], rim])
    squeezed = vignetting[..., None, :2] + (1 - vignetting[..., None, 2:]) * every
    squeezed[..., len(points), :] = 0  # the chief ray stays at the middle of the stop
    return squeezed


def seen(plan: Plan, lens: Lens, samples: Samples) -> View:
    """Aim and trace every beam of a plan."""
    index = jax.vmap(lens.index)(samples.wavelengths)
    config, field, wavelength = (np.array(column) for column in zip(*plan.beams, strict=True))

    def one(config: Any, field: Any, index: Any, pupil: Any) -> tuple[Ray, Traced]:
        ray = aimed(lens, tangents_of(lens, field, config), index, pupil, config)
        return ray, trace(lens, ray, index, config, apertures=False, soft=True)

    launched, end = jax.vmap(one)(config, samples.fields[field], index[wavelength], samples.pupil[config, field])
    return View(lens, launched, end, index, samples)


def points_on_surfaces(plan: Plan, view: View, primary: int) -> tuple[Any, Any]:
    """Points (B', S + 1, 6, 3) of the chief ray and the rim at the primary wavelength, and whether (B', 6) they arrive."""
    chosen = np.array([b for b, (_, _, w) in enumerate(plan.beams) if w == primary])
    config = np.array([plan.beams[b][0] for b in chosen])
    rays = jax.tree.map(lambda v: v[chosen, plan.points :], view.launched)
    index = view.index[primary]
    points, end = jax.vmap(lambda ray, c: trace_points(view.lens, ray, index, c, apertures=False))(rays, config)
    return points, end.status == OK
