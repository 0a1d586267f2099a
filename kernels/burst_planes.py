"""A mosaic as planes at half resolution for aligning and comparing frames, their noise brought to variance 1.

Algorithm: samples times `gain` and no higher than `ceiling`, so that frames of different exposure and what they clip are alike, then
the generalised Anscombe transform sqrt(slope u + shift), the same for all frames of a burst. Of each 2x2 cell: red, green and blue, and
their grey, the mean with both greens, each scaled to noise of variance 1 where frame and transform agree; and its four samples as they
are. All planes have their border repeated BORDER cells outwards, so that displaced tiles are dense loads.
A sample that stands out from the eight of its colour around it, as a hot pixel does, is no higher than they in the stabilised planes: it
would hold the frames together where the scene moved. The last bit of a sample says whether it stands out.
Schedule: parallel strips of rows, vectors along x. Bound by memory: 4 bytes read and 8 written a pixel.
"""

import halide as hl
from cells import by_cells

x, y, c = hl.vars("x y c")
POSITIONS = [(0, 0), (1, 0), (0, 1), (1, 1)]  # column and row of a CFA position in its cell
STRIP = 32
BORDER = 32  # cells or samples around every plane
AROUND = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dx, dy) != (0, 0)]


def stands_out(sample, highest, noise):
    """Whether a sample is an isolated one: above the highest around it by more than noise and half its value."""
    return sample > highest + 3 * hl.sqrt(noise[0] * hl.max(highest, 0) + noise[1]) + 0.5 * hl.abs(highest)


@hl.generator(name="burst_planes")
class BurstPlanes(hl.Generator):
    mosaic = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    stabilise = hl.InputBuffer(hl.Float(32), 2)  # (slope or shift, CFA position)
    noise = hl.InputBuffer(hl.Float(32), 1)  # scale and offset of the frame's own noise
    gain = hl.InputScalar(hl.Float(32))
    ceiling = hl.InputScalar(hl.Float(32))
    planes = hl.OutputBuffer(hl.Float(32), 3)  # (BORDER + cell x, BORDER + cell y, red, green, blue, grey, samples of the positions)

    def generate(g):
        right, bottom = g.mosaic.dim(1).extent() - 1, g.mosaic.dim(3).extent() - 1
        plane, z, marked = hl.Func("plane"), [], []
        near = hl.clamp(hl.likely(x - BORDER), 0, right), hl.clamp(hl.likely(y - BORDER), 0, bottom)
        plane[x, y] = tuple(g.mosaic[a, near[0], b, near[1]] for a, b in POSITIONS)
        for p in range(4):
            highest = plane[x + AROUND[0][0], y + AROUND[0][1]][p]
            for dx, dy in AROUND[1:]:
                highest = hl.max(highest, plane[x + dx, y + dy][p])
            own = plane[x, y][p]
            alone = stands_out(own, highest, g.noise)
            light = hl.min(hl.select(alone, highest, own) * g.gain, g.ceiling)
            z.append(hl.sqrt(hl.max(g.stabilise[0, p] * light + g.stabilise[1, p], 0)))
            bits = hl.select(alone, hl.u32(1), hl.u32(0)) | (hl.reinterpret(hl.UInt(32), own) & hl.u32(0xFFFFFFFE))
            marked.append(hl.reinterpret(hl.Float(32), bits))
        green = z[1] + z[2]
        stable = [z[0], green * hl.f32(0.5**0.5), z[3], 0.5 * (z[0] + green + z[3])]
        g.planes[x, y, c] = hl.mux(c, stable + marked)
        g.schedule(plane)

    def schedule(g, plane):
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        strip, row = hl.Var("strip"), hl.Var("row")
        g.planes.bound(c, 0, 8).reorder(c, x, y).unroll(c)
        g.planes.split(y, strip, row, STRIP, guard).vectorize(x, n, guard).parallel(strip)
        plane.store_at(g.planes, strip).compute_at(g.planes, row).vectorize(x, n, guard)
        by_cells(g.mosaic)


if __name__ == "__main__":
    hl.main()
