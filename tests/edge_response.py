"""Slanted-edge spatial frequency response (ISO 12233:2023, e-SFR) of samples that need not fill a grid, and what it should be."""

import numpy as np

BINS = 4  # a pixel


def edge_sfr(samples, used, half):
    """Frequencies (n,), cycles per pixel up to Nyquist, response and unit normal (x, y) of a near-vertical edge.

    samples (h, w): signal, dark on either side; used (h, w): which of them count; half: pixels of the edge spread taken on either side.
    """
    y, x = np.nonzero(used)
    values, normal, distance = samples[y, x], *_projected(samples, used)
    edges = np.arange(-half * BINS, half * BINS + 2) / BINS - 0.5 / BINS
    count, total = (np.histogram(distance, edges, weights=w)[0] for w in (None, values))
    assert count.min() > 0, "expected samples in every bin of the edge spread"
    line = np.diff(total / count)
    place = (np.arange(len(line)) + 0.5 - len(line) / 2) / BINS
    frequency = np.linspace(0, 0.5, 26)
    transform = np.abs(np.exp(-2j * np.pi * np.outer(frequency, place)) @ line) / abs(line.sum())
    return frequency, transform / np.sinc(frequency / BINS) ** 2, normal  # binning, and differences over a bin


def _projected(samples, used):
    """Unit normal (2,) as x, y at the middle, and distance of the used samples from the edge: a parabola through the rows' centroids.

    A centroid is that of the derivative of a row.
    """
    rows, centres = np.arange(samples.shape[0]), []
    for row in rows:
        column = np.flatnonzero(used[row])
        slope = np.abs(np.diff(samples[row, column]))
        slope = np.where(slope > 0.1 * slope.max(), slope, 0)
        centres.append(float((slope * (column[1:] + column[:-1])).sum() / slope.sum() / 2))
    middle = (len(rows) - 1) / 2
    bow, tangent, start = np.polyfit(rows - middle, centres, 2)
    y, x = np.nonzero(used)
    y = y - middle
    along = tangent + 2 * bow * y
    return np.array([1, -tangent]) / np.hypot(1, tangent), (x - start - tangent * y - bow * y**2) / np.hypot(1, along)


def expected_sfr(frequency, normal, spread, pitch, half):
    """Response of an edge with a unit normal through a point spread (m, m) of samples `pitch` pixels wide, and a square pixel.

    half: the edge spread is taken over so many pixels on either side; the light that falls beyond counts as in `edge_sfr`, not at all.
    """
    place = (np.arange(len(spread)) - len(spread) // 2) * pitch
    along = place[None, :] * normal[0] + place[:, None] * normal[1]
    inside = np.abs(along) <= half
    waves = np.exp(-2j * np.pi * frequency[:, None] * along[inside])
    lens = np.abs(waves @ spread[inside]) / spread[inside].sum()
    pixel, fine = (np.sinc(p * np.outer(frequency, normal)).prod(1) for p in (1.0, pitch))
    return lens * pixel / fine
