"""Oracle of the linearise stage: NumPy, float64, written for reading."""

import numpy as np


def linearise(frame, clip_from):
    """frame with a mosaic -> (mosaic (H, W) RGGB of even size, clip (H/2, W/2) bits, origin); clip_from (2, 2) per mosaic position."""
    a, levels = frame.active, frame.levels
    stored = frame.samples[a.top : a.bottom, a.left : a.right]
    dn = stored.astype(float) if levels.table is None else levels.table[np.minimum(stored, len(levels.table) - 1)].astype(float)
    y, x = np.mgrid[: a.height, : a.width]
    black = levels.black[y % levels.black.shape[0], x % levels.black.shape[1], 0].astype(float)
    if levels.delta_h is not None:
        black = black + levels.delta_h
    if levels.delta_v is not None:
        black = black + levels.delta_v[:, None]
    linear = (dn - black) / (levels.white[2 * (y % 2) + x % 2] - black.max())
    before = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}[frame.cfa]
    after = [(n + b) % 2 for n, b in zip(linear.shape, before, strict=True)]
    mosaic = np.pad(linear, list(zip(before, after, strict=True)), "reflect")
    clip = np.zeros((mosaic.shape[0] // 2, mosaic.shape[1] // 2), np.uint8)
    for i, j in np.ndindex(2, 2):
        clip |= (mosaic[i::2, j::2] >= clip_from[i, j]).astype(np.uint8) << np.uint8(2 * i + j)
    return mosaic, clip, (-before[0], -before[1])
