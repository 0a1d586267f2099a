"""Field curvature: where close rays about the chief ray cross it, in the sagittal and in the tangential section, from the image plane.

Real rays at CLOSE of the stop's radius on either side of the chief ray: the foci of H. Coddington, 1829, for any kind of surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, HEIGHT_IN, WIDTH_IN, legend, symmetric, zero_line
from apochromat.optics.analyses._rays import across, field_axis, primary_nm, rays, require_any, sweep, widest_field
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Field curvature", 60
CLOSE = 1e-3  # of the stop's radius


@dataclass(frozen=True)
class FieldCurvature(Result):
    """Foci along the axis, from the image plane, positive away from the lens."""

    field: np.ndarray  # (F,) degrees or mm, as the lens declares fields
    field_axis: str
    sagittal_mm: np.ndarray  # (F,)
    tangential_mm: np.ndarray  # (F,)
    height_mm: np.ndarray  # (F,) of the chief ray on the image


def compute(lens: Lens, config: int = 0, *, wavelength_nm: float | None = None, count: int = 21) -> FieldCurvature:
    """Foci of `count` fields from the axis to the widest one (default wavelength: the primary one)."""
    part, slopes = sweep(lens, count, config)
    along = across(slopes[-1:])[0]
    aside = np.array([along[1], -along[0]])
    pupil = np.stack([CLOSE * along, -CLOSE * along, CLOSE * aside, -CLOSE * aside, np.zeros(2)])
    found = rays(lens, slopes, primary_nm(lens) if wavelength_nm is None else wavelength_nm, pupil, config, apertures=False)
    require_any(found, lens, "field curvature")
    landed, onward = found.landed[:, 0], np.sign(found.N[0, 0, 4])
    slope = np.stack([found.L, found.M], -1)[:, 0] / found.N[:, 0, :, None]

    def focus(pair: slice, direction: np.ndarray) -> np.ndarray:
        apart, spread = np.diff(landed[:, pair] @ direction), np.diff(slope[:, pair] @ direction)
        return (-apart / spread)[:, 0] * onward

    return FieldCurvature(
        field=part * np.hypot(*widest_field(lens)),
        field_axis=field_axis(lens),
        sagittal_mm=focus(slice(2, 4), aside),
        tangential_mm=focus(slice(0, 2), along),
        height_mm=landed[:, 4] @ along,
    )


def size_in(result: FieldCurvature) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, HEIGHT_IN


def draw(result: FieldCurvature, figure: Figure) -> None:
    """Both foci over the field."""
    axes = figure.subplots()
    sagittal, tangential = result.sagittal_mm * 1e3, result.tangential_mm * 1e3
    axes.plot(result.field, sagittal, color=CYCLE[0], label="sagittal")
    axes.plot(result.field, tangential, color=CYCLE[1], linestyle="--", label="tangential")
    zero_line(axes)
    symmetric(axes, [sagittal, tangential], least=1.0)
    axes.set(xlabel=result.field_axis, ylabel="Focus from the image (µm)", xlim=(0, result.field[-1] or 1))
    legend(axes)
