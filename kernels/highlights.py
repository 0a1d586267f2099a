"""Clipped samples of a white-balanced RGGB mosaic, rebuilt from the colours that did not clip; a band of rows at a time.

Algorithm: see develop/highlights.py. Around each clipped sample the unclipped ones of every colour, each trusted less the nearer it is
to its own clip level, give the local brightness in the square-root domain; the colour of the surroundings is added. As trust runs
out the result goes over to neutral at the brightest channel. Samples without clip bit are copied bit by bit. Schedule: parallel
strips; trust, root and known level of each sample row by row in a sliding window, the rest in vectors along x.
Cost by how much is clipped: docs/quality.md.
"""

import gain_lines
import halide as hl

x, y, strip, row = hl.vars("x y strip row")
STRIP = 32
TRUST = hl.f32(0.7)  # share of the clip level up to which a sample is fully trusted


@hl.generator(name="highlights")
class Highlights(gain_lines.Inputs, hl.Generator):  # lines: clip level
    mosaic = hl.InputBuffer(hl.Float(32), 2)
    clip = hl.InputBuffer(hl.UInt(8), 2)
    chroma = hl.InputBuffer(hl.Float(32), 3)  # surrounding colour: (mosaic x, line, R G B)
    chroma_line = hl.InputBuffer(hl.Float(32), 1)  # fractional line of each output row
    top = hl.InputScalar(hl.Int(32))  # mosaic row of the output's first row
    output = hl.OutputBuffer(hl.Float(32), 2)

    def generate(g):
        sample, out = hl.Func("sample"), g.output
        sample[x, y] = tuple(g.judged())
        planes = [g.colors(sample, i) for i in range(3)]  # trust, trusted root and known level of R, G, B around a pixel
        share = g.chroma_line[y]
        above = hl.clamp(hl.cast(hl.Int(32), share), 0, hl.max(g.chroma.dim(1).extent() - 2, 0))
        share = share - hl.cast(hl.Float(32), above)
        chroma = [g.chroma[x, above, i] * (1 - share) + g.chroma[x, above + 1, i] * share for i in range(3)]
        trust = planes[0][0] + planes[0][1] + planes[0][2]
        base = sum(planes[1][i] - planes[0][i] * chroma[i] for i in range(3)) / hl.max(trust, hl.f32(1e-4))
        root = hl.max(base + own(chroma), 0.0)
        neutral = hl.max(*planes[2])
        color = smooth(trust * 2)
        rebuilt = neutral + color * (root * root - neutral)
        v = g.mosaic[x, y + g.top]
        out[x, y] = hl.select(sample[x, y][3] > 0, hl.max(rebuilt, hl.min(v, sample[x, y][2])), v)
        n = g.natural_vector_size(hl.Float(32))
        out.split(y, strip, row, STRIP, hl.TailStrategy.GuardWithIf).parallel(strip).vectorize(x, n, hl.TailStrategy.GuardWithIf)
        sample.store_at(out, strip).compute_at(out, row).vectorize(x, n)

    def judged(g):
        """Of the sample at (x, y + top): trust, trust times root, known level, clip bit."""
        area = [(0, g.mosaic.dim(0).extent()), (0, g.mosaic.dim(1).extent())]
        bits, levels = hl.Func("bits"), hl.Func("levels")
        bits[x, y] = hl.cast(hl.Float(32), (g.clip[x / 2, y / 2] >> hl.cast(hl.UInt(8), 2 * (y % 2) + x % 2)) & 1)
        levels[x, y] = gain_lines.at(g, x, y, y % 2)
        at = (x, y + g.top)
        value, bit, level = (hl.Expr(hl.BoundaryConditions.mirror_interior(f, area)[at]) for f in (g.mosaic, bits, levels))
        trust = hl.select(bit > 0, 0.0, smooth((level - value) / (level * (1 - TRUST))))
        return [trust, trust * hl.sqrt(hl.max(value, 0.0)), hl.select(bit > 0, level, value), bit]

    def colors(g, sample, i):
        """Element `i` of the samples of R, G, B around (x, y), by bilinear interpolation."""
        c = sample[x, y][i]
        h, v = (sample[x - 1, y][i] + sample[x + 1, y][i]) / 2, (sample[x, y - 1][i] + sample[x, y + 1][i]) / 2
        d = (sample[x - 1, y - 1][i] + sample[x + 1, y - 1][i] + sample[x - 1, y + 1][i] + sample[x + 1, y + 1][i]) / 4
        cross, center = (h + v) / 2, (c + d) / 2
        return by_position((c, h, v, d)), by_position((cross, center, center, cross)), by_position((d, v, h, c))


def by_position(values):
    """The value for the CFA position of (x, y)."""
    return hl.select(y % 2 == 0, hl.select(x % 2 == 0, values[0], values[1]), hl.select(x % 2 == 0, values[2], values[3]))


def own(planes):
    """The plane of the colour at (x, y)."""
    return by_position((planes[0], planes[1], planes[1], planes[2]))


def smooth(t):
    """0 below 0, 1 above 1, with level ends."""
    t = hl.clamp(t, 0.0, 1.0)
    return t * t * (3 - 2 * t)


if __name__ == "__main__":
    hl.main()
