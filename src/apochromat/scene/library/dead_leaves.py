"""Discs that hide one another, radii by the power -3: texture with the statistics of nature.

Source: F. Cao, F. Guichard, H. Hornung, "Dead leaves model for measuring texture quality on a digital camera", SPIE 7537, 2010;
here with the colours of the measured training reflectances.
"""

from __future__ import annotations

import numpy as np

from apochromat.light.scene import Layer
from apochromat.light.spaces import rgb_to_xyz
from apochromat.light.spectra import illuminant, rgb_reflectances, training_reflectances, xyz
from apochromat.scene.canvas import Frame, disc, is_empty, lay
from apochromat.scene.kind import Painting, SceneKind

SMALLEST, LARGEST = 0.0025, 0.2  # radii, picture heights
LAYERS = 4.0  # total area of the discs over that of the picture: 98 % are covered by at least one
SPAN = 3.0  # widest picture that is filled, picture heights


def leaf_colours() -> np.ndarray:
    """Linear sRGB (190, 3) in 0..1 of the training reflectances under D65, darkened to a mean of 18 % grey."""
    rgb = xyz(training_reflectances() * illuminant("D65")) @ np.linalg.inv(rgb_to_xyz("srgb")).T
    rgb = np.clip(rgb, 0, 1)
    return rgb * min(1.0, 0.18 / rgb.mean())


def _radii(rng: np.random.Generator) -> np.ndarray:
    """Radii with density r^-3 between the smallest and the largest, enough for LAYERS; the large ones among the small."""
    mean_area = 2 * np.pi * np.log(LARGEST / SMALLEST) / (SMALLEST**-2 - LARGEST**-2)
    count = int(LAYERS * SPAN / mean_area)
    u = rng.random(count)
    return (SMALLEST**-2 + u * (LARGEST**-2 - SMALLEST**-2)) ** -0.5


def _paint(frame: Frame, light: np.ndarray, rng: np.random.Generator) -> Painting:
    radii = _radii(rng)
    centres = rng.uniform((-SPAN / 2, 0), (SPAN / 2, 1), (len(radii), 2))
    colours = leaf_colours().astype(np.float32)[rng.integers(0, 190, len(radii))]
    planes = np.empty((3, frame.height, frame.width), np.float32)
    planes[:] = 0.18
    edge = frame.aspect / 2
    for radius, (cx, cy), colour in zip(radii, centres, colours, strict=True):
        if abs(cx) - radius > edge:
            continue
        box = frame.box(cx - radius, cy - radius, cx + radius, cy + radius)
        if not is_empty(box):
            lay(planes, box, disc(frame, box, cx, cy, radius), colour)
    return Painting(rgb_reflectances() * light, (Layer(planes, np.inf),))


SCENE = SceneKind(
    "dead-leaves", "coloured discs of all sizes: how much texture survives", 1000.0, "D65", "the chart, facing the camera", _paint
)
