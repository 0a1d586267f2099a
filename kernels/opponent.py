"""Lightness and chroma with straight lines of constant hue: the space in which tone and gamut move colours.

A colour is held as the square roots of its cone responses, Hunt-Pointer-Estevez for D65 as in IPT (F. Ebner and M. D. Fairchild,
"Development and testing of a color space (IPT) with improved hue uniformity", Color Imaging Conference 1998). IPT's exponent 0.43
becomes 0.5: a square root is exact on every processor, and makes the way to the grey axis a quadratic in linear light. Lightness is
IPT's intensity; the three roots less the lightness are the chroma, and scaling it keeps the hue.
"""

import halide as hl

# Linear Rec.2020 to cone responses, white (1, 1, 1) to (1, 1, 1), and back.
CONES = ((0.440777402, 0.535301615, 0.023920983), (0.156887221, 0.748483308, 0.094629471), (0.0, 0.025777047, 0.974222953))
RGB = ((3.045706601, -2.18296073, 0.137254128), (-0.640543666, 1.79961868, -0.159075013), (0.016948199, -0.047616262, 1.030668063))
INTENSITY = (0.4, 0.4, 0.2)


def times(matrix, v):
    """Matrix (3 rows) times the three expressions v."""
    return [sum(hl.f32(m) * value for m, value in zip(row, v, strict=True)) for row in matrix]


def split(rgb):
    """Linear Rec.2020 to (lightness, chroma of the three cones); responses below zero, which no light gives, count as zero."""
    roots = [hl.sqrt(hl.max(cone, 0.0)) for cone in times(CONES, rgb)]
    lightness = sum(hl.f32(w) * root for w, root in zip(INTENSITY, roots, strict=True))
    return lightness, [root - lightness for root in roots]


def join(lightness, chroma):
    """(lightness, chroma) to linear Rec.2020."""
    roots = [hl.max(lightness + c, 0.0) for c in chroma]
    return times(RGB, [root * root for root in roots])
