"""The finishing group: camera RGB -> one resampling -> colour -> fringes -> sharpening -> tone -> gamut -> output codes.

Algorithm: each stage is a builder in its own file that takes the generator (for its inputs) and an image, a Func (x, y) -> (r, g, b),
and returns an image. Schedule: tiles that stay in the second-level cache, in parallel; the Funcs that a builder put into `g.per_tile`
are computed once a tile, those in `g.per_line` once a line of it, everything else is inlined. (Rows in a sliding window were tried:
with several readers Halide does not fold them and computes them again and again.)
Every stage is an exact identity at its off values, so one kernel serves every tap.
"""

import encode
import fringes
import gamut
import halide as hl
import resample
import sharpen
import tone
from color import matrix
from image import channels

x, y, c, xo, yo, xi, yi, xv = hl.vars("x y c xo yo xi yi xv")
TILE = (512, 128)


class Finish(resample.Inputs, fringes.Inputs, sharpen.Inputs, tone.Inputs, gamut.Inputs, encode.Inputs):
    rgb = hl.InputBuffer(hl.Float(32), 3)  # (x, y, c) camera RGB, white balanced
    camera_to_working = hl.InputBuffer(hl.Float(32), 2)  # (column, row), 3 x 3
    left = hl.InputScalar(hl.Int(32))  # the output's top left pixel in rgb
    top = hl.InputScalar(hl.Int(32))

    def finish(g, quantise):
        g.per_tile, g.per_line = [], []  # Funcs to be computed once a tile, once a line of it
        image = resample.build(g, g.rgb)
        image = matrix(image, g.camera_to_working)
        image = fringes.build(g, image)
        image = sharpen.build(g, image)
        image = tone.build(g, image)
        image = gamut.build(g, image)
        image = encode.build(g, image)
        g.codes = hl.Func("codes")
        g.codes[x, y] = tuple(channels(image, x + g.left, y + g.top))
        code = channels(g.codes, x, y)
        g.output[c, x, y] = quantise(hl.select(c == 0, code[0], hl.select(c == 1, code[1], code[2])))
        g.schedule()

    def schedule(g):
        n = g.natural_vector_size(hl.Float(32))
        out = g.output.output_buffer()
        out.dim(0).set_bounds(0, 3).set_stride(1)
        out.dim(1).set_stride(3).set_min(0)
        out.dim(2).set_min(0)
        size = [hl.min(n, out.dim(d).extent()) for n, d in zip(TILE, (1, 2), strict=True)]
        g.output.bound(c, 0, 3).tile(x, y, xo, yo, xi, yi, *size, hl.TailStrategy.ShiftInwards)
        g.output.split(xi, xi, xv, n).reorder(c, xv, xi, yi, xo, yo).unroll(c).parallel(yo).vectorize(xv).never_partition_all()
        g.codes.compute_at(g.output, xi).vectorize(x, n)  # once for the three channels
        for f in g.per_tile:
            f.compute_at(g.output, xo).vectorize(f.args()[0], n).never_partition_all()
        for f in g.per_line:
            f.compute_at(g.output, yi).vectorize(f.args()[0], n)
