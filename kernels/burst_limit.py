"""Restored samples kept near the merged ones around, so that beside a lamp nothing swings below its dark surroundings.

Algorithm: no lower than the lowest and no higher than the highest of the merged samples of the same colour in the 3 x 3 cells around, both
moved outwards by `beyond` times their distance (as deconvolution is limited; Jansson 1997), the lowest by no more than that share of
itself, since the distance is many times as large beside a lamp; and within the share SHARE of the merged sample. At an edge of extreme
contrast, whose samples burst_add_edges interpolates, that sample; so too where the samples of REACH cells around differ by the factor
FAR, for there what burst_pilot takes for noise is that of the lamp.
Schedule: parallel strips, vectors along cells, the wide range along rows and then down columns. Bound by memory.
"""

import halide as hl
from burst_add_edges import EDGE, extreme, extremes
from cells import by_cells

x, y, px, py = hl.vars("x y px py")
STRIP = 32  # cells
SHARE = 0.25
REACH, FAR = 3, 16


@hl.generator(name="burst_limit")
class BurstLimit(hl.Generator):
    merged = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    restored = hl.InputBuffer(hl.Float(32), 4)
    beyond = hl.InputScalar(hl.Float(32))
    dark = hl.InputScalar(hl.Float(32))  # value below which samples show no contrast
    limited = hl.OutputBuffer(hl.Float(32), 4)  # may be the memory of `restored`

    def generate(g):
        cell, row = hl.Func("cell"), hl.Func("row")
        right, bottom = (g.merged.dim(n).extent() - 1 for n in (1, 3))
        cell[px, x, py, y] = g.merged[px, hl.clamp(hl.likely(x), 0, right), py, hl.clamp(hl.likely(y), 0, bottom)]
        near, wide = range(-1, 2), range(-REACH, REACH + 1)
        row[px, x, py, y] = extremes([cell[px, x + i, py, y] for i in wide])
        lowest, highest = extremes([cell[px, x + i, py, y + j] for j in near for i in near])
        darkest, brightest = (extremes([row[px, x, py, y + j][n] for j in wide])[n] for n in (0, 1))
        edge = hl.max(extreme(lowest, highest, g.dark, EDGE), extreme(darkest, brightest, g.dark, FAR))
        own, up = cell[px, x, py, y], g.beyond * (highest - lowest)
        down, most = hl.min(up, g.beyond * hl.abs(lowest)), hl.f32(SHARE) * hl.max(hl.abs(own), g.dark)
        kept = hl.clamp(g.restored[px, x, py, y], hl.max(lowest - down, own - most), hl.min(highest + up, own + most))
        g.limited[px, x, py, y] = kept + edge * (own - kept)
        g.schedule(cell, row)

    def schedule(g, cell, row):
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        strip, line = hl.Var("strip"), hl.Var("line")
        g.limited.bound(px, 0, 2).bound(py, 0, 2).reorder(px, x, py, y).unroll(px).unroll(py)
        g.limited.split(y, strip, line, STRIP, guard).vectorize(x, n, guard).parallel(strip)
        for f in (cell, row):
            f.store_at(g.limited, strip).compute_at(g.limited, line).bound(px, 0, 2).bound(py, 0, 2)
            f.reorder(px, x, py, y).unroll(px).unroll(py).vectorize(x, n, guard).reorder_storage(x, px, py, y)
        for buffer in (g.merged, g.restored, g.limited.output_buffer()):
            by_cells(buffer)


if __name__ == "__main__":
    hl.main()
