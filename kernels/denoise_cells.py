"""What noise reduction does to a cell before and after its method: gain off, colours set apart, as much as asked for, gain on.

A cell is R, G1, G2, B. Of the correction, the chroma of the white-balanced cells that is smooth over 3x3 cells goes by `chroma`, all
else by `luminance`: finer chroma of a mosaic is mostly fine luminance.
"""

import gain_lines
import halide as hl
from cells import by_cells

x, y, i, j, xo, yo, xi, yi = hl.vars("x y i j xo yo xi yi")
POSITIONS = [(0, 0), (1, 0), (0, 1), (1, 1)]  # column and row of a CFA position in its cell
R2 = 0.5**0.5
OPPONENT = ((0.5, 0.5, 0.5, 0.5), (R2, 0, 0, -R2), (0.5, -0.5, -0.5, 0.5), (0, R2, -R2, 0))  # luma, two chroma, green difference
STRIP, TILE = 128, 256  # cells


def dot(weights, values):
    """Sum of weights times values, without the terms of weight 0."""
    return sum(hl.f32(w) * v for w, v in zip(weights, values, strict=True) if w)


def binomial(a, b, c):
    """Smoothing by 1 2 1."""
    return 0.25 * (a + c) + 0.5 * b


class Mosaic(gain_lines.Inputs):
    """A mosaic under its gain; `kept` are Funcs whose latest rows stay at hand while a pass runs, each with the Func that it fills."""

    mosaic = hl.InputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y)
    stabilise = hl.InputBuffer(hl.Float(32), 2)  # (slope or shift, CFA position)

    def keep(g, consumer, name, value):
        """A Func whose latest rows stay at hand while `consumer` is computed."""
        f = hl.Func(name)
        f[x, y] = tuple(value) if isinstance(value, (tuple, list)) else value
        g.kept.append((f, consumer))
        return f

    def cell(g, consumer):
        """The four samples of a cell before gain, and their gains; outside the frame those of the nearest cell."""
        cx, cy = g.nearest()
        gains = g.keep(consumer, "gains", [gain_lines.at(g, 2 * cx + a, 2 * cy + b, b) for a, b in POSITIONS])
        return g.keep(consumer, "cell", [g.mosaic[a, cx, b, cy] / gains[x, y][p] for p, (a, b) in enumerate(POSITIONS)]), gains

    def nearest(g):
        """Column and row of the cell of the frame nearest to (x, y)."""
        return hl.clamp(hl.likely(x), 0, g.width() - 1), hl.clamp(hl.likely(y), 0, g.height() - 1)

    def width(g):
        return g.mosaic.dim(1).extent()

    def height(g):
        return g.mosaic.dim(3).extent()

    def stabilised(g, samples):
        """Samples as numbers whose noise has variance 1 (Anscombe)."""
        return [hl.sqrt(hl.max(g.stabilise[0, p] * samples[p] + g.stabilise[1, p], 0)) for p in range(4)]

    def bound_cells(g, *buffers):
        """Say that buffers are mosaics."""
        for buffer in buffers:
            by_cells(buffer)


class Blending(Mosaic):
    """A filtered mosaic, blended with what was before it into `output`, which a generator declares."""

    neutral = hl.InputBuffer(hl.Float(32), 2)  # (camera value of white or its inverse, CFA position)
    luminance = hl.InputScalar(hl.Float(32))
    chroma = hl.InputScalar(hl.Float(32))

    def opponent(g, samples):
        """Luma, two chroma and the green difference of the white-balanced cell (orthonormal)."""
        balanced = [samples[p] * g.neutral[1, p] for p in range(4)]
        return [dot(weights, balanced) for weights in OPPONENT]

    def samples(g, opponent):
        """A cell's samples from its opponent components."""
        return [g.neutral[0, p] * dot([weights[p] for weights in OPPONENT], [opponent[k] for k in range(4)]) for p in range(4)]

    def blend(g, after):
        """As much of the corrections as asked for, under the gain again; after: the opponent components of the filtered cell."""
        cell, gains = g.cell(g.output)
        raw = cell[x, y]
        change = g.keep(g.output, "change", [b - a for a, b in zip(g.opponent(raw), after, strict=True)])
        column = g.keep(g.output, "column", [binomial(*(change[x, y + d][k] for d in (-1, 0, 1))) for k in (1, 2)])
        asked = [g.luminance * change[x, y][k] for k in range(4)]
        for k in (0, 1):
            asked[k + 1] += (g.chroma - g.luminance) * binomial(*(column[x + d, y][k] for d in (-1, 0, 1)))
        moved = [(raw[p] + d) * gains[x, y][p] for p, d in enumerate(g.samples(asked))]
        result = g.keep(g.output, "result", moved)
        upper, lower = (hl.select(i == 0, result[x, y][p], result[x, y][p + 1]) for p in (0, 2))
        g.output[i, x, j, y] = hl.select(j == 0, upper, lower)

    def schedule(g, *passes):
        """The output in strips, and before it the passes, Funcs of cells that are filled whole; each with the rows it keeps."""
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        for f in passes:
            f.compute_root().tile(x, y, xo, yo, xi, yi, TILE, STRIP, hl.TailStrategy.RoundUp).vectorize(xi, n).parallel(yo)
        g.output.bound(i, 0, 2).bound(j, 0, 2).tile(x, y, xo, yo, xi, yi, TILE, STRIP, guard)
        g.output.reorder(i, j, xi, yi, xo, yo).unroll(i).unroll(j).vectorize(xi, n, guard).parallel(yo)
        for f in (*passes, g.output):
            for loop in (xo, yo, yi):
                f.partition(loop, hl.Partition.Never)  # the frame's border is told apart in the innermost loops alone
        for f, consumer in g.kept:
            f.store_at(consumer, xo).compute_at(consumer, yi).vectorize(x, n)
        g.bound_cells(g.mosaic, g.output.output_buffer())
