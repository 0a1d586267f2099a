"""What filtering took out of the mosaic, as sums over tiles of 16x16 cells: the mean light it must give back.

Schedule: cells are summed down the columns of a tile in vectors, then across; rows of tiles in parallel.
"""

import denoise_cells
import denoise_light
import gain_lines
import halide as hl
from denoise_cells import POSITIONS

x, y, c, b = hl.vars("x y c b")
TILE = 16  # cells


@hl.generator(name="denoise_residual")
class DenoiseResidual(denoise_cells.Mosaic, denoise_light.Filtered, hl.Generator):
    sums = hl.OutputBuffer(hl.Float(32), 3)  # (tile x, tile y, CFA position)

    def generate(g):
        taken, column, tile = hl.Func("taken"), hl.Func("column"), hl.Func("tile")
        taken[x, y] = tuple(g.taken())
        down, along, zero = hl.RDom([(0, TILE)]), hl.RDom([(0, TILE)]), (hl.f32(0),) * 4
        column[x, b], tile[x, b] = zero, zero
        column[x, b] = tuple(column[x, b][p] + taken[x, TILE * b + down][p] for p in range(4))
        tile[x, b] = tuple(tile[x, b][p] + column[TILE * x + along, b][p] for p in range(4))
        g.sums[x, b, c] = hl.mux(c, [tile[x, b][p] for p in range(4)])
        n = g.natural_vector_size(hl.Float(32))
        g.sums.bound(c, 0, 4).reorder(c, x, b).unroll(c).parallel(b)
        tile.compute_at(g.sums, x)
        column.compute_at(g.sums, b).vectorize(x, n)
        column.update().reorder(x, down.x).vectorize(x, n)
        taken.compute_at(column, down.x).vectorize(x, n)
        g.bound_cells(g.mosaic)

    def taken(g):
        """Samples less filtered samples of cell (x, y) of the frame, 0 outside."""
        cx, cy = hl.clamp(x, 0, g.width() - 1), hl.clamp(y, 0, g.height() - 1)
        inside = (x < g.width()) & (y < g.height())
        raw = [g.mosaic[a, cx, j, cy] / gain_lines.at(g, 2 * cx + a, 2 * cy + j, j) for a, j in POSITIONS]
        return [hl.select(inside, before - after, 0) for before, after in zip(raw, g.filtered(cx, cy), strict=True)]


if __name__ == "__main__":
    hl.main()
