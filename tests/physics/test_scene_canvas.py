"""Covers of cells against exact areas."""

import numpy as np
import pytest

from apochromat.scene.canvas import Frame, convex, half_plane, rectangle
from apochromat.scene.library.slanted_edges import squares


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
