"""How far a displaced frame and the reference differ, tile by tile, in every colour.

Algorithm, per tile of TILE x TILE cells of the stabilised colour planes: the mean square of the difference over the three colours, the
mean difference of each colour, the mean squared gradient of the reference, and the share of the tile that the frame covers.
Schedule: parallel rows of tiles; see burst_align.
"""

import halide as hl
from burst_align import Displaced, TileSums, i, j, k, keys, tx, ty
from burst_planes import BORDER

c = hl.Var("c")
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
        rows = hl.Func("rows")
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
        sums = TileSums(TILE, (square / 3, *apart, gradient / 3, one))
        *facts, covered = sums.values
        g.facts[k, tx, ty] = hl.mux(k, [*(fact / hl.max(covered, 1) for fact in facts), covered / TILE**2])
        sums.schedule(g.facts, place, rows, min(g.natural_vector_size(hl.Float(32)), TILE))


if __name__ == "__main__":
    hl.main()
