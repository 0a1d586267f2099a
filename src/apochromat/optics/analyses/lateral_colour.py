"""Lateral colour: height of the real chief ray on the image at each wavelength, less that at the primary one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import HEIGHT_IN, INK, WIDTH_IN, legend, of_wavelengths, symmetric, zero_line
from apochromat.optics.analyses._rays import across, field_axis, primary_nm, rays, require_any, sweep, widest_field
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Lateral colour", 70


@dataclass(frozen=True)
class LateralColour(Result):
    """Chief-ray heights of W wavelengths along the field."""

    field: np.ndarray  # (F,) degrees or mm, as the lens declares fields
    field_axis: str
    wavelengths_nm: np.ndarray  # (W,)
    primary_nm: float
    lateral_um: np.ndarray  # (F, W) less the height at the primary wavelength, positive away from the axis
    spread_um: np.ndarray  # (F,) largest less least
    pixel_um: float | None


def compute(lens: Lens, config: int = 0, *, wavelengths_nm: Any = None, count: int = 21) -> LateralColour:
    """Lateral colour at `count` fields from the axis to the widest one, at wavelengths (W,) (default: the lens's)."""
    wavelengths = np.asarray(lens.info.wavelengths_nm if wavelengths_nm is None else wavelengths_nm, float)
    part, slopes = sweep(lens, count, config)
    along = across(slopes[-1:])[0]
    found = rays(lens, slopes, [*wavelengths, primary_nm(lens)], np.zeros((1, 2)), config, apertures=False)
    require_any(found, lens, "lateral colour")
    height = (found.landed @ along)[..., 0]
    outward = np.sign(height[-1, -1]) or 1.0
    lateral = (height[:, :-1] - height[:, -1:]) * 1e3 * outward
    return LateralColour(
        field=part * np.hypot(*widest_field(lens)),
        field_axis=field_axis(lens),
        wavelengths_nm=wavelengths,
        primary_nm=primary_nm(lens),
        lateral_um=lateral,
        spread_um=np.ptp(lateral, axis=1),
        pixel_um=lens.info.pixel_um,
    )


def size_in(result: LateralColour) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, HEIGHT_IN


def draw(result: LateralColour, figure: Figure) -> None:
    """A line for each wavelength; half a pixel either way dotted, where the pixel is known."""
    axes = figure.subplots()
    for j, style in enumerate(of_wavelengths(result.wavelengths_nm)):
        axes.plot(result.field, result.lateral_um[:, j], **style)
    for half in () if result.pixel_um is None else (-result.pixel_um / 2, result.pixel_um / 2):
        axes.axhline(half, color=INK, linestyle=":", linewidth=1)
    zero_line(axes)
    symmetric(axes, [*result.lateral_um.ravel(), 0.6 * (result.pixel_um or 0)], least=0.05)
    axes.set(xlabel=result.field_axis, ylabel=f"Height less that at {result.primary_nm:.0f} nm (µm)", xlim=(0, result.field[-1] or 1))
    legend(axes)
