"""MTF through focus: polychromatic, sagittal and tangential, for each field at one frequency over the depth of focus.

Diffraction MTF by `mtf.py`, weighted by the lens's wavelength weights, in planes before and behind the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, INK, WIDTH_IN, top_legend, zero_line
from apochromat.optics.analyses._rays import field_labels
from apochromat.optics.analyses._result import Result
from apochromat.optics.analyses.mtf_field import usual_frequencies
from apochromat.optics.focus import depth_of_focus
from apochromat.optics.lens import Lens
from apochromat.optics.mtf import through_focus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "MTF through focus", 47
REACH = 3.0  # depths of focus either way


@dataclass(frozen=True)
class MtfFocus(Result):
    """Modulation of F fields in Z planes at one frequency."""

    fields: np.ndarray  # (F, 2) as the lens declares them
    field_labels: tuple[str, ...]
    frequency_per_mm: float  # cycles per mm on the image
    focus_um: np.ndarray  # (Z,) of the plane from the image, positive away from the lens
    depth_um: float  # of focus, half the range
    sagittal: np.ndarray  # (F, Z)
    tangential: np.ndarray  # (F, Z)


def compute(lens: Lens, config: int = 0, *, fields: Any = None, frequency_per_mm: float | None = None, count: int = 25) -> MtfFocus:
    """MTF in `count` planes (default frequency: a quarter of the pixel's Nyquist frequency, or a fifth of the cut-off)."""
    fields = np.asarray(lens.fields if fields is None else fields, float).reshape(-1, 2)
    frequency = float(usual_frequencies(lens, config)[-1] if frequency_per_mm is None else frequency_per_mm)
    depth = float(depth_of_focus(lens, config))
    planes = np.linspace(-REACH, REACH, count) * depth
    found = np.asarray(through_focus(lens, [frequency], planes, fields, config=config))[..., 0]
    labels = tuple(field_labels(lens, fields))
    return MtfFocus(fields, labels, frequency, planes * 1e3, depth * 1e3, found[:, :, 0].T, found[:, :, 1].T)


def size_in(result: MtfFocus) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 3.3


def draw(result: MtfFocus, figure: Figure) -> None:
    """A colour for each field, sagittal solid, tangential dashed; the depth of focus shaded."""
    axes = figure.subplots()
    axes.axvspan(-result.depth_um, result.depth_um, color=INK, alpha=0.18, linewidth=0)
    zero_line(axes, vertical=True)
    for i, label in enumerate(result.field_labels):
        axes.plot(result.focus_um, result.sagittal[i], color=CYCLE[i % 6], label=label)
        axes.plot(result.focus_um, result.tangential[i], color=CYCLE[i % 6], linestyle="--")
    axes.set(xlabel="Focus from the image (µm)", ylabel="MTF (solid sagittal, dashed tangential)")
    axes.set(ylim=(0, 1.02), xlim=(result.focus_um[0], result.focus_um[-1]))
    axes.set_title(f"{result.frequency_per_mm:.0f} cycles/mm; shaded: depth of focus", loc="left")
    top_legend(figure)
