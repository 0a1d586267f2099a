"""How every figure looks: sizes that a phone can show, colours that colour-blind readers can tell apart, labelled axes and nothing else.

Colours are those of M. Okabe and K. Ito, "Color universal design", 2008; lines that could share a colour differ in their dashes too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_IN, HEIGHT_IN = 4.2, 2.7
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":")
INK = "#7a7f86"  # lines of reference: seen on white and on black
BANDS = ((460.0, "#CC79A7"), (510.0, "#0072B2"), (575.0, "#009E73"), (610.0, "#E69F00"), (1e9, "#D55E00"))  # up to this wavelength, nm
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.formatter.useoffset": False,
    "figure.constrained_layout.use": True,
}


def of_wavelengths(wavelengths_nm: Iterable[float]) -> list[dict[str, Any]]:
    """Line style and label of each wavelength: its band's colour, and other dashes where two share one."""
    seen: dict[str, int] = {}
    styles = []
    for wavelength in wavelengths_nm:
        color = next(c for limit, c in BANDS if wavelength <= limit)
        styles.append({"color": color, "linestyle": DASHES[seen.get(color, 0) % len(DASHES)], "label": f"{wavelength:.0f} nm"})
        seen[color] = seen.get(color, 0) + 1
    return styles


def of_fields(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Line style and label of each field."""
    return [{"color": CYCLE[i % 6], "linestyle": DASHES[i // 6 % 4], "label": label} for i, label in enumerate(labels)]


def zero_line(axes: Axes, *, vertical: bool = False) -> None:
    """A thin line of reference through zero."""
    (axes.axvline if vertical else axes.axhline)(0, color=INK, linewidth=0.6, zorder=0)


def legend(axes: Axes, columns: int = 3) -> None:
    """The legend above the axes, where it hides no data."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, columnspacing=1.2, borderaxespad=0.2)


def top_legend(figure: Any, most: int = 4, **settings: Any) -> None:
    """One legend above all axes of a figure, in rows of at most `most` entries and as even as they can be."""
    count = max(1, sum(len(axes.get_legend_handles_labels()[1]) for axes in figure.axes))
    rows = -(-count // most)
    figure.legend(loc="outside upper left", ncols=-(-count // rows), columnspacing=1, **settings)


def symmetric(axes: Axes, values: Any, *, vertical: bool = True, least: float = 1e-6) -> None:
    """Limits that put zero in the middle."""
    finite = np.abs(np.asarray(values, float))
    finite = finite[np.isfinite(finite)]
    reach = max(least, 1.08 * float(finite.max())) if finite.size else least
    (axes.set_ylim if vertical else axes.set_xlim)(-reach, reach)


def blank(axes: Axes, text: str) -> None:
    """Say in words why there is nothing to draw."""
    axes.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=axes.transAxes)
    axes.set_axis_off()
