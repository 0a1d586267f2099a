"""Capture sharpening: the blur of lens and pixels undone in linear luminance, limited by noise, without halos.

Source: van Cittert, "Zum Einfluss der Spaltbreite auf die Intensitaetsverteilung in Spektrallinien II", Z. Physik 69 (1931).
"""

from __future__ import annotations

import numpy as np

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development

LUMINANCE = np.array([0.2627, 0.6780, 0.0593])  # of linear Rec.2020
TAPS = 4  # of the blur: the centre and three to each side
ASSUMED_NOISE = 1e-6  # variance of luminance where no noise model is known


class SharpenParams(Params):
    amount: float = parameter(0.7, "Share of the blur to undo; 0 = off.", ge=0, le=1)
    radius: float = parameter(0.65, "Standard deviation of the blur of lens and pixels.", ge=0.4, le=1.2, unit="px")


def blur_taps(radius: float) -> np.ndarray:
    """(2, 4) float32: taps 0..3 of the Gaussian of `radius` pixels, and of it applied twice; cut to 7 taps that add to one."""
    once = np.exp(-np.square(np.arange(1 - TAPS, TAPS) / radius) / 2)
    twice = np.convolve(once, once)[TAPS - 1 : 1 - TAPS]
    return np.ascontiguousarray([taps[TAPS - 1 :] / taps.sum() for taps in (once, twice)], np.float32)


def noise_gain(blur: np.ndarray) -> float:
    """Variance of the detail that white noise of variance 1 leaves."""
    once, twice = (np.concatenate([taps[:0:-1], taps]) for taps in blur.astype(np.float64))
    response = np.outer(twice, twice) - 3 * np.outer(once, once)
    response[TAPS - 1, TAPS - 1] += 2
    return float(np.square(response).sum())


def luminance_noise(development: Development) -> tuple[float, float]:
    """(a, b): variance a Y + b of working luminance Y at neutral pixels; spatial gains (lens shading) are left out."""
    if development.noise is None:
        return 0.0, ASSUMED_NOISE
    matrix = np.asarray(development.finish.get("camera_to_working", np.eye(3)), np.float64)
    share = np.square(LUMINANCE @ matrix) * development.facts.get("noise_after_denoise", 1.0)
    return float(share @ (development.wb * development.noise.scale)), float(share @ (development.wb**2 * development.noise.offset))


def run(development: Development, params: SharpenParams) -> Development:
    """Arguments of the finishing kernel; it acts on linear working RGB, after fringes and before exposure."""
    blur = blur_taps(params.radius)
    a, b = (noise_gain(blur) * value for value in luminance_noise(development))
    return development.with_finish(sharpen_amount=params.amount, sharpen_blur=blur, sharpen_noise_a=a, sharpen_noise_b=b)


OFF = {"sharpen_amount": 0.0, "sharpen_blur": blur_taps(0.65), "sharpen_noise_a": 0.0, "sharpen_noise_b": 0.0}

STAGE = Stage(
    name="sharpen",
    order=140,
    summary="Undoes the blur of lens and pixels without halos or amplified noise",
    params=SharpenParams,
    run=run,
    source="van Cittert 1931",
    neutral={"amount": 0.0},
)
