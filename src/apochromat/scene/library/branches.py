"""Thin dark twigs of all widths on a bright overcast sky, and clipped glints on water below: where colour fringes show.

The sky is the CIE standard overcast sky (ISO 15469): three times as bright in the zenith as at the horizon.
"""

from __future__ import annotations

import numpy as np

from apochromat.light.scene import Layer
from apochromat.light.spectra import illuminant, rgb_reflectances
from apochromat.scene.canvas import Frame, capsule, is_empty, lay, smoothstep
from apochromat.scene.kind import Painting, SceneKind
from apochromat.scene.texture import fractal, noise_table, surface_noise
from apochromat.scene.tree import grow, tree_cover

HORIZON = 0.77  # height of the horizon in the picture
FOCAL = 1.1  # picture heights: 29 mm equivalent at 4:3
EYE_M = 3.0  # above the water
SKY_NOTE = "the sky follows the CIE overcast sky on average; the reference plane is horizontal under it"
THINNEST = 8e-5  # radius of the finest twig, picture heights: half a cell wide at 3000 rows


def sky_luminance(frame_x: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """Luminance over that of a white horizontal plane, at `rise` picture heights above the horizon: 3/7 (1 + 2 sin elevation)."""
    return 3 / 7 * (1 + 2 * rise / np.sqrt(FOCAL**2 + frame_x**2 + rise**2))


def _hills(frame: Frame, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Outline (W,) and planes (4,) of three wooded ridges, far to near."""
    ridges = []
    for height, rough, grey in ((0.085, 0.045, 0.42), (0.05, 0.035, 0.22), (0.022, 0.02, 0.08)):
        row = fractal(rng, frame, (slice(0, 1), slice(0, frame.width)), 2.2, 9, gain=0.55)[0]
        colour = np.array([0.9, 1.0, 1.05], np.float32) * grey * np.float32(0.45)
        ridges.append((HORIZON - height - rough * row, np.append(colour, np.float32(grey * 0.2))))
    return ridges


def _water(frame: Frame, planes: np.ndarray, rng: np.random.Generator) -> None:
    """Mirror the picture above the horizon into the water, with waves that grow towards the eye."""
    first = int(np.ceil(frame.rows(HORIZON)))
    x, y = frame.x, frame.y[first:]
    drop = np.maximum(y - HORIZON, 0.5 / frame.height)
    depth = FOCAL * EYE_M / drop
    across = x * depth / FOCAL
    table = noise_table(rng)
    cell = depth * drop / (FOCAL * frame.height) + depth / (FOCAL * frame.height)
    wave = np.zeros((len(y), frame.width), np.float32)
    for size, strength in ((4.0, 0.02), (1.4, 0.02), (0.5, 0.018), (0.17, 0.012)):
        fade = np.clip(1.5 - 2 * cell / size, 0, 1).astype(np.float32)
        wave += np.float32(strength) * fade * surface_noise(table, across / size, depth / (2.5 * size))
    source = HORIZON - drop * 1.05 - wave * (0.6 + 2 * drop) - 0.01
    row = np.clip(frame.rows(source), 0, first - 1).astype(np.int32)
    column = np.arange(frame.width)[None, :]
    tilt = np.clip(drop / np.hypot(FOCAL, drop) + wave, 0.01, 1)
    mirror = (0.02 + 0.98 * (1 - tilt) ** 5).astype(np.float32)
    for plane, deep in zip(planes, (0.006, 0.018, 0.022, 0.0), strict=True):
        plane[first:] = plane[row, column] * mirror + np.float32(deep) * (1 - mirror)


def _glints(frame: Frame, planes: np.ndarray, rng: np.random.Generator) -> None:
    """Short bright streaks, brightest and smallest far away: images of the sun through a rift in the clouds."""
    count = 2200
    drop = 0.012 + 0.2 * rng.random(count) ** 1.6
    place = 0.24 + rng.normal(0, 1, count) * (0.03 + 0.55 * drop)
    size = drop * np.exp(rng.uniform(np.log(0.003), np.log(0.022), count)) + 1e-4
    power = np.exp(rng.uniform(np.log(3), np.log(300), count))
    light = np.array([1.0, 1.0, 1.0, 0.0], np.float32)
    for x, d, r, strength in zip(place, drop, size, power, strict=True):
        y = HORIZON + d
        box = frame.box(x - 4 * r, y - r, x + 4 * r, y + r)
        if not is_empty(box):
            shape = capsule(frame, box, (x - 2.5 * r, y, x + 2.5 * r, y), (0.4 * r, 0.4 * r))
            lay(planes, box, shape.astype(np.float32), light * np.float32(strength))


def _far(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    planes = np.zeros((4, frame.height, frame.width), np.float32)
    clouds = 1 + 0.22 * fractal(rng, frame, frame.whole, 2.5, 6, stretch=2.2)
    sky = sky_luminance(frame.x, np.maximum(HORIZON - frame.y, 0)).astype(np.float32) * clouds
    planes[:3] = sky * np.float32(0.75)
    planes[3] = sky * np.float32(0.25)
    for outline, colour in _hills(frame, rng):
        inside = np.clip((frame.y - outline) * frame.height + 0.5, 0, 1).astype(np.float32)
        lay(planes, frame.whole, inside, colour)
    _water(frame, planes, rng)
    _glints(frame, planes, rng)
    return planes


def _near(frame: Frame, rng: np.random.Generator) -> Layer:
    limbs = [
        ((-0.75, 0.20), 0.10, 1.15, 0.016),
        ((-0.72, 0.62), -0.55, 0.75, 0.009),
        ((0.78, 0.02), 2.75, 0.85, 0.012),
        ((0.74, 0.5), 3.7, 0.5, 0.006),
    ]
    pieces = np.concatenate([grow(rng, *limb, levels=5, thinnest=THINNEST) for limb in limbs])
    cover = tree_cover(frame, pieces)
    bark = np.array([0.040, 0.033, 0.028, 0.0], np.float32)[:, None, None]
    grain = 1 + 0.5 * fractal(rng, frame, frame.whole, 60, 4)
    lit = smoothstep(1.0, 0.0, frame.y).astype(np.float32) * 0.6 + 0.4
    return Layer(bark * (cover * grain * lit), 4.0, cover)


def _paint(frame: Frame, light: np.ndarray, rng: np.random.Generator) -> Painting:
    palette = np.concatenate([rgb_reflectances() * light, illuminant("D10000")[None]])
    far, near = rng.spawn(2)
    return Painting(palette, (Layer(_far(frame, far), np.inf), _near(frame, near)), (SKY_NOTE,))


SCENE = SceneKind(
    "branches",
    "thin dark twigs on a bright sky, glints on water: colour fringes",
    8000.0,
    "D65",
    "a horizontal plane under the overcast sky",
    _paint,
)
