"""The stand-in sensor of the certificate: what its pixels make of wavelengths, and how colour is told from them."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import numpy as np

from apochromat.optics.certificate.thresholds import TABLES


class Sensor:
    """Spectral weights of white-balanced R, G, B under the declared illuminant, the pixel's aperture, and CIELAB from clipped values."""

    def __init__(self, table: dict[str, Any]) -> None:
        first, last, step = table["wavelengths_nm"]
        self.name, self.status = str(table["name"]), str(table["status"])
        self.pixel_aperture = float(table["pixel_aperture"])
        self.wavelengths_nm = np.arange(first, last + step / 2, step)
        response = np.array([table["response"][c] for c in "RGB"]) * np.array(table["illuminant_power"])
        self.weights = response / response.sum(1, keepdims=True)  # (3, W), each adds to one
        self._matrix = np.array(table["colour"]["matrix"])

    @property
    def statement(self) -> str:
        """One sentence that says what this sensor is."""
        return f"Tests 5 and 6 use {self.name}: {self.status} spectral responses, no real sensor."

    def neutral(self, wavelengths_nm: np.ndarray) -> np.ndarray:
        """Weights (W,), which add to one, of unequally spaced wavelengths in the sum of the three channels."""
        density = np.interp(wavelengths_nm, self.wavelengths_nm, self.weights.sum(0), left=0, right=0)
        weights = density * np.gradient(wavelengths_nm)
        return np.asarray(weights / weights.sum())

    def chroma_plane(self, values: np.ndarray) -> np.ndarray:
        """CIELAB a*, b* (2, ...) of white-balanced values (3, ...), clipped at 1, which is white (CIE 15:2018)."""
        xyz = np.tensordot(self._matrix, np.clip(values, 0, 1), 1)
        white = self._matrix.sum(1).reshape(3, *[1] * (values.ndim - 1))
        t = xyz / white
        f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
        return np.stack([500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@cache
def stand_in() -> Sensor:
    """The sensor of `sensor.toml`."""
    return Sensor(tomllib.loads(TABLES.joinpath("sensor.toml").read_text("utf-8")))
