"""What the nearest samples blurred is put back: merged + (picture - picture as the merge saw it).

Algorithm, per tile and CFA position: `seen` holds the weights, of sum 1, with which the merged pixel saw the picture around it. The
estimate of the picture, seen through them and taken from the estimate itself, is the change that looking off the pixel made. Where a
pixel's weight falls short of what its frames were trusted with (some clip there, or end), it saw less than that, and nothing changes.
Schedule: parallel rows of tiles, a tile's weights constants of its loops: 36 multiply-adds a pixel.
"""

import halide as hl
from burst_add import CELLS, Interpolated, i, j, px, py, tx, ty
from burst_spread import FIRST, TAPS
from cells import by_cells

x, y, c, xo, xi, yo, yi = hl.vars("x y c xo xi yo yi")


@hl.generator(name="burst_restore")
class BurstRestore(hl.Generator):
    merged = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    weight = hl.InputBuffer(hl.Float(32), 4)  # as merged: the sum of its samples' weights
    trusted = hl.InputBuffer(hl.Float(32), 2)  # (tile x, tile y): the sum of the frames' trust
    picture = hl.InputBuffer(hl.Float(32), 3)  # (x, y, colour)
    scale = hl.InputBuffer(hl.Float(32), 1)  # of the picture's colours to the mosaic's light
    seen = hl.InputBuffer(hl.Float(32), 5)  # (column, row of the kernel, CFA position, tile x, tile y)
    restored = hl.OutputBuffer(hl.Float(32), 4)  # as merged, and may be the same memory

    def generate(g):
        edge = hl.BoundaryConditions.repeat_edge(g.picture)
        change, halves, expected, trusted = hl.Func("change"), hl.Func("halves"), hl.Func("expected"), Interpolated(g.trusted)
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
        expected[px, i, py, j, tx, ty] = trusted.value
        trust = expected[px, x % CELLS, py, y % CELLS, x / CELLS, y / CELLS]
        whole = hl.clamp(5 * g.weight[px, x, py, y] / hl.max(trust, hl.f32(1e-6)) - 4, 0, 1)
        g.restored[px, x, py, y] = g.merged[px, x, py, y] + whole * change[px, x, py, y]
        g.schedule(change, halves, expected, trusted.line)

    def schedule(g, change, halves, expected, line):
        guard = hl.TailStrategy.GuardWithIf
        g.restored.bound(px, 0, 2).bound(py, 0, 2)
        g.restored.split(y, yo, yi, CELLS, guard).split(x, xo, xi, CELLS, guard).reorder(px, xi, py, xo, yi, yo)
        g.restored.unroll(px).unroll(py).vectorize(xi, CELLS, guard).parallel(yo)
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
