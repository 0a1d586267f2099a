"""A Siemens star whose sectors rise and fall as a sine (ISO 12233:2023, annex E), 144 cycles."""

from __future__ import annotations

import numpy as np

from apochromat.light.scene import Layer
from apochromat.scene.canvas import Frame
from apochromat.scene.kind import Painting, SceneKind

CYCLES = 144
RADIUS = 0.45  # picture heights
MEAN, SWING = 0.4, 0.3  # reflectance; Michelson contrast 0.75


def _paint(frame: Frame, light: np.ndarray, rng: np.random.Generator) -> Painting:
    x, y = frame.x, frame.y - np.float32(0.5)
    r = np.sqrt(x * x + y * y)
    across = (CYCLES / (2 * np.pi * frame.height)) / np.maximum(r, 1e-6) ** 2  # cycles a cell, as a vector (-y, x) * across
    wave = np.sin(CYCLES * np.arctan2(y, x)) * np.sinc(y * across) * np.sinc(x * across)  # mean of a sine over a square cell
    inside = np.clip((RADIUS - r) * frame.height + 0.5, 0, 1)
    plane = (MEAN + SWING * wave * inside).astype(np.float32)
    return Painting(light[None], (Layer(plane[None], np.inf),))


SCENE = SceneKind(
    "siemens-star", "a sine star of 144 cycles: sharpness in every direction", 1000.0, "D65", "the chart, facing the camera", _paint
)
