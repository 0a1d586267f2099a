"""How often a curve crosses a level, when what lies between two crossings counts only above a least excursion."""

from __future__ import annotations

import numpy as np


def crossings(values: np.ndarray, level: float, excursion: float) -> list[int]:
    """Indices i such that the curve (W,) changes sides of the level between i and i + 1, lobes below the excursion left out.

    A lobe between two crossings counts when it reaches at least `excursion` from the level; what lies before the first crossing and after
    the last is not between crossings and counts at any height.
    """
    offset = values - level
    sides = np.where(offset >= 0, 1, -1)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(sides)) + 1])
    peaks = np.maximum.reduceat(np.abs(offset), starts)
    counts = peaks >= excursion
    counts[[0, -1]] = True
    found, side = [], sides[0]
    for start in starts[counts]:
        if sides[start] != side:
            found.append(int(start) - 1)
            side = sides[start]
    return found


def most_crossings(values: np.ndarray, excursion: float) -> tuple[int, float]:
    """The largest number of crossings of any level, and the middle of the first interval of levels that has it.

    The number changes only where the level passes a value, or a value plus or minus the excursion.
    """
    edges = np.unique(np.concatenate([values, values - excursion, values + excursion]))
    levels = (edges[1:] + edges[:-1]) / 2
    numbers = [len(crossings(values, level, excursion)) for level in levels]
    best = int(np.argmax(numbers)) if numbers else 0
    return (numbers[best], float(levels[best])) if numbers else (0, float(values[0]))
