"""Isolated hot and dead pixels of an RGGB mosaic, found against the noise model and replaced.

Algorithm: see develop/bad_pixels.py. A pixel is judged by its eight neighbours of the same colour at distance two and by whether the
four direct neighbours, of other colours, rise with it as they do under the image of a real point. Decisions are ramps, not
switches. Schedule: parallel strips, vectors along x; all reads come from the input, so nothing is stored in between.
Cost: docs/performance.md.
"""

import gain_lines
import halide as hl

x, y, strip, row = hl.vars("x y strip row")
STRIP = 32
CROSSTALK = hl.f32(0.1)  # share of a defect's height that may show in the direct neighbours, both axes together
PAIRS = ((2, 0), (0, 2), (2, 2), (2, -2))


@hl.generator(name="bad_pixels")
class BadPixels(gain_lines.Inputs, hl.Generator):  # lines: gain so far
    mosaic = hl.InputBuffer(hl.Float(32), 2)
    noise = hl.InputBuffer(hl.Float(32), 3)  # (column parity, row parity, scale and offset) before gain
    threshold = hl.InputScalar(hl.Float(32))  # standard deviations
    output = hl.OutputBuffer(hl.Float(32), 2)

    def generate(g):
        width, height = g.mosaic.dim(0).extent(), g.mosaic.dim(1).extent()
        at = hl.BoundaryConditions.mirror_interior(g.mosaic, [(0, width), (0, height)])
        v = at[x, y]
        pairs = [(at[x - i, y - j], at[x + i, y + j]) for i, j in PAIRS]
        high = hl.max(*[hl.max(a, b) for a, b in pairs])
        low = hl.min(*[hl.min(a, b) for a, b in pairs])
        sigma, rise = g.sigma((high + low) / 2), g.rise(at)
        reach, per_sigma = g.threshold * sigma + (high - low) / 2, 1 / sigma
        hot = g.defect(v - high, reach, rise, per_sigma)
        dead = g.defect(low - v, reach, -rise, per_sigma)
        share = hl.max(hot, dead)
        g.output[x, y] = hl.select(share > 0, v + share * (g.calmest(pairs) - v), v)
        n = g.natural_vector_size(hl.Float(32))
        guard = hl.TailStrategy.GuardWithIf
        g.output.split(y, strip, row, STRIP, guard).parallel(strip).vectorize(x, n, guard)

    def sigma(g, level):
        """Standard deviation of the noise at a level reached by the gain so far."""
        gain = gain_lines.at(g, x, y, y % 2)
        scale, offset = (hl.select(x % 2 == 0, g.noise[0, y % 2, i], g.noise[1, y % 2, i]) for i in (0, 1))
        return hl.sqrt(gain * (scale * hl.max(level, 0.0) + gain * offset) + hl.f32(1e-12))

    def rise(g, at):
        """How far the direct neighbours stand above those of their colour two further out, along both axes together."""
        near = at[x - 1, y] + at[x + 1, y] + at[x, y - 1] + at[x, y + 1]
        far = at[x - 3, y] + at[x + 3, y] + at[x, y - 3] + at[x, y + 3]
        return (near - far) / 2

    def defect(g, excess, reach, rise, per_sigma):
        """0..1: the excess goes beyond `reach`, and the direct neighbours do not follow it."""
        beyond = hl.clamp((excess - reach) * per_sigma, 0.0, 1.0)
        alone = hl.clamp((CROSSTALK * excess - rise) * per_sigma + 1.5, 0.0, 1.0)
        return beyond * alone

    def calmest(g, pairs):
        """Mean of the opposite pair that differs least."""
        best, least = (pairs[0][0] + pairs[0][1]) / 2, hl.abs(pairs[0][0] - pairs[0][1])
        for a, b in pairs[1:]:
            best, least = hl.select(hl.abs(a - b) < least, (a + b) / 2, best), hl.min(least, hl.abs(a - b))
        return best


if __name__ == "__main__":
    hl.main()
