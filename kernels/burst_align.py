"""Normal equations of the displacement of every tile: one step of Lucas & Kanade (IJCAI 1981).

Algorithm, per tile of TILE x TILE samples at its current displacement d: with the reference's gradient J (central differences, whose
noise does not meet the reference's own in the residual) and the residual r = frame(x + d) - reference(x), the frame interpolated by
Keys' cubic, the sums of Jx Jx, Jx Jy, Jy Jy, Jx r, Jy r, r r and the number of samples, over samples that lie inside both.
A displacement is constant in its tile, so interpolation weights are too and all loads of a row are dense.
Schedule: parallel rows of tiles; a tile's columns are interpolated first, then its sums run in vectors of columns.
"""

import halide as hl

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
    """A frame looked up at whole plus fractional displacements of tiles."""

    def __init__(self, frame, flow, size):
        self.frame, self.size = frame, size
        whole, fraction = hl.Func("whole"), hl.Func("fraction")
        far = hl.cast(hl.Float(32), 1 << 20)  # keeps a wild displacement from overflowing an index
        shift = hl.clamp(flow[u, tx, ty], -far, far)
        whole[u, tx, ty] = hl.cast(hl.Int(32), hl.floor(shift))
        fraction[u, tx, ty] = shift - hl.floor(shift)
        self.whole, self.fraction = whole, fraction

    def start(self, axis, tile):
        """First sample of the tile's place along an axis."""
        return tile * self.size + self.whole[axis, tx, ty]


@hl.generator(name="burst_align")
class BurstAlign(hl.Generator):
    reference = hl.InputBuffer(hl.Float(32), 2)
    frame = hl.InputBuffer(hl.Float(32), 2)
    flow = hl.InputBuffer(hl.Float(32), 3)  # (axis x or y, tile x, tile y), samples
    sums = hl.OutputBuffer(hl.Float(32), 3)  # (which, tile x, tile y)

    def generate(g):
        place = Displaced(g.frame, g.flow, TILE)
        edge = hl.BoundaryConditions.repeat_edge(g.frame)
        still = hl.BoundaryConditions.repeat_edge(g.reference)
        rows, value = hl.Func("rows"), hl.Func("value")
        at_x, at_y = place.start(0, tx) + i, place.start(1, ty) + j
        across, down = keys(place.fraction[0, tx, ty]), keys(place.fraction[1, tx, ty])
        rows[i, j, tx, ty] = sum(w * edge[at_x, at_y + n - 1] for n, w in enumerate(down))
        value[i, j, tx, ty] = sum(w * rows[i + n - 1, j, tx, ty] for n, w in enumerate(across))
        x, y = tx * TILE + i, ty * TILE + j
        inside = (x < g.reference.width()) & (y < g.reference.height())
        inside &= (at_x >= 0) & (at_x + 1 < g.frame.width()) & (at_y >= 0) & (at_y + 1 < g.frame.height())
        one = hl.select(inside, hl.f32(1), hl.f32(0))
        jx = 0.5 * one * (still[x + 1, y] - still[x - 1, y])
        jy = 0.5 * one * (still[x, y + 1] - still[x, y - 1])
        r = one * (value[i, j, tx, ty] - still[x, y])
        terms, column, total = hl.Func("terms"), hl.Func("column"), hl.Func("total")
        terms[i, j, tx, ty] = (jx * jx, jx * jy, jy * jy, jx * r, jy * r, r * r, one)
        down_tile, along = hl.RDom([(0, TILE)]), hl.RDom([(0, TILE)])
        column[i, tx, ty] = tuple(hl.f32(0) for _ in range(7))
        column[i, tx, ty] = tuple(column[i, tx, ty][n] + terms[i, down_tile.x, tx, ty][n] for n in range(7))
        total[tx, ty] = tuple(hl.f32(0) for _ in range(7))
        total[tx, ty] = tuple(total[tx, ty][n] + column[along.x, tx, ty][n] for n in range(7))
        g.sums[k, tx, ty] = hl.mux(k, [total[tx, ty][n] for n in range(7)])
        g.schedule(place, rows, column, total, down_tile)

    def schedule(g, place, rows, column, total, down_tile):
        n = g.natural_vector_size(hl.Float(32))
        g.sums.bound(k, 0, 7).reorder(k, tx, ty).unroll(k).parallel(ty)
        total.compute_at(g.sums, tx)
        for f in (place.whole, place.fraction):
            f.compute_at(g.sums, tx).bound_extent(u, 2).unroll(u)
        rows.compute_at(g.sums, tx).vectorize(i, n, hl.TailStrategy.RoundUp)
        column.compute_at(g.sums, tx).vectorize(i, n).update().reorder(i, down_tile.x).vectorize(i, n)


if __name__ == "__main__":
    hl.main()
