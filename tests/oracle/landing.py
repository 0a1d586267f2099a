"""Landing in NumPy, pixel by pixel in float64: the filter before it, the taps at each instant, and the flux limit."""

import numpy as np
from scipy.ndimage import maximum_filter

from apochromat.optics.landing import FAINT, FINEST, MOST_INSTANTS, TABLE, WITHIN


def prepared(signals, half):
    """Planes (C, H, W) through a symmetric filter (n,), its middle first, down and across, mirrored at the edges."""
    reach, whole = len(half) - 1, np.concatenate([half[:0:-1], half])
    out = np.pad(signals.astype(float), ((0, 0), (reach, reach), (reach, reach)), mode="symmetric")
    for axis in (1, 2):
        out = np.apply_along_axis(lambda line: np.convolve(line, whole, "valid"), axis, out)
    return out


def landed(signals, shape, pitch_mm, seen, shading, path, shutter, taps, *, oversample=1.0, side=1):
    """The mosaic (H, W) of planes (3, h, w), before what is below nothing is cut off; taps (powers, 4) of the window's polynomials."""
    mosaic, (rows, columns) = np.zeros(shape), np.indices(shape)
    y, x = (at - (n - 1) / 2 for at, n in zip((rows, columns), shape, strict=True))
    colour = np.array([[0, 1], [1, 2]])[rows // side % 2, columns // side % 2]
    ratio, share = tables(shape, pitch_mm, seen, shading, y, x, colour)
    when = instants(path, shutter)
    for instant in when:
        right, down, turn = path.at(shutter.start_s + rows / shape[0] * shutter.read_out_s + instant)
        v, u = y * ratio - down, x * ratio - right
        mosaic += share / len(when) * between(signals, (v - turn * u) * oversample, (u + turn * v) * oversample, colour, taps)
    return mosaic


def tables(shape, pitch_mm, seen, shading, y, x, colour):
    """Ideal over real height, and the share of the light that is kept, at pixels from the middle: linear in the squared height."""
    place = np.linspace(0, 1, TABLE)
    corner = np.hypot(*shape) / 2
    height_mm = np.sqrt(np.maximum(place, 1e-12)) * corner * pitch_mm
    here = (y**2 + x**2) / corner**2
    share = [np.interp(here, place, np.interp(height_mm, seen.real_mm, one, right=0)) for one in shading]
    return np.interp(here, place, seen.ideal(height_mm) / height_mm), np.choose(colour, share)


def instants(path, shutter):
    """Times (n,) after a row's start, on average FINEST pixels of the middle row's way apart or less, if so many may be."""
    right, down, _ = path.at(shutter.start_s + shutter.read_out_s / 2 + np.linspace(0, shutter.exposure_s, 33))
    count = min(max(int(np.ceil(np.hypot(np.diff(right), np.diff(down)).sum() / FINEST)), 1), MOST_INSTANTS)
    return (np.arange(count) + 0.5) / count * shutter.exposure_s


def between(planes, v, u, colour, taps):
    """Light of one plane of each place, at cells (v, u) from the middle."""
    total, (height, width) = np.zeros(v.shape), planes.shape[1:]
    v, u = (np.clip(at + (n - 1) / 2, 1, n - 3 - 1e-6) for at, n in ((v, height), (u, width)))
    for j in range(4):
        for i in range(4):
            weight = np.polyval(taps[::-1, j], v % 1) * np.polyval(taps[::-1, i], u % 1)
            total += weight * planes[colour, v.astype(int) + j - 1, u.astype(int) + i - 1]
    return total


def limited(mosaic, soft, side):
    """Pixels of a mosaic (H, W) much darker than the brightest about of the same phase, near what softer taps have there."""
    out = mosaic.copy()
    for row in range(2 * side):
        for column in range(2 * side):
            phase = np.s_[row :: 2 * side, column :: 2 * side]
            faint = mosaic[phase] < FAINT * maximum_filter(mosaic[phase], 5)
            out[phase][faint] = np.clip(mosaic[phase], soft[phase] / WITHIN, soft[phase] * WITHIN)[faint]
    return out
