"""A light box of 21 windows, each half as bright as the one before: 20 stops."""

from __future__ import annotations

import numpy as np

from apochromat.light.scene import Layer
from apochromat.scene.canvas import Frame, lay, rectangle
from apochromat.scene.kind import Painting, SceneKind

COLUMNS, ROWS = 7, 3
STEPS = COLUMNS * ROWS
PITCH = 0.18  # picture heights
SIDE = 0.8  # of a window over the pitch
SURROUND = 2.0**-21


def window_boxes() -> list[tuple[float, float, float, float]]:
    """x0, y0, x1, y1 of the windows, brightest first; every second row runs backwards, so that neighbours differ by few stops."""
    found = []
    for i in range(STEPS):
        row, place = divmod(i, COLUMNS)
        column = place if row % 2 == 0 else COLUMNS - 1 - place
        cx, cy, half = (column - (COLUMNS - 1) / 2) * PITCH, 0.5 + (row - (ROWS - 1) / 2) * PITCH, SIDE * PITCH / 2
        found.append((cx - half, cy - half, cx + half, cy + half))
    return found


def _paint(frame: Frame, light: np.ndarray, rng: np.random.Generator) -> Painting:
    plane = np.full((1, frame.height, frame.width), SURROUND, np.float32)
    for i, corners in enumerate(window_boxes()):
        box = frame.box(*corners)
        lay(plane, box, rectangle(frame, box, *corners), np.array([2.0**-i], np.float32))
    return Painting(light[None], (Layer(plane, np.inf),))


SCENE = SceneKind(
    "grey-steps", "21 grey windows over 20 stops: dynamic range and noise", 1000.0, "D65", "the brightest window, a perfect white", _paint
)
