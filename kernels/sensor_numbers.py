"""Charge to stored numbers: up to three read-outs with their noise, the highest gain that is not saturated, dither, rounding.

Algorithm: as in `apochromat.sensor.capture`. Every pixel is converted by every read-out; the first whose measured electrons are below
what it is trusted to is stored, the last one at any rate, white where not even that can be trusted.
Schedule: vectors along x; the caller runs bands of rows in parallel.
"""

import halide as hl
from sensor_random import computed, f32, half, normal, words

x, y, c = hl.vars("x y c")
NOISE = 1  # purpose of the words
READOUTS = 3
WELL, SIGMA, PER_E, OFFSET, MOST, E_DN, TRUSTED = range(7)  # columns of a read-out


@hl.generator(name="sensor_numbers")
class SensorNumbers(hl.Generator):
    drawn = hl.InputBuffer(hl.Float(32), 3)  # (x; charge, dark offset, ...; y) of sensor_charge
    rows = hl.InputBuffer(hl.Float(32), 2)  # (read-out, y): noise common to a row, e-
    readouts = hl.InputBuffer(hl.Float(32), 2)  # (column, read-out), always READOUTS of them
    count = hl.InputScalar(hl.Int(32))  # of read-outs in use
    key = hl.InputBuffer(hl.UInt(32), 1)  # of the frame
    top = hl.InputScalar(hl.Int(32))  # row of the sensor that is the first here
    dark_e = hl.InputScalar(hl.Float(32))
    per_e = hl.InputScalar(hl.Float(32))  # stored numbers an electron
    black = hl.InputScalar(hl.Float(32))
    white = hl.InputScalar(hl.Float(32))
    dither = hl.InputScalar(hl.Float(32))  # 1, or 0: rounding alone
    numbers = hl.OutputBuffer(hl.UInt(16), 3)  # (x; stored number, its read-out; y)

    def generate(g):
        state = words("noise_words", x, y, g.top, NOISE, [g.key[i] for i in range(4)])
        drawn = [state[x, y][i] for i in range(4)]
        found, chosen, over = f32(0), hl.u16(0), hl.u32(1) == 1
        for index in range(READOUTS):
            electrons = g.converted(index, normal(drawn[index]))
            active = over & (index < g.count) if index else over
            found, chosen = hl.select(active, electrons, found), hl.select(active, hl.u16(index), chosen)
            over = hl.select(active, electrons >= g.readouts[TRUSTED, index], over)
        dither = (half(drawn[3]) - half(drawn[3] << 16)) * f32(2.0**-16) * g.dither
        stored = hl.clamp(hl.round((found - g.dark_e) * g.per_e + g.black + dither), 0, g.white)
        result = hl.Func("result")
        result[x, y] = (hl.cast(hl.UInt(16), hl.select(over, g.white, stored)), chosen)
        g.numbers[x, c, y] = hl.mux(c, [result[x, y][0], result[x, y][1]])
        g.schedule(state, result)

    def converted(g, index, deviate):
        """Electrons that a read-out measures."""
        well, sigma, per_e, offset, most, e_dn = (g.readouts[i, index] for i in range(6))
        signal = hl.min(g.drawn[x, 0, y], well) + g.drawn[x, 1, y] + g.rows[index, y] + sigma * deviate
        return (hl.clamp(hl.round(signal * per_e + offset), 0, most) - offset) * e_dn

    def schedule(g, state, result):
        n, wide = g.natural_vector_size(hl.Float(32)), hl.Var("wide")
        g.numbers.bound(c, 0, 2).split(x, wide, x, n, hl.TailStrategy.ShiftInwards)
        g.numbers.reorder(x, c, wide, y).unroll(c).vectorize(x)
        computed(state, g.numbers, wide, n)
        result.compute_at(g.numbers, wide).vectorize(x, n)


if __name__ == "__main__":
    hl.main()
