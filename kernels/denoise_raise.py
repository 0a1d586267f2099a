"""A coarse correction added to planes of twice its size, interpolated linearly between the centres of its cells."""

import halide as hl

x, y, c, yo = hl.vars("x y c yo")


@hl.generator(name="denoise_raise")
class DenoiseRaise(hl.Generator):
    fine = hl.InputBuffer(hl.Float(32), 3)  # (x, y, plane)
    coarse = hl.InputBuffer(hl.Float(32), 3)  # half as wide and high, rounded up
    output = hl.OutputBuffer(hl.Float(32), 3)

    def generate(g):
        across, down = hl.Func("across"), hl.Func("down")
        clamped = hl.BoundaryConditions.repeat_edge(g.coarse)
        down[x, y, c] = 0.75 * clamped[x, y // 2, c] + 0.25 * clamped[x, y // 2 + 2 * (y % 2) - 1, c]
        across[x, y, c] = 0.75 * down[x // 2, y, c] + 0.25 * down[x // 2 + 2 * (x % 2) - 1, y, c]
        g.output[x, y, c] = g.fine[x, y, c] + across[x, y, c]
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        g.output.bound(c, 0, 4).vectorize(x, n, guard).split(y, yo, y, 16, guard).parallel(yo)
        down.compute_at(g.output, y).vectorize(x, n)


if __name__ == "__main__":
    hl.main()
