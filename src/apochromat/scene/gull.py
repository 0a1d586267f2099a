"""A gull that flies past the portrait's terrace: a layer of its own that moves. Lengths in picture heights."""

from __future__ import annotations

import numpy as np

from apochromat.light.scene import Layer
from apochromat.scene.canvas import Frame, curve, is_empty, lay, polygon_in

AWAY = 3.2  # m
START = (0.20, 0.27)
WHITE, PALE, SHADED, GREY = (0.62, 0.60, 0.55), (0.38, 0.38, 0.38), (0.36, 0.35, 0.34), (0.24, 0.25, 0.27)
BLACK, BILL = (0.03, 0.03, 0.035), (0.60, 0.33, 0.03)
PARTS = (  # from the far wing to the near one: outline, colour under the terrace's lamps
    ([(0.020, -0.012), (0.032, -0.050), (0.026, -0.090), (0.010, -0.122), (-0.002, -0.088), (-0.004, -0.050), (-0.012, -0.012)], GREY),
    ([(0.012, -0.112), (0.010, -0.122), (0.004, -0.104), (0.001, -0.093), (0.008, -0.098)], BLACK),
    ([(0.066, 0.002), (0.058, -0.009), (0.044, -0.012), (0.020, -0.016), (-0.020, -0.014), (-0.052, -0.006), (-0.082, -0.003),
      (-0.083, 0.006), (-0.050, 0.008), (-0.016, 0.013), (0.022, 0.014), (0.050, 0.010)], WHITE),
    ([(0.064, -0.003), (0.077, 0.003), (0.076, 0.006), (0.064, 0.004)], BILL),
    ([(0.022, -0.010), (0.010, -0.052), (-0.022, -0.082), (-0.062, -0.098), (-0.040, -0.068), (-0.034, -0.040), (-0.030, -0.008)], GREY),
    ([(-0.042, -0.090), (-0.062, -0.098), (-0.053, -0.085), (-0.046, -0.075), (-0.038, -0.080)], BLACK),
    ([(0.006, -0.050), (-0.020, -0.076), (-0.046, -0.090), (-0.026, -0.070), (-0.012, -0.050), (-0.004, -0.030), (0.014, -0.016)], PALE),
    ([(0.050, 0.006), (0.018, 0.008), (-0.020, 0.007), (-0.050, 0.006), (-0.016, 0.012), (0.022, 0.013)], SHADED),
    ([(0.0585, -0.0045), (0.0572, -0.0032), (0.0559, -0.0045), (0.0572, -0.0058)], BLACK),
)  # fmt: skip
DUSK = 0.05  # of its lightness that comes from the sky


def gull_layer(frame: Frame, rng: np.random.Generator) -> Layer:
    """The gull, 1.2 m from tip to tip, 3.2 m away; planes as of the portrait's palette: lamps R, G, B, skin, sodium, dusk."""
    place = np.array(START) + rng.normal(0, 0.01, 2)
    cover, planes = np.zeros((frame.height, frame.width), np.float32), np.zeros((6, frame.height, frame.width), np.float32)
    for points, colour in PARTS:
        outline = curve(points) + place
        box = frame.box(*outline.min(axis=0), *outline.max(axis=0))
        if not is_empty(box):
            share = polygon_in(frame, box, outline)
            cover[box] += share * (1 - cover[box])
            lay(planes, box, share, np.array([*colour, 0, 0, DUSK * sum(colour) / 3], np.float32))
    return Layer(planes, AWAY, cover, moves=True)
