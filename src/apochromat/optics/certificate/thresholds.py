"""The numbers of the certificate, from its one declared file."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

TABLES = files("apochromat.optics.certificate")


@cache
def thresholds() -> dict[str, Any]:
    """The whole of `thresholds.toml`: version, lines, sampling, limits of each test, tolerances."""
    return tomllib.loads(TABLES.joinpath("thresholds.toml").read_text("utf-8"))


def line(name: str) -> float:
    """Wavelength of a spectral line g, F, e, d or C, nm."""
    return float(thresholds()["lines_nm"][name])


@cache
def line_wavelengths() -> np.ndarray:
    """Wavelengths g, F, e, C and between, nm, at which wavefront and lateral colour are sampled."""
    return np.array(thresholds()["sampling"]["lines_and_between_nm"])


@cache
def focus_wavelengths() -> np.ndarray:
    """Wavelengths (nm, rising) of the colour focus: the range in equal steps, and the lines."""
    sampling = thresholds()["sampling"]
    low, high = sampling["colour_focus_nm"]
    count = round((high - low) / sampling["colour_focus_step_nm"]) + 1
    return np.union1d(np.linspace(low, high, count), list(thresholds()["lines_nm"].values()))
