"""Oracle of the denoise stage at its best: NumPy, float64, written for reading."""

import numpy as np
from oracle import denoise as fast

REACH, ALIKE, FLOOR, SCALES, LEAST, COARSE, SPREAD, TILE = 5, 32, 0.6, 4, 12, 1.3, 128, 32
PATCH = [(plane, dy, dx) for plane in range(4) for dy in (0, 1) for dx in (0, 1)]
WINDOW = [(dy, dx) for dy in range(-REACH, REACH + 1) for dx in range(-REACH, REACH + 1)]


def denoise(mosaic, gain, stabilise, neutral, luminance, chroma, strength, frames=None):
    """mosaic, gain (H, W); stabilise (4, 2); neutral (4,); frames: of the noise model -> mosaic with less noise."""
    gains = fast.cells(np.asarray(gain, np.float64))
    raw = fast.cells(mosaic.astype(np.float64)) / gains
    pilot = fast.cells(fast.denoise(mosaic, gain, stabilise, neutral, 1, 1, 3, frames)) / gains
    slope, shift = stabilise.astype(np.float64).T[:, :, None, None]

    def stabilised(u):
        return np.sqrt(np.maximum(slope * u + shift, 0))

    planes = filtered(stabilised(raw), stabilised(pilot), strength, frames, 0)
    light = unbiased_inverse(planes, slope, shift, fast.relative_variance(frames, *raw.shape[1:], 2))
    light += kept_mean(fast.mosaicked(raw - light))
    return fast.blended(raw, light, neutral, luminance, chroma, gains)


def filtered(noisy, pilot, strength, frames, scale):
    """Planes (4, h, w) after this scale and the coarser ones."""
    height, width = noisy.shape[1:]
    relative = fast.relative_variance(frames, height + 1, width + 1, 2 << scale, -1)
    fine = bayes(noisy, pilot, relative * strength * (COARSE if scale else 1) / 4**scale)
    if scale + 1 == SCALES or min(height, width) < 2 * LEAST:
        return fine
    coarse = filtered(halved(noisy), halved(fine), strength, frames, scale + 1) - halved(fine)
    rows, columns = (np.clip((np.arange(n) - 0.5) / 2, 0, (n + 1) // 2 - 1) for n in (height, width))
    return fine + fast.bilinear(coarse, rows, columns)


def halved(planes):
    """Means of 2x2, an odd last row or column twice."""
    planes = np.pad(planes, ((0, 0), (0, planes.shape[1] % 2), (0, planes.shape[2] % 2)), "edge")
    return (planes[:, 0::2, 0::2] + planes[:, 0::2, 1::2] + planes[:, 1::2, 0::2] + planes[:, 1::2, 1::2]) / 4


def patches(planes, dy, dx):
    """The patch (16 numbers) dy, dx away from each patch that touches the planes: (h + 1, w + 1, 16)."""
    margin = REACH + 1
    height, width = planes.shape[1] + 1, planes.shape[2] + 1
    padded = np.pad(planes, ((0, 0), (margin, margin), (margin, margin)), "symmetric")
    top, left = REACH + dy, REACH + dx
    return np.stack([padded[p, top + i : top + i + height, left + j : left + j + width] for p, i, j in PATCH], -1)


def bayes(noisy, pilot, variance):
    """Each patch against the mean and covariance of the patches like it, then averaged where patches overlap."""
    here = patches(pilot, 0, 0)
    distance = np.stack([((patches(pilot, *o) - here) ** 2).mean(-1) for o in WINDOW])
    weight = weights(distance, variance)
    mean = sum(w[..., None] * patches(noisy, *o) for w, o in zip(weight, WINDOW, strict=True))
    shift = sum(w[..., None] * (patches(pilot, *o) - here) for w, o in zip(weight, WINDOW, strict=True))
    covariance = np.zeros((*variance.shape, 16, 16))
    for w, o in zip(weight, WINDOW, strict=True):
        off = patches(pilot, *o) - here - shift
        covariance += w[..., None, None] * off[..., :, None] * off[..., None, :]
    given = patches(noisy, 0, 0)
    whole = covariance + variance[..., None, None] * np.eye(16)
    estimate = given - variance[..., None] * np.linalg.solve(whole, (given - mean)[..., None])[..., 0]
    height, width = noisy.shape[1:]
    out = np.zeros_like(noisy)
    for k, (plane, i, j) in enumerate(PATCH):
        out[plane] += estimate[1 - i : 1 - i + height, 1 - j : 1 - j + width, k] / 4
    return out


def weights(distance, variance):
    """Shares of the window's patches, distance (121, h, w): max(0, 1 - D / width) over its sum, which is ALIKE unless the floor holds."""
    nearest = np.cumsum(np.sort(distance, 0), 0)[ALIKE:]
    width = (nearest / np.arange(1, len(nearest) + 1)[:, None, None]).min(0)
    weight = np.maximum(1 - distance / np.maximum(width, FLOOR * variance), 0)
    return weight / weight.sum(0)


def unbiased_inverse(z, slope, shift, relative):
    """Closed form of Makitalo and Foi (2013), in electrons: D^2/4 + sqrt(3/2)/4/D - 11/8/D^2 + 5/8 sqrt(3/2)/D^3 - 1/8 - read noise^2."""
    read, bounded, root = (shift - 1.5) / 4, np.maximum(z, np.sqrt(shift)), 1.5**0.5
    bias = root / 4 / bounded - 11 / 8 / bounded**2 + 5 / 8 * root / bounded**3
    # Its constant -1/8 is 3/8 for counting less 1/4 for the noise of a sample: where the noise is another, so is that part.
    return (z**2 / 4 + bias - 3 / 8 + relative / 4 - read) * 4 / slope


def hats(length, parity):
    """Linear interpolation between knots evenly over an axis, as a matrix (knots, every other place)."""
    knots = np.linspace(0, length, max(1, round(length / SPREAD)) + 1)
    return np.stack([np.interp(np.arange(parity, length, 2), knots, np.arange(len(knots)) == k) for k in range(len(knots))])


def evened(a):
    """Rows of a with every place of a tile at the tile's mean."""
    return np.concatenate([np.broadcast_to(part.mean(1, keepdims=True), part.shape) for part in tiles(a)], 1)


def tiles(a):
    return [a[:, t : t + TILE // 2] for t in range(0, a.shape[1], TILE // 2)]


def kept_mean(taken):
    """A smooth field (4, h, w) with the sum of what was taken from each CFA position, (H, W): evenly over tiles to the knots around."""
    height, width = taken.shape
    field = np.zeros((4, height // 2, width // 2))
    for p in range(4):
        down, across = hats(height, p // 2), hats(width, p % 2)
        light = evened(down) @ taken[p // 2 :: 2, p % 2 :: 2] @ evened(across).T
        field[p] = down.T @ (light / np.outer(down.sum(1), across.sum(1))) @ across
    return field
