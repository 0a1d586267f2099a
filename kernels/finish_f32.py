"""Finishing group to 32-bit floats: taps, and display values for 16-bit files."""

import halide as hl
from finish import Finish


@hl.generator(name="finish_f32")
class FinishF32(Finish, hl.Generator):
    output = hl.OutputBuffer(hl.Float(32), 3)

    def generate(g):
        g.finish(lambda code: code)


if __name__ == "__main__":
    hl.main()
