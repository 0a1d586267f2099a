"""How an index relative to air changes with temperature: by Schott's constants where they are published, else by an assumed slope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# 1/K, where nothing is published: the medians of the glasses and of the plastics that have data
ASSUMED_GLASS, ASSUMED_PLASTIC = 3e-6, -1.1e-4  # change of the index
ASSUMED_GLASS_CTE, ASSUMED_PLASTIC_CTE = 7.3e-6, 6e-5  # expansion


def air_index(wavelength_nm: Any, temperature_c: float) -> Any:
    """Index of dry air at 101325 Pa: Kohlrausch's formula as in Schott TIE-19 and Zemax."""
    w2 = (wavelength_nm / 1000.0) ** 2
    at_15 = (6432.8 + 2949810 * w2 / (146 * w2 - 1) + 25540 * w2 / (41 * w2 - 1)) * 1e-8
    return 1 + at_15 / (1 + (temperature_c - 15) * 3.4785e-3)


@dataclass(frozen=True)
class Thermal:
    """Schott's six constants of the absolute index, or where nothing is published an assumed slope of the index relative to air."""

    temperature_c: float  # at which the catalogue's index holds
    schott: tuple[float, ...] | None  # D0, D1, D2, E0, E1, resonance in µm; None: not published
    assumed_per_k: float

    @property
    def status(self) -> Literal["published", "assumed"]:
        """Where the change comes from."""
        return "assumed" if self.schott is None else "published"

    def shift(self, index: Any, wavelength_nm: Any, temperature_c: float) -> Any:
        """Change of the index relative to air from the catalogue's temperature to another; TIE-19, integrated."""
        step = temperature_c - self.temperature_c
        if self.schott is None:
            return self.assumed_per_k * step + 0 * index
        d0, d1, d2, e0, e1, resonance = self.schott
        w2 = (wavelength_nm / 1000.0) ** 2
        bracket = d0 + step * (d1 + step * d2) + (e0 + e1 * step) / (w2 - resonance**2)
        absolute = index * air_index(wavelength_nm, self.temperature_c) + (index**2 - 1) / (2 * index) * bracket * step
        return absolute / air_index(wavelength_nm, temperature_c) - index
