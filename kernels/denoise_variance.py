"""Variance of the noise over the picture relative to its median, as the kernels are given it: lines at knot rows, mixed here along y."""

import halide as hl


class Inputs:
    relative = hl.InputBuffer(hl.Float(32), 2)  # (x, knot row)
    relative_knot = hl.InputBuffer(hl.Float(32), 1)  # fractional knot row of each y


def at(g, x, y):
    """The relative variance at (x, y)."""
    knot = g.relative_knot[y]
    above = hl.clamp(hl.cast(hl.Int(32), knot), 0, hl.max(g.relative.dim(1).extent() - 2, 0))
    upper, lower = g.relative[x, above], g.relative[x, above + 1]
    return upper + (knot - hl.cast(hl.Float(32), above)) * (lower - upper)
