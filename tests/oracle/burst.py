"""Oracles of the burst merge's kernels: NumPy, float64, one tile or pixel after the other, written for reading.

Planes are (h, w) or (n, h, w) of a half-resolution grid ("cells"), mosaics (H, W) RGGB, all without the repeated border that kernels want.
Displacements are (..., 2) as x, y.
"""

import numpy as np

COLOR = (0, 1, 1, 2)  # colour of each CFA position 2 * row parity + column parity
SIDE, STEP = 8, 2  # of the pilot's blocks


def planes(mosaic, stabilise, noise, gain=1.0, ceiling=1e9):
    """Colours (3, h, w), grey (h, w) and samples (4, h, w); stabilise (4, 2); noise (2,): isolated samples are as the highest around."""
    mosaic = mosaic.astype(np.float64)
    own = positions(mosaic)
    shown = positions(np.where(stands_out(mosaic, noise), highest_around(mosaic), mosaic))
    slope, shift = stabilise.astype(np.float64).T[:, :, None, None]
    z = np.sqrt(np.maximum(slope * np.minimum(shown * gain, ceiling) + shift, 0))
    colors = np.stack([z[0], (z[1] + z[2]) / np.sqrt(2), z[3]])
    return colors, z.sum(0) / 2, own


def positions(mosaic):
    """(H, W) -> (4, H/2, W/2)."""
    return np.stack([mosaic[p // 2 :: 2, p % 2 :: 2] for p in range(4)])


def halve(plane):
    """1 3 3 1 along both axes, taken where it lies in the middle of 2 x 2 samples."""
    for axis in (0, 1):
        half, around = plane.shape[axis] // 2, np.pad(plane.astype(np.float64), [(1, 2) if a == axis else (0, 0) for a in (0, 1)], "edge")
        plane = sum(w / 8 * np.take(around, 2 * np.arange(half) + k, axis) for k, w in enumerate((1, 3, 3, 1)))
    return plane


def keys(distance):
    """Keys' cubic kernel (a = -1/2) at a distance in samples."""
    d = np.abs(distance)
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def looked_up(plane, x, y):
    """A plane at fractional places, and whether both neighbours along each axis are samples of it."""
    height, width = plane.shape
    value, left, top = np.zeros(x.shape), np.floor(x).astype(int), np.floor(y).astype(int)
    for j in range(-1, 3):
        for i in range(-1, 3):
            sample = plane[np.clip(top + j, 0, height - 1), np.clip(left + i, 0, width - 1)]
            value += keys(x - left - i) * keys(y - top - j) * sample
    return value, (left >= 0) & (left + 1 < width) & (top >= 0) & (top + 1 < height)


def slopes(plane):
    """Central differences along x and y, the border repeated."""
    around = np.pad(plane.astype(np.float64), 1, "edge")
    return (around[1:-1, 2:] - around[1:-1, :-2]) / 2, (around[2:, 1:-1] - around[:-2, 1:-1]) / 2


def tiles(shape, flow, side):
    """For each tile its index, its part of a plane, and where it looks in the frame."""
    for tile in np.ndindex(*flow.shape[:2]):
        y, x = np.mgrid[tile[0] * side : min((tile[0] + 1) * side, shape[0]), tile[1] * side : min((tile[1] + 1) * side, shape[1])]
        yield tile, (y, x), (x + float(flow[tile][0]), y + float(flow[tile][1]))


def align(reference, frame, flow):
    """Sums (rows, columns, 7) of tiles of 16 samples: Jx Jx, Jx Jy, Jy Jy, Jx r, Jy r, r r, 1."""
    jx, jy = slopes(reference)
    sums = np.zeros((*flow.shape[:2], 7))
    for tile, here, there in tiles(reference.shape, flow, 16):
        value, inside = looked_up(frame, *there)
        r, a, b = value - reference[here], jx[here], jy[here]
        sums[tile] = [(inside * term).sum() for term in (a * a, a * b, b * b, a * r, b * r, r * r, np.ones(r.shape))]
    return sums


def trust(reference, frame, flow):
    """Facts (rows, columns, 6) of tiles of 8 cells: mean square of the difference over the colours, its mean in each colour, mean squared
    gradient of the reference over the colours, share of 8 x 8 cells covered."""
    facts = np.zeros((*flow.shape[:2], 6))
    for tile, here, there in tiles(reference.shape[1:], flow, 8):
        square = gradient = 0.0
        for c in range(3):
            value, inside = looked_up(frame[c], *there)
            n, difference = max(inside.sum(), 1), inside * (value - reference[c][here])
            square += (difference**2).sum() / n / 3
            facts[tile][1 + c] = difference.sum() / n
            gradient += sum((inside * s[here] ** 2).sum() for s in slopes(reference[c])) / n / 3
        facts[tile][[0, 4, 5]] = square, gradient, inside.sum() / 64
    return facts


def offset_of_nearest(shift, position):
    """Whole steps (x, y) from a pixel of a CFA position to the sample of its colour nearest to it plus `shift`: the best of all around."""
    x, y = position % 2, position // 2
    best = None
    for dy in range(int(np.floor(shift[1])) - 3, int(np.floor(shift[1])) + 5):
        for dx in range(int(np.floor(shift[0])) - 3, int(np.floor(shift[0])) + 5):
            if COLOR[2 * ((y + dy) % 2) + (x + dx) % 2] == COLOR[position]:
                distance = (dx - shift[0]) ** 2 + (dy - shift[1]) ** 2
                if best is None or distance < best[0]:
                    best = (distance, dx, dy)
    return best[1:]


def add(mosaic, flow, believed, noise, gain, limit, isolated, clipped, dark=0.0):
    """What a frame adds to the sums (2, H, W) of weight times light and of weight; flow in pixels, a tile 16 x 16 of them.

    Weights fall to `clipped` towards the frame's limit, in steps of 1/15, by the highest of the 3 x 3 samples around.
    With `dark`, samples at edges of extreme contrast are interpolated where the flow points, bilinear in their plane."""
    headroom = np.round(15 * np.clip(5 * (1 - highest_near(mosaic) / limit), 0, 1)) / 15
    alone, weights, light = stands_out(mosaic, noise), np.zeros(mosaic.shape), np.zeros(mosaic.shape)
    expected = between_tiles(believed, *mosaic.shape)
    steps = {(tile, p): offset_of_nearest(flow[tile].astype(float), p) for tile in np.ndindex(*flow.shape[:2]) for p in range(4)}
    for y, x in np.ndindex(*mosaic.shape):
        dx, dy = steps[(y // 16, x // 16), 2 * (y % 2) + x % 2]
        if 0 <= y + dy < mosaic.shape[0] and 0 <= x + dx < mosaic.shape[1]:
            light[y, x] = between_samples(mosaic, (y + dy, x + dx), flow[y // 16, x // 16] - (dx, dy), dark) * gain
            weights[y, x] = expected[y, x] * max(headroom[y + dy, x + dx], clipped)
            weights[y, x] *= isolated if alone[y + dy, x + dx] else 1
    return np.stack([weights * light, weights])


def between_samples(mosaic, place, off, dark):
    """The light `off` (x, y) from a sample at `place` (y, x): its own, or where the four of its plane around differ extremely theirs."""
    own = mosaic[place]
    if not dark:
        return own
    height, width = mosaic.shape
    steps = [int(np.where(n < 0, -2, 2)) for n in off]
    rows = [place[0], place[0] + steps[1]]
    columns = [place[1], place[1] + steps[0]]
    rows[1] = rows[0] if not 0 <= rows[1] < height else rows[1]
    columns[1] = columns[0] if not 0 <= columns[1] < width else columns[1]
    across, down = np.minimum(np.abs(off) / 2, 1)
    four = mosaic[np.ix_(rows, columns)]
    level = (1 - down) * ((1 - across) * four[0, 0] + across * four[0, 1]) + down * ((1 - across) * four[1, 0] + across * four[1, 1])
    return own + extreme(four.min(), four.max(), dark) * (level - own)


def extreme(lowest, highest, dark, edge=4):
    """0 up to a contrast of `edge`, 1 from twice that."""
    return np.clip(highest / (edge * np.maximum(lowest, dark)) - 1, 0, 1)


def bordered_by_cells(mosaic):
    """A mosaic with a border of two samples that repeats its outermost cells."""
    around = np.pad(mosaic, 2, "edge")
    around[:2], around[-2:] = around[2:4], around[-4:-2]
    around[:, :2], around[:, -2:] = around[:, 2:4], around[:, -4:-2]
    return around


def highest_around(mosaic):
    """The highest of the eight samples of the same CFA position around each, cells at the border repeated."""
    around, (height, width) = bordered_by_cells(mosaic), mosaic.shape
    steps = [(i, j) for j in (-2, 0, 2) for i in (-2, 0, 2) if (i, j) != (0, 0)]
    return np.max([around[2 + j : 2 + j + height, 2 + i : 2 + i + width] for i, j in steps], axis=0)


def highest_near(mosaic):
    """The highest of the 3 x 3 samples around each, whatever their colour, cells at the border repeated."""
    around, (height, width) = bordered_by_cells(mosaic), mosaic.shape
    return np.max([around[j : j + height, i : i + width] for j in (1, 2, 3) for i in (1, 2, 3)], axis=0)


def stands_out(mosaic, noise):
    """Samples above the highest around them by 3 standard deviations and half of it, whose four neighbours rise, together and above those
    a knight's move away, by less than about a quarter as much."""
    highest = highest_around(mosaic)
    height, width = mosaic.shape
    around = bordered_by_cells(mosaic)
    seen = {(j, i): around[2 + j : 2 + j + height, 2 + i : 2 + i + width] for j in range(-2, 3) for i in range(-2, 3)}
    beside = sum(seen[place] for place in ((0, -1), (0, 1), (-1, 0), (1, 0)))
    knights = np.mean([seen[j, i] for j, i in seen if j * j + i * i == 5], axis=0)
    rise = mosaic - highest
    high = rise > 3 * np.sqrt(noise[0] * np.maximum(highest, 0) + noise[1]) + 0.5 * np.abs(highest)
    return high & (beside - 4 * knights < 0.27 * rise)


def between_tiles(values, height, width):
    """Values at the centres of tiles of 16 x 16 pixels, bilinear between them, those at the border repeated outwards."""
    for axis, n in ((0, height), (1, width)):
        at = np.clip((np.arange(n) + 0.5) / 16 - 0.5, 0, values.shape[axis] - 1)
        lower = np.floor(at).astype(int)
        share = (at - lower)[:, None] if axis == 0 else at - lower
        above = np.take(values, np.minimum(lower + 1, values.shape[axis] - 1), axis)
        values = (1 - share) * np.take(values, lower, axis) + share * above
    return values


def spread(flow, believed):
    """Weights (rows, columns, 4, 6, 6) with which a frame's nearest samples look at pixels -2 .. 3 around each pixel."""
    seen = np.zeros((*flow.shape[:2], 4, 6, 6))
    for tile in np.ndindex(*flow.shape[:2]):
        for p in range(4):
            shift = flow[tile].astype(float)
            off = np.array(offset_of_nearest(shift, p)) - shift
            across, down = (keys(np.arange(-2, 4) - o) for o in off)
            seen[tile][p] = believed[tile] * np.outer(down, across)
    return seen


def pilot(mosaic, balance, noise, frames, threshold):
    """Balanced mosaic (H, W) of what stands above the noise, and how far the coefficients are from their threshold, relative to it."""
    height, width = mosaic.shape
    margin, count = SIDE, np.add(mosaic.shape, SIDE) // STEP - 1
    even = mosaic.astype(np.float64) * np.tile(balance, (height // 2, width // 2))
    around = np.pad(even, margin, "reflect")
    total, weights, closest = np.zeros(around.shape), np.zeros(around.shape), np.inf
    window = np.sin(np.pi * (np.arange(SIDE) + 1) / (SIDE + 1)) ** 2
    window = np.outer(window, window)
    for by, bx in np.ndindex(*count):
        top, left = STEP * (by + 1) - SIDE, STEP * (bx + 1) - SIDE  # of the first block that reaches the mosaic, and so on
        where = np.s_[top + margin : top + margin + SIDE, left + margin : left + margin + SIDE]
        coefficients = COSINES @ around[where] @ COSINES.T
        cell = [min(max((n + SIDE // 2) // 16, 0), m - 1) for n, m in zip((top, left), frames.shape, strict=True)]
        variance = (noise[0] * max(coefficients[0, 0] / SIDE, 0) + noise[1]) / frames[tuple(cell)]
        size = np.abs(coefficients) / (threshold * np.sqrt(variance))
        closest = min(closest, np.abs(size - 1).ravel()[1:].min())
        keep = size > 1
        keep[0, 0] = True
        total[where] += window / keep.sum() * (COSINES.T @ (coefficients * keep) @ COSINES)
        weights[where] += window / keep.sum()
    inner = np.s_[margin:-margin, margin:-margin]
    return total[inner] / weights[inner], closest


COSINES = np.array(
    [[np.sqrt((1 if n == 0 else 2) / SIDE) * np.cos(np.pi * n * (2 * j + 1) / (2 * SIDE)) for j in range(SIDE)] for n in range(SIDE)]
)


def restore(merged, weight, picture, scale, seen, below, trusted, above):
    """merged (H, W) + what the picture (3, H, W), times scale (3,), loses where it is seen through `seen`, as far as a pixel's weight
    tells that the frames of `seen` made it: linear in the weight's share of frames that came last, from `below` to `trusted`, from
    which on those up to `above` take over."""
    around, out = np.pad(picture.astype(np.float64), ((0, 0), (2, 3), (2, 3)), "edge"), merged.astype(np.float64)
    first, full, last = (between_tiles(n.astype(np.float64), *merged.shape) for n in (below, trusted, above))
    own = np.where(weight < full, np.clip((weight - first) / (full - first), 0, 1), np.clip((last - weight) / (last - full), 0, 1))
    whole = own * full / weight  # of the light in the pixel
    for y, x in np.ndindex(*merged.shape):
        p = 2 * (y % 2) + x % 2
        lost = picture[COLOR[p], y, x] - (seen[y // 16, x // 16, p] * around[COLOR[p], y : y + 6, x : x + 6]).sum()
        out[y, x] += whole[y, x] * scale[COLOR[p]] * lost
    return out


def lowest_and_highest(plane, reach):
    """Of the samples within `reach` of each along both axes, the border repeated."""
    around, (height, width) = np.pad(plane, reach, "edge"), plane.shape
    near = [around[j : j + height, i : i + width] for j in range(2 * reach + 1) for i in range(2 * reach + 1)]
    return np.min(near, axis=0), np.max(near, axis=0)


def limit(merged, restored, beyond, dark):
    """Restored (H, W) between the lowest and the highest merged sample of its colour around, both moved outwards by `beyond` times their
    distance, the lowest by no more than that share of itself, and within a quarter of merged; merged where they differ extremely,
    or those within three cells by a factor of 16 and more."""
    parts = {(j, i): merged[j::2, i::2].astype(np.float64) for j in (0, 1) for i in (0, 1)}
    out = np.empty(merged.shape)
    for (j, i), part in parts.items():
        (lowest, highest), (darkest, brightest) = (lowest_and_highest(part, reach) for reach in (1, 3))
        more = beyond * (highest - lowest)
        most = 0.25 * np.maximum(np.abs(part), dark)
        least = np.maximum(lowest - np.minimum(more, beyond * np.abs(lowest)), part - most)
        kept = np.clip(restored[j::2, i::2], least, np.minimum(highest + more, part + most))
        edge = np.maximum(extreme(lowest, highest, dark), extreme(darkest, brightest, dark, 16))
        out[j::2, i::2] = kept + edge * (part - kept)
    return out
