"""What the nearest samples blurred is put back: merged + (picture - picture as the merge saw it).

Algorithm, per tile and CFA position: `seen` holds the weights, of sum 1, with which the merged pixel saw the picture around it. The
estimate of the picture, seen through them and taken from the estimate itself, is the change that looking off the pixel made.
Schedule: parallel rows of tiles, a tile's weights constants of its loops: 36 multiply-adds a pixel.
"""

import halide as hl
from burst_add import CELLS
from burst_spread import FIRST, TAPS

x, y, px, py, c, xo, xi, yo, yi = hl.vars("x y px py c xo xi yo yi")


@hl.generator(name="burst_restore")
class BurstRestore(hl.Generator):
    merged = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    picture = hl.InputBuffer(hl.Float(32), 3)  # (x, y, colour)
    scale = hl.InputBuffer(hl.Float(32), 1)  # of the picture's colours to the mosaic's light
    seen = hl.InputBuffer(hl.Float(32), 5)  # (column, row of the kernel, CFA position, tile x, tile y)
    restored = hl.OutputBuffer(hl.Float(32), 4)  # as merged, and may be the same memory

    def generate(g):
        edge = hl.BoundaryConditions.repeat_edge(g.picture)
        change, halves = hl.Func("change"), hl.Func("halves")
        halves[px, x, y, c] = edge[2 * x + px, y, c]  # columns of one parity side by side, so that all loads from here are dense
        position = px + 2 * py
        color = hl.select(position == 0, 0, hl.select(position == 3, 2, 1))
        column = lambda n: ((px + n) % 2, x + (px + n) / 2)
        total = halves[px, x, 2 * y + py, color]
        for j in range(TAPS):
            for i in range(TAPS):
                total -= g.seen[i, j, position, x / CELLS, y / CELLS] * halves[*column(FIRST + i), 2 * y + py + FIRST + j, color]
        change[px, x, py, y] = total * g.scale[color]
        g.restored[px, x, py, y] = g.merged[px, x, py, y] + change[px, x, py, y]
        guard = hl.TailStrategy.GuardWithIf
        g.restored.bound(px, 0, 2).bound(py, 0, 2)
        g.restored.split(y, yo, yi, CELLS, guard).split(x, xo, xi, CELLS, guard).reorder(px, xi, py, xo, yi, yo)
        g.restored.unroll(px).unroll(py).vectorize(xi, CELLS, guard).parallel(yo)
        change.compute_at(g.restored, xo).bound(px, 0, 2).bound(py, 0, 2).unroll(px).unroll(py).vectorize(x, CELLS)
        halves.compute_at(g.restored, yo).bound_extent(px, 2).bound(c, 0, 3).reorder_storage(x, px, y, c)
        halves.reorder(px, x, y, c).unroll(px).vectorize(x, g.natural_vector_size(hl.Float(32)))
        for buffer in (g.merged, g.restored.output_buffer()):
            buffer.dim(0).set_bounds(0, 2).set_stride(1)
            buffer.dim(1).set_min(0).set_stride(2)
            buffer.dim(2).set_bounds(0, 2)
            buffer.dim(3).set_min(0)


if __name__ == "__main__":
    hl.main()
