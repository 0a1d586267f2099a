"""Distortion: height of the real chief ray on the image against scale x tan(field), in per cent of the latter.

The scale is the height by tangent of a chief ray close to the axis on the same image plane: the focal length where a distant object is
in focus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, HEIGHT_IN, WIDTH_IN, symmetric, zero_line
from apochromat.optics.analyses._rays import across, field_axis, primary_nm, rays, require_any, sweep, widest_field
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Distortion", 50
CLOSE = 1e-4  # tangent of the field at which the scale is taken


@dataclass(frozen=True)
class Distortion(Result):
    """Chief-ray heights along the direction of the widest field."""

    field: np.ndarray  # (F,) degrees or mm, as the lens declares fields
    field_axis: str
    angle_deg: np.ndarray  # (F,) at the object
    height_mm: np.ndarray  # (F,) real
    ideal_mm: np.ndarray  # (F,) scale x tan(angle)
    distortion_percent: np.ndarray  # (F,) 0 on axis
    scale_mm: float


def compute(lens: Lens, config: int = 0, *, wavelength_nm: float | None = None, count: int = 31) -> Distortion:
    """Distortion at `count` fields from the axis to the widest one (default wavelength: the primary one)."""
    wavelength = primary_nm(lens) if wavelength_nm is None else wavelength_nm
    part, slopes = sweep(lens, count, config)
    along = across(slopes[-1:])[0]
    found = rays(lens, np.concatenate([slopes, CLOSE * along[None]]), wavelength, np.zeros((1, 2)), config, apertures=False)
    require_any(found, lens, "distortion")
    height = (found.landed @ along)[:, 0, 0]
    scale = height[-1] / CLOSE
    slope = slopes @ along
    ideal = scale * slope
    return Distortion(
        field=part * np.hypot(*widest_field(lens)),
        field_axis=field_axis(lens),
        angle_deg=np.degrees(np.arctan(slope)),
        height_mm=height[:-1],
        ideal_mm=ideal,
        distortion_percent=np.where(slope == 0, 0.0, 100 * (height[:-1] / np.where(slope == 0, 1, ideal) - 1)),
        scale_mm=float(scale),
    )


def draw(result: Distortion, figure: Figure) -> None:
    """Per cent over the field."""
    axes = figure.subplots()
    axes.plot(result.field, result.distortion_percent, color=CYCLE[0])
    zero_line(axes)
    symmetric(axes, result.distortion_percent, least=0.1)
    axes.set(xlabel=result.field_axis, ylabel="Distortion (%)", xlim=(0, result.field[-1] or 1))


def size_in(result: Distortion) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, HEIGHT_IN
