"""A lens at another temperature: indices relative to air by the makers' constants (`thermal.py`), sizes by linear expansion.

The lens as declared is the one at 20 °C. An element grows as its medium does: radii, thickness, clear radii, aspheres to scale. What lies
in air grows with the housing, and so do the stop and mirrors. A cemented surface takes the mean of its two media.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.glass import Glass, glass, index_of
from apochromat.optics.lens import AIR, REFERENCE_C, TERMS, Lens
from apochromat.optics.thermal import ASSUMED_GLASS, ASSUMED_GLASS_CTE, ASSUMED_PLASTIC, ASSUMED_PLASTIC_CTE

COLDEST_C, HOTTEST_C = -40.0, 80.0  # within the range of Schott's constants
ALUMINIUM_CTE = 23.6e-6  # 1/K
FIT_NM = (400.0, 1000.0)  # where the index at another temperature is brought to the lens's dispersion formula
POWERS = np.array([0, 2, 4, -2, -4, -6, -8])  # of the wavelength in that formula
STRENGTHS = (7, 9, 11)  # places of its Sellmeier terms, each resonance behind its strength


@dataclass(frozen=True)
class _Medium:
    """What a medium does with temperature: 13 dispersion coefficients, shift of nd, expansion (None: air)."""

    coefficients: np.ndarray
    nd_shift: float
    cte: float | None


def at_temperature(lens: Lens, celsius: float, housing_cte_per_k: float = ALUMINIUM_CTE) -> Lens:
    """The lens at a temperature in °C, -40 to 80.

    housing_cte_per_k: expansion of what holds the elements and the image, 1/K. Where a maker publishes no constants, the catalogue's
    assumed ones are used (`docs/optics/glass.md`). The temperature is said in the lens's notes. Raises LensError for one out of range.
    """
    name = lens.info.name or "the lens"
    if not COLDEST_C <= celsius <= HOTTEST_C:
        raise LensError(f"expected a temperature from {COLDEST_C:g} to {HOTTEST_C:g} °C, found {celsius:g}, for {name}.")
    if lens.info.temperature_c != REFERENCE_C:
        raise LensError(f"expected a lens at {REFERENCE_C:g} °C, as declared, found {name} at {lens.info.temperature_c:g} °C.")
    if celsius == REFERENCE_C:
        return lens
    step, media = celsius - REFERENCE_C, [_medium(lens, i, celsius) for i in range(lens.S)]
    housing = 1 + housing_cte_per_k * step
    behind = np.array([housing if m.cte is None else 1 + m.cte * step for m in media])
    scale = np.array([_scale(lens, media, i, step, housing) for i in range(lens.S)])
    powers = 1 - 2 * np.arange(1, TERMS + 1)
    return lens.replace(
        curvature=np.asarray(lens.curvature) / scale,
        even=np.asarray(lens.even) * scale[:, None] ** powers,
        thickness=np.asarray(lens.thickness) * behind,
        semi_diameter=np.asarray(lens.semi_diameter) * scale,
        inner_radius=np.asarray(lens.inner_radius) * scale,
        stop_radius=np.asarray(lens.stop_radius) * housing,
        coefficients=np.stack([m.coefficients for m in media]),
        nd_shift=np.asarray(lens.nd_shift) + [m.nd_shift for m in media],
        info=replace(lens.info, temperature_c=celsius, notes=(*lens.info.notes, _statement(celsius, housing_cte_per_k))),
    )


def _statement(celsius: float, housing_cte_per_k: float) -> str:
    """What is said of a lens at a temperature."""
    return f"At {celsius:g} °C, as declared at {REFERENCE_C:g} °C; the housing expands by {housing_cte_per_k:.3g} per K."


def _scale(lens: Lens, media: list[_Medium], i: int, step: float, housing: float) -> float:
    """How a surface grows: with the medium on either side, the mean of two; with the housing in air, as a mirror or a stop."""
    if lens.info.surfaces[i].kind in ("mirror", "stop"):
        return housing
    around = [m.cte for m in media[max(i - 1, 0) : i + 1] if m.cte is not None]
    return 1 + float(np.mean(around)) * step if around else housing


def _medium(lens: Lens, i: int, celsius: float) -> _Medium:
    """The medium behind surface i at a temperature."""
    surface, coefficients = lens.info.surfaces[i], np.asarray(lens.coefficients[i], float)
    step = celsius - REFERENCE_C
    if surface.is_model:
        return _Medium(coefficients, *_assumed(surface.moulded, step))
    if not surface.glass and tuple(coefficients) == AIR:
        return _Medium(coefficients, 0.0, None)
    try:
        found = glass(surface.glass)
    except LensError:
        found = None
    if found is None or found.coefficients != tuple(coefficients):
        return _Medium(coefficients, *_assumed(surface.moulded, step))
    expansion = found.cte_per_k or _assumed(found.moulded, step)[1]
    return _Medium(coefficients_at(found, celsius), 0.0, expansion)


def _assumed(moulded: bool, step: float) -> tuple[float, float]:
    """Shift of the index, and expansion, of a medium that nothing is published of."""
    return (ASSUMED_PLASTIC * step, ASSUMED_PLASTIC_CTE) if moulded else (ASSUMED_GLASS * step, ASSUMED_GLASS_CTE)


def coefficients_at(found: Glass, celsius: float) -> np.ndarray:
    """Coefficients (13,) of a catalogue glass at a temperature: the change of n^2 from 20 °C, fitted to 3e-8 or better over FIT_NM.

    Strengths of all terms are free; an empty Sellmeier term takes the resonance of the thermal constants.
    """
    low, high = max(FIT_NM[0], found.range_nm[0]), min(FIT_NM[1], found.range_nm[1])
    nm = low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, 60))) / 2
    index, w2, warmed = index_of(found.coefficients, nm), (nm / 1000) ** 2, np.array(found.coefficients)
    shifted = index + found.thermal.shift(index, nm, celsius) - found.thermal.shift(index, nm, REFERENCE_C)
    if found.thermal.schott and not warmed[7]:
        warmed[8] = found.thermal.schott[5] ** 2
    places = [i for i in STRENGTHS if warmed[i + 1]]
    terms = np.stack([*(w2 ** (p / 2) for p in POWERS), *(w2 / (w2 - warmed[i + 1]) for i in places)], -1)
    size = np.abs(terms).max(0)
    change = np.linalg.lstsq(terms / size, shifted**2 - index**2, rcond=1e-13)[0] / size
    warmed[[*range(len(POWERS)), *places]] += change
    return warmed
