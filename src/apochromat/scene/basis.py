"""The few spectra that carry a scene's many."""

from __future__ import annotations

import numpy as np

from apochromat.light.spectra import colour_matching

MOST = 8  # spectra of a basis: 12 megapixels then take 0.4 GB


def compact(spectra: np.ndarray, tolerance: float = 1e-3) -> tuple[np.ndarray, np.ndarray, float]:
    """Basis (K, 71), weights (n, K) of each spectrum of (n, 71) in it, and the error left.

    K is the least, from 4 up to MOST, whose error is within `tolerance`: the root mean square over spectra and wavelengths, relative to
    that of the strongest spectrum. Tristimulus values are kept exactly whatever K. A truncated singular value decomposition, weighted
    by how strongly eye and cameras see a wavelength; weights by least squares under the three conditions of colour.
    """
    seen = 0.5 + colour_matching().sum(axis=0)
    _, _, rows = np.linalg.svd(spectra * seen, full_matrices=False)
    strongest = np.sqrt(np.mean((spectra * seen) ** 2, axis=1)).max()
    for count in range(min(4, len(rows)), min(MOST, len(rows)) + 1):
        basis = rows[:count] / seen
        weights = _weights(spectra, basis, seen)
        error = float(np.sqrt(np.mean(((spectra - weights @ basis) * seen) ** 2)) / strongest)
        if error <= tolerance:
            break
    scale = np.abs(weights).max(axis=0)
    return basis * scale[:, None], weights / scale, error


def _weights(spectra: np.ndarray, basis: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Weights (n, K) of spectra (n, 71) in a basis (K, 71) orthonormal under `seen`; colour exact where K allows."""
    free = (spectra * seen) @ (basis * seen).T
    if len(basis) < 4:
        return free
    colour = basis @ colour_matching().T  # (K, 3)
    missed = spectra @ colour_matching().T - free @ colour
    return free + missed @ np.linalg.pinv(colour)
