"""What the nearest samples blurred is put back: merged + (picture - picture as the merge saw it).

Algorithm, per tile and CFA position: `seen` holds the weights, of sum 1, with which the merged pixel saw the picture around it. The
estimate of the picture, seen through them and taken from the estimate itself, is the change that looking off the pixel made.
In a bracket the frames that count at a pixel are those of the shortest exposures up to some level, so its weight tells which: between
two levels' sums of trust, `seen` of a level is taken as far as the weight is that level's. Where the weight falls short of them all
(frames end there, or hot pixels lie), nothing changes.
Schedule: parallel rows of tiles, a tile's weights constants of its loops: 36 multiply-adds a pixel.
"""

import halide as hl
from burst_add import CELLS, Interpolated, i, j, px, py, tx, ty
from burst_spread import FIRST, TAPS
from cells import by_cells

x, y, c, xo, xi, yo, yi = hl.vars("x y c xo xi yo yi")


def rising(weight, first, last):
    """0 up to a weight of `first`, 1 from `last`."""
    return hl.clamp((weight - first) / hl.max(last - first, hl.f32(1e-4) * last), 0, 1)


@hl.generator(name="burst_restore")
class BurstRestore(hl.Generator):
    merged = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    weight = hl.InputBuffer(hl.Float(32), 4)  # as merged: the sum of its samples' weights
    below = hl.InputBuffer(hl.Float(32), 2)  # (tile x, tile y): weight from which the level counts
    trusted = hl.InputBuffer(hl.Float(32), 2)  # the same where it counts fully: the sum of the frames' trust up to this level
    above = hl.InputBuffer(hl.Float(32), 2)  # the same where the next level does
    picture = hl.InputBuffer(hl.Float(32), 3)  # (x, y, colour)
    scale = hl.InputBuffer(hl.Float(32), 1)  # of the picture's colours to the mosaic's light
    seen = hl.InputBuffer(hl.Float(32), 5)  # (column, row of the kernel, CFA position, tile x, tile y)
    restored = hl.OutputBuffer(hl.Float(32), 4)  # as merged, and may be the same memory

    def generate(g):
        edge = hl.BoundaryConditions.repeat_edge(g.picture)
        change, halves, expected = hl.Func("change"), hl.Func("halves"), hl.Func("expected")
        maps = [Interpolated(n) for n in (g.below, g.trusted, g.above)]
        halves[px, x, y, c] = edge[2 * x + px, y, c]  # columns of one parity side by side, so that all loads from here are dense
        position = px + 2 * py
        color = hl.select(position == 0, 0, hl.select(position == 3, 2, 1))
        column = lambda n: ((px + n) % 2, x + (px + n) / 2)
        total = halves[px, x, 2 * y + py, color]
        for down in range(TAPS):
            for across in range(TAPS):
                seen = g.seen[across, down, position, x / CELLS, y / CELLS]
                total -= seen * halves[*column(FIRST + across), 2 * y + py + FIRST + down, color]
        change[px, x, py, y] = total * g.scale[color]
        expected[px, i, py, j, tx, ty] = tuple(n.value for n in maps)
        trust = expected[px, x % CELLS, py, y % CELLS, x / CELLS, y / CELLS]
        weight = g.weight[px, x, py, y]
        share = (rising(weight, trust[0], trust[1]) - rising(weight, trust[1], trust[2])) * trust[1] / hl.max(weight, hl.f32(1e-6))
        g.restored[px, x, py, y] = g.merged[px, x, py, y] + share * change[px, x, py, y]
        g.schedule(change, halves, expected, [n.line for n in maps])

    def schedule(g, change, halves, expected, lines):
        guard = hl.TailStrategy.GuardWithIf
        g.restored.bound(px, 0, 2).bound(py, 0, 2)
        g.restored.split(y, yo, yi, CELLS, guard).split(x, xo, xi, CELLS, guard).reorder(px, xi, py, xo, yi, yo)
        g.restored.unroll(px).unroll(py).vectorize(xi, CELLS, guard).parallel(yo)
        for line in lines:
            line.compute_at(g.restored, yo).bound_extent(py, 2)
        expected.compute_at(g.restored, xo).bound(px, 0, 2).bound(py, 0, 2).bound(i, 0, CELLS)
        expected.reorder(px, py, i, j, tx, ty).unroll(px).unroll(py).vectorize(i, CELLS)
        change.compute_at(g.restored, xo).bound(px, 0, 2).bound(py, 0, 2).unroll(px).unroll(py).vectorize(x, CELLS)
        halves.compute_at(g.restored, yo).bound_extent(px, 2).bound(c, 0, 3).reorder_storage(x, px, y, c)
        halves.reorder(px, x, y, c).unroll(px).vectorize(x, g.natural_vector_size(hl.Float(32)))
        for buffer in (g.merged, g.weight, g.restored.output_buffer()):
            by_cells(buffer)


if __name__ == "__main__":
    hl.main()
