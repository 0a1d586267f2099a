"""Zernike fit: the wavefront of each field at the primary wavelength in Noll's terms, over the open part of the pupil.

R. J. Noll, JOSA 66, 207 (1976): each term has unit variance over the unit disc. That disc is the stop where all of it is open, and the
ellipse in the stop that clear radii leave where they cut the beam, as with vignetting factors. Clipped and lost rays have no say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import WIDTH_IN, of_fields, symmetric, top_legend, zero_line
from apochromat.optics.analyses._open_pupil import open_pupil
from apochromat.optics.analyses._rays import field_labels, primary_nm, tangents
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import Lens
from apochromat.optics.pupil import rings
from apochromat.optics.trace import OK
from apochromat.optics.wavefront import opds, rms, zernike, zernike_fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Zernike fit", 32
RINGS, ARMS = 10, 24  # of the pupil quadrature
FIRST = 4  # Noll's number of defocus: piston and tilt are not drawn


@dataclass(frozen=True)
class ZernikeTerms(Result):
    """Coefficients of T terms of F fields."""

    fields: np.ndarray  # (F, 2) as the lens declares them
    field_labels: tuple[str, ...]
    wavelength_nm: float
    noll: np.ndarray  # (T,) number of each term, from 1
    waves: np.ndarray  # (F, T) RMS; nan for a field of which no ray arrives
    rms_waves: np.ndarray  # (F,) RMS of the wavefront about its mean
    residual_waves: np.ndarray  # (F,) RMS of what the terms leave
    pupil_middle: np.ndarray  # (F, 2) of the ellipse that the terms refer to, in the stop's unit disc
    pupil_half_axes: np.ndarray  # (F, 2) of it, along the field and across it


def compute(lens: Lens, config: int = 0, *, fields: Any = None, wavelength_nm: float | None = None, terms: int = 37) -> ZernikeTerms:
    """Terms of fields (F, 2) (default: the lens's) at one wavelength (default: the primary one), about the chief ray's point."""
    fields = np.asarray(lens.fields if fields is None else fields, float).reshape(-1, 2)
    wavelength = primary_nm(lens) if wavelength_nm is None else wavelength_nm
    disc, weights = rings(RINGS, ARMS)
    pupil = open_pupil(lens, tangents(lens, fields, config), wavelength, config)
    waves, status = (np.asarray(v)[:, 0] for v in opds(lens, fields, [wavelength], np.nan_to_num(pupil.points(disc)), config))
    weights = np.where(np.isfinite(pupil.middle[:, :1]), weights * (status == OK), np.nan)
    found = np.asarray(zernike_fit(waves, disc, weights, terms))
    left = waves - found @ zernike(disc, terms).T
    return ZernikeTerms(
        fields=fields,
        field_labels=tuple(field_labels(lens, fields)),
        wavelength_nm=float(wavelength),
        noll=np.arange(1, terms + 1),
        waves=found,
        rms_waves=np.asarray(rms(waves, weights)),
        residual_waves=np.sqrt((weights * left**2).sum(-1) / weights.sum(-1)),
        pupil_middle=pupil.middle,
        pupil_half_axes=pupil.half_axes,
    )


def size_in(result: ZernikeTerms) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, 3.1


def draw(result: ZernikeTerms, figure: Figure) -> None:
    """Waves RMS by the number of the term, from defocus on."""
    axes, shown = figure.subplots(), slice(FIRST - 1, None)
    for waves, style in zip(result.waves, of_fields(result.field_labels), strict=True):
        axes.plot(result.noll[shown], waves[shown], marker="o", markersize=2.5, **{**style, "linewidth": 0.7})
    zero_line(axes)
    symmetric(axes, result.waves[:, shown], least=0.01)
    axes.set(xlabel="Term (Noll's number)", ylabel=f"Waves RMS at {result.wavelength_nm:.0f} nm")
    top_legend(figure)
