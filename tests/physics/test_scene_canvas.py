"""Covers of cells against exact areas."""

import numpy as np
import pytest

from apochromat.scene.canvas import Frame, capsule, convex, half_plane, rectangle
from apochromat.scene.library.slanted_edges import squares
from apochromat.scene.strokes import strokes


def area(corners):
    """Signed area of a polygon (n, 2)."""
    x, y = np.asarray(corners).T
    return (np.sum(x * np.roll(y, -1)) - np.sum(np.roll(x, -1) * y)) / 2


def clipped_cell(distance, nx, ny):
    """Area of the unit cell where n.p + distance > 0, by cutting the square's polygon (Sutherland and Hodgman)."""
    square, kept = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)], []
    for p, q in zip(square, square[1:] + square[:1], strict=True):
        a, b = nx * p[0] + ny * p[1] + distance, nx * q[0] + ny * q[1] + distance
        if a > 0:
            kept.append(p)
        if a * b < 0:
            kept.append(tuple(np.add(p, np.subtract(q, p) * a / (a - b))))
    return abs(area(kept)) if len(kept) > 2 else 0.0


def test_half_plane_is_the_exact_area_of_a_cut_cell():
    rng = np.random.default_rng(3)
    for angle, distance in zip(rng.uniform(0, 2 * np.pi, 300), rng.uniform(-0.8, 0.8, 300), strict=True):
        nx, ny = np.cos(angle), np.sin(angle)
        assert half_plane(np.array(distance), nx, ny) == pytest.approx(clipped_cell(distance, nx, ny), abs=1e-9)


def test_covers_keep_the_area_of_the_shape():
    frame = Frame(200, 300)
    square = squares(1.5)[7]
    box = frame.box(*square.min(axis=0), *square.max(axis=0))
    assert convex(frame, box, square).sum() / 200**2 == pytest.approx(abs(area(square)), rel=2e-3)
    box = frame.box(-0.1234, 0.2, 0.3456, 0.777)
    assert rectangle(frame, box, -0.1234, 0.2, 0.3456, 0.777).sum() / 200**2 == pytest.approx(0.469 * 0.577, rel=1e-4)


def test_strokes_cover_what_each_piece_alone_covers_in_its_box():
    """Pieces of all directions and lengths, thinner and wider than a cell, some beyond the frame: as `capsule` has them."""
    frame, rng = Frame(90, 120), np.random.default_rng(3)
    ends = rng.uniform(-0.8, 1.1, (300, 4))
    ends[::3, 2:] = ends[::3, :2] + rng.normal(0, 0.01, (100, 2))  # short ones
    ends[0, 2:], ends[1, 3], ends[2, 2] = ends[0, :2], ends[1, 1], ends[2, 0]  # a point, a level one, an upright one
    radii = np.exp(rng.uniform(np.log(1e-3), np.log(0.05), (300, 2)))
    found = np.zeros((300, 90 * 120))
    for cells, cover, number in strokes(frame, ends, radii):
        assert (found[number, cells] == 0).all()
        found[number, cells] = cover
    for one, piece, radius in zip(found, ends, radii, strict=True):
        alone = capsule(frame, frame.whole, tuple(piece), tuple(radius)).ravel()
        assert one == pytest.approx(np.where(alone > 0, alone, 0), abs=2e-4)
