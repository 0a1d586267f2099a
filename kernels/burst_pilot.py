"""What is certain in a mosaic: blocks whose spectra keep only what stands above the noise (Donoho & Johnstone 1994; Yu & Sapiro 2011).

Algorithm: every STEP pixels an 8 x 8 block of the white-balanced mosaic goes through the cosine transform, in which brightness lies at low
frequencies and the colours of the pattern at the highest; coefficients below `threshold` standard deviations of the block's noise
become 0; blocks overlap with a Hann window and weigh inversely to the number of coefficients they kept. The variance of the noise
follows the block's mean and the number of frames merged there.
Transforms are separable and overlap in the sum, so those along rows run once per row and step, and going back only after the blocks of
a row are summed. Schedule: parallel strips; tiles of columns in sliding windows of rows, vectors along blocks.
"""

import math

import halide as hl
from burst_add import TILE
from cells import by_cells

x, y, u, i, j, xo, xi, yo, yi = hl.vars("x y u i j xo xi yo yi")
SIDE, STEP = 8, 2
COVER = SIDE // STEP
STRIP, COLUMNS = 64, 128  # blocks
COSINES = [
    [math.sqrt((1 if n == 0 else 2) / SIDE) * math.cos(math.pi * n * (2 * j + 1) / (2 * SIDE)) for j in range(SIDE)] for n in range(SIDE)
]
WINDOW = [math.sin(math.pi * (j + 1) / (SIDE + 1)) ** 2 for j in range(SIDE)]


def dot(weights, values):
    """Sum of products with constants."""
    return sum(hl.f32(w) * v for w, v in zip(weights, values, strict=True))


def eight(reference):
    """The parts of a tuple."""
    return [reference[n] for n in range(SIDE)]


def cosine(values):
    """The cosine transform of eight values, its even and odd halves apart."""
    half = SIDE // 2
    sums, differences = ([values[j] + sign * values[SIDE - 1 - j] for j in range(half)] for sign in (1, -1))
    return [dot(COSINES[n][:half], differences if n % 2 else sums) for n in range(SIDE)]


def back(coefficients):
    """Eight values from their cosine transform."""
    half = SIDE // 2
    even, odd = ([dot([COSINES[n][j] for n in range(first, SIDE, 2)], coefficients[first::2]) for j in range(half)] for first in (0, 1))
    return [even[j] + odd[j] for j in range(half)] + [even[j] - odd[j] for j in reversed(range(half))]


@hl.generator(name="burst_pilot")
class BurstPilot(hl.Generator):
    mosaic = hl.InputBuffer(hl.Float(32), 2)  # RGGB, sides even
    balance = hl.InputBuffer(hl.Float(32), 2)  # (column parity, row parity): white balance
    noise = hl.InputBuffer(hl.Float(32), 1)  # scale and offset of the balanced mosaic's noise, one frame
    frames = hl.InputBuffer(hl.Float(32), 2)  # (tile x, tile y): number of frames merged
    threshold = hl.InputScalar(hl.Float(32))  # standard deviations
    pilot = hl.OutputBuffer(hl.Float(32), 4)  # (column parity, cell x, row parity, cell y), balanced

    def generate(g):
        mirrored = hl.BoundaryConditions.mirror_interior(g.mosaic, [(0, g.mosaic.width()), (0, g.mosaic.height())])
        across, down, shrunk, weight, rows, heavy, cell = (
            hl.Func(name) for name in ("across", "down", "shrunk", "weight", "rows", "heavy", "cell")
        )
        across[x, y] = tuple(cosine([mirrored[STEP * x + j, y] * g.balance[j % 2, y % 2] for j in range(SIDE)]))
        down[x, u, y] = tuple(cosine([hl.mux(u, eight(across[x, STEP * y + j])) for j in range(SIDE)]))
        least = g.threshold * g.threshold * g.variance(down[x, 0, y][0])
        weight[x, y], certain = g.sparsity(down, least)
        shrunk[x, u, y] = tuple(value * weight[x, y] for value in back(certain))
        rows[x, u, y] = tuple(g.covering(lambda n, by: shrunk[x, u, by][n], k) for k in range(STEP))
        heavy[x, y] = tuple(g.covering(lambda _, by: weight[x, by], k) for k in range(STEP))
        cell[x, y] = tuple(g.going_back(rows, heavy, k, n) for n in range(STEP) for k in range(STEP))
        g.pilot[i, x, j, y] = hl.mux(i + STEP * j, [cell[x, y][n] for n in range(STEP * STEP)])
        g.schedule([down, shrunk, rows], [across, down, weight, shrunk, rows, heavy, cell])

    def variance(g, sum_over_side):
        """Variance of the noise of block (x, y), from its mean and the frames merged at its middle."""
        across, down = (hl.clamp((STEP * n + SIDE // 2) / TILE, 0, g.frames.dim(k).extent() - 1) for k, n in enumerate((x, y)))
        return (g.noise[0] * hl.max(sum_over_side / SIDE, 0) + g.noise[1]) / g.frames[across, down]

    def sparsity(g, down, least):
        """The weight of a block, one over the coefficients kept, and row u of those coefficients, the mean always among them."""
        kept = hl.f32(0)
        for row in range(SIDE):
            for n in range(SIDE):
                kept += hl.f32(1) if row == n == 0 else hl.select(down[x, row, y][n] ** 2 > least, hl.f32(1), hl.f32(0))
        certain = [hl.select(down[x, u, y][n] ** 2 > least, down[x, u, y][n], hl.f32(0)) for n in range(SIDE)]
        certain[0] = hl.select(u == 0, down[x, u, y][0], certain[0])
        return 1 / kept, certain

    def covering(g, value, row):
        """Sum over the blocks that cover row `row` of the cells in line y: value(row in the block, block), under the window."""
        return sum(hl.f32(WINDOW[row + STEP * t]) * value(row + STEP * t, y - t) for t in range(COVER))

    def going_back(g, rows, heavy, column, row):
        """A sample of cell (x, y): all blocks that cover it transformed back along the row, over their weights."""
        total, weight = hl.f32(0), hl.f32(0)
        for t in range(COVER):
            n = column + STEP * t
            total += hl.f32(WINDOW[n]) * dot([COSINES[m][n] for m in range(SIDE)], [rows[x - t, m, y][row] for m in range(SIDE)])
            weight += hl.f32(WINDOW[n]) * heavy[x - t, y][row]
        return total / weight

    def schedule(g, spectra, kept):
        n, guard = g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        g.pilot.bound(i, 0, STEP).bound(j, 0, STEP).tile(x, y, xo, yo, xi, yi, COLUMNS, STRIP, guard)
        g.pilot.reorder(i, j, xi, yi, xo, yo).unroll(i).unroll(j).vectorize(xi, n, guard).parallel(yo)
        for loop in (xo, yo, yi):
            g.pilot.partition(loop, hl.Partition.Never)
        for f in kept:
            f.store_at(g.pilot, xo).compute_at(g.pilot, yi).vectorize(x, n)
        for f in spectra:
            f.bound_extent(u, SIDE).reorder(u, x, y).unroll(u)
        buffer = g.pilot.output_buffer()
        by_cells(buffer)


if __name__ == "__main__":
    hl.main()
