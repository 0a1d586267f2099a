"""Charge that pixels collect: mean electrons times the pixel's own response, plus the dark signal, and a Poisson draw of that.

Algorithm: inversion of the Poisson distribution at a uniform number u of 48 bits. A mean below FEW: probabilities are summed from 0
upwards. From FEW: with w the normal deviate of u and s = w / sqrt(mean), Temme's expansion (N. M. Temme, "The asymptotic expansion of the
incomplete gamma functions", SIAM J. Math. Anal. 10, 1979; inverted as M. B. Giles, "Algorithm 955: approximation of the inverse Poisson
cumulative distribution function", ACM TOMS 42, 2016)

    x = mean + sqrt(mean) w + w^2 q(s) + c0(s) + c1(s) / mean

solves Q(x, mean) = u, and the draw is x rounded down. A pixel whose u, or x, lies nearer to the next number than the arithmetic may err
(1 in 1,000) gets the charge ASK: the caller finds it in double precision, so that every draw is exactly Poisson's.
Schedule: vectors along x; all of a vector's work stays in registers. The caller runs bands of rows in parallel.
"""

import halide as hl
from sensor_random import centred, computed, f32, folded, is_upper, normal, polynomial, quantile, u32, words

x, y, c = hl.vars("x y c")
DRAWS, COPY = 0, 0  # purposes of the words: of a frame, of a copy of the sensor
ASK = -1.0
FEW, MOST_COUNTS = 8.0, 32  # electrons; counts that are tried below it: beyond lie 1e-10 of the draws
SUM_ERROR = 3e-6  # of a probability summed in single precision
LEAST_S, MOST_S = -1.05, 1.95  # where the polynomials were fitted
LEAST_P = 1e-9  # of the normal deviate's fit
Q = (0.166666216, -0.0138846819, 0.00371390414, -0.00136694775, 0.000531820349, -0.000169984347, 0.000126228871, -0.000139895819,
     7.08386225e-05, -1.25334545e-05)  # fmt: skip
C0 = (0.333333196, -0.027904981, 0.00866227624, -0.0028987031, 0.00138120938, -0.00154121747, 0.000971504901, -0.000207512365)
C1 = (-0.02089056, 0.01487443, -0.002248077, 0.01345611, -0.02206438, 0.008034286)
ERROR, ERROR_FEW, ERROR_ROOT = 1e-4, 8e-3, 4e-6  # of x: ERROR + ERROR_FEW / mean + ERROR_ROOT sqrt(mean), three times what was found


def counted(pixel, u):
    """A Func of Poisson's quantile by summation: sum and term so far, the count, and how near u came to a sum."""
    few, k = hl.Func("few"), hl.RDom([(0, MOST_COUNTS)])
    mean = hl.min(pixel[x, y][0], f32(FEW))
    few[x, y] = (f32(0), hl.exp(-mean), f32(0), f32(1))
    so_far, term, count, nearest = (few[x, y][i] for i in range(4))
    now = so_far + term
    after = count + hl.select(u > now, f32(1), f32(0))
    few[x, y] = (now, term * mean / (hl.cast(hl.Float(32), k.x) + 1), after, hl.min(nearest, hl.abs(u - now)))
    few.update(0).unroll(k.x)
    return few


def expanded(mean, w, p):
    """Poisson's quantile by Temme's expansion, and whether it is sure."""
    root = hl.sqrt(mean)
    s = w / root
    beyond = root * w + w * w * polynomial(s, Q) + polynomial(s, C0) + polynomial(s, C1) / mean
    whole = hl.floor(mean)
    part = mean - whole + beyond
    above = part - hl.floor(part)
    error = f32(ERROR) + f32(ERROR_FEW) / mean + f32(ERROR_ROOT) * root
    within = (s > f32(LEAST_S)) & (s < f32(MOST_S)) & (p > f32(LEAST_P))
    return whole + hl.floor(part), within & (above > error) & (above < 1 - error)


@hl.generator(name="sensor_charge")
class SensorCharge(hl.Generator):
    electrons = hl.InputBuffer(hl.Float(32), 2)  # means of pixels, crosstalk included
    key = hl.InputBuffer(hl.UInt(32), 1)  # of the frame
    copy = hl.InputBuffer(hl.UInt(32), 1)  # of this copy of the sensor
    top = hl.InputScalar(hl.Int(32))  # row of the sensor that is the first here
    prnu = hl.InputScalar(hl.Float(32))
    dsnu_e = hl.InputScalar(hl.Float(32))
    dark_e = hl.InputScalar(hl.Float(32))
    most_e = hl.InputScalar(hl.Float(32))
    drawn = hl.OutputBuffer(hl.Float(32), 3)  # (x; charge or ASK, dark offset, mean, u in units of 2^-24, its rest of 2^-48; y)

    def generate(g):
        own = words("own", x, y, g.top, COPY, [g.copy[i] for i in range(4)])
        drawn = words("drawn_words", x, y, g.top, DRAWS, [g.key[i] for i in range(4)])
        high, low = drawn[x, y][0], drawn[x, y][1]
        pixel = hl.Func("pixel")
        mean = g.electrons[x, y] * (1 + g.prnu * normal(own[x, y][0])) + g.dark_e
        pixel[x, y] = (hl.clamp(mean, 0, g.most_e), quantile(centred(high), folded(high, low)), folded(high, low))
        mean, w, p = (pixel[x, y][i] for i in range(3))

        u = hl.select(is_upper(high), 1 - p, p)
        few, (many, sure) = counted(pixel, u), expanded(mean, w, p)
        is_few, clear = mean < f32(FEW), few[x, y][3] > f32(SUM_ERROR)
        charge = hl.select(is_few & clear, few[x, y][2], ~is_few & sure, many, f32(ASK))
        rest = ((high & u32(0xFF)) << 16) | (low >> 16)
        parts = [hl.cast(hl.Float(32), hl.reinterpret(hl.Int(32), part)) for part in (high >> 8, rest)]
        g.drawn[x, c, y] = hl.mux(c, [charge, g.dsnu_e * normal(own[x, y][1]), mean, *parts])
        g.schedule(own, drawn, pixel, few)

    def schedule(g, own, drawn, pixel, few):
        n, wide = g.natural_vector_size(hl.Float(32)), hl.Var("wide")
        g.drawn.bound(c, 0, 5).split(x, wide, x, n, hl.TailStrategy.ShiftInwards)
        g.drawn.reorder(x, c, wide, y).unroll(c).vectorize(x)
        for state in (own, drawn):
            computed(state, g.drawn, wide, n)
        pixel.compute_at(g.drawn, wide).vectorize(x, n)
        few.compute_at(g.drawn, wide).vectorize(x, n).update(0).vectorize(x, n)


if __name__ == "__main__":
    hl.main()
