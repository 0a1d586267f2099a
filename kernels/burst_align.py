"""Normal equations of the displacement of every tile: one step of Lucas & Kanade (IJCAI 1981).

Algorithm, per tile of TILE x TILE samples at its current displacement d: with the reference's gradient J (central differences, whose
noise does not meet the reference's own in the residual) and the residual r = frame(x + d) - reference(x), the frame interpolated by
Keys' cubic, the sums of Jx Jx, Jx Jy, Jy Jy, Jx r, Jy r, r r and the number of samples, over samples that lie inside both.
A displacement is constant in its tile, so interpolation weights are too; planes have their border repeated, so all loads are dense.
Schedule: parallel rows of tiles; a tile's columns are interpolated first, then its sums run in vectors of columns.
"""

import halide as hl
from burst_planes import BORDER

i, j, k, tx, ty, u = hl.vars("i j k tx ty u")
TILE = 16


def keys(t):
    """Weights of four samples at a fraction t after the second (Keys, IEEE Trans. ASSP 29, 1981)."""
    return (
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )


class Displaced:
    """The place of displaced tiles in a frame: whole and fractional parts."""

    def __init__(self, frame, flow, side):
        self.side, self.extents = side, [frame.dim(n).extent() - 2 * BORDER for n in (0, 1)]
        whole, fraction = hl.Func("whole"), hl.Func("fraction")
        far = hl.cast(hl.Float(32), 1 << 20)  # keeps a wild displacement from overflowing an index
        shift = hl.clamp(flow[u, tx, ty], -far, far)
        whole[u, tx, ty] = hl.cast(hl.Int(32), hl.floor(shift))
        fraction[u, tx, ty] = shift - hl.floor(shift)
        self.whole, self.fraction = whole, fraction

    def start(self, axis, tile):
        """First sample of the tile's place along an axis."""
        return tile * self.side + self.whole[axis, tx, ty]

    def load(self, axis, tile):
        """Where it lies in the bordered plane; of a tile wholly outside, whose samples count nothing, somewhere sound."""
        return BORDER + hl.clamp(self.start(axis, tile), -self.side, self.extents[axis] - 1)

    def inside(self, reference):
        """Whether sample (i, j) of a tile lies inside the reference and its displaced place inside the frame."""
        places = [(tx * self.side + i, self.start(0, tx) + i), (ty * self.side + j, self.start(1, ty) + j)]
        within = [
            (own < reference.dim(n).extent() - 2 * BORDER) & (there >= 0) & (there + 1 < self.extents[n])
            for n, (own, there) in enumerate(places)
        ]
        return hl.select(within[0] & within[1], hl.f32(1), hl.f32(0))


class TileSums:
    """Sums of `terms` over the samples (i, j) of every tile: down its columns, then along."""

    def __init__(self, side, terms):
        count, self.down = len(terms), hl.RDom([(0, side)])
        along, each, self.column, self.total = hl.RDom([(0, side)]), hl.Func("terms"), hl.Func("column"), hl.Func("total")
        each[i, j, tx, ty] = tuple(terms)
        self.column[i, tx, ty] = tuple(hl.f32(0) for _ in range(count))
        self.column[i, tx, ty] = tuple(self.column[i, tx, ty][n] + each[i, self.down.x, tx, ty][n] for n in range(count))
        self.total[tx, ty] = tuple(hl.f32(0) for _ in range(count))
        self.total[tx, ty] = tuple(self.total[tx, ty][n] + self.column[along.x, tx, ty][n] for n in range(count))
        self.values = [self.total[tx, ty][n] for n in range(count)]

    def schedule(self, out, place, rows, lanes):
        """Parallel rows of tiles in `out` (k, tx, ty); the displaced `rows` of a tile first, then its sums in vectors of columns."""
        out.bound(k, 0, len(self.values)).reorder(k, tx, ty).unroll(k).parallel(ty)
        self.total.compute_at(out, tx)
        for f in (place.whole, place.fraction):
            f.compute_at(out, tx).bound_extent(u, 2).unroll(u)
        rows.compute_at(out, tx).vectorize(i, lanes, hl.TailStrategy.RoundUp)
        self.column.compute_at(out, tx).vectorize(i, lanes).update().reorder(i, self.down.x).vectorize(i, lanes)


@hl.generator(name="burst_align")
class BurstAlign(hl.Generator):
    reference = hl.InputBuffer(hl.Float(32), 2)  # (BORDER + x, BORDER + y)
    frame = hl.InputBuffer(hl.Float(32), 2)
    flow = hl.InputBuffer(hl.Float(32), 3)  # (axis x or y, tile x, tile y), samples
    sums = hl.OutputBuffer(hl.Float(32), 3)  # (which, tile x, tile y)

    def generate(g):
        place = Displaced(g.frame, g.flow, TILE)
        rows, value = hl.Func("rows"), hl.Func("value")
        at_x, at_y = place.load(0, tx) + i, place.load(1, ty) + j
        across, down = keys(place.fraction[0, tx, ty]), keys(place.fraction[1, tx, ty])
        rows[i, j, tx, ty] = sum(w * g.frame[at_x, at_y + n - 1] for n, w in enumerate(down))
        value[i, j, tx, ty] = sum(w * rows[i + n - 1, j, tx, ty] for n, w in enumerate(across))
        x, y, one = BORDER + tx * TILE + i, BORDER + ty * TILE + j, place.inside(g.reference)
        jx = 0.5 * one * (g.reference[x + 1, y] - g.reference[x - 1, y])
        jy = 0.5 * one * (g.reference[x, y + 1] - g.reference[x, y - 1])
        r = one * (value[i, j, tx, ty] - g.reference[x, y])
        sums = TileSums(TILE, (jx * jx, jx * jy, jy * jy, jx * r, jy * r, r * r, one))
        g.sums[k, tx, ty] = hl.mux(k, sums.values)
        sums.schedule(g.sums, place, rows, g.natural_vector_size(hl.Float(32)))


if __name__ == "__main__":
    hl.main()
