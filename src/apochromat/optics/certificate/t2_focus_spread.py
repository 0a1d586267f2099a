"""Test 2: spread of focus, from the plane that makes the largest shift least."""

from __future__ import annotations

import numpy as np

from apochromat.optics.certificate.result import Check
from apochromat.optics.certificate.thresholds import line, thresholds
from apochromat.optics.certificate.view import View

TITLE = "focus spread"


def measure(view: View) -> list[Check]:
    """Largest shift from 450 to 656 nm, and that at g, in DOF."""
    table = thresholds()["test_2"]
    low, high = table["range_nm"]
    inside = (view.focus.wavelengths_nm >= low - 1e-6) & (view.focus.wavelengths_nm <= high + 1e-6)
    shifts = np.abs(view.shifts_mm) / view.dof_mm
    at_g = float(shifts[view.focus.near(line("g"))])
    return [
        Check(
            name="largest focus shift from 450 to 656 nm",
            configuration=view.name,
            value=float(shifts[inside].max()),
            limit=table["spread_dof"],
            unit="DOF",
        ),
        Check(name="focus shift at g, 435.8 nm,", configuration=view.name, value=at_g, limit=table["g_dof"], unit="DOF"),
    ]
