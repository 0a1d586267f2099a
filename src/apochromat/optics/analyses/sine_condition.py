"""Offence against the sine condition: sagittal coma of a small field by image height, from the axial rays of each zone of the stop.

OSC(zone) = (m / m0) (l' - p') / (L' - p') - 1, where m / m0 is the zone's sine magnification over the paraxial one (h / sin U' over the
focal length for a distant object), l' and L' the paraxial and the zone's crossing of the axis, and p' the exit pupil, all from one origin
(A. E. Conrady, "Applied Optics and Optical Design", 1929; R. Kingslake, "Lens Design Fundamentals", 2010, section 9.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import WIDTH_IN, legend, of_wavelengths, symmetric, zero_line
from apochromat.optics.analyses._rays import rays, require_any
from apochromat.optics.analyses._result import Result
from apochromat.optics.first_order import first_order
from apochromat.optics.lens import Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Offence against the sine condition", 110
CLOSE = 1e-3  # of the stop's radius: the paraxial zone


@dataclass(frozen=True)
class SineCondition(Result):
    """OSC of P zones at W wavelengths."""

    wavelengths_nm: np.ndarray  # (W,)
    zone: np.ndarray  # (P,) relative height in the stop, 0 to 1
    osc: np.ndarray  # (W, P) a ratio


def compute(lens: Lens, config: int = 0, *, wavelengths_nm: Any = None, count: int = 31) -> SineCondition:
    """OSC of `count` zones at wavelengths (W,) (default: the lens's)."""
    wavelengths = np.asarray(lens.info.wavelengths_nm if wavelengths_nm is None else wavelengths_nm, float)
    zone = np.linspace(0, 1, count)
    pupil = np.stack([np.zeros(count + 1), np.maximum(np.append(zone, 0), CLOSE)], -1)
    found = rays(lens, np.zeros((1, 2)), wavelengths, pupil, config)
    require_any(found, lens, "the sine condition")
    crossing = (-found.landed[..., 1] / found.M * found.N)[0]
    # For a distant object the height at the first surface stands in place of the sine in object space.
    near = float(np.asarray(lens.object_vergence)[config]) != 0
    sine = found.start[0, ..., 4] if near else found.start[0, ..., 1]
    magnification = sine / found.M[0]
    onward = (-1.0) ** sum(s.kind == "mirror" for s in lens.info.surfaces)
    pupils = [float(first_order(lens, w, config).exit_pupil_position_mm) * onward for w in wavelengths]
    exit_pupil = np.array(pupils)[:, None]
    osc = magnification / magnification[:, -1:] * (crossing[:, -1:] - exit_pupil) / (crossing - exit_pupil) - 1
    return SineCondition(wavelengths, zone, osc[:, :-1])


def size_in(result: SineCondition) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 3.2


def draw(result: SineCondition, figure: Figure) -> None:
    """The zone upwards, OSC in per cent to the right."""
    axes = figure.subplots()
    for j, style in enumerate(of_wavelengths(result.wavelengths_nm)):
        axes.plot(100 * result.osc[j], result.zone, **style)
    zero_line(axes, vertical=True)
    symmetric(axes, 100 * result.osc, vertical=False, least=0.01)
    axes.set(xlabel="Sagittal coma by image height (%)", ylabel="Relative height in the stop", ylim=(0, 1.02))
    axes.locator_params(axis="x", nbins=5)
    legend(axes)
