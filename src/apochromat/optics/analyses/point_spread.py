"""Point spread: polychromatic image of a point for each field on the sensor's pixels, relative to its brightest pixel.

By `psf.py`, diffraction included, weighted by the lens's wavelength weights. Where no pixel is declared, samples are lambda N / 4 apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import WIDTH_IN
from apochromat.optics.analyses._rays import field_labels, primary_nm
from apochromat.optics.analyses._result import Result
from apochromat.optics.focus import working_f_number
from apochromat.optics.lens import Lens
from apochromat.optics.psf import psf

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Point spread", 35
FAINTEST = 1e-4  # of the brightest pixel, that is drawn


@dataclass(frozen=True)
class PointSpread(Result):
    """Images of F points."""

    fields: np.ndarray  # (F, 2) as the lens declares them
    field_labels: tuple[str, ...]
    pitch_um: float
    centre_mm: np.ndarray  # (F, 2) of the middle pixel [size // 2, size // 2]
    values: np.ndarray  # (F, size, size) share of an unvignetted pupil's light in each pixel, rows along y
    energy: np.ndarray  # (F,) share that passes all apertures
    residual_waves: float  # RMS that the fit to the traced paths leaves, at worst


def compute(lens: Lens, config: int = 0, *, fields: Any = None, pixel_um: float | None = None, size: int = 32) -> PointSpread:
    """Images of fields (F, 2) (default: the lens's) on size x size pixels (default pitch: the sensor's)."""
    fields = np.asarray(lens.fields if fields is None else fields, float).reshape(-1, 2)
    wavelength, weights = primary_nm(lens), np.asarray(lens.info.weights, float)
    pitch = pixel_um or lens.info.pixel_um or wavelength * 1e-3 * float(working_f_number(lens, config, wavelength)) / 4
    found = psf(lens, fields, None, pitch, size, config)
    energy = np.asarray(found.energy) @ (weights / weights.sum())
    values, worst = np.asarray(found.polychromatic(weights)), float(np.max(found.residual_waves))
    return PointSpread(fields, tuple(field_labels(lens, fields)), pitch, np.asarray(found.centre_mm), values, energy, worst)


def size_in(result: PointSpread) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 0.7 + 1.35 * -(-len(result.fields) // 3)


def draw(result: PointSpread, figure: Figure) -> None:
    """One square for each field, on a logarithmic scale of brightness."""
    from matplotlib.colors import LogNorm

    count, size = len(result.fields), result.values.shape[1]
    columns = min(3, count)
    grid = figure.subplots(-(-count // columns), columns, squeeze=False)
    reach = np.array([-0.5 - size // 2, size - 0.5 - size // 2]) * result.pitch_um
    for i, axes in enumerate(grid.ravel()):
        if i >= count:
            axes.set_axis_off()
            continue
        relative = np.maximum(result.values[i] / max(result.values[i].max(), 1e-30), FAINTEST)
        norm = LogNorm(FAINTEST, 1)
        shown = axes.imshow(relative, origin="lower", extent=(*reach, *reach), norm=norm, cmap="magma", interpolation="nearest")
        axes.set_title(f"{result.field_labels[i]}\n{result.energy[i]:.0%} of the light", fontsize=8)
        axes.tick_params(labelsize=7, labelleft=i % columns == 0, labelbottom=i >= count - columns)
    figure.colorbar(shown, ax=grid, shrink=0.8, aspect=30).set_label("Relative irradiance", fontsize=8)
    figure.supxlabel(f"x (µm), pixels of {result.pitch_um:.3g} µm", fontsize=9)
    figure.supylabel("y (µm)", fontsize=9)
