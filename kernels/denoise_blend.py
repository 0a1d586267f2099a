"""Filtered planes back to a mosaic: to light, with the mean light that filtering took, blended as asked (denoise_cells.py)."""

from types import SimpleNamespace

import denoise_cells
import denoise_light
import gain_lines
import halide as hl
from denoise_cells import POSITIONS, x, y


@hl.generator(name="denoise_blend")
class DenoiseBlend(denoise_cells.Blending, denoise_light.Filtered, hl.Generator):
    mean_lines = hl.InputBuffer(hl.Float(32), 3)  # light to give back, as gain_lines
    mean_knot = hl.InputBuffer(hl.Float(32), 1)
    output = hl.OutputBuffer(hl.Float(32), 4)  # as mosaic, but not the same memory

    def generate(g):
        g.kept = []
        cx, cy = g.nearest()
        mean = SimpleNamespace(lines=g.mean_lines, knot=g.mean_knot)
        filtered = g.filtered(cx, cy)
        whole = [filtered[p] + gain_lines.at(mean, 2 * cx + a, 2 * cy + b, b) for p, (a, b) in enumerate(POSITIONS)]
        g.blend(g.opponent(g.keep(g.output, "whole", whole)[x, y]))
        g.schedule()


if __name__ == "__main__":
    hl.main()
