"""Oracle of kernels/tone.py: the curve written as two rational quadratic pieces, one lightness at a time."""

import numpy as np
from oracle.opponent import join, split

GREY, SHOWN = np.sqrt(0.18), np.sqrt(0.21)


def piece(x, x0, x1, y0, y1, first, last):
    """Value and slope at x of Gregory and Delbourgo's rational quadratic between two points with given slopes."""
    mean, t = (y1 - y0) / (x1 - x0), min(max((x - x0) / (x1 - x0), 0), 1)
    below = mean + (first + last - 2 * mean) * t * (1 - t)
    value = y0 + (y1 - y0) * (mean * t**2 + first * t * (1 - t)) / below
    slope = mean**2 * (last * t**2 + 2 * mean * t * (1 - t) + first * (1 - t) ** 2) / below**2
    return value, slope


def curve(x, white, toe, contrast, shoulder):
    """Value and slope of the tone curve at lightness x (root of linear light)."""
    if x > GREY:
        return piece(x, GREY, white, SHOWN, 1, contrast, shoulder)
    return piece(x, 0, GREY, 0, SHOWN, toe, contrast)


def tone(rgb, exposure_gain, tone_white, tone_toe, tone_contrast, tone_shoulder, tone_richness):
    """Linear Rec.2020 (..., 3) to display-linear Rec.2020."""
    lightness, chroma = split(rgb * exposure_gain)
    values = [curve(x, tone_white, tone_toe, tone_contrast, tone_shoulder) for x in lightness.ravel()]
    value, slope = (np.reshape(v, lightness.shape) for v in zip(*values, strict=True))
    ratio = value / np.maximum(lightness, 1e-6)
    factor = (1 - tone_richness) * ratio + tone_richness * slope
    return join(value, chroma * factor[..., None])
