"""Oracle of the demosaic kernel: NumPy, float64, whole pictures at full size, written for reading."""

from functools import partial

import numpy as np

EXPONENT = 3 / 4
MARGIN = 32  # mirrored pixels around the mosaic, beyond the reach of all steps together
SIDES = ((0, -1), (0, 1), (-1, 0), (1, 0))  # (dy, dx)
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def demosaic(mosaic, noise):
    """Camera RGB (3, H, W) of an RGGB mosaic (H, W) of even size; noise: variance."""
    toe = np.sqrt(max(noise, 1e-9))
    sigma = toe**EXPONENT
    measured = np.pad(mosaic.astype(np.float64), MARGIN, "reflect")
    y, x = np.indices(measured.shape, sparse=True)
    red_row, color = y % 2 == 0, (y + x) % 2 == 0  # color: red or blue sites
    light = np.sign(measured) * ((abs(measured) + toe) ** EXPONENT - sigma)

    own = directional(light, color, sigma)
    green = np.where(color, light + own, light)
    other = sum(near(own, *step) for step in CORNERS) / 4
    row, column = at_green(green, own, other, sigma)
    own = refined(green, own, row, column, sigma)
    green = np.where(color, light + own, light)
    other = diagonal(green, own, sigma)
    row, column = at_green(green, own, other, sigma)

    of_row, of_column = np.where(color, own, row), np.where(color, other, column)
    red, blue = green - np.where(red_row, of_row, of_column), green - np.where(red_row, of_column, of_row)
    planes = np.stack([red, green, blue])
    planes = np.sign(planes) * ((abs(planes) + sigma) ** (1 / EXPONENT) - toe)
    return planes[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def near(image, dy, dx):
    return np.roll(image, (-dy, -dx), (0, 1))


def change(image, start, end):
    return abs(near(image, *start) - near(image, *end))


def directional(light, color, sigma):
    """Differences G - C along rows and columns, averaged to the four sides, by inverse cubes of their variation there."""
    values, sizes = [], []
    for dy, dx in ((0, 1), (1, 0)):
        at = partial(along, dy, dx)
        difference = (at(light, -1) + at(light, 1)) / 2 - (at(light, -2) + at(light, 2)) / 4 - light / 2
        difference = np.where(color, difference, -difference)
        slope = abs(at(difference, 1) - at(difference, -1)) + 0.1 * abs(at(light, 1) - at(light, -1))
        variation = window(window(slope, dx, dy), dy, dx)
        for sign in (-1, 1):
            values.append(sum(w * at(difference, sign * n) for n, w in enumerate((0.35, 0.25, 0.25, 0.1, 0.05))))
            sizes.append((at(variation, 2 * sign) + sigma) ** 3)
    return blend(values, sizes)


def along(dy, dx, image, n):
    return near(image, n * dy, n * dx)


def window(image, dy, dx):
    return sum(w * near(image, n * dy, n * dx) for n, w in zip(range(-2, 3), np.array([1, 4, 6, 4, 1]) / 16, strict=True))


def at_green(green, own, other, sigma):
    """Differences of the colours in the row and in the column of green sites."""
    found = []
    for beside, above in ((own, other), (other, own)):
        values, sizes = [], []
        for dy, dx in SIDES:
            source = beside if dy == 0 else above
            size = change(source, (dy, dx), (-dy, -dx)) + change(source, (dy, dx), (3 * dy, 3 * dx))
            values.append(near(source, dy, dx))
            sizes.append((size + 0.25 * change(green, (0, 0), (2 * dy, 2 * dx)) + sigma) ** 2)
        found.append(blend(values, sizes))
    return found


def refined(green, own, row, column, sigma):
    """The own difference of red and blue sites moved towards those of the green sites around."""
    values = [near(row if dy == 0 else column, dy, dx) for dy, dx in SIDES]
    far = [(2 * dy, 2 * dx) for dy, dx in SIDES]
    sizes = [change(own, (0, 0), step) + 0.25 * change(green, (0, 0), step) + sigma for step in far]
    return own + 0.8 * (blend(values, sizes) - own)


def diagonal(green, own, sigma):
    """The other colour's difference at red and blue sites."""
    values, sizes = [], []
    for dy, dx in CORNERS:
        values.append(near(own, dy, dx))
        size = change(own, (dy, dx), (3 * dy, 3 * dx)) + change(own, (dy, dx), (-dy, -dx))
        sizes.append(size + 0.25 * change(green, (0, 0), (2 * dy, 2 * dx)) + sigma)
    return blend(values, sizes)


def blend(values, sizes):
    return sum(v / s for v, s in zip(values, sizes, strict=True)) / sum(1 / s for s in sizes)
