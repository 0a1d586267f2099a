"""A plane at half its size: smoothed by 1 3 3 1 along both axes, so that what is left lies in the middle of each 2x2 samples.

Schedule: rows of the vertical pass stay in a sliding window; parallel strips, vectors along x.
"""

import halide as hl

x, y = hl.vars("x y")
STRIP = 32
TAPS = ((-1, 1 / 8), (0, 3 / 8), (1, 3 / 8), (2, 1 / 8))


@hl.generator(name="burst_halve")
class BurstHalve(hl.Generator):
    plane = hl.InputBuffer(hl.Float(32), 2)
    half = hl.OutputBuffer(hl.Float(32), 2)

    def generate(g):
        edge = hl.BoundaryConditions.repeat_edge(g.plane)
        column = hl.Func("column")
        column[x, y] = sum(hl.f32(w) * edge[x, 2 * y + k] for k, w in TAPS)
        g.half[x, y] = sum(hl.f32(w) * column[2 * x + k, y] for k, w in TAPS)
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        strip, row = hl.Var("strip"), hl.Var("row")
        g.half.split(y, strip, row, STRIP, guard).parallel(strip).vectorize(x, n, guard)
        column.compute_at(g.half, row).vectorize(x, n)


if __name__ == "__main__":
    hl.main()
