"""Stabilised planes of a mosaic: a plane per CFA position, in numbers whose noise has variance 1 (generalised Anscombe transform).

Planes have a margin of mirrored cells, as wide as the caller's buffer asks for: what reads neighbours needs no borders.
"""

import denoise_cells
import gain_lines
import halide as hl
from denoise_cells import POSITIONS

x, y, c, yo = hl.vars("x y c yo")


@hl.generator(name="denoise_planes")
class DenoisePlanes(denoise_cells.Mosaic, hl.Generator):
    margin = hl.InputScalar(hl.Int(32))  # cells before the first one, each way
    output = hl.OutputBuffer(hl.Float(32), 3)  # (cell x, cell y, CFA position)

    def generate(g):
        cx, cy = (g.mirrored(v - g.margin, n) for v, n in ((x, g.width()), (y, g.height())))
        samples = [g.mosaic[a, cx, b, cy] / gain_lines.at(g, 2 * cx + a, 2 * cy + b, b) for a, b in POSITIONS]
        g.output[x, y, c] = hl.mux(c, g.stabilised(samples))
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        g.output.bound(c, 0, 4).reorder(c, x, y).unroll(c).vectorize(x, n, guard).split(y, yo, y, 16, guard).parallel(yo)
        g.bound_cells(g.mosaic)

    def mirrored(g, v, n):
        """Index v of an axis of n cells, mirrored about its ends (the outermost cell twice)."""
        inside = (v >= 0) & (v < n)
        period = v % (2 * n)
        return hl.clamp(hl.select(hl.likely(inside), v, hl.min(period, 2 * n - 1 - period)), 0, n - 1)


if __name__ == "__main__":
    hl.main()
