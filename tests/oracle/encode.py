"""Oracle of kernels/encode.py: the transfer curve of IEC 61966-2-1 as the standard writes it."""

import numpy as np

from apochromat.light.spaces import conversion


def transfer(linear):
    """Codes 0..1 of linear values, clipped to 0..1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def encode(rgb, space):
    """Linear Rec.2020 (..., 3) to display codes of a space."""
    return transfer(rgb @ conversion("rec2020", space).T)
