"""A plane of cells through a symmetric filter down and across, mirrored at the edges: what `land` takes its light from.

Schedule: ROWS rows at a time, so that a row of cells once loaded serves several; down, then across, in the second-level cache. Bands of
rows are the caller's threads.
Measured: 62.5 million cells in 0.11 s of processor time (AVX-512; SSE 4.1: 0.14), new memory included; to copy them takes 0.03.
"""

import halide as hl

REACH = 8  # cells on either side
ROWS = 4

x, y = hl.vars("x y")


@hl.generator(name="prepare")
class Prepare(hl.Generator):
    signals = hl.InputBuffer(hl.Float(32), 2)
    half = hl.InputBuffer(hl.Float(32), 1)  # of the filter, its middle first
    top = hl.InputScalar(hl.Int(32))  # row of the plane in which the band begins
    prepared = hl.OutputBuffer(hl.Float(32), 2)

    def generate(g):
        g.half.dim(0).set_bounds(0, REACH + 1)
        cells, down = hl.BoundaryConditions.mirror_image(g.signals), hl.Func("down")
        down[x, y] = g.filtered(lambda by: cells[x, g.top + y + by])
        g.prepared[x, y] = g.filtered(lambda by: down[x + by, y])
        rows, row, lanes, guard = hl.Var("rows"), hl.Var("row"), g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        g.prepared.split(y, rows, row, ROWS, guard).vectorize(x, lanes, guard)
        down.compute_at(g.prepared, rows).reorder(y, x).bound_extent(y, ROWS).unroll(y).vectorize(x, lanes)

    def filtered(g, cell):
        """The filter about a cell."""
        found = g.half[0] * cell(0)
        for by in range(1, REACH + 1):
            found += g.half[by] * (cell(-by) + cell(by))
        return found


if __name__ == "__main__":
    hl.main()
