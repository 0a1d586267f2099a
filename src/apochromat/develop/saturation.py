"""Where a sensor really saturates: at its stated white level, or at a spike that the histogram shows below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BIN = 1 / 256
LOWEST = 1 - 72 * _BIN  # samples below say nothing about saturation
_LOWEST_SPIKE = 0.90  # a spike further below white is taken for a part of the picture
_MARGIN = 1 / 1024  # samples this near to white are clipped where there is no spike


@dataclass(frozen=True)
class Saturation:
    """level: where one colour saturates. clip_from: samples from here on are clipped. near_clip: samples from here on are if one of
    their colour beside them is; lower than `clip_from` only where the saturated samples scatter."""

    level: float
    clip_from: float
    near_clip: float


def saturation(values: np.ndarray, dtype: np.dtype) -> Saturation:
    """Saturation of the samples of one colour.

    values: linear samples from `LOWEST` up, 1 = stated white. dtype: of the stored samples; floating-point files that go beyond white are
    merged exposures and never clipped.

    Colours often saturate a few percent below the stated white, each at its own level and scattered by lossy compression or by
    differences between pixels. Such a level shows as a bin of the histogram that towers over those below and has next to nothing above.
    """
    if np.issubdtype(dtype, np.floating):
        clip_from = np.inf if values.max(initial=0) > 1 + _MARGIN else 1 - _MARGIN
        return Saturation(1.0, clip_from, clip_from)
    bright = np.minimum(values, 1)
    counts = np.bincount(((bright - LOWEST) / _BIN).astype(np.intp), minlength=73)
    first = int((_LOWEST_SPIKE - LOWEST) / _BIN)
    mode = first + int(np.argmax(counts[first:]))
    below = float(np.median(counts[mode - 32 : mode - 12]))
    spike = counts[mode - 2 : mode + 3].sum()
    if counts[mode] < max(8 * below, 50) or counts[mode + 8 :].sum() > 0.1 * spike:
        return Saturation(1.0, 1 - _MARGIN, 1 - _MARGIN)
    foot = mode
    while foot > mode - 13 and counts[foot - 1] > max(0.01 * counts[mode], 2 * below):
        foot -= 1
    clip_from = min(LOWEST + foot * _BIN, 1 - _MARGIN)
    level = float(np.median(bright[bright >= clip_from]))
    return Saturation(level, clip_from, clip_from if foot == mode else clip_from - 2 * (level - clip_from))
