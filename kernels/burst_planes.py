"""A mosaic as planes at half resolution for aligning and comparing frames, their noise brought to variance 1.

Algorithm: samples times `gain` and no higher than `ceiling`, so that frames of different exposure and what they clip are alike, then
the generalised Anscombe transform sqrt(slope u + shift), the same for all frames of a burst. `colors` are red, green and blue of each
2x2 cell, `grey` their mean with both greens, each scaled to noise of variance 1 where frame and transform agree. `samples` are the
mosaic itself as four planes. All have their border repeated BORDER cells outwards, so that displaced tiles are dense loads.
Schedule: parallel strips of rows, vectors along x. Bound by memory: 4 bytes read and 8 written a pixel.
"""

import halide as hl

x, y, c = hl.vars("x y c")
POSITIONS = [(0, 0), (1, 0), (0, 1), (1, 1)]  # column and row of a CFA position in its cell
STRIP = 32
BORDER = 32  # cells or samples around every plane


@hl.generator(name="burst_planes")
class BurstPlanes(hl.Generator):
    mosaic = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    stabilise = hl.InputBuffer(hl.Float(32), 2)  # (slope or shift, CFA position)
    gain = hl.InputScalar(hl.Float(32))
    ceiling = hl.InputScalar(hl.Float(32))
    colors = hl.OutputBuffer(hl.Float(32), 3)  # (BORDER + cell x, BORDER + cell y, color)
    grey = hl.OutputBuffer(hl.Float(32), 2)  # (BORDER + cell x, BORDER + cell y)
    samples = hl.OutputBuffer(hl.Float(32), 3)  # (BORDER + cell x, BORDER + cell y, CFA position)

    def generate(g):
        right, bottom = g.mosaic.dim(1).extent() - 1, g.mosaic.dim(3).extent() - 1
        near = hl.clamp(hl.likely(x - BORDER), 0, right), hl.clamp(hl.likely(y - BORDER), 0, bottom)
        g.samples[x, y, c] = hl.mux(c, [g.mosaic[a, near[0], b, near[1]] for a, b in POSITIONS])
        z = []
        for p, (a, b) in enumerate(POSITIONS):
            light = hl.min(g.mosaic[a, near[0], b, near[1]] * g.gain, g.ceiling)
            z.append(hl.sqrt(hl.max(g.stabilise[0, p] * light + g.stabilise[1, p], 0)))
        green = (z[1] + z[2]) * hl.f32(0.5**0.5)
        g.colors[x, y, c] = hl.mux(c, [z[0], green, z[3]])
        g.grey[x, y] = 0.5 * (z[0] + z[1] + z[2] + z[3])
        g.schedule()

    def schedule(g):
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        strip, row = hl.Var("strip"), hl.Var("row")
        g.colors.bound(c, 0, 3).reorder(c, x, y).unroll(c)
        g.samples.bound(c, 0, 4).reorder(c, x, y).unroll(c)
        for out in (g.colors, g.grey, g.samples):
            out.split(y, strip, row, STRIP, guard).parallel(strip).vectorize(x, n, guard)
        g.mosaic.dim(0).set_bounds(0, 2).set_stride(1)
        g.mosaic.dim(1).set_min(0).set_stride(2)
        g.mosaic.dim(2).set_bounds(0, 2)
        g.mosaic.dim(3).set_min(0)


if __name__ == "__main__":
    hl.main()
