"""Bayer mosaic (RGGB) to camera RGB: directional colour differences, blended without thresholds, in locally balanced colour.

Algorithm; every weight is soft and relative to the noise, so that the result scales with exposure:
1. Local balance. R and B are divided by (their mean / the mean of G) ** BALANCE over some 30 pixels, and multiplied by it at the end:
   between the constant difference (0) that gamma-coded pictures obey and the constant ratio (1) that linear light under shading obeys.
2. Green. Colour differences along rows and columns (Hamilton & Adams 1997) are averaged outwards to the four sides and blended by the
   inverse cube of their variation on that side (Pekkucuksen & Altunbasak 2010, 2013).
3. Red and blue. Differences are spread to the other sites, along diagonals and then sides, by inverse variation.
4. Green is refined from the differences of its four neighbours (after Menon, Andriani & Calvagno 2007); then step 3 again.

Layout: every picture is held as planes over the 2 x 2 cells of the pattern, so that loads are dense and there are no selects: kind "C"
has the red and blue sites, kind "G" the greens, each as a pair for the cell's even and odd row. "own" is the difference G - C of a C
site's colour and "other" that of the other colour; at a G site "row" and "column" are the differences of the colours in its row and column.
"""

from typing import NamedTuple

import halide as hl

x, y, px, py, c, xo, xi, yo, yi = hl.vars("x y px py c xo xi yo yi")
STRIP, TILE = 256, 512  # rows and columns that are computed together
BALANCE = hl.f32(0.2)
CELL_BLUR = (1, 2, 4, 8)  # steps, in cells, of the [1 2 1] / 4 filters of the local means: together a triangle 64 pixels wide
OUTWARDS = (0.35, 0.25, 0.25, 0.1, 0.05)  # weights of the differences from a site towards one side
WINDOW = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # of the variation of the differences, along rows and columns
LUMINANCE = hl.f32(0.1)  # share of the mosaic's own gradient in that variation
GREEN = 0.5  # share of green's gradient in the variation for red and blue
GREEN_REFINED = 0.25  # the same for the refined green
REFINED = hl.f32(0.6)  # how far green goes to its neighbours' differences
FLOOR = hl.f32(1e-10)  # smallest variance: float32 holds the weights made with it
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
        size = [(0, g.mosaic.width()), (0, g.mosaic.height())]
        mirrored = hl.BoundaryConditions.mirror_interior(g.mosaic, size)
        mosaic = lambda site: mirrored[2 * x + site.column, 2 * y + site.row]
        variance = hl.max(g.noise, FLOOR)
        g.sigma = hl.sqrt(variance)
        gains = g.local_balance(mosaic, variance)
        g.readers = ("light_C", "light_G", "means")
        light = {**g.keep("light", "C", lambda site: mosaic(site) / gain(gains, site)[site.row]), **g.keep("light", "G", mosaic)}
        own = g.directional(light)
        other = g.keep("other_first", "C", lambda site: sum(site.near(own, *step) for step in CORNERS) / 4)
        own = g.refined(light, own, g.at_green("first", light, own, other))
        other = g.diagonal(light, own)
        g.finish(light, gains, own, other, g.at_green("last", light, own, other))
        g.schedule()

    def keep(g, name, kinds, define):
        """A picture with planes of these kinds, from its expression at a site."""
        picture = {}
        for kind in kinds:
            picture[kind] = hl.Func(f"{name}_{kind}")
            picture[kind][x, y] = tuple(define(Site(kind, row)) for row in (0, 1))
            g.rows.append(picture[kind])
        return picture

    def local_balance(g, mosaic, variance):
        """(R / G, B / G) ** BALANCE of local means in the middle of each cell."""
        (red, blue), green = ([mosaic(Site(kind, row)) for row in (0, 1)] for kind in "CG")
        means = hl.Func("means")
        means[x, y] = red, sum(green) / 2, blue
        g.means = [means]
        for step in CELL_BLUR:
            for dy, dx in ((step, 0), (0, step)):
                taps = [[hl.Expr(means[x + n * dx, y + n * dy][channel]) for n in (-1, 0, 1)] for channel in range(3)]
                means = hl.Func(f"means_{dy}_{dx}")
                means[x, y] = tuple((before + 2 * here + after) / 4 for before, here, after in taps)
                g.means.append(means)
        red, green, blue = (means[x, y][n] for n in range(3))
        g.gains = hl.Func("gains")
        g.gains[x, y] = tuple(hl.pow((v * v + variance) / (green * green + variance), BALANCE / 2) for v in (red, blue))
        return g.gains

    def row(g, name, *values):
        func = hl.Func(name)
        func[x, y] = values
        g.rows.append(func)
        return func

    def directional(g, light):
        """Own difference, from the averages of directional differences towards the four sides."""
        sides = g.two_sides("along_row", light, 0, 1) + g.two_sides("along_column", light, 1, 0)
        return g.keep("own_first", "C", lambda site: blend_cubes(*zip(*[side(site) for side in sides], strict=True)))

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
            size = site.near(variation, 2 * sign * dy, 2 * sign * dx) + g.sigma
            return average, size

        return [lambda site, sign=sign: side(site, sign) for sign in (-1, 1)]

    def at_green(g, name, light, own, other):
        """Row and column differences at G sites, from the C sites on the four sides."""

        def difference(site, beside, above):
            values, sizes = [], []
            for dy, dx in SIDES:
                source = beside if dy == 0 else above
                size = site.change(source, (dy, dx), (-dy, -dx)) + site.change(source, (dy, dx), (3 * dy, 3 * dx))
                size += GREEN * site.change(light, (0, 0), (2 * dy, 2 * dx)) + g.sigma
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
                sizes.append(site.change(own, (0, 0), far) + GREEN_REFINED * green_change(light, own, site, far) + g.sigma)
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
                sizes.append(size + GREEN * green_change(light, own, site, (2 * dy, 2 * dx)) + g.sigma)
            return blend(values, sizes)

        return g.keep("other", "C", difference)

    def finish(g, light, gains, own, other, at_green):
        """Red, green and blue of every site, interleaved."""
        row, column = ({"C": c["C"], "G": at_g["G"]} for c, at_g in zip((own, other), at_green, strict=True))

        def pixel(site):
            here = site.near(light, 0, 0)
            green = here + site.near(own, 0, 0) if site.kind == "C" else here
            red, blue = (site.near(source, 0, 0) for source in ((row, column), (column, row))[site.row])
            gain_red, gain_blue = gain(gains, site)
            return (green - red) * gain_red, green, (green - blue) * gain_blue

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
        g.gains.compute_at(g.rgb, yo).vectorize(x, n).never_partition_all()
        for f in g.rows:
            f.store_at(g.rgb, xo).compute_at(g.cell, y).vectorize(x, n)
        for f in g.means:
            f.store_at(g.rgb, yo).compute_at(g.gains, y).vectorize(x, n)
        for f in g.rows + g.means:  # only what reads the mosaic meets its borders
            if f.name() not in g.readers:
                f.never_partition_all()


def colour_difference(light, site, dy, dx):
    """G - C in a direction: the sample against its interpolation from both sides, corrected by its own colour's curvature."""
    here, (one, two) = site.near(light, 0, 0), ([site.near(light, s * n * dy, s * n * dx) for s in (-1, 1)] for n in (1, 2))
    difference = sum(one) / 2 - sum(two) / 4 - here / 2
    return difference if site.kind == "C" else -difference


def green_change(light, own, site, far):
    """Size of the difference in green between two C sites."""
    return hl.abs(site.near(light, 0, 0) + site.near(own, 0, 0) - site.near(light, *far) - site.near(own, *far))


def gain(gains, site):
    """Gains of red and blue at a site, bilinear between the middles of the cells."""
    above, beside = y - 1 + 2 * site.row, x - 1 + 2 * site.column
    column = lambda at, n: 0.75 * gains[at, y][n] + 0.25 * gains[at, above][n]
    return [0.75 * column(x, n) + 0.25 * column(beside, n) for n in (0, 1)]


def blend(values, sizes):
    """Mean of four values weighted by the inverses of sizes: multiplied out, so that it costs one division."""
    (a, b, c, d), (at_a, at_b, at_c, at_d) = values, sizes
    first, second = at_a * at_b, at_c * at_d
    return ((a * at_b + b * at_a) * second + (c * at_d + d * at_c) * first) / ((at_a + at_b) * second + (at_c + at_d) * first)


def blend_cubes(values, sizes):
    """The same by the inverses of cubes, whose products in threes would leave float32."""
    (a, b, c, d), (at_a, at_b, at_c, at_d) = values, [size * size * size for size in sizes]
    first, second = 1 / (at_a * at_b), 1 / (at_c * at_d)
    return ((a * at_b + b * at_a) * first + (c * at_d + d * at_c) * second) / ((at_a + at_b) * first + (at_c + at_d) * second)


if __name__ == "__main__":
    hl.main()
