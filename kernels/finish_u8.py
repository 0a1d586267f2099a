"""Finishing group to 8-bit display codes."""

import halide as hl
from finish import Finish


@hl.generator(name="finish_u8")
class FinishU8(Finish, hl.Generator):
    output = hl.OutputBuffer(hl.UInt(8), 3)

    def generate(g):
        g.finish(lambda code: hl.cast(hl.UInt(8), code * 255.0 + 0.5))


if __name__ == "__main__":
    hl.main()
