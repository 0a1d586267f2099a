"""Oracle of the denoise stage: NumPy, float64, written for reading."""

import numpy as np

OPPONENT = np.array([[1, 1, 1, 1], [2**0.5, 0, 0, -(2**0.5)], [1, -1, -1, 1], [0, 2**0.5, -(2**0.5), 0]]) / 2
PATCH = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
WINDOW = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]
PAD = 4


def denoise(mosaic, gain, stabilise, neutral, luminance, chroma, tolerance, frames=None):
    """mosaic, gain (H, W); stabilise (4, 2); neutral (4,); frames: of the noise model -> mosaic with less noise."""
    gain = cells(np.asarray(gain, np.float64))
    raw = cells(mosaic.astype(np.float64)) / gain
    slope, shift = stabilise.T[:, :, None, None]
    relative = relative_variance(frames, *raw.shape[1:], 2)

    def stabilised(u):
        return np.sqrt(np.maximum(slope * u + shift, 0))

    filtered = average_patches(raw, stabilised, tolerance, relative)
    smooth = to_opponent(filtered, neutral)
    smooth[1:3] = spread(smooth[1:3], stabilised(filtered), 5, relative)
    smooth[1:3] = spread(smooth[1:3], stabilised(to_samples(smooth, neutral)), 15, relative)
    change = smooth - to_opponent(raw, neutral)
    asked = luminance * change
    asked[1:3] += (chroma - luminance) * binomial(change[1:3])
    return mosaicked((raw + to_samples(asked, neutral)) * gain)


def blended(raw, filtered, neutral, luminance, chroma, gain):
    """The mosaic with as much of the correction as asked for; beyond the border the change is that of the nearest cell."""
    change = to_opponent(filtered - raw, neutral)
    around = np.pad(change[1:3], ((0, 0), (1, 1), (1, 1)), "edge")
    asked = luminance * change
    asked[1:3] += (chroma - luminance) * binomial(around)[:, 1:-1, 1:-1]
    return mosaicked((raw + to_samples(asked, neutral)) * gain)


def relative_variance(frames, height, width, step, first=0):
    """Variance over that of the median number of frames, at the middles of squares of `step` px; frames (h, w) in cells of 16 px."""
    if frames is None:
        return np.ones((height, width))
    relative = np.median(frames) / np.asarray(frames, np.float64)
    rows, columns = (
        np.clip(((first + np.arange(n) + 0.5) * step - 8) / 16, 0, cells - 1)
        for n, cells in zip((height, width), frames.shape, strict=True)
    )
    return bilinear(relative[None], rows, columns)[0]


def bilinear(planes, rows, columns):
    """Planes (n, h, w) at fractional rows and columns."""
    for axis, at in ((1, rows), (2, columns)):
        lower = np.floor(at).astype(int)
        upper = np.minimum(lower + 1, planes.shape[axis] - 1)
        share = (at - lower).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
        planes = (1 - share) * np.take(planes, lower, axis) + share * np.take(planes, upper, axis)
    return planes


def cells(mosaic):
    """(H, W) -> (4, H/2, W/2)."""
    return np.stack([mosaic[0::2, 0::2], mosaic[0::2, 1::2], mosaic[1::2, 0::2], mosaic[1::2, 1::2]])


def mosaicked(planes):
    out = np.empty((2 * planes.shape[1], 2 * planes.shape[2]))
    out[0::2, 0::2], out[0::2, 1::2], out[1::2, 0::2], out[1::2, 1::2] = planes
    return out


def to_opponent(planes, neutral):
    return np.tensordot(OPPONENT, planes / neutral[:, None, None], 1)


def to_samples(opponent, neutral):
    return np.tensordot(OPPONENT.T, opponent, 1) * neutral[:, None, None]


def moved(a, dy, dx, fill=0.0):
    """b[..., y, x] = a[..., y + dy, x + dx], `fill` outside."""
    h, w = a.shape[-2:]
    out = np.full_like(a, fill)
    y, x = slice(max(0, -dy), min(h, h - dy)), slice(max(0, -dx), min(w, w - dx))
    if y.start < y.stop and x.start < x.stop:
        out[..., y, x] = a[..., y.start + dy : y.stop + dy, x.start + dx : x.stop + dx]
    return out


def average_patches(raw, stabilised, tolerance, relative):
    z = np.pad(stabilised(raw), ((0, 0), (PAD, PAD), (PAD, PAD)), "edge")
    inside = np.ones(raw.shape[1:])
    weights = {}
    for dy, dx in WINDOW:
        square = ((z - moved(z, dy, dx)) ** 2).sum(0)
        pair = (relative + moved(relative, dy, dx, 1.0)) / 2
        distance = sum(moved(square, *o) for o in PATCH)[PAD:-PAD, PAD:-PAD] / (8 * len(PATCH)) / pair
        weights[dy, dx] = np.clip(1 - (distance - 1) / tolerance, 0, 1) ** 4 * moved(inside, dy, dx)
    total = 1 + sum(weights.values())
    out = raw.copy()
    for (dy, dx), w in weights.items():
        out += w * (1 / total + moved(1 / total, dy, dx)) / 2 * (moved(raw, dy, dx) - raw)
    return out


def spread(chroma, z, distance, relative):
    """Chroma exchanged with the 8 neighbours at `distance` cells."""
    inside, out = np.ones(z.shape[1:]), chroma.copy()
    for dy, dx in ((distance * i, distance * j) for i, j in PATCH if (i, j) != (0, 0)):
        square = ((z - moved(z, dy, dx)) ** 2).mean(0) / (relative + moved(relative, dy, dx, 1.0))
        out += moved(inside, dy, dx) * np.clip(1.6 - 2 * square, 0, 1) / 9 * (moved(chroma, dy, dx) - chroma)
    return out


def binomial(a):
    """1 2 1 both ways, 0 beyond the border."""
    down = (moved(a, -1, 0) + 2 * a + moved(a, 1, 0)) / 4
    return (moved(down, 0, -1) + 2 * down + moved(down, 0, 1)) / 4
