"""Secondary spectrum: focus at five spectral lines from the mean of F and C, and how it compares with an ordinary achromat.

An ordinary achromat of normal glasses brings e short of the common focus of F and C by about f / 2000 (W. J. Smith, "Modern Optical
Engineering", 2008, section 5.6). Foci are those of least RMS OPD of the full pupil on axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apochromat.optics.analyses._figure import BANDS, INK, WIDTH_IN, symmetric, zero_line
from apochromat.optics.analyses._focus import foci
from apochromat.optics.analyses._result import Result
from apochromat.optics.first_order import first_order
from apochromat.optics.focus import depth_of_focus
from apochromat.optics.lens import Lens
from apochromat.optics.model_glass import C_NM, D_NM, E_NM, F_NM, G_NM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Secondary spectrum", 130
LINES = (("g", G_NM), ("F", F_NM), ("e", E_NM), ("d", D_NM), ("C", C_NM))
ORDINARY = 2000.0  # focal length over the secondary spectrum of an ordinary achromat


@dataclass(frozen=True)
class SecondarySpectrum(Result):
    """Focus of the lines g, F, e, d, C."""

    lines: tuple[str, ...]
    wavelengths_nm: np.ndarray  # (5,)
    focus_um: np.ndarray  # (5,) from the mean of F and C, positive away from the lens
    primary_um: float  # F less C: axial colour
    secondary_um: float  # e less the mean of F and C
    ordinary_um: float  # what an ordinary achromat of this focal length has: |f| / 2000
    reduction: float  # ordinary over |secondary|: above 1 is better than an ordinary achromat
    depth_um: float  # of focus, half the range


def compute(lens: Lens, config: int = 0) -> SecondarySpectrum:
    """Secondary spectrum on axis. Its lines lie between 435.8 and 656.3 nm."""
    wavelengths = np.array([w for _, w in LINES])
    focus = foci(lens, wavelengths, config) * 1e3
    g, f, e, d, c = (focus - (focus[1] + focus[4]) / 2).tolist()
    ordinary = abs(float(first_order(lens, E_NM, config).efl_mm)) * 1e3 / ORDINARY
    return SecondarySpectrum(
        lines=tuple(name for name, _ in LINES),
        wavelengths_nm=wavelengths,
        focus_um=np.array([g, f, e, d, c]),
        primary_um=f - c,
        secondary_um=e,
        ordinary_um=ordinary,
        reduction=ordinary / abs(e) if e else float("inf"),
        depth_um=float(depth_of_focus(lens, config)) * 1e3,
    )


def size_in(result: SecondarySpectrum) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 2.4


def draw(result: SecondarySpectrum, figure: Figure) -> None:
    """A bar for each line, the depth of focus shaded."""
    axes = figure.subplots()
    axes.axhspan(-result.depth_um, result.depth_um, color=INK, alpha=0.18, linewidth=0)
    colors = [next(c for limit, c in BANDS if w <= limit) for w in result.wavelengths_nm]
    names = [f"{line}\n{w:.0f}" for line, w in zip(result.lines, result.wavelengths_nm, strict=True)]
    axes.bar(names, result.focus_um, width=0.5, color=colors)
    zero_line(axes)
    symmetric(axes, [*result.focus_um, 1.15 * result.depth_um])
    axes.set(xlabel="Spectral line (nm)", ylabel="Focus (µm)")
    axes.set_title(f"e from F and C: {result.secondary_um:.2g} µm; ordinary achromat {result.ordinary_um:.2g} µm", loc="left")
