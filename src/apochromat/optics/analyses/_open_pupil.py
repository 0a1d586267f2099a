"""The ellipse in the stop that apertures leave of each field's beam: vignetting factors, found by rays.

Its axes are the open chords along the field, through the middle of the stop, and across it, through the middle of the first: a whole disc
is found whole, the overlap of two circles by its extremes. A little of the ellipse may be clipped, and a little light lie outside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from apochromat.optics.analyses._rays import POINTS, across, rays
from apochromat.optics.lens import Lens

RIM = 1 - 1e-6  # where the outermost rays of a chord are looked at: rounding clips those that touch a clear radius
PROBES = np.linspace(-1, 1, 2 * POINTS)


class OpenPupil(NamedTuple):
    """Ellipses in the unit disc of the stop, one for each field; nan where no ray arrives."""

    middle: np.ndarray  # (F, 2)
    half_axes: np.ndarray  # (F, 2) along the field and across it
    ways: np.ndarray  # (F, 2, 2) unit vectors along the field and across it

    def points(self, disc: np.ndarray) -> np.ndarray:
        """Points (F, P, 2) of the ellipses for points (P, 2) of the unit disc: stretched along the axes, not turned."""
        return self.middle[:, None] + np.einsum("pi,fki,fk,fkj->fpj", disc, self.ways, self.half_axes, self.ways)


def open_pupil(lens: Lens, slopes: np.ndarray, wavelength_nm: float, config: int = 0) -> OpenPupil:
    """The open ellipses of fields by their tangents (F, 2)."""
    along = across(slopes)
    aside = np.stack([along[:, 1], -along[:, 0]], -1)
    high = _chord(lens, slopes, wavelength_nm, config, np.zeros_like(along), along)
    middle = high.mean(1)[:, None] * along
    wide = _chord(lens, slopes, wavelength_nm, config, np.nan_to_num(middle), aside)
    half_axes = np.ptp(np.stack([high, wide], 1), axis=-1) / 2
    return OpenPupil(middle + wide.mean(1)[:, None] * aside, half_axes, np.stack([along, aside], 1))


def _chord(lens: Lens, slopes: np.ndarray, wavelength_nm: float, config: int, through: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Where the light on a chord of the stop begins and ends (F, 2), from the point (F, 2) nearest to the middle that it leads through."""
    reach = np.sqrt(np.maximum(1 - (through**2).sum(1), 0))[:, None]

    def passes(places: np.ndarray) -> np.ndarray:
        pupil = through[:, None] + places[..., None] * way[:, None]
        return rays(lens, slopes, wavelength_nm, RIM * pupil, config).ok[:, 0]

    places = reach * PROBES
    return np.stack([_last(passes, places[:, ::-1]), _last(passes, places)], -1)


def _last(passes: Callable[[np.ndarray], np.ndarray], places: np.ndarray) -> np.ndarray:
    """The last place (F,) in a row (F, K) of them whose ray passes, to a thirtieth of their step; nan where none does."""
    ok, row = passes(places), np.arange(len(places))
    last = places.shape[1] - 1 - np.argmax(ok[:, ::-1], axis=1)
    here, there = places[row, last], places[row, np.minimum(last + 1, places.shape[1] - 1)]
    between = here[:, None] + (there - here)[:, None] * np.linspace(0, 1, POINTS)
    finer = POINTS - 1 - np.argmax(passes(between)[:, ::-1], axis=1)
    return np.where(ok.any(1), between[row, finer], np.nan)
