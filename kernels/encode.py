"""Linear Rec.2020 to display codes 0..1: the output space's matrix, then the sRGB transfer curve (IEC 61966-2-1).

Above the curve's linear part the code is a polynomial in the fourth root of the linear value (minimax, degree 6): two exact square
roots and six products instead of a power or a table look-up, within 1.6e-6 of the standard's curve.

Cost: tone, gamut and encode together 10 ms/MP on one thread of a busy machine (AVX-512; AVX2 15, SSE4.1 25), most of it 18 square roots
and 7 divisions a pixel; the floor, each byte moved once, is 0.2.
"""

import halide as hl
import opponent
from image import channels

x, y = hl.vars("x y")
CURVE = (-0.0595565075, 0.139739223, 1.36519609, -0.850995764, 0.654355728, -0.316337619, 0.0675997504)


class Inputs:
    encode_on = hl.InputScalar(hl.Int(32))  # 0: exact identity
    encode_working_to_output = hl.InputBuffer(hl.Float(32), 2)  # (column, row), linear Rec.2020 to linear output RGB


def transfer(linear):
    """sRGB code of a linear value 0..1."""
    root = hl.sqrt(hl.sqrt(linear))
    code = hl.f32(CURVE[-1])
    for coefficient in CURVE[-2::-1]:
        code = code * root + hl.f32(coefficient)
    return hl.select(linear <= hl.f32(0.0031308), hl.f32(12.92) * linear, hl.min(code, 1.0))


def build(g, image):
    rgb = channels(image, x, y)
    rows = [[g.encode_working_to_output[j, i] for j in range(3)] for i in range(3)]
    codes = [transfer(hl.clamp(v, 0.0, 1.0)) for v in opponent.times(rows, rgb)]
    out = hl.Func("codes")
    out[x, y] = tuple(hl.select(g.encode_on != 0, code, v) for code, v in zip(codes, rgb, strict=True))
    return out
