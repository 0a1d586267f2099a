"""Foci of many wavelengths in batches of one shape, so that all that ask for foci share one compiled search."""

from __future__ import annotations

import numpy as np

from apochromat.optics.focus import colour_focus
from apochromat.optics.lens import Lens

BATCH = 56


def foci(lens: Lens, wavelengths_nm: np.ndarray, config: int = 0) -> np.ndarray:
    """Focus (W,) in mm on the axis from the image plane, positive away from the lens: `colour_focus` of any number of wavelengths."""
    padded = np.resize(wavelengths_nm, -(-len(wavelengths_nm) // BATCH) * BATCH).reshape(-1, BATCH)
    return np.concatenate([np.asarray(colour_focus(lens, batch, config)) for batch in padded])[: len(wavelengths_nm)]
