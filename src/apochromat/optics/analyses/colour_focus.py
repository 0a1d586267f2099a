"""Colour focus: the plane of least RMS OPD at each wavelength from 430 to 680 nm, against the depth of focus 2λN² either way.

Foci are those of the full pupil on axis (`focus.py`), from the plane that minimises the largest departure over 450 to 656 nm; N is the
working f-number and λ 546.1 nm, as the APO certificate defines them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, HEIGHT_IN, INK, WIDTH_IN, symmetric, zero_line
from apochromat.optics.analyses._focus import foci
from apochromat.optics.analyses._result import Result
from apochromat.optics.focus import depth_of_focus
from apochromat.optics.lens import Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Colour focus", 120
COMMON = (450.0, 656.0)  # nm over which the common plane is fair to all


@dataclass(frozen=True)
class ColourFocus(Result):
    """Focus of W wavelengths."""

    wavelengths_nm: np.ndarray  # (W,)
    focus_um: np.ndarray  # (W,) from the common plane, positive away from the lens
    common_mm: float  # that plane from the image plane
    depth_um: float  # of focus, half the range


def compute(lens: Lens, config: int = 0, *, low_nm: float = 430.0, high_nm: float = 680.0, step_nm: float = 5.0) -> ColourFocus:
    """Foci from `low_nm` to `high_nm`, both included."""
    wavelengths = np.linspace(low_nm, high_nm, round((high_nm - low_nm) / step_nm) + 1)
    focus = foci(lens, wavelengths, config)
    fair = focus[(wavelengths >= COMMON[0]) & (wavelengths <= COMMON[1])]
    fair = fair if fair.size else focus
    common = float(fair.max() + fair.min()) / 2
    return ColourFocus(wavelengths, (focus - common) * 1e3, common, float(depth_of_focus(lens, config)) * 1e3)


def size_in(result: ColourFocus) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, HEIGHT_IN


def draw(result: ColourFocus, figure: Figure) -> None:
    """Focus over wavelength, the depth of focus shaded."""
    axes = figure.subplots()
    axes.axhspan(-result.depth_um, result.depth_um, color=INK, alpha=0.18, linewidth=0)
    axes.plot(result.wavelengths_nm, result.focus_um, color=CYCLE[0])
    zero_line(axes)
    symmetric(axes, [*result.focus_um, 1.15 * result.depth_um])
    axes.set(xlabel="Wavelength (nm)", ylabel="Focus (µm)", xlim=(result.wavelengths_nm[0], result.wavelengths_nm[-1]))
    axes.set_title(f"shaded: depth of focus ±{result.depth_um:.2g} µm", loc="left")
