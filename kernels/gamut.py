"""Gamut mapping: colours that the output space cannot show move towards grey at their own lightness and hue.

With s the chroma's scale, each output channel is a quadratic in s (see opponent.py), so the scale at which a channel reaches 0 or 1
is known in closed form. Its inverse is the colour's distance from grey, 1 on the surface of the gamut; distances beyond a knee are
compressed below 1, as the ACES reference gamut compression does (Academy, 2020), by 1 - 1 / (1 + t + t^2): smooth to the second derivative.

Cost: see kernels/encode.py.
"""

import halide as hl
import opponent
from image import channels

x, y = hl.vars("x y")
TINY = hl.f32(1e-6)
NEAREST = hl.f32(0.9999)  # of the knee to the surface, so that the compression always ends inside


class Inputs:
    gamut_on = hl.InputScalar(hl.Int(32))  # 0: exact identity
    gamut_knee = hl.InputScalar(hl.Float(32))  # distance from grey below which colours are left alone, 0..1
    gamut_cones_to_output = hl.InputBuffer(hl.Float(32), 2)  # (column, row), cone responses to linear output RGB


def distance(g, lightness, chroma):
    """Distance from grey: 0 on the axis, 1 where the first output channel reaches 0 or 1.

    On its way from grey a channel that falls meets 0 before anything else, one that rises meets 1: one root a channel.
    """
    rows = [[g.gamut_cones_to_output[j, i] for j in range(3)] for i in range(3)]
    lightness, room = hl.max(lightness, TINY), hl.max(1.0 - lightness * lightness, TINY)
    far = hl.f32(0.0)
    for p, q in zip(opponent.times(rows, chroma), opponent.times(rows, [c * c for c in chroma]), strict=True):
        falls = p < 0.0
        step = p * hl.select(falls, -1.0, lightness)
        root = hl.sqrt(hl.max(step * step + hl.select(falls, -1.0, room) * q, 0.0))
        far = hl.max(far, (step + root) * hl.select(falls, room, lightness))
    return far / (lightness * room)


def build(g, image):
    rgb, roots = channels(image, x, y), [image[x, y][i] for i in (3, 4, 5)]
    lightness, chroma = opponent.split(roots)
    far = distance(g, lightness, chroma)
    knee = hl.min(g.gamut_knee, NEAREST)
    t = (far - knee) * (1.0 / (1.0 - knee))
    whole = 1.0 + t + t * t
    scale = hl.select(t > 0.0, (whole - (1.0 - knee)) / (whole * hl.max(far, TINY)), 1.0)
    mapped = opponent.light(opponent.join(lightness, [c * hl.select(lightness < 1.0, scale, 0.0) for c in chroma]))
    # No light, or smaller cone responses than light gives: such a colour is replaced even where what is left of it lies inside.
    beyond = (g.gamut_on != 0) & ((t > 0.0) | (hl.min(*roots) <= opponent.least(roots)))
    out = hl.Func("mapped")
    out[x, y] = tuple(hl.select(beyond, m, v) for m, v in zip(mapped, rgb, strict=True))
    g.per_line.append(out)  # one chain of roots and divisions from tone to codes would be too long to overlap with the next pixels'
    return out
