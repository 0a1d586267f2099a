"""One frame added to the merge: at every pixel of the reference the frame's nearest sample of its colour, with its weight.

Algorithm, per tile of TILE x TILE pixels whose displacement is d: a pixel at x takes the sample of its colour nearest to x + d (of the two
green lattices the nearer one), so every sample is used about once and noise stays white. Its weight is the frame's trust, interpolated
between tile centres; times `isolated` where the sample stands out from the eight of its colour around it, as a hot pixel does, so that
frames which show something else there outvote it; falling to `clipped` where the frame clips at or around the sample and another frame
does not, in all colours alike; and 0 outside the frame.
Schedule: parallel rows of tiles; a tile's offsets are constants of its loops, so every load is dense.
"""

import halide as hl
from burst_planes import BORDER, NEAREST
from cells import by_cells

x, y, i, j, px, py, c, u, p, tx, ty, xo, xi, yo, yi = hl.vars("x y i j px py c u p tx ty xo xi yo yi")
TILE = 16  # pixels
CELLS = TILE // 2  # a tile's side


def nearest(shift, position):
    """Whole offset (x, y) from a pixel to the nearest sample of its colour: even steps, or for green odd ones along both axes."""
    even = [2 * hl.cast(hl.Int(32), hl.round(s / 2)) for s in shift]
    if position in (0, 3):
        return even
    odd = [1 + 2 * hl.cast(hl.Int(32), hl.round((s - 1) / 2)) for s in shift]
    off_even, off_odd = (sum((n - s) * (n - s) for n, s in zip(whole, shift, strict=True)) for whole in (even, odd))
    return [hl.select(off_odd < off_even, o, e) for o, e in zip(odd, even, strict=True)]


def tile_shift(flow):
    """Displacement (x, y) of tile (tx, ty); a wild one stays a number whose offset is an index."""
    far = hl.f32(1 << 20)
    return [hl.clamp(flow[axis, tx, ty], -far, far) for axis in (0, 1)]


class Interpolated:
    """A map of tiles between their centres, at cell (i, j) and parity (px, py) of tile (tx, ty)."""

    def __init__(self, tiles):
        edge = hl.BoundaryConditions.repeat_edge(tiles)
        right, down = ((hl.cast(hl.Float(32), 2 * n + parity) + 0.5) / TILE - 0.5 for n, parity in ((i, px), (j, py)))
        self.line = hl.Func("line")
        above, here, below = (edge[tx, ty + n] for n in (-1, 0, 1))
        self.line[tx, py, j, ty] = here + hl.select(down < 0, (here - above) * down, (below - here) * down)
        before, here, after = (self.line[tx + n, py, j, ty] for n in (-1, 0, 1))
        self.value = here + hl.select(right < 0, (here - before) * right, (after - here) * right)


def start_of(flow, position):
    """Offset in cells (x, y) from a pixel of a CFA position to its nearest sample in tile (tx, ty), the plane that holds it, and how far
    from it the tile looks (x, y), in samples of the plane, as bits."""
    shift = tile_shift(flow)
    offset = nearest(shift, position)
    moved = [o + n for o, n in zip((position % 2, position // 2), offset, strict=True)]
    off = [hl.clamp((s - n) / 2, -1, 1) for s, n in zip(shift, offset, strict=True)]
    return [n >> 1 for n in moved] + [(moved[0] & 1) + 2 * (moved[1] & 1)] + [hl.reinterpret(hl.Int(32), n) for n in off]


def accumulate(g, light):
    """Add to the sums of a generator: light(sample at (right, down) of the nearest one, how far the tile looks from it in x and y)."""
    trust = Interpolated(g.trust)
    start, found = hl.Func("start"), hl.Func("found")
    width, height = (g.samples.dim(n).extent() - 2 * BORDER for n in (0, 1))
    start[u, p, tx, ty] = hl.mux(p, [hl.mux(u, start_of(g.flow, position)) for position in range(4)])
    first = [CELLS * tile + start[k, px + 2 * py, tx, ty] for k, tile in enumerate((tx, ty))]
    # A tile wholly outside counts nothing, so there only the place of the loads has to be sound.
    left, top = (hl.clamp(n, 1 - BORDER, side + BORDER - CELLS - 1) for n, side in zip(first, (width, height), strict=True))
    plane = hl.clamp(start[2, px + 2 * py, tx, ty], 0, 3)
    near = lambda right=0, down=0: g.samples[BORDER + left + i + right, BORDER + top + j + down, plane]
    marks = hl.reinterpret(hl.UInt(32), near())
    stands_out, clips = (marks & hl.u32(1)) == hl.u32(1), hl.cast(hl.Float(32), (marks >> 1) & hl.u32(NEAREST)) / NEAREST
    column, row = first[0] + i, first[1] + j
    weight = hl.select((column >= 0) & (column < width) & (row >= 0) & (row < height), trust.value, 0)
    weight *= hl.select(stands_out, g.isolated, 1) * hl.max(1 - clips, g.clipped)
    shown = light(near, *(hl.reinterpret(hl.Float(32), start[n, px + 2 * py, tx, ty]) for n in (3, 4)))
    found[px, i, py, j, tx, ty] = (weight * shown * g.gain, weight)
    here = found[px, x % CELLS, py, y % CELLS, x / CELLS, y / CELLS]
    g.sums[px, x, py, y, c] = g.before[px, x, py, y, c] + hl.mux(c, [here[0], here[1]])
    schedule(g, start, found, trust.line)


def schedule(g, start, found, line):
    """Parallel rows of tiles, a tile's samples first."""
    guard = hl.TailStrategy.GuardWithIf
    start.compute_root().bound(u, 0, 5).bound(p, 0, 4).unroll(u).unroll(p).parallel(ty)
    g.sums.bound(px, 0, 2).bound(py, 0, 2).bound(c, 0, 2)
    g.sums.split(y, yo, yi, CELLS, guard).split(x, xo, xi, CELLS, guard).reorder(px, c, xi, py, xo, yi, yo)
    g.sums.unroll(px).unroll(c).unroll(py).vectorize(xi, CELLS, guard).parallel(yo)
    line.compute_at(g.sums, yo).bound_extent(py, 2)
    found.compute_at(g.sums, xo).bound(px, 0, 2).bound(py, 0, 2).bound(i, 0, CELLS).bound(j, 0, CELLS)
    found.reorder(px, py, i, j, tx, ty).unroll(px).unroll(py).vectorize(i, CELLS)
    for buffer in (g.before, g.sums.output_buffer()):
        by_cells(buffer)
        buffer.dim(4).set_bounds(0, 2)


@hl.generator(name="burst_add")
class BurstAdd(hl.Generator):
    samples = hl.InputBuffer(hl.Float(32), 3)  # (BORDER + cell x, BORDER + cell y, CFA position), as burst_planes makes them
    flow = hl.InputBuffer(hl.Float(32), 3)  # (axis x or y, tile x, tile y), pixels
    trust = hl.InputBuffer(hl.Float(32), 2)  # (tile x, tile y)
    gain = hl.InputScalar(hl.Float(32))  # to the common scale
    isolated = hl.InputScalar(hl.Float(32))
    clipped = hl.InputScalar(hl.Float(32))
    before = hl.InputBuffer(hl.Float(32), 5)  # as `sums`, and may be the same memory
    sums = hl.OutputBuffer(hl.Float(32), 5)  # (column parity, cell x, row parity, cell y, sum of weight times light or of weight)

    def generate(g):
        accumulate(g, lambda near, *_: near())


if __name__ == "__main__":
    hl.main()
