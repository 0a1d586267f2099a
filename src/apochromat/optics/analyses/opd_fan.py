"""OPD fans: optical path difference against pupil height, in waves of each wavelength, about that wavelength's own chief ray.

W. T. Welford, "Aberrations of Optical Systems", 1986, chapter 7, with the sign of `wavefront.py`: positive where the wavefront leads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._rays import across, field_labels, tangents
from apochromat.optics.analyses._result import Result
from apochromat.optics.analyses.ray_fan import draw_fans, fan_size_in
from apochromat.optics.lens import Lens
from apochromat.optics.trace import OK
from apochromat.optics.wavefront import opds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "OPD fans", 30


@dataclass(frozen=True)
class OpdFan(Result):
    """Path differences of F fields, W wavelengths, P pupil heights."""

    fields: np.ndarray  # (F, 2) as the lens declares them
    field_labels: tuple[str, ...]
    wavelengths_nm: np.ndarray  # (W,)
    pupil: np.ndarray  # (P,) relative height in the stop, -1 to 1
    tangential_waves: np.ndarray  # (F, W, P), nan where a ray does not arrive
    sagittal_waves: np.ndarray  # (F, W, P)


def compute(
    lens: Lens, config: int = 0, *, fields: Any = None, wavelengths_nm: Any = None, count: int = 61, defocus_mm: float = 0.0
) -> OpdFan:
    """Fans with `count` rays of fields (F, 2) in the plane of the widest of them, and wavelengths (W,); by default the lens's."""
    fields = np.asarray(lens.fields if fields is None else fields, float).reshape(-1, 2)
    wavelengths = np.asarray(lens.info.wavelengths_nm if wavelengths_nm is None else wavelengths_nm, float)
    height, slopes = np.linspace(-1, 1, count), tangents(lens, fields, config)
    along = across(slopes[np.argmax((slopes**2).sum(1))][None])[0]
    aside = np.array([along[1], -along[0]])
    pupil = np.concatenate([height[:, None] * along, height[:, None] * aside])
    waves, status = (np.asarray(v) for v in opds(lens, fields, wavelengths, pupil, config, defocus_mm))
    waves = np.where(status == OK, waves, np.nan)
    return OpdFan(fields, tuple(field_labels(lens, fields)), wavelengths, height, waves[..., :count], waves[..., count:])


def size_in(result: OpdFan) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return fan_size_in(result)


def draw(result: OpdFan, figure: Figure) -> None:
    """A row for each of at most four fields: tangential left, sagittal right, one scale for all."""
    draw_fans(figure, result, result.tangential_waves, result.sagittal_waves, "Path difference (waves)")
