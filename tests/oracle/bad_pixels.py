"""Oracle of the search for bad pixels: NumPy, float64, written for reading."""

import numpy as np


def bad_pixels(mosaic, gain, scale, offset, threshold):
    """mosaic (H, W) RGGB, gain (H, W) so far, noise scale and offset per CFA position (4,) -> mosaic without isolated bad pixels."""
    padded = np.pad(mosaic.astype(np.float64), 3, "reflect")
    height, width = mosaic.shape

    def at(dy, dx):
        return padded[3 + dy : 3 + dy + height, 3 + dx : 3 + dx + width]

    v = at(0, 0)
    pairs = [(at(-2 * i, -2 * j), at(2 * i, 2 * j)) for i, j in ((0, 1), (1, 0), (1, 1), (-1, 1))]
    around = np.stack([side for pair in pairs for side in pair])
    high, low = around.max(0), around.min(0)
    y, x = np.mgrid[:height, :width]
    position = 2 * (y % 2) + x % 2
    level = np.maximum((high + low) / 2, 0)
    sigma = np.sqrt(gain * scale[position] * level + gain**2 * offset[position] + 1e-12)
    near = at(0, -1) + at(0, 1) + at(-1, 0) + at(1, 0)
    far = at(0, -3) + at(0, 3) + at(-3, 0) + at(3, 0)
    rise = (near - far) / 2
    reach = threshold * sigma + (high - low) / 2

    def defect(excess, rise):
        return np.clip((excess - reach) / sigma, 0, 1) * np.clip((0.1 * excess - rise) / sigma + 1.5, 0, 1)

    share = np.maximum(defect(v - high, rise), defect(low - v, -rise))
    difference = np.stack([np.abs(a - b) for a, b in pairs])
    mean = np.stack([(a + b) / 2 for a, b in pairs])
    calmest = np.take_along_axis(mean, np.argmin(difference, 0)[None], 0)[0]
    return v + share * (calmest - v)
