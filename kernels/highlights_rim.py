"""What colours clipped light has around it: sums over blocks of 8 x 8 cells of a white-balanced RGGB mosaic.

Algorithm: for each pair of colours the difference of their square roots, over the cells of every other row in which neither is
clipped, nor within two cells. Cells weigh by the fourth power of the pair's brightness, as a share of the clip level, so that the rim
of a light counts and the dark in front of it does not; very near the clip level, where sensors bend, weights go back to zero.
Schedule: cells are summed down the columns of a block in vectors, then across.
Cost: a part of that of the highlights stage in docs/quality.md.
"""

import gain_lines
import halide as hl

x, y, c, b = hl.vars("x y c b")
BLOCK = 8  # cells
BITS = (1, 6, 8)  # clip bits of R, G, B


@hl.generator(name="highlights_rim")
class HighlightsRim(gain_lines.Inputs, hl.Generator):  # lines: clip level
    mosaic = hl.InputBuffer(hl.Float(32), 2)
    clip = hl.InputBuffer(hl.UInt(8), 2)
    sums = hl.OutputBuffer(hl.Float(32), 3)  # (block x, block y, weights of RG, GB, BR and then weighted differences G-R, B-G, R-B)

    def generate(g):
        cell, column, block = hl.Func("cell"), hl.Func("column"), hl.Func("block")
        zero = (hl.f32(0),) * 6
        cell[x, y] = tuple(g.weighted(g.near_clip()))
        down, along = hl.RDom([(0, BLOCK // 2)]), hl.RDom([(0, BLOCK)])
        column[x, b], block[x, b] = zero, zero
        column[x, b] = tuple(column[x, b][i] + cell[x, BLOCK * b + 2 * down][i] for i in range(6))
        block[x, b] = tuple(block[x, b][i] + column[BLOCK * x + along, b][i] for i in range(6))
        g.sums[x, b, c] = hl.mux(c, [block[x, b][i] for i in range(6)])
        n = g.natural_vector_size(hl.Float(32))
        g.sums.bound(c, 0, 6).reorder(c, x, b).unroll(c).parallel(b)
        block.compute_at(g.sums, x)
        column.compute_at(g.sums, b).vectorize(x, n)
        column.update().reorder(x, down.x).vectorize(x, n)
        cell.compute_at(column, down.x).vectorize(x, n)

    def near_clip(g):
        """Clip bits of the cells within two cells of each, taken together."""
        clip = hl.BoundaryConditions.repeat_edge(g.clip)
        down, near = hl.Func("down"), hl.Func("near")
        down[x, y] = either([clip[x, y + i] for i in range(-2, 3)])
        near[x, y] = either([down[x + i, y] for i in range(-2, 3)])
        n = 2 * g.natural_vector_size(hl.Float(32))
        down.compute_at(g.sums, b).vectorize(x, n)
        near.compute_at(g.sums, b).vectorize(x, n)
        return near

    def weighted(g, near):
        """Weights of the three pairs of colours in the cell at (x, y), then their weighted differences of roots."""
        width, height = g.mosaic.dim(0).extent(), g.mosaic.dim(1).extent()
        m = hl.BoundaryConditions.mirror_interior(g.mosaic, [(0, width), (0, height)])
        color = [m[2 * x, 2 * y], (m[2 * x + 1, 2 * y] + m[2 * x, 2 * y + 1]) / 2, m[2 * x + 1, 2 * y + 1]]
        share = [value / level for value, level in zip(color, g.levels(width, height), strict=True)]
        root = [hl.sqrt(hl.max(value, 0.0)) for value in color]
        weights, differences = [], []
        for i, j in ((0, 1), (1, 2), (2, 0)):
            brighter = hl.clamp(hl.max(share[i], share[j]), 0.0, 1.0)
            straight = hl.min((1 - brighter) * 8, 1.0)  # one up to 7/8 of the clip level
            sound = ((near[x, y] & hl.u8(BITS[i] | BITS[j])) == 0) & (2 * x < width) & (2 * y < height)
            weights.append(hl.select(sound, straight * hl.pow(brighter, 4), 0.0))
            differences.append(weights[-1] * (root[j] - root[i]))
        return weights + differences

    def levels(g, width, height):
        """Clip levels of R, G, B in the cell at (x, y)."""
        left, top = hl.min(2 * x, width - 2), hl.min(2 * y, height - 2)
        return [gain_lines.at(g, left + i, top + j, j) for i, j in ((0, 0), (1, 0), (1, 1))]


def either(values):
    """All bits of the values."""
    together = values[0]
    for value in values[1:]:
        together |= value
    return together


if __name__ == "__main__":
    hl.main()
