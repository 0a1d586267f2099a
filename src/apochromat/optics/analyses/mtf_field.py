"""MTF against field: polychromatic, sagittal and tangential, at three frequencies in the image plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, WIDTH_IN, top_legend
from apochromat.optics.analyses._rays import field_axis, primary_nm, widest_field
from apochromat.optics.analyses._result import Result
from apochromat.optics.focus import working_f_number
from apochromat.optics.lens import Lens
from apochromat.optics.mtf import mtf

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "MTF against field", 45
OF_NYQUIST = np.array([0.0625, 0.125, 0.25])  # frequencies, by the pixel's Nyquist frequency
OF_CUT_OFF = np.array([0.05, 0.1, 0.2])  # or by the cut-off, where no pixel is declared


@dataclass(frozen=True)
class MtfField(Result):
    """Modulation of F fields at K frequencies."""

    field: np.ndarray  # (F,) degrees or mm, as the lens declares fields
    field_axis: str
    frequency_per_mm: np.ndarray  # (K,) cycles per mm on the image
    sagittal: np.ndarray  # (F, K)
    tangential: np.ndarray  # (F, K)


def compute(lens: Lens, config: int = 0, *, frequencies_per_mm: Any = None, count: int = 9) -> MtfField:
    """MTF at `count` fields from the axis to the widest one."""
    usual = frequencies_per_mm is None
    frequencies = usual_frequencies(lens, config) if usual else np.asarray(frequencies_per_mm, float)
    part = np.linspace(0, 1, count)
    widest = widest_field(lens)
    found = np.asarray(mtf(lens, frequencies, part[:, None] * widest, config=config))
    return MtfField(part * np.hypot(*widest), field_axis(lens), frequencies, found[:, 0], found[:, 1])


def usual_frequencies(lens: Lens, config: int) -> np.ndarray:
    """Frequencies (3,), cycles per mm: shares of the pixel's Nyquist frequency, or of the cut-off where no pixel is declared."""
    if lens.info.pixel_um:
        return OF_NYQUIST * 500 / lens.info.pixel_um
    wavelength = primary_nm(lens)
    return OF_CUT_OFF / (wavelength * 1e-6 * float(working_f_number(lens, config, wavelength)))


def size_in(result: MtfField) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 3.1


def draw(result: MtfField, figure: Figure) -> None:
    """A colour for each frequency, sagittal solid, tangential dashed."""
    axes = figure.subplots()
    for j, frequency in enumerate(result.frequency_per_mm):
        axes.plot(result.field, result.sagittal[:, j], color=CYCLE[j % 6], label=f"{frequency:.0f} cycles/mm")
        axes.plot(result.field, result.tangential[:, j], color=CYCLE[j % 6], linestyle="--")
    axes.set(xlabel=result.field_axis, ylabel="MTF (solid sagittal, dashed tangential)", ylim=(0, 1.02), xlim=(0, result.field[-1] or 1))
    top_legend(figure)
