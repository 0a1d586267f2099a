"""Oracle of kernels/color.py: a 3x3 matrix for every pixel."""

import numpy as np


def color(rgb, matrix):
    """Camera RGB (H, W, 3) to working RGB (H, W, 3)."""
    return np.einsum("ij,hwj->hwi", matrix, rgb)
