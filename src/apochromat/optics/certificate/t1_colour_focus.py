"""Test 1: colour focus. The focus crosses one plane at least three times over the visible, or does not leave it."""

from __future__ import annotations

import numpy as np

from apochromat.optics.certificate.crossings import crossings, most_crossings
from apochromat.optics.certificate.result import Check, TestResult
from apochromat.optics.certificate.thresholds import thresholds
from apochromat.optics.certificate.view import View
from apochromat.optics.certificate.words import judged

TITLE = "colour focus"


def measure(view: View) -> tuple[Check, Check, str]:
    """Crossings, flatness (in DOF), and where the crossings lie in words."""
    table = thresholds()["test_1"]
    low, high = table["range_nm"]
    inside = (view.focus.wavelengths_nm >= low) & (view.focus.wavelengths_nm <= high)
    wavelengths, foci = view.focus.wavelengths_nm[inside], view.foci_mm[inside, 2] / view.dof_mm
    count, level = most_crossings(foci, table["excursion_dof"])
    found = crossings(foci, level, table["excursion_dof"])
    flat = float(np.ptp(foci)) / 2
    places = ", ".join(f"{wavelengths[i]:.0f}" for i in found)
    where = f" at {places} nm" if found else ""
    return (
        Check(
            name="number of crossings of one plane",
            configuration=view.name,
            value=count,
            limit=table["crossings"],
            unit="crossings",
            sense="at least",
        ),
        Check(name="focus shift over 430 to 680 nm", configuration=view.name, value=flat, limit=table["flat_dof"], unit="DOF"),
        where,
    )


def judge(views: list[View]) -> TestResult:
    """Each configuration passes by crossings or by flatness; the one that is nearest to failing, or fails most, speaks."""
    measured = [measure(view) for view in views]
    deciding, notes = [], []
    for (count, flat, where), view in zip(measured, views, strict=True):
        chosen = flat if flat.passed or flat.severity < count.severity else count
        deciding.append(chosen)
        kind = "flat" if flat.passed else f"{count.value:.0f} crossing{'' if count.value == 1 else 's'}{where}"
        notes.append(f"{view.name + ': ' if view.name else ''}{kind}, largest shift {flat.value:.3g} DOF")
    result = judged(1, TITLE, deciding, f" ({'; '.join(notes)}.)")
    every = judged(1, TITLE, [c for m in measured for c in m[:2]]).checks
    return result.model_copy(update={"checks": every})
