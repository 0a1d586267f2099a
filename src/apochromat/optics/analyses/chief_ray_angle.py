"""Chief-ray angle: between the real chief ray and the sensor's normal, over the height at which it lands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, HEIGHT_IN, WIDTH_IN, zero_line
from apochromat.optics.analyses._rays import across, primary_nm, rays, require_any, sweep, widest_field
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Chief-ray angle at the sensor", 90


@dataclass(frozen=True)
class ChiefRayAngle(Result):
    """Chief rays at the sensor."""

    field: np.ndarray  # (F,) degrees or mm, as the lens declares fields
    height_mm: np.ndarray  # (F,) on the sensor, from the axis
    angle_deg: np.ndarray  # (F,) positive where the ray goes away from the axis


def compute(lens: Lens, config: int = 0, *, wavelength_nm: float | None = None, count: int = 31) -> ChiefRayAngle:
    """Angles at `count` fields from the axis to the widest one (default wavelength: the primary one)."""
    part, slopes = sweep(lens, count, config)
    along = across(slopes[-1:])[0]
    wavelength = primary_nm(lens) if wavelength_nm is None else wavelength_nm
    found = rays(lens, slopes, wavelength, np.zeros((1, 2)), config, apertures=False)
    require_any(found, lens, "chief-ray angles")
    height = (found.landed @ along)[:, 0, 0]
    outward = np.sign(height[-1]) or 1.0
    beside = (np.stack([found.L, found.M], -1) @ along)[:, 0, 0]
    angle = np.degrees(np.arctan2(beside * outward, np.abs(found.N[:, 0, 0])))
    return ChiefRayAngle(part * np.hypot(*widest_field(lens)), height * outward, np.where(found.ok[:, 0, 0], angle, np.nan))


def size_in(result: ChiefRayAngle) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, HEIGHT_IN


def draw(result: ChiefRayAngle, figure: Figure) -> None:
    """Degrees over the height on the sensor."""
    axes = figure.subplots()
    axes.plot(result.height_mm, result.angle_deg, color=CYCLE[0])
    zero_line(axes)
    axes.set(xlabel="Height on the sensor (mm)", ylabel="Chief-ray angle (°)", xlim=(0, None))
