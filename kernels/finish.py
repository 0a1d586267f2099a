"""The finishing group: camera RGB -> one resampling -> colour -> fringes -> sharpening -> tone -> gamut -> output codes.

Algorithm: each stage is a builder in its own file that takes the generator (for its inputs) and an image, a Func (x, y) -> (r, g, b),
and returns an image. Schedule: strips of rows in parallel; inside a strip the Funcs that a builder put into `g.rows` are computed
row by row in a sliding window, everything else is inlined. Every stage is an exact identity at its off values, so one kernel serves
every tap.
"""

import encode
import fringes
import gamut
import halide as hl
import resample
import sharpen
import tone
from color import matrix

x, y, c, yo, yi = hl.vars("x y c yo yi")
STRIP = 64


class Finish(resample.Inputs, fringes.Inputs, sharpen.Inputs, tone.Inputs, gamut.Inputs, encode.Inputs):
    rgb = hl.InputBuffer(hl.Float(32), 3)  # (x, y, c) camera RGB, white balanced
    camera_to_working = hl.InputBuffer(hl.Float(32), 2)  # (column, row), 3 x 3
    left = hl.InputScalar(hl.Int(32))  # the output's top left pixel in rgb
    top = hl.InputScalar(hl.Int(32))

    def finish(g, quantise):
        g.rows = []  # Funcs to be computed row by row in a sliding window
        image = resample.build(g, g.rgb)
        image = matrix(image, g.camera_to_working)
        image = fringes.build(g, image)
        image = sharpen.build(g, image)
        image = tone.build(g, image)
        image = gamut.build(g, image)
        image = encode.build(g, image)
        codes = image[x + g.left, y + g.top]
        g.output[c, x, y] = quantise(hl.select(c == 0, codes[0], hl.select(c == 1, codes[1], codes[2])))
        g.schedule()

    def schedule(g):
        n = g.natural_vector_size(hl.Float(32))
        out = g.output.output_buffer()
        out.dim(0).set_bounds(0, 3).set_stride(1)
        out.dim(1).set_stride(3).set_min(0)
        out.dim(2).set_min(0)
        g.output.bound(c, 0, 3).reorder(c, x, y).unroll(c).split(y, yo, yi, STRIP, hl.TailStrategy.GuardWithIf).parallel(yo).vectorize(x, n)
        for f in g.rows:
            f.store_at(g.output, yo).compute_at(g.output, yi).vectorize(f.args()[0], n)
