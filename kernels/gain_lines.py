"""A smooth gain or level over a mosaic, as the kernels are given it: lines interpolated along x at its knot rows, mixed here along y."""

import halide as hl


class Inputs:
    lines = hl.InputBuffer(hl.Float(32), 3)  # (mosaic x, knot row, row parity)
    knot = hl.InputBuffer(hl.Float(32), 1)  # fractional knot row of each mosaic row


def at(g, x, y, parity):
    """The gain at (x, y) of the mosaic; parity: y % 2, where the caller knows it as a constant."""
    knot = g.knot[y]
    above = hl.clamp(hl.cast(hl.Int(32), knot), 0, hl.max(g.lines.dim(1).extent() - 2, 0))
    upper, lower = g.lines[x, above, parity], g.lines[x, above + 1, parity]
    return upper + (knot - hl.cast(hl.Float(32), above)) * (lower - upper)
