"""Restored samples kept near the merged ones around, so that beside a lamp nothing swings below its dark surroundings.

Algorithm: no lower than the lowest and no higher than the highest of the merged samples of the same colour in the 3 x 3 cells around, both
moved outwards by `beyond` times their distance (as deconvolution is limited; Jansson 1997), the lowest by no more than that share of
itself, since the distance is many times as large beside a lamp. At an edge of extreme contrast, whose samples burst_add_edges
interpolates, the merged sample.
Schedule: parallel strips, vectors along cells. Bound by memory.
"""

import halide as hl
from burst_add_edges import extreme
from cells import by_cells

x, y, px, py = hl.vars("x y px py")
STRIP = 32  # cells
AROUND = [(i, j) for j in (-1, 0, 1) for i in (-1, 0, 1) if (i, j) != (0, 0)]


@hl.generator(name="burst_limit")
class BurstLimit(hl.Generator):
    merged = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    restored = hl.InputBuffer(hl.Float(32), 4)
    beyond = hl.InputScalar(hl.Float(32))
    dark = hl.InputScalar(hl.Float(32))  # value below which samples show no contrast
    limited = hl.OutputBuffer(hl.Float(32), 4)  # may be the memory of `restored`

    def generate(g):
        cell = hl.Func("cell")
        right, bottom = (g.merged.dim(n).extent() - 1 for n in (1, 3))
        cell[px, x, py, y] = g.merged[px, hl.clamp(hl.likely(x), 0, right), py, hl.clamp(hl.likely(y), 0, bottom)]
        lowest = highest = own = cell[px, x, py, y]
        edge = extreme([own, *(cell[px, x + i, py, y + j] for i, j in AROUND)], g.dark)
        for i, j in AROUND:
            lowest, highest = hl.min(lowest, cell[px, x + i, py, y + j]), hl.max(highest, cell[px, x + i, py, y + j])
        up = g.beyond * (highest - lowest)
        down = hl.min(up, g.beyond * hl.abs(lowest))
        kept = hl.clamp(g.restored[px, x, py, y], lowest - down, highest + up)
        g.limited[px, x, py, y] = kept + edge * (own - kept)
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        strip, row = hl.Var("strip"), hl.Var("row")
        g.limited.bound(px, 0, 2).bound(py, 0, 2).reorder(px, x, py, y).unroll(px).unroll(py)
        g.limited.split(y, strip, row, STRIP, guard).vectorize(x, n, guard).parallel(strip)
        cell.store_at(g.limited, strip).compute_at(g.limited, row).bound(px, 0, 2).bound(py, 0, 2)
        cell.reorder(px, x, py, y).unroll(px).unroll(py).vectorize(x, n, guard).reorder_storage(x, px, py, y)
        for buffer in (g.merged, g.restored, g.limited.output_buffer()):
            by_cells(buffer)


if __name__ == "__main__":
    hl.main()
