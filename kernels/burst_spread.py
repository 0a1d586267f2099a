"""What a frame's nearest samples look at, added to the weights with which the merge sees the picture around each pixel.

Algorithm, per tile and CFA position: the sample that burst_add takes lies at x + n - d, off the pixel by less than a sample of its
colour; its light is the picture's there, interpolated by Keys' cubic from the pixels -2 .. 3 along each axis. These weights, times the
frame's trust, summed over frames, make the kernel with which the merged pixel saw the picture.
Schedule: a parallel loop over rows of tiles; next to nothing.
"""

import halide as hl
from burst_add import nearest, p, tile_shift, tx, ty
from burst_align import keys

i, j, u = hl.vars("i j u")
FIRST, TAPS = -2, 6


@hl.generator(name="burst_spread")
class BurstSpread(hl.Generator):
    flow = hl.InputBuffer(hl.Float(32), 3)  # (axis x or y, tile x, tile y), pixels
    trust = hl.InputBuffer(hl.Float(32), 2)  # (tile x, tile y)
    before = hl.InputBuffer(hl.Float(32), 5)  # as `seen`, and may be the same memory
    seen = hl.OutputBuffer(hl.Float(32), 5)  # (column, row of the kernel, CFA position, tile x, tile y)

    def generate(g):
        shift = tile_shift(g.flow)
        off, taps = hl.Func("off"), hl.Func("taps")
        offsets = [nearest(shift, position) for position in range(4)]
        off[u, p, tx, ty] = hl.clamp(hl.mux(p, [hl.mux(u, [n - s for n, s in zip(whole, shift, strict=True)]) for whole in offsets]), -1, 1)
        whole = hl.min(hl.floor(off[u, p, tx, ty]), 0)
        weights, place = keys(off[u, p, tx, ty] - whole), i + FIRST - hl.cast(hl.Int(32), whole)
        taps[i, u, p, tx, ty] = sum(hl.select(place == n - 1, w, 0) for n, w in enumerate(weights))
        g.seen[i, j, p, tx, ty] = g.before[i, j, p, tx, ty] + g.trust[tx, ty] * taps[i, 0, p, tx, ty] * taps[j, 1, p, tx, ty]
        g.seen.bound(i, 0, TAPS).bound(j, 0, TAPS).bound(p, 0, 4).parallel(ty)
        off.compute_at(g.seen, tx).bound_extent(u, 2).bound_extent(p, 4)
        taps.compute_at(g.seen, tx).bound_extent(i, TAPS).bound_extent(u, 2).bound_extent(p, 4)


if __name__ == "__main__":
    hl.main()
