"""Ray fans: transverse aberration on the image against pupil height, from the chief ray of the primary wavelength.

Tangential: displacement along the field's direction for rays in the meridional section. Sagittal: displacement across it for rays in the
section at right angles. Pupil heights are those in the stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import WIDTH_IN, of_wavelengths, symmetric, top_legend, zero_line
from apochromat.optics.analyses._rays import across, field_labels, primary_nm, rays, require_any, tangents
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Ray fans", 20


@dataclass(frozen=True)
class RayFan(Result):
    """Transverse aberrations of F fields, W wavelengths, P pupil heights."""

    fields: np.ndarray  # (F, 2) as the lens declares them
    field_labels: tuple[str, ...]
    wavelengths_nm: np.ndarray  # (W,)
    pupil: np.ndarray  # (P,) relative height in the stop, -1 to 1
    tangential_um: np.ndarray  # (F, W, P), nan where a ray does not arrive
    sagittal_um: np.ndarray  # (F, W, P)


def compute(lens: Lens, config: int = 0, *, fields: Any = None, wavelengths_nm: Any = None, count: int = 61) -> RayFan:
    """Fans with `count` rays of fields (F, 2) and wavelengths (W,); by default the lens's."""
    fields = np.asarray(lens.fields if fields is None else fields, float).reshape(-1, 2)
    wavelengths = np.asarray(lens.info.wavelengths_nm if wavelengths_nm is None else wavelengths_nm, float)
    height, slopes = np.linspace(-1, 1, count), tangents(lens, fields, config)
    along = across(slopes)
    aside = np.stack([along[:, 1], -along[:, 0]], -1)
    pupil = np.concatenate([height[:, None] * along[:, None], height[:, None] * aside[:, None]], 1)
    found = rays(lens, slopes, wavelengths, pupil, config)
    require_any(found, lens, "ray fans")
    chief = rays(lens, slopes, primary_nm(lens), np.zeros((1, 2)), config, apertures=False)
    moved = (found.landed - chief.landed) * 1e3
    return RayFan(
        fields=fields,
        field_labels=tuple(field_labels(lens, fields)),
        wavelengths_nm=wavelengths,
        pupil=height,
        tangential_um=np.einsum("fwpk,fk->fwp", moved[:, :, :count], along),
        sagittal_um=np.einsum("fwpk,fk->fwp", moved[:, :, count:], aside),
    )


def draw(result: RayFan, figure: Figure) -> None:
    """A row for each of at most four fields: tangential left, sagittal right, one scale for all."""
    draw_fans(figure, result, result.tangential_um, result.sagittal_um, "Displacement (µm)")


def draw_fans(figure: Figure, result: Any, tangential: np.ndarray, sagittal: np.ndarray, label: str) -> None:
    """Rows of pairs of fans (F, W, P) over the pupil, of at most four fields from the axis to the edge."""
    chosen = np.unique(np.linspace(0, len(result.fields) - 1, min(4, len(result.fields))).round().astype(int))
    grid = figure.subplots(len(chosen), 2, squeeze=False, sharex=True)
    for row, i in enumerate(chosen):
        for axes, values in zip(grid[row], (tangential, sagittal), strict=True):
            for j, style in enumerate(of_wavelengths(result.wavelengths_nm)):
                axes.plot(result.pupil, values[i, j], **{**style, "label": style["label"] if row == 0 and values is tangential else None})
            zero_line(axes)
            zero_line(axes, vertical=True)
            symmetric(axes, [tangential[chosen], sagittal[chosen]])
            axes.set_xlim(-1, 1)
        grid[row][1].tick_params(labelleft=False)
        grid[row][0].set_title(f"{result.field_labels[i]}  tangential", loc="left", fontsize=8)
        grid[row][1].set_title("sagittal", loc="left", fontsize=8)
    figure.supxlabel("Relative height in the stop", fontsize=9)
    figure.supylabel(label, fontsize=9)
    top_legend(figure)


def size_in(result: RayFan) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return fan_size_in(result)


def fan_size_in(result: Any) -> tuple[float, float]:
    """Width and height in inches of a figure of `draw_fans`."""
    return WIDTH_IN, 0.8 + 1.3 * min(4, len(result.fields))
