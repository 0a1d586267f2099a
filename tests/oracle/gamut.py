"""Oracle of kernels/gamut.py: roots of polynomials say where a colour leaves the gamut on its way from grey."""

import numpy as np
from oracle.opponent import CONES, join, responses, split

from apochromat.light.spaces import conversion


def distance(lightness, chroma, to_output):
    """1 / s for the smallest positive scale s of the chroma at which an output channel is 0 or 1; 0 where there is none."""
    nearest = np.inf
    for row in to_output:
        square, linear = row @ chroma**2, 2 * lightness * (row @ chroma)
        for level in (0, 1):
            for root in np.roots([square, linear, lightness**2 - level]):
                if abs(root.imag) < 1e-9 and root.real > 0:
                    nearest = min(nearest, root.real)
    return 1 / nearest


def gamut(rgb, knee, space):
    """Linear Rec.2020 (n, 3) with the colours beyond the knee brought in towards grey."""
    to_output = conversion("rec2020", space) @ np.linalg.inv(CONES)
    knee = min(knee, 0.9999)
    lightness, chroma = split(rgb)
    out = rgb.copy()
    for i, (light, colour) in enumerate(zip(lightness, chroma, strict=True)):
        if light >= 1:
            out[i] = join(light, 0 * colour)
            continue
        far = distance(light, colour, to_output)
        scale = 1.0
        if far > knee:
            t = (far - knee) / (1 - knee)
            scale = (knee + (1 - knee) * (1 - 1 / (1 + t + t**2))) / far
        cones, least = responses(out[i])
        if scale < 1 or cones.min() < least[0]:
            out[i] = join(light, colour * scale)
    return out
