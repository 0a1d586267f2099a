"""Bayer mosaic (RGGB) to camera RGB: directional colour differences, blended without thresholds, in a domain between light and lightness.

Algorithm; every weight is soft and relative to the noise, so that the result scales with exposure:
1. Samples go to the power EXPONENT, linear within the noise around zero. In light itself the colours of a shaded surface keep their ratio,
   in a logarithm they keep their difference, and at a blurred edge between two colours light mixes linearly: the power stands between.
2. Green. Colour differences along rows and columns (Hamilton & Adams 1997) are averaged outwards to the four sides and blended by the
   inverse cube of their variation on that side (Pekkucuksen & Altunbasak 2010, 2013).
3. Red and blue. Differences are spread to the other sites, along diagonals and then sides, by inverse variation.
4. Green is refined from the differences of its four neighbours (after Menon, Andriani & Calvagno 2007); then step 3 again.
5. What was interpolated goes back to light; measured samples pass untouched.

Layout: every picture is held as planes over the 2 x 2 cells of the pattern, so that loads are dense and there are no selects: kind "C"
has the red and blue sites, kind "G" the greens, each as a pair for the cell's even and odd row. "own" is the difference G - C of a C
site's colour and "other" that of the other colour; at a G site "row" and "column" are the differences of the colours in its row and column.

Cost on each instruction set: docs/performance.md.
"""

from typing import NamedTuple

import halide as hl

x, y, px, py, c, xo, xi, yo, yi = hl.vars("x y px py c xo xi yo yi")
STRIP, TILE = 256, 512  # rows and columns that are computed together
EXPONENT = 3 / 4
OUTWARDS = (0.35, 0.25, 0.25, 0.1, 0.05)  # weights of the differences from a site towards one side
WINDOW = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # of the variation of the differences, along rows and columns
LUMINANCE = hl.f32(0.1)  # share of the mosaic's own gradient in that variation
GREEN = 0.25  # share of green's gradient in the variation for the other steps
REFINED = hl.f32(0.8)  # how far green goes to its neighbours' differences
FLOOR = hl.f32(1e-9)  # smallest variance: float32 holds the products of weights made with it
SIDES = ((0, -1), (0, 1), (-1, 0), (1, 0))  # (dy, dx)
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


class Site(NamedTuple):
    """A place in the cell: its kind "C" or "G", and its row."""

    kind: str
    row: int

    @property
    def column(self):
        return self.row if self.kind == "C" else 1 - self.row

    def near(self, picture, dy, dx):
        """The sample of a picture dy rows and dx columns away."""
        kind = self.kind if (dy + dx) % 2 == 0 else {"C": "G", "G": "C"}[self.kind]
        dy, dx = self.row + dy, self.column + dx
        return hl.Expr(picture[kind][x + dx // 2, y + dy // 2][dy % 2])

    def change(self, picture, start, end):
        """Size of the difference between two samples."""
        return hl.abs(self.near(picture, *start) - self.near(picture, *end))

    def window(self, picture, dy, dx):
        """Weighted mean of five samples in a direction."""
        return sum(w * self.near(picture, n * dy, n * dx) for n, w in zip(range(-2, 3), WINDOW, strict=True))


@hl.generator(name="demosaic")
class Demosaic(hl.Generator):
    mosaic = hl.InputBuffer(hl.Float(32), 2)  # (x, y) RGGB, white balanced; sides even
    noise = hl.InputScalar(hl.Float(32))  # variance of the noise
    rgb = hl.OutputBuffer(hl.Float(32), 5)  # (px, x, py, y, c): the planar picture at (2 x + px, 2 y + py, c)

    def generate(g):
        g.rows = []  # Funcs computed row by row in a sliding window
        toe = hl.sqrt(hl.max(g.noise, FLOOR))
        g.curve = Curve(toe)
        mirrored = hl.BoundaryConditions.mirror_interior(g.mosaic, [(0, g.mosaic.width()), (0, g.mosaic.height())])
        mosaic = g.keep("mosaic", "CG", lambda site: mirrored[2 * x + site.column, 2 * y + site.row])
        light = g.keep("light", "CG", lambda site: g.curve.of(site.near(mosaic, 0, 0)))
        own = g.directional(light)
        other = g.keep("other_first", "C", lambda site: sum(site.near(own, *step) for step in CORNERS) / 4)
        own = g.refined(light, own, g.at_green("first", light, own, other))
        other = g.diagonal(light, own)
        g.finish(mosaic, light, own, other, g.at_green("last", light, own, other))
        g.schedule()

    def keep(g, name, kinds, define):
        """A picture with planes of these kinds, from its expression at a site."""
        picture = {}
        for kind in kinds:
            picture[kind] = hl.Func(f"{name}_{kind}")
            picture[kind][x, y] = tuple(define(Site(kind, row)) for row in (0, 1))
            g.rows.append(picture[kind])
        return picture

    def directional(g, light):
        """Own difference, from the averages of directional differences towards the four sides."""
        sides = g.two_sides("along_row", light, 0, 1) + g.two_sides("along_column", light, 1, 0)
        return g.keep("own_first", "C", lambda site: blend(*zip(*[side(site) for side in sides], strict=True)))

    def two_sides(g, name, light, dy, dx):
        """For both sides of a direction, the function of a C site that gives (average difference, size of its variation)."""
        back, ahead = (-dy, -dx), (dy, dx)
        difference = g.keep(name, "CG", lambda site: colour_difference(light, site, dy, dx))
        slope = lambda site: site.change(difference, back, ahead) + LUMINANCE * site.change(light, back, ahead)
        variation = g.keep(f"{name}_slope", "CG", slope)
        across = g.keep(f"{name}_across", "CG", lambda site: site.window(variation, dx, dy))
        variation = g.keep(f"{name}_variation", "C", lambda site: site.window(across, dy, dx))

        def side(site, sign):
            average = sum(hl.f32(w) * site.near(difference, sign * n * dy, sign * n * dx) for n, w in enumerate(OUTWARDS))
            size = site.near(variation, 2 * sign * dy, 2 * sign * dx) + g.curve.noise
            return average, size * size * size

        return [lambda site, sign=sign: side(site, sign) for sign in (-1, 1)]

    def at_green(g, name, light, own, other):
        """Row and column differences at G sites, from the C sites on the four sides."""

        def difference(site, beside, above):
            values, sizes = [], []
            for dy, dx in SIDES:
                source = beside if dy == 0 else above
                size = site.change(source, (dy, dx), (-dy, -dx)) + site.change(source, (dy, dx), (3 * dy, 3 * dx))
                size += GREEN * site.change(light, (0, 0), (2 * dy, 2 * dx)) + g.curve.noise
                values.append(site.near(source, dy, dx))
                sizes.append(size * size)
            return blend(values, sizes)

        return (
            g.keep(f"row_{name}", "G", lambda site: difference(site, own, other)),
            g.keep(f"column_{name}", "G", lambda site: difference(site, other, own)),
        )

    def refined(g, light, own, differences):
        """Own difference moved towards its four neighbours'."""

        def difference(site):
            values, sizes = [], []
            for dy, dx in SIDES:
                far = (2 * dy, 2 * dx)
                values.append(site.near(differences[0 if dy == 0 else 1], dy, dx))
                sizes.append(site.change(own, (0, 0), far) + GREEN * green_change(light, own, site, far) + g.curve.noise)
            here = site.near(own, 0, 0)
            return here + REFINED * (blend(values, sizes) - here)

        return g.keep("own", "C", difference)

    def diagonal(g, light, own):
        """The other difference at C sites, from the four corners."""

        def difference(site):
            values, sizes = [], []
            for dy, dx in CORNERS:
                corner, beyond, opposite = (site.near(own, n * dy, n * dx) for n in (1, 3, -1))
                size = hl.abs(corner - beyond) + hl.abs(corner - opposite)
                values.append(corner)
                sizes.append(size + GREEN * green_change(light, own, site, (2 * dy, 2 * dx)) + g.curve.noise)
            return blend(values, sizes)

        return g.keep("other", "C", difference)

    def finish(g, mosaic, light, own, other, at_green):
        """Red, green and blue of every site, interleaved."""
        row, column = ({**at_color, **differences} for at_color, differences in zip((own, other), at_green, strict=True))

        def pixel(site):
            measured, here = site.near(mosaic, 0, 0), site.near(light, 0, 0)
            if site.kind == "G":
                of_row, of_column = (g.curve.back(here - site.near(source, 0, 0)) for source in (row, column))
                return (of_row, measured, of_column) if site.row == 0 else (of_column, measured, of_row)
            green = here + site.near(own, 0, 0)
            found = g.curve.back(green - site.near(other, 0, 0))
            green = g.curve.back(green)
            return (measured, green, found) if site.row == 0 else (found, green, measured)

        sites = [[Site("C" if r == k else "G", r) for k in (0, 1)] for r in (0, 1)]
        g.cell = hl.Func("cell")
        g.cell[x, y] = tuple(value for r in (0, 1) for site in sites[r] for value in pixel(site))
        value = lambda r, k, n: hl.Expr(g.cell[x, y][6 * r + 3 * k + n])
        g.rgb[px, x, py, y, c] = hl.mux(py, [hl.mux(px, [hl.mux(c, [value(r, k, n) for n in range(3)]) for k in (0, 1)]) for r in (0, 1)])

    def schedule(g):
        """Strips in parallel; in a strip, tile by tile, a sliding window over rows makes the cells, which are then interleaved."""
        n = g.natural_vector_size(hl.Float(32))
        output = g.rgb.output_buffer()
        for d, size in enumerate((2, g.mosaic.width() // 2, 2, g.mosaic.height() // 2, 3)):
            output.dim(d).set_bounds(0, size)
        output.dim(1).set_stride(2)
        g.mosaic.dim(0).set_min(0)
        g.mosaic.dim(1).set_min(0)
        g.rgb.bound(c, 0, 3).bound(py, 0, 2).bound(px, 0, 2)
        g.rgb.split(y, yo, y, STRIP // 2, hl.TailStrategy.GuardWithIf).split(x, xo, x, TILE // 2, hl.TailStrategy.GuardWithIf)
        g.rgb.split(x, x, xi, n, hl.TailStrategy.GuardWithIf).reorder(px, xi, py, c, x, y, xo, yo)
        g.rgb.unroll(px).unroll(py).unroll(c).vectorize(xi).parallel(yo).never_partition([y, yo, xo])
        g.cell.compute_at(g.rgb, xo).vectorize(x, n).never_partition_all()
        for f in g.rows:
            f.store_at(g.rgb, xo).compute_at(g.cell, y).vectorize(x, n)
            if not f.name().startswith("mosaic"):  # only what reads the mosaic meets its borders
                f.never_partition_all()


class Curve:
    """The domain of the differences: (|s| + toe) ** EXPONENT - toe ** EXPONENT with the sign of s; `noise` is one sigma in it."""

    def __init__(self, toe):
        self.toe = toe
        self.noise = power(toe)

    def of(self, sample):
        value = power(hl.abs(sample) + self.toe) - self.noise
        return hl.select(sample < 0, -value, value)

    def back(self, value):
        sample = hl.pow(hl.abs(value) + self.noise, hl.f32(1 / EXPONENT)) - self.toe
        return hl.select(value < 0, -sample, sample)


def power(value):
    """value ** EXPONENT, by square roots: they are exact on every processor."""
    return hl.sqrt(value) * hl.sqrt(hl.sqrt(value))


def colour_difference(light, site, dy, dx):
    """G - C in a direction: the sample against its interpolation from both sides, corrected by its own colour's curvature."""
    here, (one, two) = site.near(light, 0, 0), ([site.near(light, s * n * dy, s * n * dx) for s in (-1, 1)] for n in (1, 2))
    difference = sum(one) / 2 - sum(two) / 4 - here / 2
    return difference if site.kind == "C" else -difference


def green_change(light, own, site, far):
    """Size of the difference in green between two C sites."""
    return hl.abs(site.near(light, 0, 0) + site.near(own, 0, 0) - site.near(light, *far) - site.near(own, *far))


def blend(values, sizes):
    """Mean of four values weighted by the inverses of sizes: multiplied out, so that it costs one division."""
    (a, b, c, d), (at_a, at_b, at_c, at_d) = values, sizes
    first, second = at_a * at_b, at_c * at_d
    return ((a * at_b + b * at_a) * second + (c * at_d + d * at_c) * first) / ((at_a + at_b) * second + (at_c + at_d) * first)


if __name__ == "__main__":
    hl.main()
