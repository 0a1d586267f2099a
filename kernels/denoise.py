"""Noise reduction on the mosaic, the fast way: patch-wise averaging of 2x2 cells, then wide averaging of their chroma.

Algorithm, on cells (R, G1, G2, B) before lens-shading gain:
1. stabilise: z = sqrt(slope u + shift) (generalised Anscombe transform) makes noise 1 everywhere; only weights are taken from z;
2. patches: the weight of a pair of cells up to 2 apart falls with the squared difference of their 3x3 patches of z in all four planes
   (non-local means) and is scaled by both cells' weight sums alike. Pairs exchange light symmetrically, so no mean can shift.
   Where the noise varies over the picture, differences are held against the mean of the pair's relative variances;
3. chroma: two exchanges with the 8 neighbours 5 and then 15 cells away, gated by the filtered z, carry averaging to 45 x 45 cells;
4. blend by `luminance` and `chroma` (denoise_cells.py).
Weights depend smoothly on z, so rounding cannot flip a decision. A pair that reaches outside the frame has weight 0.

Schedule: two passes of parallel strips: all up to the first exchange fills four planes (48 MB at 12 MP), the rest runs into the output.
In each strip, tiles of columns go row by row in sliding windows that stay in the second-level cache.
Cost on each instruction set: docs/performance.md.
"""

import denoise_cells
import denoise_variance
import halide as hl
from denoise_cells import x, y

PAIRS = [(dx, dy) for dy in range(3) for dx in range(-2, 3) if (dy, dx) > (0, 0)]  # each pair of cells once
RING = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dx, dy) != (0, 0)]


def exchanged(f, planes, shares):
    """Planes of the tuple f at (x, y) moved by each share (weight, cx, cy) towards its value at (cx, cy)."""
    own = 1 - sum(share for share, _, _ in shares)
    return tuple(own * f[x, y][p] + sum(share * f[cx, cy][p] for share, cx, cy in shares) for p in planes)


@hl.generator(name="denoise")
class Denoise(denoise_cells.Blending, denoise_variance.Inputs, hl.Generator):  # relative: (cell x, knot row), relative_knot: cell y
    tolerance = hl.InputScalar(hl.Float(32))  # excess of a patch's squared difference over that of noise alone at which a pair ends
    output = hl.OutputBuffer(hl.Float(32), 4)  # as mosaic, but not the same memory

    def generate(g):
        g.kept = []
        near = hl.Func("near")
        filtered = g.keep(near, "filtered", g.average_patches(near))
        chroma = g.keep(near, "chroma", g.opponent(filtered[x, y])[1:3])
        luma, *_, green = g.opponent(filtered[x, y])
        near[x, y] = (luma, *g.spread_chroma(near, filtered[x, y], chroma, (0, 1), 5), green)
        wide = g.spread_chroma(g.output, g.samples(near[x, y]), near, (1, 2), 15)
        g.blend((near[x, y][0], *wide, near[x, y][3]))
        g.schedule(near)

    def variances(g, consumer):
        """Relative variance of a cell."""
        return g.keep(consumer, "variance", denoise_variance.at(g, *g.nearest()))

    def inside(g, cx, cy):
        """Whether both (x, y) and (cx, cy) are cells of the frame."""
        cells = [(a >= 0) & (a < g.width()) & (b >= 0) & (b < g.height()) for a, b in ((x, y), (cx, cy))]
        return hl.likely(cells[0] & cells[1])

    def average_patches(g, consumer):
        """Step 2: planes of the cells averaged over those nearby whose surroundings look the same."""
        cell, _ = g.cell(consumer)
        z = g.keep(consumer, "z", g.stabilised(cell[x, y]))
        variance = g.variances(consumer)
        weights = [g.patch_weight(consumer, z, variance, dx, dy) for dx, dy in PAIRS]
        pairs = [(w[x, y], x + dx, y + dy) for w, (dx, dy) in zip(weights, PAIRS, strict=True)]
        pairs += [(w[x - dx, y - dy], x - dx, y - dy) for w, (dx, dy) in zip(weights, PAIRS, strict=True)]
        half = g.keep(consumer, "half", 0.5 / (1 + sum(w for w, _, _ in pairs)))
        return exchanged(cell, range(4), [(w * (half[x, y] + half[cx, cy]), cx, cy) for w, cx, cy in pairs])

    def patch_weight(g, consumer, z, variance, dx, dy):
        """Weight of the pair (x, y), (x + dx, y + dy): 1 while their 3x3 patches differ by no more than noise, then falling to 0."""
        name = f"{dx + 2}{dy}"
        square = g.keep(consumer, "square" + name, sum((z[x, y][p] - z[x + dx, y + dy][p]) ** 2 for p in range(4)))
        column = g.keep(consumer, "column" + name, square[x, y - 1] + square[x, y] + square[x, y + 1])
        excess = (column[x - 1, y] + column[x, y] + column[x + 1, y]) / (36 * (variance[x, y] + variance[x + dx, y + dy])) - 1
        fall = hl.clamp(1 - excess / g.tolerance, 0, 1) ** 2
        return g.keep(consumer, "weight" + name, hl.select(g.inside(x + dx, y + dy), fall * fall, 0))

    def spread_chroma(g, consumer, samples, chroma, planes, distance):
        """Step 3: chroma averaged with the 8 cells at `distance`; a pair's weight is 1 up to a difference of noise, then falls to 0."""
        z, variance = g.keep(consumer, f"guide{distance}", g.stabilised(samples)), g.variances(consumer)
        shares = []
        for cx, cy in ((x + distance * dx, y + distance * dy) for dx, dy in RING):
            square = sum((z[x, y][p] - z[cx, cy][p]) ** 2 for p in range(4)) / (4 * (variance[x, y] + variance[cx, cy]))
            shares.append((hl.select(g.inside(cx, cy), hl.clamp(hl.f32(1.6) - 2 * square, 0, 1) / 9, 0), cx, cy))
        return exchanged(chroma, planes, shares)


if __name__ == "__main__":
    hl.main()
