"""Where a sensor really saturates: at its stated white level, or at a spike that the histogram shows below it."""

from __future__ import annotations

import numpy as np

_BIN = 1 / 256
_LOWEST = 0.90  # a spike further below white is taken for a part of the picture
_MARGIN = 1 / 1024  # samples this near to white are clipped where there is no spike


def saturation(values: np.ndarray, dtype: np.dtype) -> tuple[float, float]:
    """Saturation level of samples of one colour and the level from which they count as clipped.

    values: linear samples of any shape, 1 = stated white. dtype: of the stored samples; floating-point files that go beyond white are
    merged exposures and never clipped.

    Colours often saturate a few percent below the stated white, each at its own level and spread by lossy compression or pixel to
    pixel differences. Such a level shows as a bin of the histogram that towers over those below and has next to nothing above.
    """
    if np.issubdtype(dtype, np.floating):
        return 1.0, np.inf if values.max() > 1 + _MARGIN else 1 - _MARGIN
    start = 1 - 72 * _BIN
    bright = np.minimum(values[values >= start], 1)
    counts = np.histogram(bright, 73, (start, 1 + _BIN))[0]
    first = int((_LOWEST - start) / _BIN)
    mode = first + int(np.argmax(counts[first:]))
    below = float(np.median(counts[mode - 32 : mode - 12]))
    spike = counts[mode - 2 : mode + 3].sum()
    if counts[mode] < max(8 * below, 50) or counts[mode + 8 :].sum() > 0.1 * spike:
        return 1.0, 1 - _MARGIN
    foot = mode
    while foot > mode - 13 and counts[foot - 1] > max(0.01 * counts[mode], 2 * below):
        foot -= 1
    clip_from = start + foot * _BIN
    return float(np.median(bright[bright >= clip_from])), min(clip_from, 1 - _MARGIN)
