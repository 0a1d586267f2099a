"""The grid of wavelengths on which spectra are given, and how a table comes onto it."""

from __future__ import annotations

import numpy as np

GRID_NM = np.arange(380.0, 731.0, 5.0)  # (71,)
STEP_NM = 5.0


def on_grid(wavelengths_nm: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (..., n) at rising wavelengths (n,), nm, on the grid (..., 71): linear in between, 0 beyond the table's ends."""
    rows = np.reshape(values, (-1, len(wavelengths_nm)))
    found = np.stack([np.interp(GRID_NM, wavelengths_nm, row, left=0.0, right=0.0) for row in rows])
    return found.reshape(*np.shape(values)[:-1], len(GRID_NM))
