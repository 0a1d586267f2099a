"""Linearisation of integer samples."""

import halide as hl
from linearise import Linearise


@hl.generator(name="linearise_u16")
class LineariseU16(Linearise, hl.Generator):
    samples = hl.InputBuffer(hl.UInt(16), 2)  # (x, y) as stored
    mosaic = hl.OutputBuffer(hl.Float(32), 2)
    clip = hl.OutputBuffer(hl.UInt(8), 2)

    def generate(g):
        codes = g.table.dim(0).extent()

        def to_dn(code):
            through = g.table[hl.min(hl.cast(hl.Int(32), code), codes - 1)]
            return hl.select(codes > 1, through, hl.cast(hl.Float(32), code))

        g.linearise(to_dn)
        for out in (g.mosaic, g.clip):
            out.specialize(codes == 1)


if __name__ == "__main__":
    hl.main()
