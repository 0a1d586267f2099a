"""From stabilised planes back to light: the exact unbiased inverse of the generalised Anscombe transform, in closed form.

After Makitalo & Foi, "Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian noise" (IEEE TIP 22, 2013); below
the value of black only the square goes on falling, so that black noise keeps its negative half.
"""

import denoise_variance
import halide as hl

ROOT = hl.f32(1.5**0.5)


class Filtered(denoise_variance.Inputs):  # beside a denoise_cells.Mosaic; relative: (cell x, knot row), relative_knot: cell y
    planes = hl.InputBuffer(hl.Float(32), 3)  # (cell x, cell y, CFA position): filtered, stabilised

    def filtered(g, cx, cy):
        """The four filtered samples of cell (cx, cy), before gain."""
        variance = denoise_variance.at(g, cx, cy)
        return [g.light(g.planes[cx, cy, p], variance, p) for p in range(4)]

    def light(g, z, variance, p):
        """The signal whose noisy values, stabilised, have the mean z."""
        slope, shift = g.stabilise[0, p], g.stabilise[1, p]
        inverse = 1 / hl.max(z, hl.sqrt(shift))
        return (z * z - shift + variance + inverse * (ROOT - inverse * (hl.f32(5.5) - hl.f32(2.5) * ROOT * inverse))) / slope
