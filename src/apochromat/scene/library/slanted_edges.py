"""Squares turned by five degrees all over the field: edges for the modulation transfer function (ISO 12233:2023, contrast 4:1)."""

from __future__ import annotations

import numpy as np

from apochromat.light.scene import Layer
from apochromat.scene.canvas import Frame, convex, lay
from apochromat.scene.kind import Painting, SceneKind

ROWS = 6  # squares down the picture
SIDE = 0.55  # of a square over the spacing
TURN_DEG = 5.0
BRIGHT, DARK = 0.6, 0.15  # reflectances, 4:1


def squares(aspect: float) -> np.ndarray:
    """Corners (n, 4, 2) as x, y of the squares that lie wholly inside a picture of that aspect, picture heights."""
    columns = int(aspect * ROWS + 1e-6)
    cx, cy = np.meshgrid((np.arange(columns) - (columns - 1) / 2) / ROWS, (np.arange(ROWS) + 0.5) / ROWS)
    angle = np.deg2rad(TURN_DEG) + np.pi / 4 + np.arange(4) * np.pi / 2
    corner = SIDE / ROWS / np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.stack([cx.ravel(), cy.ravel()], axis=1)[:, None] + corner


def _paint(frame: Frame, light: np.ndarray, rng: np.random.Generator) -> Painting:
    plane = np.full((1, frame.height, frame.width), BRIGHT, np.float32)
    for corners in squares(frame.aspect):
        box = frame.box(*corners.min(axis=0), *corners.max(axis=0))
        lay(plane, box, convex(frame, box, corners), np.array([DARK], np.float32))
    return Painting(light[None], (Layer(plane, np.inf),))


SCENE = SceneKind(
    "slanted-edges",
    "grey squares turned by 5 degrees over the whole field, 4:1: sharpness",
    1000.0,
    "D65",
    "the chart, facing the camera",
    _paint,
)
