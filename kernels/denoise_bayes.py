"""Non-local Bayesian estimate of stabilised planes, from a pilot: each patch is held against the covariance of the patches like it.

Algorithm (the second step of Lebrun, Buades & Morel 2013, with soft groups) for every patch of 2x2 cells, 16 numbers in four planes:
1. distance D to the pilot's patches up to 5 cells away, mean squared difference;
2. weights max(0, 1 - D / width), where the width makes their sum ALIKE, found by Newton's method, or is 0.6 of the noise's variance if
   that is more: so every patch has enough company to learn from, and smooth areas use all there is. Weights are continuous in D:
   rounding cannot flip a decision;
3. weighted mean m of the noisy patches, and covariance C of the pilot's;
4. noisy patch p becomes p - v (C + v I)^-1 (p - m), v being the variance of the noise, by Cholesky decomposition;
5. a cell is the mean of the four patches over it.

Schedule: rows in parallel strips; patches are estimated a vector of neighbours at a time, so that every load is dense, and the
covariances of two planes, 16 sums, stay in registers while the window is walked through.
Cost on each instruction set: docs/stages/denoise.md.
"""

import denoise_variance
import halide as hl

x, y, c, ox, oy, xo, xi, yo, yi = hl.vars("x y c ox oy xo xi yo yi")
REACH = 5  # cells between patches, each way
WINDOW = 2 * REACH + 1
ALIKE = 32.0  # sum of the weights where patches differ
FLOOR = hl.f32(0.6)  # least width, in variances of the noise
STEPS = 8  # of Newton's method
PATCH = [(dx, dy) for dy in (0, 1) for dx in (0, 1)]
PARTS = [(plane, dx, dy) for plane in range(4) for dx, dy in PATCH]  # of a patch
STRIP = 64  # rows


@hl.generator(name="denoise_bayes")
class DenoiseBayes(denoise_variance.Inputs, hl.Generator):  # relative: (patch x, knot row), relative_knot: of each patch y
    noisy = hl.InputBuffer(hl.Float(32), 3)  # (cell x, cell y, plane), 6 cells more than the output on each side
    pilot = hl.InputBuffer(hl.Float(32), 3)  # as noisy
    variance = hl.InputScalar(hl.Float(32))  # of the noise, before `relative`
    output = hl.OutputBuffer(hl.Float(32), 3)  # (cell x, cell y, plane)

    def generate(g):
        """Patch (x, y) starts at cell (x - 1, y - 1) of the output, which is cell (x + REACH, y + REACH) of the inputs."""
        g.kept = []
        window = hl.RDom([(0, WINDOW), (0, WINDOW)])
        g.place = (window[0], window[1])
        estimate = hl.Func("estimate")
        variance = g.keep("noise", [g.variance * denoise_variance.at(g, x, y)])
        weight, total = g.weights(variance)
        mean = g.means("mean", [weight * g.noisy_part(p, *g.place) for p in PARTS], total)
        columns = g.decompose(g.covariance(weight, total), mean, variance)
        solution = g.solve(columns)
        estimate[x, y] = tuple(g.noisy_part(p, REACH, REACH) - variance[x, y] * s[x, y] for p, s in zip(PARTS, solution, strict=True))
        over = [[estimate[x + 1 - dx, y + 1 - dy][PARTS.index((plane, dx, dy))] for dx, dy in PATCH] for plane in range(4)]
        g.output[x, y, c] = hl.mux(c, [0.25 * sum(parts) for parts in over])
        g.schedule(estimate)

    def keep(g, name, values, *more):
        """A Func computed for each vector of patches."""
        f = hl.Func(name)
        f[(x, y, *more)] = tuple(values) if len(values) > 1 else values[0]
        g.kept.append(f)
        return f

    def noisy_part(g, part, dx, dy):
        return g.noisy[x + dx + part[1], y + dy + part[2], part[0]]

    def pilot_part(g, part, dx, dy):
        return g.pilot[x + dx + part[1], y + dy + part[2], part[0]]

    def difference(g, part):
        """Of the pilot's patch at the place in the window from the one in the middle: small, so that products keep their digits."""
        return g.pilot_part(part, *g.place) - g.pilot_part(part, REACH, REACH)

    def sums(g, name, values):
        """Sums of the values over the window."""
        f = g.keep(name, [hl.f32(0)] * len(values))
        f[x, y] = tuple((f[x, y][k] if len(values) > 1 else f[x, y]) + v for k, v in enumerate(values))
        return f

    def means(g, name, values, total):
        """Sums of the weighted values over the window, over the sum of the weights."""
        f = g.sums(name + "_sum", values)
        return g.keep(name, [f[x, y][k] / total[x, y] for k in range(len(values))])

    def weights(g, variance):
        """Steps 1 and 2: the weight of each place of the window, and their total."""
        square = sum((g.pilot_part(p, ox, oy) - g.pilot_part(p, REACH, REACH)) ** 2 for p in PARTS)
        distance = g.keep("distance", [square * hl.f32(1 / len(PARTS))], ox, oy)
        here, width = distance[(x, y, *g.place)], hl.f32(1e30)
        for step in range(STEPS):
            inside = here < width
            near = g.sums(f"near{step}", [hl.select(inside, here, 0), hl.select(inside, hl.f32(1), 0)])
            width = g.keep(f"width{step}", [near[x, y][0] / hl.max(near[x, y][1] - hl.f32(ALIKE), 1)])[x, y]
        inverse = g.keep("inverse", [1 / hl.max(width, FLOOR * variance[x, y])])
        weight = g.keep("weight", [hl.max(0, 1 - distance[x, y, ox, oy] * inverse[x, y])], ox, oy)[(x, y, *g.place)]
        return weight, g.sums("total", [weight])

    def covariance(g, weight, total):
        """Step 3: entries of the lower triangle of the pilot's covariance, as expressions."""
        where = {}
        weighted = [weight * g.difference(p) for p in PARTS]
        for a in range(4):
            for b in range(a + 1):
                pairs = [(i, j) for i in range(4 * a, 4 * a + 4) for j in range(4 * b, 4 * b + 4) if j <= i]
                values = [weighted[i] * g.difference(PARTS[j]) for i, j in pairs]
                pairs, values = (pairs + list(range(4 * a, 4 * a + 4)), values + weighted[4 * a : 4 * a + 4]) if a == b else (pairs, values)
                f = g.means(f"product{a}{b}", values, total)
                where.update({pair: (f, k) for k, pair in enumerate(pairs)})

        def mean(key):
            f, k = where[key]
            return f[x, y][k]

        return lambda i, j: mean((i, j)) - mean(i) * mean(j)

    def decompose(g, covariance, mean, variance):
        """Step 4: columns (1 / pivot, entries below it) of the Cholesky factor of C + v I with the row p - m below it."""
        n, columns = len(PARTS), []

        def entry(i, k):
            """Of the lower triangle, row n being p - m, less what the columns before explain."""
            own = covariance(i, k) if i < n else g.noisy_part(PARTS[k], REACH, REACH) - mean[x, y][k]
            own = own + variance[x, y] if i == k else own
            return own - sum((f[x, y][i - m] * f[x, y][k - m] for m, f in enumerate(columns)), hl.f32(0))

        for k in range(n):
            pivot = g.keep(f"pivot{k}", [1 / hl.sqrt(hl.max(entry(k, k), variance[x, y]))])
            columns.append(g.keep(f"column{k}", [pivot[x, y], *(entry(i, k) * pivot[x, y] for i in range(k + 1, n + 1))]))
        return columns

    def solve(g, columns):
        """Step 4: (C + v I)^-1 (p - m), by parts."""
        n, parts = len(columns), []
        for k in reversed(range(n)):
            column = columns[k][x, y]
            known = sum((column[i - k] * parts[n - 1 - i][x, y] for i in range(k + 1, n)), hl.f32(0))
            parts.append(g.keep(f"solution{k}", [(column[n - k] - known) * column[0]]))
        return parts[::-1]

    def schedule(g, estimate):
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        g.output.bound(c, 0, 4).split(y, yo, yi, STRIP, guard).reorder(c, x, yi, yo).unroll(c).vectorize(x, n, guard).parallel(yo)
        estimate.store_at(g.output, yo).compute_at(g.output, yi).split(x, xo, xi, n).vectorize(xi)
        for f in g.kept:
            f.compute_at(estimate, xo).vectorize(x, n)
            for k in range(f.num_update_definitions()):
                f.update(k).vectorize(x, n)
        for buffer in (g.noisy, g.pilot):
            buffer.dim(0).set_min(0)
            buffer.dim(1).set_min(0)
            buffer.dim(2).set_bounds(0, 4)


if __name__ == "__main__":
    hl.main()
