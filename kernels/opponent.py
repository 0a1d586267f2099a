"""Lightness and chroma with straight lines of constant hue: the space in which tone and gamut move colours.

A colour is held as the square roots of its cone responses, those of Oklab (B. Ottosson, "A perceptual color space for image
processing", 2020; after Ebner & Fairchild's IPT, 1998). The exponent 1/3 becomes 1/2: a square root is exact on every processor and
makes the way to the grey axis a quadratic in linear light, and the gamuts of sRGB and Display P3 stay star-shaped about that axis.
Lightness is a weighted mean of the roots; the roots less the lightness are the chroma, and scaling it keeps the hue.
"""

import halide as hl

# Linear Rec.2020 to cone responses, white (1, 1, 1) to (1, 1, 1), and back.
CONES = ((0.616755788, 0.360198402, 0.023045810), (0.265133060, 0.635839371, 0.099027568), (0.100102631, 0.203906520, 0.695990848))
RGB = ((2.139906720, -1.246389495, 0.106482775), (-0.884735834, 2.163230941, -0.278495107), (-0.048573753, -0.454503140, 1.503076894))
INTENSITY = (0.3, 0.6, 0.1)
LEAST = 1e-3**0.5  # of the largest root; below it a root would magnify rounding


def times(matrix, v):
    """Matrix (3 rows) times the three expressions v."""
    return [sum(hl.f32(m) * value for m, value in zip(row, v, strict=True)) for row in matrix]


def roots(rgb):
    """Square roots of the cone responses of linear Rec.2020, 0 where a response is negative."""
    return [hl.sqrt(hl.max(cone, 0.0)) for cone in times(CONES, rgb)]


def least(roots):
    """The smallest root that light gives beside the largest: far below any spectral colour, far above rounding."""
    return hl.f32(LEAST) * hl.max(*roots)


def split(roots):
    """Roots to (lightness, chroma of the three cones); smaller roots than light gives count as the least."""
    floor = least(roots)
    roots = [hl.max(root, floor) for root in roots]
    lightness = sum(hl.f32(w) * root for w, root in zip(INTENSITY, roots, strict=True))
    return lightness, [root - lightness for root in roots]


def join(lightness, chroma):
    """(lightness, chroma) to roots."""
    return [hl.max(lightness + c, 0.0) for c in chroma]


def light(roots):
    """Roots to linear Rec.2020."""
    return times(RGB, [root * root for root in roots])
