"""Exposure and global tone: one curve on lightness, chroma scaled beside it, hue kept.

The curve is a monotone rational quadratic spline (J. A. Gregory and R. Delbourgo, "Piecewise rational quadratic interpolation to
monotonic data", IMA J. Numer. Anal. 2, 1982) through black, grey and white. Chroma follows the mean of the curve's ratio (colours
keep their saturation) and its slope (they gain and lose it as film and per-channel curves do, and fade to white at the top).

Cost: see kernels/encode.py.
"""

import halide as hl
import opponent
from image import channels

x, y = hl.vars("x y")
GREY, GREY_SHOWN = hl.f32(0.18**0.5), hl.f32(0.21**0.5)  # a grey card, and how it is shown (sRGB code 127)
TINY = hl.f32(1e-6)


class Inputs:
    exposure_gain = hl.InputScalar(hl.Float(32))
    tone_on = hl.InputScalar(hl.Int(32))  # 0: exact identity after the gain
    tone_white = hl.InputScalar(hl.Float(32))  # lightness (root of linear) that becomes white
    tone_toe = hl.InputScalar(hl.Float(32))  # slope of the curve at black, grey and white, above 0
    tone_contrast = hl.InputScalar(hl.Float(32))
    tone_shoulder = hl.InputScalar(hl.Float(32))
    tone_richness = hl.InputScalar(hl.Float(32))  # share of the slope in the chroma's factor, 0..1


def curve(g, lightness):
    """(value of the tone curve at a lightness, value over lightness, slope), roots of linear light; constant above `tone_white`.

    The curve's denominator and the ratio's share one division.
    """
    upper = lightness > GREY
    rise = hl.select(upper, 1.0 - GREY_SHOWN, GREY_SHOWN)
    per_run = hl.select(upper, 1.0 / (g.tone_white - GREY), 1.0 / GREY)
    start = hl.select(upper, GREY, 0.0)
    first = hl.select(upper, g.tone_contrast, g.tone_toe)
    last = hl.select(upper, g.tone_shoulder, g.tone_contrast)
    t = hl.clamp((lightness - start) * per_run, 0.0, 1.0)
    mean, mixed = rise * per_run, t * (1.0 - t)
    below = mean + (first + last - 2.0 * mean) * mixed
    lit = hl.max(lightness, TINY)
    per_both = 1.0 / (below * lit)
    scale = lit * per_both
    value = hl.select(upper, GREY_SHOWN, 0.0) + rise * (mean * t * t + first * mixed) * scale
    slope = mean * mean * (last * t * t + 2.0 * mean * mixed + first * (1.0 - t) * (1.0 - t)) * scale * scale
    return value, value * below * per_both, slope


def build(g, image):
    """Image (x, y) -> (r, g, b) and the roots of its cone responses, which gamut mapping works on."""
    exposed = [v * g.exposure_gain for v in channels(image, x, y)]
    roots = opponent.roots(exposed)
    lightness, chroma = opponent.split(roots)
    value, ratio, slope = curve(g, lightness)
    factor = ratio + g.tone_richness * (slope - ratio)
    toned = opponent.join(value, [c * factor for c in chroma])
    out = hl.Func("toned")
    pairs = zip((*opponent.light(toned), *toned), (*exposed, *roots), strict=True)
    out[x, y] = tuple(hl.select(g.tone_on != 0, new, old) for new, old in pairs)
    return out
