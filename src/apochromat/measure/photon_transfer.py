"""Photon transfer: what a sensor is, from pairs of flat and dark frames.

Source: EMVA Standard 1288, "Standard for Characterization of Image Sensors and Cameras", release 3.0 (2010) and 4.0 Linear (2021),
sections 6 to 8. Variance is half that of a pair's difference, so that fixed pattern does not count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_GAIN_RANGE = 0.7  # of saturation: gain and responsivity are fitted up to here
_LINEARITY_RANGE = (0.05, 0.95)
_FLAT_SHARE = 0.5  # saturated frames scatter less than this share of the largest variance


class PhotonTransferError(ValueError):
    """Frames that photon transfer cannot be found from; one sentence: what was expected, what was found."""


@dataclass(frozen=True)
class PairStatistics:
    """Of two frames of the same light: mean in DN, temporal variance in DN^2, and the part of it that is common to a row."""

    mean: float
    variance: float
    row_variance: float


@dataclass(frozen=True)
class PhotonTransfer:
    """What pairs of frames say of a sensor; names and numbers of EMVA 1288, exposures in the unit they were given in.

    gain_dn_e: system gain K; responsivity_dn: DN per exposure (R); electrons_per_exposure: R / K, the quantum efficiency where
    exposures are photons per pixel; dark_noise_dn: with rounding; dark_noise_e: without it; row_noise_e: the part of it that is common
    to a row; saturation_index, saturation_exposure, saturation_e: of the largest variance; full_well_e: what the highest mean holds,
    nan where no frame is saturated; threshold_exposure: at which signal equals noise; dynamic_range: saturation over it;
    linearity_error_percent: lowest and highest departure from a line within 5 to 95 % of saturation.
    """

    gain_dn_e: float
    responsivity_dn: float
    electrons_per_exposure: float
    dark_noise_dn: float
    dark_noise_e: float
    row_noise_e: float
    saturation_index: int
    saturation_exposure: float
    saturation_e: float
    full_well_e: float
    snr_max: float
    threshold_exposure: float
    dynamic_range: float
    linearity_error_percent: tuple[float, float]


@dataclass(frozen=True)
class DarkCurrent:
    """Dark current in e-/s: from the rise of the mean, and from that of the variance (where the camera takes the mean off)."""

    from_mean_e_s: float
    from_variance_e_s: float


@dataclass(frozen=True)
class Nonuniformity:
    """What differs between pixels and stays: prnu as a share of the signal, dsnu_e in electrons, both r.m.s."""

    prnu: float
    dsnu_e: float


def pair_statistics(first: np.ndarray, second: np.ndarray) -> PairStatistics:
    """Of two frames (H, W) in DN taken alike; PhotonTransferError for unlike or too small ones."""
    if np.shape(first) != np.shape(second) or np.ndim(first) != 2 or min(np.shape(first)) < 2:
        raise PhotonTransferError(f"expected two frames of one shape of at least 2 x 2, found {np.shape(first)} and {np.shape(second)}")
    difference = np.subtract(first, second, dtype=np.float64)
    offset = float(difference.mean())
    variance = float(np.mean(np.square(difference)) - offset**2) / 2
    rows = float(np.var(difference.mean(axis=1))) / 2
    height, width = difference.shape
    row_variance = (rows * height / (height - 1) - variance / width) / (1 - 1 / width)
    return PairStatistics(float(np.mean(second, dtype=np.float64)) + offset / 2, variance, max(row_variance, 0.0))


def photon_transfer(exposures: Sequence[float], bright: Sequence[PairStatistics], dark: Sequence[PairStatistics]) -> PhotonTransfer:
    """Photon transfer of pairs at rising exposures (photons per pixel, electrons or s: at least 5, above 0, some beyond saturation).

    bright, dark: of the pair at each exposure and of a dark pair of the same exposure time; one dark pair serves for all.
    """
    exposure, mean, variance = _signal(exposures, bright, dark)
    last = int(np.argmax([b.variance for b in bright]))
    fitted = slice(0, max(int(np.searchsorted(exposure, _GAIN_RANGE * exposure[last], side="right")), 2))
    gain = _slope(mean[fitted], variance[fitted])
    responsivity = _slope(exposure[fitted], mean[fitted])
    if not (gain > 0 and responsivity > 0):
        raise PhotonTransferError(f"expected signal and variance that rise with exposure, found slopes {responsivity:g} and {gain:g}")
    per_exposure = responsivity / gain
    noise_dn = math.sqrt(dark[0].variance)
    least = (0.5 + math.sqrt(dark[0].variance / gain**2 + 0.25)) / per_exposure
    saturated = bright[-1].variance < _FLAT_SHARE * bright[last].variance
    return PhotonTransfer(
        gain_dn_e=gain,
        responsivity_dn=responsivity,
        electrons_per_exposure=per_exposure,
        dark_noise_dn=noise_dn,
        dark_noise_e=math.sqrt(max(dark[0].variance - 1 / 12, 0.0)) / gain,
        row_noise_e=math.sqrt(dark[0].row_variance) / gain,
        saturation_index=last,
        saturation_exposure=float(exposure[last]),
        saturation_e=float(exposure[last]) * per_exposure,
        full_well_e=float(mean.max()) / gain if saturated else math.nan,
        snr_max=math.sqrt(exposure[last] * per_exposure),
        threshold_exposure=least,
        dynamic_range=float(exposure[last]) / least,
        linearity_error_percent=_linearity_error(exposure, mean, exposure[last]),
    )


def _signal(
    exposures: Sequence[float], bright: Sequence[PairStatistics], dark: Sequence[PairStatistics]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exposures, and what light adds to mean and variance; checked."""
    exposure = np.asarray(exposures, float)
    if len(exposure) < 5 or len(bright) != len(exposure) or len(dark) not in (1, len(exposure)):
        raise PhotonTransferError(
            f"expected at least 5 exposures, a bright pair for each and a dark pair for each or for all, "
            f"found {len(exposure)}, {len(bright)} and {len(dark)}"
        )
    if not (np.all(np.isfinite(exposure)) and exposure[0] > 0 and np.all(np.diff(exposure) > 0)):
        raise PhotonTransferError("expected finite, rising exposures above 0, found others")
    mean = np.array([b.mean for b in bright]) - np.array([d.mean for d in dark])
    variance = np.array([b.variance for b in bright]) - np.array([d.variance for d in dark])
    return exposure, mean, variance


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Slope of the least-squares line through the origin; 0 where all x are."""
    square = float(x @ x)
    return float(x @ y) / square if square else 0.0


def _linearity_error(exposure: np.ndarray, mean: np.ndarray, saturation: float) -> tuple[float, float]:
    """Departures in % from the line of least relative deviations within 5 to 95 % of saturation (release 3.0, section 6.7)."""
    used = (exposure >= _LINEARITY_RANGE[0] * saturation) & (exposure <= _LINEARITY_RANGE[1] * saturation)
    if used.sum() < 3:
        return math.nan, math.nan
    x, y = exposure[used], mean[used]
    slope, offset = np.polyfit(x, y, 1, w=1 / y)
    error = 100 * (y - (offset + slope * x)) / (offset + slope * x)
    return float(error.min()), float(error.max())


def dark_current(times_s: Sequence[float], dark: Sequence[PairStatistics], gain_dn_e: float) -> DarkCurrent:
    """Dark current from dark pairs at at least 3 exposure times, s, and the gain K in DN/e- (EMVA 1288, section 7)."""
    times = np.asarray(times_s, float)
    if len(times) < 3 or len(dark) != len(times) or np.ptp(times) <= 0 or not gain_dn_e > 0:
        raise PhotonTransferError(f"expected dark pairs at at least 3 times and a gain above 0, found {len(dark)} at {len(times)} times")
    of_mean = np.polyfit(times, [d.mean for d in dark], 1)[0]
    of_variance = np.polyfit(times, [d.variance for d in dark], 1)[0]
    return DarkCurrent(float(of_mean / gain_dn_e), float(of_variance / gain_dn_e**2))


def nonuniformity(bright: Sequence[np.ndarray], dark: Sequence[np.ndarray], gain_dn_e: float) -> Nonuniformity:
    """Of at least 2 flat frames (H, W) at about half of saturation and as many dark ones, DN; gain in DN/e- (EMVA 1288, section 8).

    The temporal variance that is left in the mean of the frames is taken off.
    """
    if min(len(bright), len(dark)) < 2 or not gain_dn_e > 0:
        raise PhotonTransferError(f"expected at least 2 bright and 2 dark frames, found {len(bright)} and {len(dark)}")
    bright_mean, bright_spread = _spatial(bright)
    dark_mean, dark_spread = _spatial(dark)
    if bright_mean <= dark_mean:
        raise PhotonTransferError(f"expected bright frames above the dark ones, found means {bright_mean:g} and {dark_mean:g} DN")
    prnu = math.sqrt(max(bright_spread - dark_spread, 0.0)) / (bright_mean - dark_mean)
    return Nonuniformity(prnu, math.sqrt(max(dark_spread, 0.0)) / gain_dn_e)


def _spatial(frames: Sequence[np.ndarray]) -> tuple[float, float]:
    """Mean and spatial variance of like frames."""
    total, squares = np.zeros(np.shape(frames[0])), np.zeros(np.shape(frames[0]))
    for frame in frames:
        total += frame
        squares += np.square(frame, dtype=np.float64)
    count = len(frames)
    mean = total / count
    temporal = float(np.mean(squares - count * np.square(mean))) / (count - 1)
    return float(mean.mean()), float(np.var(mean)) - temporal / count
