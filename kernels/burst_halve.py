"""A plane at half its size: smoothed by 1 3 3 1 along both axes, so that what is left lies in the middle of each 2x2 samples.

Both planes have their border repeated BORDER samples outwards.
Schedule: rows of the vertical pass stay in a sliding window; parallel strips, vectors along x.
"""

import halide as hl
from burst_planes import BORDER

x, y = hl.vars("x y")
STRIP = 32
TAPS = ((-1, 1 / 8), (0, 3 / 8), (1, 3 / 8), (2, 1 / 8))


@hl.generator(name="burst_halve")
class BurstHalve(hl.Generator):
    plane = hl.InputBuffer(hl.Float(32), 2)
    half = hl.OutputBuffer(hl.Float(32), 2)

    def generate(g):
        right, bottom = ((g.plane.dim(n).extent() - 2 * BORDER) // 2 - 1 for n in (0, 1))
        column = hl.Func("column")
        column[x, y] = sum(hl.f32(w) * g.plane[x, BORDER + 2 * hl.clamp(hl.likely(y - BORDER), 0, bottom) + k] for k, w in TAPS)
        g.half[x, y] = sum(hl.f32(w) * column[BORDER + 2 * hl.clamp(hl.likely(x - BORDER), 0, right) + k, y] for k, w in TAPS)
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        strip, row = hl.Var("strip"), hl.Var("row")
        g.half.split(y, strip, row, STRIP, guard).parallel(strip).vectorize(x, n, guard)
        column.compute_at(g.half, row).vectorize(x, n, hl.TailStrategy.GuardWithIf)


if __name__ == "__main__":
    hl.main()
