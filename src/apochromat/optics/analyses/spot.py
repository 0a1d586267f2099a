"""Spot diagram: where the rays of each field land on the image, about the centroid of all wavelengths together.

RMS radii are weighted by the Gaussian quadrature of the pupil (Forbes 1988) and by the lens's wavelength weights. Clipped rays are left
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import INK, WIDTH_IN, of_wavelengths, top_legend
from apochromat.optics.analyses._rays import field_labels, primary_nm, rays, require_any, tangents
from apochromat.optics.analyses._result import Result
from apochromat.optics.focus import working_f_number
from apochromat.optics.lens import Lens
from apochromat.optics.pupil import rings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Spot diagram", 10


@dataclass(frozen=True)
class Spot(Result):
    """Ray positions about the polychromatic centroid of their field, and sizes of the spots."""

    fields: np.ndarray  # (F, 2) as the lens declares them
    field_labels: tuple[str, ...]
    wavelengths_nm: np.ndarray  # (W,)
    x_um: np.ndarray  # (F, W, P), nan where a ray does not arrive
    y_um: np.ndarray
    centroid_mm: np.ndarray  # (F, 2) on the image
    rms_um: np.ndarray  # (F,) radius, all wavelengths
    rms_per_wavelength_um: np.ndarray  # (F, W) about each wavelength's own centroid
    extent_um: np.ndarray  # (F,) the farthest ray
    arrived: np.ndarray  # (F, W) share of the pupil
    airy_um: float  # radius of the first dark ring on axis, primary wavelength


def compute(lens: Lens, config: int = 0, *, fields: Any = None, wavelengths_nm: Any = None, ring_count: int = 6, arms: int = 20) -> Spot:
    """Spots of fields (F, 2) (default: the lens's) at wavelengths (W,) (default: the lens's, with its weights)."""
    fields = np.asarray(lens.fields if fields is None else fields, float).reshape(-1, 2)
    own = wavelengths_nm is None
    wavelengths = np.asarray(lens.info.wavelengths_nm if own else wavelengths_nm, float)
    colour_weights = np.asarray(lens.info.weights if own else np.ones(len(wavelengths)), float)
    points, pupil_weights = rings(ring_count, arms)
    found = rays(lens, tangents(lens, fields, config), wavelengths, points, config)
    require_any(found, lens, "a spot diagram")
    weight = found.ok * pupil_weights * colour_weights[:, None]
    centre = _mean(found.landed, weight, (1, 2))
    moved = (found.landed - centre[:, None, None]) * 1e3
    about_own = moved - _mean(moved, weight, (2,))[:, :, None]
    return Spot(
        fields=fields,
        field_labels=tuple(field_labels(lens, fields)),
        wavelengths_nm=wavelengths,
        x_um=moved[..., 0],
        y_um=moved[..., 1],
        centroid_mm=centre,
        rms_um=np.sqrt(_mean(moved**2, weight, (1, 2)).sum(-1)),
        rms_per_wavelength_um=np.sqrt(_mean(about_own**2, weight, (2,)).sum(-1)),
        extent_um=np.sqrt(np.nan_to_num(moved**2).sum(-1).max((1, 2))),
        arrived=(found.ok * pupil_weights).sum(-1),
        airy_um=1.22 * primary_nm(lens) * 1e-3 * float(working_f_number(lens, config, primary_nm(lens))),
    )


def _mean(values: np.ndarray, weight: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Weighted mean of (F, W, P, K) over some of the first axes; nan where nothing arrives."""
    total = weight.sum(axes)[..., None]
    return np.where(total > 0, (np.nan_to_num(values) * weight[..., None]).sum(axes) / np.where(total > 0, total, 1), np.nan)


def draw(result: Spot, figure: Figure) -> None:
    """One square for each field, all to one scale; the Airy disc on axis as a circle."""
    count = len(result.fields)
    columns = min(3, count)
    grid = figure.subplots(-(-count // columns), columns, squeeze=False)
    reach = 1.05 * max(float(np.nanmax(result.extent_um)), 1.2 * result.airy_um)
    for i, axes in enumerate(grid.ravel()):
        if i >= count:
            axes.set_axis_off()
            continue
        for j, style in enumerate(of_wavelengths(result.wavelengths_nm)):
            label = style["label"] if i == 0 else None
            axes.plot(result.x_um[i, j], result.y_um[i, j], ".", ms=2, alpha=0.8, color=style["color"], label=label)
        angle = np.linspace(0, 2 * np.pi, 60)
        axes.plot(result.airy_um * np.cos(angle), result.airy_um * np.sin(angle), color=INK, linewidth=0.8)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axes.set_title(f"{result.field_labels[i]}\nRMS {result.rms_um[i]:.2g} µm", fontsize=8)
        axes.tick_params(labelsize=7, labelleft=i % columns == 0, labelbottom=i >= count - columns)
    figure.supxlabel("x (µm)", fontsize=9)
    figure.supylabel("y (µm)", fontsize=9)
    top_legend(figure, markerscale=4, handletextpad=0.2)


def size_in(result: Spot) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 0.7 + 1.7 * -(-len(result.fields) // 3)
