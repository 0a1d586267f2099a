"""A mosaic times a smooth gain, in place.

Algorithm: the gain arrives as lines already interpolated along x at its knot rows; a row mixes the two lines around it. Schedule:
parallel strips of rows, vectors along x with guarded tails (a tail computed twice would multiply twice).
It costs what reading and writing the mosaic once costs.
"""

import gain_lines
import halide as hl

x, y, strip, row = hl.vars("x y strip row")
STRIP = 32


@hl.generator(name="gain")
class Gain(gain_lines.Inputs, hl.Generator):
    mosaic = hl.OutputBuffer(hl.Float(32), 2)

    def generate(g):
        g.mosaic[x, y] = hl.undef(hl.Float(32))
        g.mosaic[x, y] *= gain_lines.at(g, x, y, y % 2)
        n = g.natural_vector_size(hl.Float(32))
        guard = hl.TailStrategy.GuardWithIf
        g.mosaic.update(0).split(y, strip, row, STRIP, guard).parallel(strip).vectorize(x, n, guard)


if __name__ == "__main__":
    hl.main()
