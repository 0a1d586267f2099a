"""One resampling of the three camera channels, with a gain per channel: lateral CA, warps, distortion, scale and vignetting together.

Algorithm: two-pass image transformation (Catmull & Smith 1980) along the exact curve in the source that an output row comes from. At
source column u the vertical pass reads the source at height y + rise(u, y); the horizontal pass then reads that row of columns at
x + run(x, y). Both interpolate by a cubic Hermite spline through the samples whose slopes are a (f[+1] - f[-1]) + b (f[+2] - f[-2])
with a = 0.8, b = -0.15: six taps, exact at whole positions and for ramps; at 0.25 cycles/pixel it loses at most 1 % of contrast and
0.02 pixels of position (Keys' four taps: 12 % and 0.07). An undershoot may go below the darkest of the four nearest samples by a
quarter of that sample at most, so a highlight leaves no dark or coloured ring in the shadow beside it; overshoots stay.
rise, run and gain are such splines too, a = 2/3 and b = -1/12 (exact to the fourth order), through knots every 32 pixels; knot 0 lies
64 pixels before the first pixel.

Schedule: a row at a time inside the finishing tile. Within a block of 16 pixels the whole-pixel displacement differs by at most one
in the near modes, so eight shifted dense loads and selects replace gathers; mode FAR gathers. Off, the row is a plain copy.
Cost by mode: docs/quality.md.
"""

import halide as hl

KNOT = 32  # pixels between knots
BLOCK = 16  # pixels that share one whole-pixel displacement, give or take one
OFF, RED_BLUE, ALL, FAR = range(4)
SHARP = 0.8, -0.15  # slope of a spline through samples: weights of f[+1] - f[-1] and f[+2] - f[-2]
SMOOTH = 2 / 3, -1 / 12
UNDERSHOOT = 0.25

x, y, c, k = hl.vars("x y c k")
xo = hl.Var("xo")  # the tile loop of the finishing group


class Inputs:
    resample_mode = hl.InputScalar(hl.Int(32))  # OFF, RED_BLUE, ALL or FAR
    resample_reach = hl.InputScalar(hl.Int(32))  # no |run| is larger, in pixels
    resample_rise = hl.InputBuffer(hl.Float(32), 3)  # (column knot, row knot, channel): source y - y at source column u, output row y
    resample_run = hl.InputBuffer(hl.Float(32), 3)  # (column knot, row knot, channel): source x - x at output pixel (x, y)
    vignette_gain = hl.InputBuffer(hl.Float(32), 3)  # (column knot, row knot, channel): gain at output pixel (x, y)


def build(g, rgb):
    """Image (x, y) -> (r, g, b) of the resampled, gained camera RGB, defined on the whole plane (edges repeated)."""
    g.resampled = resampled = hl.Func("resampled")
    rise, run, gain = (_Spline(g, knots) for knots in (g.resample_rise, g.resample_run, g.vignette_gain))
    source = hl.BoundaryConditions.repeat_edge(rgb, [hl.Range(rgb.dim(d).min(), rgb.dim(d).extent()) for d in (0, 1)])
    moved = [_moved(g, source, rise, run, c) for c in range(3)]
    off = g.resample_mode == OFF
    still = [off, off | (g.resample_mode == RED_BLUE), off]
    resampled[x, y] = tuple(hl.select(still[c], hl.Expr(source[x, y, c]), hl.Expr(moved[c][x, y])) * gain(x, c) for c in range(3))
    resampled.align_bounds(x, BLOCK).vectorize(x, BLOCK).compute_at(g.output, xo).never_partition([y])
    resampled.specialize(off)
    return resampled


def _moved(g, source, rise, run, c):
    """Channel c at output (x, y): a vertical pass for every source column, then a horizontal one."""
    column, moved = hl.Func(f"column_{c}"), hl.Func(f"moved_{c}")
    above = lambda at: hl.Expr(source[x, y + at, c])
    column[x, y] = _hermite(_taps(rise, c, above, g.resample_mode), _fraction(rise(x, c)))
    beside = lambda at: hl.Expr(column[x + hl.clamp(at, -g.resample_reach, g.resample_reach), y])
    moved[x, y] = _hermite(_taps(run, c, beside, g.resample_mode), _fraction(run(x, c)))
    for row in (column, moved):  # one block a vector, so that its spline and whole-pixel displacement are loaded once
        row.align_bounds(x, BLOCK).vectorize(x, BLOCK).compute_at(g.resampled, y).specialize(g.resample_mode != FAR)
    return moved


class _Spline:
    """Smooth surface through knots (column, row, channel); the polynomial of each block's cell is computed once a row."""

    def __init__(self, g, knots):
        row, self.cell, self.whole = (hl.Func(f"{knots.name()}_{part}") for part in ("row", "cell", "whole"))
        column = hl.clamp(k, knots.dim(0).min(), knots.dim(0).max())
        at = [knots[column, hl.clamp(y // KNOT + j, knots.dim(1).min(), knots.dim(1).max()), c] for j in range(6)]
        row[k, y, c] = _horner(_cubic(at, SMOOTH), hl.f32(y % KNOT) / KNOT)
        self.cell[k, y, c] = tuple(_cubic([row[k // (KNOT // BLOCK) + j, y, c] for j in range(6)], SMOOTH))
        self.whole[k, y, c] = hl.i32(hl.floor(self(k * BLOCK + BLOCK // 2, c)))
        for table in (row, self.cell, self.whole):
            table.compute_at(g.resampled, y).vectorize(k, 8).never_partition_all()

    def __call__(self, at, channel):
        return _horner([self.cell[at // BLOCK, y, channel][n] for n in range(4)], hl.f32(at % KNOT) / KNOT)


def _taps(spline, channel, at, mode):
    """Six samples around the displaced position: dense loads that a lane shifts by one where it must, or gathers."""
    whole = hl.i32(hl.floor(spline(x, channel)))
    base = spline.whole[x // BLOCK, y, channel]
    loads = [at(base + j) for j in range(-3, 5)]
    dense = [hl.select(whole < base, loads[n - 1], whole > base, loads[n + 1], loads[n]) for n in range(1, 7)]
    return [hl.select(mode == FAR, at(whole + j), d) for j, d in zip(range(-2, 4), dense, strict=True)]


def _fraction(value):
    return value - hl.floor(value)


def _hermite(f, t):
    """The spline between f[2] and f[3] at fraction t, bounded below."""
    value = _horner(_cubic(f, SHARP), t)
    low = hl.min(hl.min(f[1], f[2]), hl.min(f[3], f[4]))
    return hl.max(value, low - hl.f32(UNDERSHOOT) * hl.abs(low))


def _cubic(f, slope):
    """Coefficients, constant first, of Hermite's cubic between f[2] and f[3]; exactly constant where the samples are equal."""
    one, two = (hl.f32(s) for s in slope)
    before, after = one * (f[3] - f[1]) + two * (f[4] - f[0]), one * (f[4] - f[2]) + two * (f[5] - f[1])
    step = f[3] - f[2]
    return [f[2], before, 3 * step - 2 * before - after, before + after - 2 * step]


def _horner(coefficients, t):
    value = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        value = value * t + coefficient
    return value
