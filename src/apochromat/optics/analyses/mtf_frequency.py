"""MTF against frequency: polychromatic, sagittal and tangential, for each field in the image plane.

Diffraction MTF by `mtf.py`, weighted by the lens's wavelength weights; the dotted line is that of a perfect lens of the same working
f-number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, INK, WIDTH_IN, top_legend
from apochromat.optics.analyses._rays import field_labels, primary_nm
from apochromat.optics.analyses._result import Result
from apochromat.optics.focus import working_f_number
from apochromat.optics.lens import Lens
from apochromat.optics.mtf import mtf

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "MTF against frequency", 40
HALF_CUT_OFF = 0.5  # frequencies go up to this share of the cut-off where no pixel is declared


@dataclass(frozen=True)
class MtfFrequency(Result):
    """Modulation of F fields at K frequencies."""

    fields: np.ndarray  # (F, 2) as the lens declares them
    field_labels: tuple[str, ...]
    frequency_per_mm: np.ndarray  # (K,) cycles per mm on the image
    sagittal: np.ndarray  # (F, K)
    tangential: np.ndarray  # (F, K)
    perfect: np.ndarray  # (K,)


def compute(lens: Lens, config: int = 0, *, fields: Any = None, highest_per_mm: float | None = None, count: int = 25) -> MtfFrequency:
    """MTF at `count` frequencies up to `highest_per_mm` (default: half the Nyquist frequency of the pixel, or half the cut-off)."""
    fields = np.asarray(lens.fields if fields is None else fields, float).reshape(-1, 2)
    wavelength = primary_nm(lens)
    f_number = float(working_f_number(lens, config, wavelength))
    cut_off = 1 / (wavelength * 1e-6 * f_number)
    native = 250 / lens.info.pixel_um if lens.info.pixel_um else HALF_CUT_OFF * cut_off
    frequency = np.linspace(0, min(native, cut_off) if highest_per_mm is None else highest_per_mm, count)
    found = np.asarray(mtf(lens, frequency, fields, config=config))
    perfect = perfect_mtf(lens, frequency, f_number)
    return MtfFrequency(fields, tuple(field_labels(lens, fields)), frequency, found[:, 0], found[:, 1], perfect)


def perfect_mtf(lens: Lens, frequency_per_mm: np.ndarray, f_number: float) -> np.ndarray:
    """MTF (K,) of a circular pupil without aberration, the lens's wavelengths averaged by weight (Goodman, section 6.3)."""
    waves, weights = np.array(lens.info.wavelengths_nm) * 1e-6, np.array(lens.info.weights)
    part = np.minimum(frequency_per_mm * waves[:, None] * f_number, 1)
    return weights / weights.sum() @ (2 / np.pi * (np.arccos(part) - part * np.sqrt(1 - part**2)))


def size_in(result: MtfFrequency) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 3.3


def draw(result: MtfFrequency, figure: Figure) -> None:
    """A colour for each field, sagittal solid, tangential dashed."""
    axes = figure.subplots()
    axes.plot(result.frequency_per_mm, result.perfect, color=INK, linestyle=":", label="perfect lens")
    for i, label in enumerate(result.field_labels):
        axes.plot(result.frequency_per_mm, result.sagittal[i], color=CYCLE[i % 6], label=label)
        axes.plot(result.frequency_per_mm, result.tangential[i], color=CYCLE[i % 6], linestyle="--")
    axes.set(xlabel="Frequency (cycles/mm)", ylabel="MTF (solid sagittal, dashed tangential)")
    axes.set(ylim=(0, 1.02), xlim=(0, result.frequency_per_mm[-1]))
    top_legend(figure)
