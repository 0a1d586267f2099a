"""Linearisation of floating-point samples, which have no table."""

import halide as hl
from linearise import Linearise


@hl.generator(name="linearise_f32")
class LineariseF32(Linearise, hl.Generator):
    samples = hl.InputBuffer(hl.Float(32), 2)  # (x, y) as stored
    mosaic = hl.OutputBuffer(hl.Float(32), 2)
    clip = hl.OutputBuffer(hl.UInt(8), 2)

    def generate(g):
        g.linearise(lambda value: value)


if __name__ == "__main__":
    hl.main()
