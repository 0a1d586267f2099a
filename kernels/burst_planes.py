"""A mosaic as planes at half resolution for aligning and comparing frames, their noise brought to variance 1.

Algorithm: samples times `gain` and no higher than `ceiling`, so that frames of different exposure and what they clip are alike, then
the generalised Anscombe transform sqrt(slope u + shift), the same for all frames of a burst. Of each 2x2 cell: red, green and blue, and
their grey, the mean with both greens, each scaled to noise of variance 1 where frame and transform agree; and its four samples as they
are. All planes have their border repeated BORDER cells outwards, so that displaced tiles are dense loads.
A sample that stands out from the eight of its colour around it and does not light the four samples beside it, as a hot pixel does and a
star does not, is no higher than they in the stabilised planes: it would hold the frames together where the scene moved. The last bit of
a sample says whether it stands out, the four before it how near it and the eight samples around it, of all colours, come to the limit at
which the frame clips: 0 a fifth below it, NEAREST from it.
Schedule: parallel strips of rows, vectors along x. Bound by memory: 4 bytes read and 8 written a pixel.
"""

import halide as hl
from cells import by_cells

x, y, c = hl.vars("x y c")
POSITIONS = [(0, 0), (1, 0), (0, 1), (1, 1)]  # column and row of a CFA position in its cell
STRIP = 32
BORDER = 32  # cells or samples around every plane
NEAREST = 15
GLOW = 0.27  # of a point of light shines beside its brightest sample, at least
AROUND = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dx, dy) != (0, 0)]


def stands_out(plane, position, highest, noise):
    """Whether a sample is an isolated one: above the highest around it by more than noise and half its value, and dark beside.

    Through any lens a point of light reaches the four samples beside the brightest with together two fifths of its height or more.
    """
    rise = plane[x, y][position] - highest
    high = rise > 3 * hl.sqrt(noise[0] * hl.max(highest, 0) + noise[1]) + 0.5 * hl.abs(highest)
    return high & (beside(plane, *POSITIONS[position]) < hl.f32(GLOW) * rise)


def beside(plane, column, row):
    """Sum of the four samples beside a CFA position of cell (x, y), above that of four of their colours a knight's move away."""
    near = sum(at(plane, column + i, row + j) for i, j in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    return near - 0.5 * sum(at(plane, column + i, row + j) for i in (-2, -1, 1, 2) for j in (-2, -1, 1, 2) if abs(i) != abs(j))


def at(plane, column, row):
    """The sample at a column and row of the mosaic, counted from cell (x, y)."""
    return plane[x + (column >> 1), y + (row >> 1)][(column & 1) + 2 * (row & 1)]


def near_highest(plane, column, row):
    """The highest of the 3 x 3 samples of the mosaic around a CFA position of cell (x, y)."""
    values = [at(plane, column + i, row + j) for j in (-1, 0, 1) for i in (-1, 0, 1)]
    highest = values[0]
    for value in values[1:]:
        highest = hl.max(highest, value)
    return highest


def marked_with(sample, alone, nearness):
    """A sample whose last bit tells whether it stands out, the four before it how near to clipping it lies.

    Most samples get no bit, for with one 0 would become a number too small for the processor's fast arithmetic.
    """
    bits = hl.select(alone, hl.u32(1), hl.u32(0)) | (nearness << 1)
    return hl.reinterpret(hl.Float(32), bits | (hl.reinterpret(hl.UInt(32), sample) & hl.u32(0xFFFFFFE0)))


@hl.generator(name="burst_planes")
class BurstPlanes(hl.Generator):
    mosaic = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    stabilise = hl.InputBuffer(hl.Float(32), 2)  # (slope or shift, CFA position)
    noise = hl.InputBuffer(hl.Float(32), 1)  # scale and offset of the frame's own noise
    gain = hl.InputScalar(hl.Float(32))
    ceiling = hl.InputScalar(hl.Float(32))
    limit = hl.InputScalar(hl.Float(32))  # value of the frame, before gain, at which samples may clip
    planes = hl.OutputBuffer(hl.Float(32), 3)  # (BORDER + cell x, BORDER + cell y, red, green, blue, grey, samples of the positions)

    def generate(g):
        right, bottom = g.mosaic.dim(1).extent() - 1, g.mosaic.dim(3).extent() - 1
        plane, z, alone = hl.Func("plane"), [], []
        near = hl.clamp(hl.likely(x - BORDER), 0, right), hl.clamp(hl.likely(y - BORDER), 0, bottom)
        plane[x, y] = tuple(g.mosaic[a, near[0], b, near[1]] for a, b in POSITIONS)
        for p in range(4):
            highest = plane[x + AROUND[0][0], y + AROUND[0][1]][p]
            for dx, dy in AROUND[1:]:
                highest = hl.max(highest, plane[x + dx, y + dy][p])
            own = plane[x, y][p]
            alone.append(stands_out(plane, p, highest, g.noise))
            light = hl.min(hl.select(alone[p], highest, own) * g.gain, g.ceiling)
            z.append(hl.sqrt(hl.max(g.stabilise[0, p] * light + g.stabilise[1, p], 0)))
        marked = [marked_with(plane[x, y][p], alone[p], g.nearness(near_highest(plane, *POSITIONS[p]))) for p in range(4)]
        green = z[1] + z[2]
        stable = [z[0], green * hl.f32(0.5**0.5), z[3], 0.5 * (z[0] + green + z[3])]
        g.planes[x, y, c] = hl.mux(c, stable + marked)
        g.schedule(plane)

    def nearness(g, highest):
        """How near a value comes to the limit, in steps."""
        return hl.cast(hl.UInt(32), hl.round(NEAREST * hl.clamp(5 * highest / g.limit - 4, 0, 1)))

    def schedule(g, plane):
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        strip, row = hl.Var("strip"), hl.Var("row")
        g.planes.bound(c, 0, 8).reorder(c, x, y).unroll(c)
        g.planes.split(y, strip, row, STRIP, guard).vectorize(x, n, guard).parallel(strip)
        plane.store_at(g.planes, strip).compute_at(g.planes, row).vectorize(x, n, guard)
        by_cells(g.mosaic)


if __name__ == "__main__":
    hl.main()
