"""3x3 colour matrix, point by point."""

import halide as hl
from image import channels

x, y = hl.vars("x y")


def matrix(image, m):
    """image (x, y) -> 3 channels times m (column, row)."""
    out = hl.Func("working")
    r, g, b = channels(image, x, y)
    out[x, y] = tuple(m[0, i] * r + m[1, i] * g + m[2, i] * b for i in range(3))
    return out
