"""Axial chromatic aberration: purple and green fringes at bright, high-contrast edges.

Algorithm: a pixel of a true edge has a colour on the line between the colours of its two sides, so its colour differences R-G and B-G are
linear in G; light that a lens spreads around an edge in some channels only leaves that line (Chung, Kim, Kang & Kang 2009 bound colour
differences by those of the edge's two ends). The line is found by weighted least squares in a window of 17 pixels, as in the fast
guided filter (He & Sun 2015), on 2x2 cells; cells count where they are clean: in flat surroundings or near the brightest of the
neighbourhood. Where an edge is bright and steep enough, the excess over the line is taken away from R and B, in so far as its hue is
that of a fringe; G, and with it the edge, stays as it is. A large purple or green object defines its own line and so keeps its colour.

Schedule: the cells are a quarter of the pixels; the sums over a column of cells live for one row. Off, all of it is skipped. It adds
3 ms/MP on one thread (AVX-512).
"""

import halide as hl
from image import channels

FLOOR = hl.f32(0.01)  # luminance below which contrast is not told from noise
REACH = 2  # cells to each side in which an edge is looked for
WINDOW = 4  # cells to each side that define the line
STEEP = (1.5, 3.0)  # contrast from which an edge counts, and fully counts
BRIGHT = (0.3, 0.75)  # level of an edge's bright side, in the same way
CLEAN_SHARE = 0.005  # share of clean dark cells that it takes for the line to leave proportionality
PURPLE, GREEN = (0.45, 0.89), (-0.75, -0.66)  # direction of fringes in (R-G, B-G)
ALIKE = (0.41, 0.75)  # squared cosine to that direction from which an excess counts, and fully counts

x, y, i = hl.vars("x y i")


class Inputs:
    fringes_purple = hl.InputScalar(hl.Float(32))  # share of purple and blue excess to remove, 0..1
    fringes_green = hl.InputScalar(hl.Float(32))


def build(g, image):
    """Image without fringes; both amounts 0 give the image itself, bit by bit, and skip all work."""
    cells = _cells(image)
    column, weight, edges = _edges(cells)
    lines = _lines(g, cells, weight, edges)
    out, off = hl.Func("fringes"), (g.fringes_purple == 0.0) & (g.fringes_green == 0.0)
    out[x, y] = tuple(hl.select(off, plain, new) for plain, new in zip(channels(image, x, y), _corrected(g, image, lines), strict=True))
    out.align_bounds(x, 2).split(x, x, i, 2).reorder(i, x).unroll(i)  # so that cells[x // 2, ...] loads whole vectors
    out.specialize(off)
    g.per_tile += [cells, column, weight, edges, lines, out]
    return out


def _cells(image):
    """G, R-G and B-G averaged over 2x2 pixels."""
    cells = hl.Func("fringe_cells")
    pixels = [channels(image, 2 * x + dx, 2 * y + dy) for dy in (0, 1) for dx in (0, 1)]
    r, gr, b = (sum(values) * 0.25 for values in zip(*pixels, strict=True))
    cells[x, y] = (gr, r - gr, b - gr)
    return cells


def _edges(cells):
    """Three Funcs: extremes of G over a column of cells; weight of a cell; darkest level and edge gate around it."""
    column, weight, edges = hl.Func("fringe_column"), hl.Func("fringe_weight"), hl.Func("fringe_edges")
    span = range(-REACH, REACH + 1)
    column[x, y] = tuple(_fold(pick, [cells[x, y + d][0] for d in span]) for pick in (hl.min, hl.max))
    low, high = (hl.max(_fold(pick, [column[x + d, y][n] for d in span]) + FLOOR, FLOOR) for n, pick in enumerate((hl.min, hl.max)))
    contrast = high / low
    level = hl.max(cells[x, y][0], 0.0) + FLOOR
    flat = 1.0 / (1.0 + _square(_square(2.0 * (contrast - 1.0))))
    near_top = _square(_square(level / high))
    weight[x, y] = (flat + near_top - flat * near_top) / _square(level)
    edges[x, y] = (low, _smoothstep(contrast, *STEEP) * _smoothstep(high, *BRIGHT))
    return column, weight, edges


def _lines(g, cells, weight, edges):
    """Edge gate and, for R-G and B-G, intercept and slope against G, at each cell."""
    column, lines = hl.Func("fringe_moments"), hl.Func("fringe_lines")
    span = range(-WINDOW, WINDOW + 1)
    terms = [_moments(weight[x, y + d], *channels(cells, x, y + d)) for d in span]
    column[x, y] = tuple(sum(rows) for rows in zip(*terms, strict=True))
    s0, s1, s2, *rest = (sum(column[x + d, y][n] for d in span) for n in range(7))
    low, gate = edges[x, y][0], edges[x, y][1]
    s0 += hl.f32(CLEAN_SHARE * len(span) ** 2) / _square(low)
    scale = 1.0 / (s0 * s2 - s1 * s1 + hl.f32(1e-6))
    lines[x, y] = (gate, *(v for t0, t1 in (rest[:2], rest[2:]) for v in ((t0 * s2 - t1 * s1) * scale, (s0 * t1 - s1 * t0) * scale)))
    column.compute_at(lines, y).vectorize(x, g.natural_vector_size(hl.Float(32)))
    return lines


def _moments(weight, gr, red, blue):
    """The terms of one cell in the normal equations of both lines."""
    weighted = weight * gr
    return weight, weighted, weighted * gr, weight * red, weighted * red, weight * blue, weighted * blue


def _corrected(g, image, lines):
    """R and B less their excess over the line, by gate and hue."""
    r, gr, b = channels(image, x, y)
    gate, *line = (_between_cells(lines, n) for n in range(5))
    red, blue = r - gr - line[0] - line[1] * gr, b - gr - line[2] - line[3] * gr
    share = gate * (g.fringes_purple * _likeness(red, blue, PURPLE) + g.fringes_green * _likeness(red, blue, GREEN))
    return r - share * red, gr, b - share * blue


def _between_cells(cells, n):
    """Component n of cells at pixel (x, y), bilinear."""
    nearest, beside = (x // 2, y // 2), (x // 2 + x % 2 * 2 - 1, y // 2 + y % 2 * 2 - 1)
    column = [0.75 * cells[i, nearest[1]][n] + 0.25 * cells[i, beside[1]][n] for i in (nearest[0], beside[0])]
    return 0.75 * column[0] + 0.25 * column[1]


def _likeness(red, blue, axis):
    """1 where the excess points along `axis`, 0 where it points elsewhere."""
    along = hl.max(red * hl.f32(axis[0]) + blue * hl.f32(axis[1]), 0.0)
    return _smoothstep(_square(along) / (_square(red) + _square(blue) + hl.f32(1e-12)), *ALIKE)


def _smoothstep(value, start, stop):
    t = hl.clamp((value - hl.f32(start)) * hl.f32(1 / (stop - start)), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _square(value):
    return value * value


def _fold(pick, values):
    """min or max of several expressions."""
    first, *rest = values
    return pick(first, _fold(pick, rest)) if rest else first
