"""Oracle of kernels/opponent.py: roots of Oklab's cone responses, split into lightness and chroma."""

import numpy as np

from apochromat.light.spaces import rgb_to_cones

CONES = rgb_to_cones("rec2020")


def responses(rgb):
    """Cone responses (..., 3) of linear Rec.2020 and the least that counts, a thousandth of the largest (..., 1)."""
    cones = rgb @ CONES.T
    return cones, 1e-3 * np.maximum(cones.max(-1, keepdims=True), 0)


def split(rgb):
    """Linear Rec.2020 (..., 3) to lightness (...) and chroma (..., 3)."""
    roots = np.sqrt(np.maximum(*responses(rgb)))
    lightness = roots @ [0.3, 0.6, 0.1]
    return lightness, roots - lightness[..., None]


def join(lightness, chroma):
    """The inverse of `split`."""
    return np.maximum(lightness[..., None] + chroma, 0) ** 2 @ np.linalg.inv(CONES).T
