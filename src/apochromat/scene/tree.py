"""Trees grown from random numbers: pieces of twig, thick to thin."""

from __future__ import annotations

import numpy as np

from apochromat.scene.canvas import Frame
from apochromat.scene.strokes import strokes


def grow(
    rng: np.random.Generator,
    start: tuple[float, float],
    angle: float,
    length: float,
    radius: float,
    *,
    levels: int = 6,
    spread: float = 0.6,
    lift: float = 0.12,
    thinnest: float = 1.5e-4,
) -> np.ndarray:
    """Pieces (n, 7) of a tree: x0, y0, x1, y1, radius at both ends, level; lengths in picture heights.

    Each branch bends as it goes, tapers, and bears side shoots; `angle` is measured from the right, up is -pi/2. `lift` bends shoots
    towards the sky. No piece is thinner than the radius `thinnest`, and no thinner shoot grows.
    """
    pieces: list[tuple[float, ...]] = []
    todo = [(start[0], start[1], angle, length, radius, 0)]
    while todo:
        x, y, angle, length, radius, level = todo.pop()
        steps = max(4, 14 - 2 * level)
        wander = rng.normal(0, 0.10 + 0.035 * level, steps)
        sides = rng.permuted(np.where(np.arange(steps) % 2, 1, -1))
        for i in range(steps):
            angle += wander[i] - lift * np.cos(angle) / steps
            end = (x + np.cos(angle) * length / steps, y + np.sin(angle) * length / steps)
            ends = [max(radius * (1 - 0.92 * t / steps), thinnest) for t in (i, i + 1)]
            pieces.append((x, y, *end, *ends, level))
            x, y = end
            bud = ends[1] * rng.uniform(0.5, 0.8)
            if level < levels and i >= steps // 4 and rng.random() < 0.75 and bud > thinnest:
                turn = sides[i] * rng.uniform(0.5, 1.1) * spread / 0.6
                shrink = rng.uniform(0.38, 0.62) * (1.1 - 0.5 * i / steps)
                todo.append((x, y, angle + turn, length * shrink, bud, level + 1))
    return np.array(pieces)


def tree_cover(frame: Frame, pieces: np.ndarray) -> np.ndarray:
    """Cover (H, W) float32 of the pieces together; within a cell the widest of them counts."""
    cover = np.zeros(frame.height * frame.width, np.float32)
    pieces = pieces[np.argsort(pieces[:, 4])]  # those of like size together
    for cells, share, _ in strokes(frame, pieces[:, :4], pieces[:, 4:6]):
        np.maximum.at(cover, cells, share)
    return cover.reshape(frame.height, frame.width)
