"""Noise reduction on the mosaic: patch-wise averaging of 2x2 cells, then wide averaging of their chroma.

Algorithm, on cells (R, G1, G2, B) before lens-shading gain:
1. stabilise: z = sqrt(slope u + shift) (generalised Anscombe transform) makes noise 1 everywhere; only weights are taken from z;
2. patches: the weight of a pair of cells up to 2 apart falls with the squared difference of their 3x3 patches of z in all four planes
   (non-local means) and is scaled by both cells' weight sums alike. Pairs exchange light symmetrically, so no mean can shift;
3. chroma: two exchanges with the 8 neighbours 5 and then 15 cells away, gated by the filtered z, carry averaging to 45 x 45 cells;
4. blend: of the correction, the chroma of the white-balanced cells that is smooth over 3x3 cells goes by `chroma`, all else by
   `luminance`: finer chroma of a mosaic is mostly fine luminance.
Weights depend smoothly on z, so rounding cannot flip a decision. A pair that reaches outside the frame has weight 0.

Schedule: two passes of parallel strips: all up to the first exchange fills four planes (48 MB at 12 MP), the rest runs into the output.
In each strip, tiles of columns go row by row in sliding windows that stay in the second-level cache.
Cost on each instruction set: docs/performance.md.
"""

import gain_lines
import halide as hl

x, y, i, j, xo, yo, xi, yi = hl.vars("x y i j xo yo xi yi")
PAIRS = [(dx, dy) for dy in range(3) for dx in range(-2, 3) if (dy, dx) > (0, 0)]  # each pair of cells once
RING = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dx, dy) != (0, 0)]
POSITIONS = [(0, 0), (1, 0), (0, 1), (1, 1)]  # column and row of a CFA position in its cell
R2 = 0.5**0.5
OPPONENT = ((0.5, 0.5, 0.5, 0.5), (R2, 0, 0, -R2), (0.5, -0.5, -0.5, 0.5), (0, R2, -R2, 0))  # luma, two chroma, green difference
STRIP, TILE = 128, 256  # cells


def dot(weights, values):
    """Sum of weights times values, without the terms of weight 0."""
    return sum(hl.f32(w) * v for w, v in zip(weights, values, strict=True) if w)


def exchanged(f, planes, shares):
    """Planes of the tuple f at (x, y) moved by each share (weight, cx, cy) towards its value at (cx, cy)."""
    own = 1 - sum(share for share, _, _ in shares)
    return tuple(own * f[x, y][p] + sum(share * f[cx, cy][p] for share, cx, cy in shares) for p in planes)


def binomial(a, b, c):
    """Smoothing by 1 2 1."""
    return 0.25 * (a + c) + 0.5 * b


@hl.generator(name="denoise")
class Denoise(gain_lines.Inputs, hl.Generator):
    mosaic = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    stabilise = hl.InputBuffer(hl.Float(32), 2)  # (slope or shift, CFA position)
    neutral = hl.InputBuffer(hl.Float(32), 2)  # (camera value of white or its inverse, CFA position)
    luminance = hl.InputScalar(hl.Float(32))
    chroma = hl.InputScalar(hl.Float(32))
    tolerance = hl.InputScalar(hl.Float(32))  # excess of a patch's squared difference over that of noise alone at which a pair ends
    output = hl.OutputBuffer(hl.Float(32), 4)  # as mosaic, but not the same memory

    def generate(g):
        g.kept = []  # Funcs whose latest rows stay at hand while a pass runs, each with the Func that the pass fills
        near = hl.Func("near")
        filtered = g.keep(near, "filtered", g.average_patches(near))
        chroma = g.keep(near, "chroma", g.opponent(filtered)[1:3])
        luma, *_, green = g.opponent(filtered)
        near[x, y] = (luma, *g.spread_chroma(near, filtered[x, y], chroma, (0, 1), 5), green)
        g.blend(near, g.spread_chroma(g.output, g.samples(near[x, y]), near, (1, 2), 15))
        g.schedule(near)

    def keep(g, consumer, name, value):
        """A Func whose latest rows stay at hand while `consumer` is computed."""
        f = hl.Func(name)
        f[x, y] = tuple(value) if isinstance(value, (tuple, list)) else value
        g.kept.append((f, consumer))
        return f

    def cell(g, consumer):
        """The four samples of a cell before gain, and their gains; outside the frame those of the nearest cell."""
        cx, cy = hl.clamp(hl.likely(x), 0, g.width() - 1), hl.clamp(hl.likely(y), 0, g.height() - 1)
        gains = g.keep(consumer, "gains", [gain_lines.at(g, 2 * cx + a, 2 * cy + b, b) for a, b in POSITIONS])
        return g.keep(consumer, "cell", [g.mosaic[a, cx, b, cy] / gains[x, y][p] for p, (a, b) in enumerate(POSITIONS)]), gains

    def width(g):
        return g.mosaic.dim(1).extent()

    def height(g):
        return g.mosaic.dim(3).extent()

    def inside(g, cx, cy):
        """Whether both (x, y) and (cx, cy) are cells of the frame."""
        cells = [(a >= 0) & (a < g.width()) & (b >= 0) & (b < g.height()) for a, b in ((x, y), (cx, cy))]
        return hl.likely(cells[0] & cells[1])

    def stabilised(g, samples):
        """Samples as numbers whose noise has variance 1 (Anscombe)."""
        return [hl.sqrt(hl.max(g.stabilise[0, p] * samples[p] + g.stabilise[1, p], 0)) for p in range(4)]

    def opponent(g, f):
        """Luma, two chroma and the green difference of the white-balanced cell (orthonormal)."""
        balanced = [f[x, y][p] * g.neutral[1, p] for p in range(4)]
        return [dot(weights, balanced) for weights in OPPONENT]

    def samples(g, opponent):
        """A cell's samples from its opponent components."""
        return [g.neutral[0, p] * dot([weights[p] for weights in OPPONENT], [opponent[k] for k in range(4)]) for p in range(4)]

    def average_patches(g, consumer):
        """Step 2: planes of the cells averaged over those nearby whose surroundings look the same."""
        cell, _ = g.cell(consumer)
        z = g.keep(consumer, "z", g.stabilised(cell[x, y]))
        weights = [g.patch_weight(consumer, z, dx, dy) for dx, dy in PAIRS]
        pairs = [(w[x, y], x + dx, y + dy) for w, (dx, dy) in zip(weights, PAIRS, strict=True)]
        pairs += [(w[x - dx, y - dy], x - dx, y - dy) for w, (dx, dy) in zip(weights, PAIRS, strict=True)]
        half = g.keep(consumer, "half", 0.5 / (1 + sum(w for w, _, _ in pairs)))
        return exchanged(cell, range(4), [(w * (half[x, y] + half[cx, cy]), cx, cy) for w, cx, cy in pairs])

    def patch_weight(g, consumer, z, dx, dy):
        """Weight of the pair (x, y), (x + dx, y + dy): 1 while their 3x3 patches differ by no more than noise, then falling to 0."""
        name = f"{dx + 2}{dy}"
        square = g.keep(consumer, "square" + name, sum((z[x, y][p] - z[x + dx, y + dy][p]) ** 2 for p in range(4)))
        column = g.keep(consumer, "column" + name, square[x, y - 1] + square[x, y] + square[x, y + 1])
        excess = (column[x - 1, y] + column[x, y] + column[x + 1, y]) / 72 - 1
        fall = hl.clamp(1 - excess / g.tolerance, 0, 1) ** 2
        return g.keep(consumer, "weight" + name, hl.select(g.inside(x + dx, y + dy), fall * fall, 0))

    def spread_chroma(g, consumer, samples, chroma, planes, distance):
        """Step 3: chroma averaged with the 8 cells at `distance`; a pair's weight is 1 up to a difference of noise, then falls to 0."""
        z = g.keep(consumer, f"guide{distance}", g.stabilised(samples))
        shares = []
        for cx, cy in ((x + distance * dx, y + distance * dy) for dx, dy in RING):
            square = sum((z[x, y][p] - z[cx, cy][p]) ** 2 for p in range(4)) / 8
            shares.append((hl.select(g.inside(cx, cy), hl.clamp(hl.f32(1.6) - 2 * square, 0, 1) / 9, 0), cx, cy))
        return exchanged(chroma, planes, shares)

    def blend(g, near, chroma):
        """Step 4: as much of the corrections as asked for, under the gain again."""
        raw, gains = g.cell(g.output)
        after = (near[x, y][0], *chroma, near[x, y][3])
        change = g.keep(g.output, "change", [b - a for a, b in zip(g.opponent(raw), after, strict=True)])
        column = g.keep(g.output, "column", [binomial(*(change[x, y + d][k] for d in (-1, 0, 1))) for k in (1, 2)])
        asked = [g.luminance * change[x, y][k] for k in range(4)]
        for k in (0, 1):
            asked[k + 1] += (g.chroma - g.luminance) * binomial(*(column[x + d, y][k] for d in (-1, 0, 1)))
        moved = [(raw[x, y][p] + d) * gains[x, y][p] for p, d in enumerate(g.samples(asked))]
        result = g.keep(g.output, "result", moved)
        upper, lower = (hl.select(i == 0, result[x, y][p], result[x, y][p + 1]) for p in (0, 2))
        g.output[i, x, j, y] = hl.select(j == 0, upper, lower)

    def schedule(g, near):
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        near.compute_root().tile(x, y, xo, yo, xi, yi, TILE, STRIP, hl.TailStrategy.RoundUp).vectorize(xi, n).parallel(yo)
        g.output.bound(i, 0, 2).bound(j, 0, 2).tile(x, y, xo, yo, xi, yi, TILE, STRIP, guard)
        g.output.reorder(i, j, xi, yi, xo, yo).unroll(i).unroll(j).vectorize(xi, n, guard).parallel(yo)
        for f in (near, g.output):
            for loop in (xo, yo, yi):
                f.partition(loop, hl.Partition.Never)  # the frame's border is told apart in the innermost loops alone
        for f, consumer in g.kept:
            f.store_at(consumer, xo).compute_at(consumer, yi).vectorize(x, n)
        for buffer in (g.mosaic, g.output.output_buffer()):
            buffer.dim(0).set_bounds(0, 2).set_stride(1)
            buffer.dim(1).set_min(0).set_stride(2)
            buffer.dim(2).set_bounds(0, 2)
            buffer.dim(3).set_min(0)


if __name__ == "__main__":
    hl.main()
