"""Spherochromatism: where rays of each zone of the stop cross the axis, from the image plane, at each wavelength.

Longitudinal aberration of real rays from the axial object point; the value at zone 0 is the limit of close rays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import WIDTH_IN, legend, of_wavelengths, symmetric, zero_line
from apochromat.optics.analyses._rays import rays, require_any
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Spherochromatism", 100
CLOSE = 1e-3  # of the stop's radius, instead of zone 0


@dataclass(frozen=True)
class Spherochromatism(Result):
    """Longitudinal aberration of P zones at W wavelengths."""

    wavelengths_nm: np.ndarray  # (W,)
    zone: np.ndarray  # (P,) relative height in the stop, 0 to 1
    longitudinal_um: np.ndarray  # (W, P) from the image plane, positive away from the lens


def compute(lens: Lens, config: int = 0, *, wavelengths_nm: Any = None, count: int = 31) -> Spherochromatism:
    """Crossings of `count` zones at wavelengths (W,) (default: the lens's)."""
    wavelengths = np.asarray(lens.info.wavelengths_nm if wavelengths_nm is None else wavelengths_nm, float)
    zone = np.linspace(0, 1, count)
    pupil = np.stack([np.zeros(count), np.maximum(zone, CLOSE)], -1)
    found = rays(lens, np.zeros((1, 2)), wavelengths, pupil, config)
    require_any(found, lens, "spherochromatism")
    # The crossing has no meaning where a ray runs along the axis, as it may in no focusing lens.
    longitudinal = -found.landed[0, ..., 1] / found.M[0] * np.abs(found.N[0]) * 1e3
    return Spherochromatism(wavelengths, zone, longitudinal)


def size_in(result: Spherochromatism) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 3.2


def draw(result: Spherochromatism, figure: Figure) -> None:
    """The zone upwards, the crossing to the right, as is the custom."""
    axes = figure.subplots()
    for j, style in enumerate(of_wavelengths(result.wavelengths_nm)):
        axes.plot(result.longitudinal_um[j], result.zone, **style)
    zero_line(axes, vertical=True)
    symmetric(axes, result.longitudinal_um, vertical=False, least=1.0)
    axes.set(xlabel="Crossing of the axis from the image (µm)", ylabel="Relative height in the stop", ylim=(0, 1.02))
    legend(axes)
