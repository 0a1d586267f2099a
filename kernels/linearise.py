"""Stored numbers -> linear mosaic and clip mask, in one pass over the frame.

Algorithm: each mosaic pixel reads its stored sample (mirrored without repeating the edge where the mosaic was padded to RGGB phase
and even size, which keeps the colours in place), goes through the linearisation table, loses its black level and is scaled; the
four samples of a cell give one byte of clip bits. Schedule: both outputs in parallel strips of rows, vectors along x.
Cost: a part of that of the linearise stage in docs/performance.md.
"""

import halide as hl

x, y = hl.vars("x y")
STRIP = 32


class Linearise:
    table = hl.InputBuffer(hl.Float(32), 1)  # code -> linear DN; one entry: none
    black = hl.InputBuffer(hl.Float(32), 2)  # (mosaic x, row modulo its height), DN
    black_row = hl.InputBuffer(hl.Float(32), 1)  # (mosaic y), DN
    scale = hl.InputBuffer(hl.Float(32), 2)  # (mosaic x, row parity), 1 / DN
    clip_from = hl.InputBuffer(hl.Float(32), 2)  # (column parity, row parity), mosaic units
    left = hl.InputScalar(hl.Int(32))  # stored column and row of mosaic pixel (0, 0); may lie one outside the active area
    top = hl.InputScalar(hl.Int(32))
    active = hl.InputBuffer(hl.Int(32), 1)  # left, top, width, height of the active area

    def linearise(g, to_dn):
        area = [(g.active[0], g.active[2]), (g.active[1], g.active[3])]
        stored = hl.BoundaryConditions.mirror_interior(g.samples, area)
        value = hl.Func("value")
        dn = to_dn(stored[x + g.left, y + g.top])
        value[x, y] = (dn - g.black[x, y % g.black.dim(1).extent()] - g.black_row[y]) * g.scale[x, y % 2]
        g.mosaic[x, y] = value[x, y]
        bits = [hl.cast(hl.UInt(8), value[2 * x + i, 2 * y + j] >= g.clip_from[i, j]) << (2 * j + i) for j in (0, 1) for i in (0, 1)]
        g.clip[x, y] = bits[0] | bits[1] | bits[2] | bits[3]
        n = g.natural_vector_size(hl.Float(32))
        for out, width in ((g.mosaic, n), (g.clip, 2 * n)):
            strip, row = hl.Var("strip"), hl.Var("row")
            out.split(y, strip, row, STRIP, hl.TailStrategy.GuardWithIf).parallel(strip)
            out.vectorize(x, width, hl.TailStrategy.GuardWithIf).never_partition([strip, row])
