"""How far a displaced frame and the reference differ, tile by tile, in every colour.

Algorithm, per tile of TILE x TILE cells of the stabilised colour planes: the mean square of the difference over the three colours, the
mean difference of each colour, the mean squared gradient of the reference, and the share of the tile that the frame covers.
Schedule: parallel rows of tiles; see burst_align.
"""

import halide as hl
from burst_align import Displaced, keys
from burst_planes import BORDER

i, j, k, c, tx, ty, u = hl.vars("i j k c tx ty u")
TILE = 8


@hl.generator(name="burst_trust")
class BurstTrust(hl.Generator):
    reference = hl.InputBuffer(hl.Float(32), 3)  # (BORDER + x, BORDER + y, colour)
    frame = hl.InputBuffer(hl.Float(32), 3)
    flow = hl.InputBuffer(hl.Float(32), 3)  # (axis x or y, tile x, tile y), cells
    facts = hl.OutputBuffer(hl.Float(32), 3)  # (square, red, green, blue, gradient, covered; tile x; tile y)

    def generate(g):
        place = Displaced(g.frame, g.flow, TILE)
        at_x, at_y = place.load(0, tx) + i, place.load(1, ty) + j
        across, down = keys(place.fraction[0, tx, ty]), keys(place.fraction[1, tx, ty])
        rows, terms = hl.Func("rows"), hl.Func("terms")
        rows[i, j, c, tx, ty] = sum(w * g.frame[at_x, at_y + n - 1, c] for n, w in enumerate(down))
        x, y, one = BORDER + tx * TILE + i, BORDER + ty * TILE + j, place.inside(g.reference)
        apart, gradient = [], hl.f32(0)
        for p in range(3):
            value = sum(w * rows[i + n - 1, j, p, tx, ty] for n, w in enumerate(across))
            apart.append(one * (value - g.reference[x, y, p]))
            for dx, dy in ((1, 0), (0, 1)):
                slope = 0.5 * one * (g.reference[x + dx, y + dy, p] - g.reference[x - dx, y - dy, p])
                gradient += slope * slope
        square = sum(r * r for r in apart)
        terms[i, j, tx, ty] = (square / 3, *apart, gradient / 3, one)
        g.summarise(place, rows, terms)

    def summarise(g, place, rows, terms):
        column, total = hl.Func("column"), hl.Func("total")
        down_tile, along = hl.RDom([(0, TILE)]), hl.RDom([(0, TILE)])
        column[i, tx, ty] = tuple(hl.f32(0) for _ in range(6))
        column[i, tx, ty] = tuple(column[i, tx, ty][n] + terms[i, down_tile.x, tx, ty][n] for n in range(6))
        total[tx, ty] = tuple(hl.f32(0) for _ in range(6))
        total[tx, ty] = tuple(total[tx, ty][n] + column[along.x, tx, ty][n] for n in range(6))
        mean = 1 / hl.max(total[tx, ty][5], 1)
        g.facts[k, tx, ty] = hl.mux(k, [*(total[tx, ty][n] * mean for n in range(5)), total[tx, ty][5] / TILE**2])
        n = min(g.natural_vector_size(hl.Float(32)), TILE)
        g.facts.bound(k, 0, 6).reorder(k, tx, ty).unroll(k).parallel(ty)
        total.compute_at(g.facts, tx)
        for f in (place.whole, place.fraction):
            f.compute_at(g.facts, tx).bound_extent(u, 2).unroll(u)
        rows.compute_at(g.facts, tx).vectorize(i, n, hl.TailStrategy.RoundUp)
        column.compute_at(g.facts, tx).vectorize(i, n).update().reorder(i, down_tile.x).vectorize(i, n)


if __name__ == "__main__":
    hl.main()
