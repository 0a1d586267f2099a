"""Tables of spectra on the grid `GRID_NM`: observer, lights, reflectances; and what the eye makes of a spectrum.

The tables lie beside this file as CSV, each with its source in the first line; `examples/spectra/build_spectra.py` writes them.
Arrays are float64, shared and read-only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

import numpy as np

from apochromat.light.spectrum import GRID_NM, STEP_NM

EFFICACY_LM_W = 683.0  # photopic luminous efficacy at 540 THz (SI: 683 lm/W, CIE 18)
_PLANCK_NM_K = 1.438776877e7  # second radiation constant (CODATA 2018)
_D_CORRECTION = 1.4388 / 1.4380  # CIE 15: D50 is at 5003 K on today's temperature scale
_NEON_LINES = {  # nm: strength; wavelengths measured (NIST), strengths of a discharge tube assumed (0.5 to 2 times)
    585.2: 8, 588.2: 4, 594.5: 3, 597.6: 2, 603.0: 2, 607.4: 4, 609.6: 5, 614.3: 8, 616.4: 3, 621.7: 3, 626.6: 5, 630.5: 2, 633.4: 7,
    638.3: 7, 640.2: 14, 650.7: 8, 653.3: 3, 659.9: 4, 667.8: 6, 671.7: 2, 692.9: 4, 703.2: 9, 717.4: 1, 724.5: 3,
}  # fmt: skip


class SpectrumError(ValueError):
    """A spectrum that is not known or not usable; the message is one sentence."""


@cache
def _table(name: str) -> dict[str, np.ndarray]:
    """Columns (71,) of one CSV by their names."""
    text = resources.files(__package__).joinpath("spectra", f"{name}.csv").read_text()
    head, *rows = [line for line in text.splitlines() if not line.startswith("#")]
    numbers = np.array([[float(v) for v in row.split(",")] for row in rows])
    assert np.array_equal(numbers[:, 0], GRID_NM), name
    numbers.flags.writeable = False
    return dict(zip(head.split(",")[1:], numbers[:, 1:].T, strict=True))


@cache
def _stacked(*tables: str) -> np.ndarray:
    """All columns of the tables as read-only rows (n, 71)."""
    rows = np.stack([column for table in tables for column in _table(table).values()])
    rows.flags.writeable = False
    return rows


def colour_matching() -> np.ndarray:
    """CIE 1931 colour matching functions x, y, z of the 2 degree observer (3, 71). Source: ISO/CIE 11664-1."""
    return _stacked("colour_matching")


def xyz(radiance: np.ndarray) -> np.ndarray:
    """Tristimulus values (..., 3) of spectral radiance (..., 71) in W/(sr m^2 nm): Y is the luminance in cd/m^2."""
    return EFFICACY_LM_W * STEP_NM * (np.asarray(radiance) @ colour_matching().T)


def luminance(radiance: np.ndarray) -> np.ndarray:
    """Luminance (...), cd/m^2, of spectral radiance (..., 71) in W/(sr m^2 nm)."""
    return EFFICACY_LM_W * STEP_NM * (np.asarray(radiance) @ colour_matching()[1])


def illuminant_names() -> list[str]:
    """Names of the tabulated lights; `illuminant` also takes D and P with a colour temperature."""
    return [*_table("illuminants"), "neon"]


@cache
def illuminant(name: str) -> np.ndarray:
    """Spectrum (71,) of a light, scaled to a luminance of 1 cd/m^2.

    name: A, D50, D55, D65, D75, E, F2, F7, F11, F12, HP1 to HP3 (high-pressure sodium), LED-B1 ... LED-V2 (CIE 15:2018), neon (the
    red discharge tube), D and a colour temperature of 4000 to 25000 K as in D5600 (CIE daylight), P and 1000 to 25000 K as in P2700
    (Planck's black body). Raises SpectrumError for any other.
    """
    found = _light(name)
    found = found / luminance(found)
    found.flags.writeable = False
    return found


def _light(name: str) -> np.ndarray:
    if name in _table("illuminants"):
        return _table("illuminants")[name]
    if name == "neon":
        return _lines(_NEON_LINES)
    kind = re.fullmatch(r"([DP])(\d{4,5})K?", name)
    if kind and kind[1] == "D" and 4000 <= int(kind[2]) <= 25000:
        return daylight(float(kind[2]))
    if kind and kind[1] == "P" and 1000 <= int(kind[2]) <= 25000:
        return 1.0 / (GRID_NM**5 * np.expm1(_PLANCK_NM_K / (GRID_NM * float(kind[2])))) * 1e15
    known = ", ".join(illuminant_names())
    raise SpectrumError(f"expected a light among {known}, D4000 to D25000 or P1000 to P25000, found {name!r}")


def daylight(kelvin: float) -> np.ndarray:
    """Relative spectrum (71,) of CIE daylight of a correlated colour temperature, 4000 to 25000 K. Source: CIE 15:2018, section 4.1.2."""
    u = 1e3 / (kelvin * (_D_CORRECTION if kelvin in (5000, 5500, 6500, 7500) else 1.0))
    below = kelvin <= 7000
    x = 0.244063 + 0.09911 * u + 2.9678 * u**2 - 4.6070 * u**3 if below else 0.237040 + 0.24748 * u + 1.9018 * u**2 - 2.0064 * u**3
    y = -3.000 * x**2 + 2.870 * x - 0.275
    m = 0.0241 + 0.2562 * x - 0.7341 * y
    table = _table("daylight")
    return table["S0"] + (-1.3515 - 1.7703 * x + 5.9114 * y) / m * table["S1"] + (0.0300 - 31.4424 * x + 30.0717 * y) / m * table["S2"]


def _lines(lines: Mapping[float, float]) -> np.ndarray:
    """Emission lines shared between the two nearest wavelengths of the grid."""
    found = np.zeros(len(GRID_NM))
    for nm, strength in lines.items():
        i, part = divmod((nm - GRID_NM[0]) / STEP_NM, 1.0)
        found[int(i)] += strength * (1 - part)
        found[int(i) + 1] += strength * part
    return found


def color_checker() -> dict[str, np.ndarray]:
    """Reflectances (71,) of the 24 patches by name, row by row of the chart. Source: BabelColor 2012, average of 30 charts."""
    return dict(_table("color_checker"))


def training_reflectances() -> np.ndarray:
    """The 190 reflectances (190, 71) on which colour matrices are fitted. Source: RAW to ACES v1 (Academy, 2017)."""
    return _stacked("training_1", "training_2")


def rgb_reflectances() -> np.ndarray:
    """Reflectances (3, 71) of the primaries of linear sRGB: r*R + g*G + b*B is within 0..1 for r, g, b in 0..1, and 1 for white.

    Source: I. Mallett and C. Yuksel, "Spectral primary decomposition for rendering with sRGB reflectance", EGSR 2019.
    """
    return _stacked("rgb_basis")
