"""Somebody near, a cafe terrace behind, lights of a town far away, and a gull that moves: depth, defocus, fine hair and skin."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import numpy as np

from apochromat.light.scene import Layer, Unpainted
from apochromat.light.spectra import illuminant, rgb_reflectances
from apochromat.scene import gull
from apochromat.scene.canvas import Box, Frame, capsule, curve, disc, is_empty, lay, polygon_in, rectangle
from apochromat.scene.gull import gull_layer
from apochromat.scene.kind import Painting, SceneKind
from apochromat.scene.lettering import placed
from apochromat.scene.sitter import AWAY, sitter_layer
from apochromat.scene.skin import skin_reflectance
from apochromat.scene.texture import fractal

MIDDLE, FAR = 4.0, 60.0  # m
MENU = (0.36, 0.585, 0.50, 0.80)  # x0, y0, x1, y1 of the white menu
PAPER = 0.85
TINTS = np.array([  # of far lights, planes as of the palette: white, warm, sodium, red, green, blue
    (1, 0.9, 0.75, 0, 0, 0), (1, 0.65, 0.3, 0, 0, 0), (0, 0, 0, 0, 1, 0), (0.9, 0.04, 0.02, 0, 0, 0), (0.05, 0.8, 0.45, 0, 0, 0),
    (0, 0, 0, 0, 0, 0.9),
])  # fmt: skip
LEAF = np.linspace(0, 1, 9)  # places along a leaf's rib
SPAN = 2.4  # widest picture that is filled, picture heights


def _sky(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Dusk over the far shore; planes (6, H, W)."""
    planes = np.zeros((6, frame.height, frame.width), np.float32)
    cloud = 1 + 0.25 * fractal(rng, frame, frame.whole, 2.0, 5, stretch=3.0)
    fall = np.clip(frame.y / 0.62, 0, 1).astype(np.float32)
    planes[5] = (0.012 + 0.05 * fall) * cloud
    planes[0] = 0.085 * fall**4 * cloud
    planes[1] = 0.030 * fall**4 * cloud
    return planes


def _town(frame: Frame, planes: np.ndarray, rng: np.random.Generator) -> None:
    """Houses on the shore and their lights, small as they are at 60 m; and the water that mirrors them."""
    for start in np.arange(-SPAN / 2, SPAN / 2, 0.055):
        top = 0.60 - rng.uniform(0.02, 0.20)
        corners = (start, top, start + rng.uniform(0.05, 0.09), 0.66)
        box = frame.box(*corners)
        if not is_empty(box):
            lay(planes, box, rectangle(frame, box, *corners), np.array([0.006, 0.006, 0.008, 0, 0.004, 0.006], np.float32))
    shore = (-SPAN / 2, 0.655, SPAN / 2, 1.1)
    box = frame.box(*shore)
    lay(planes, box, rectangle(frame, box, *shore), np.array([0.004, 0.004, 0.006, 0, 0.002, 0.008], np.float32))
    for _ in range(330):
        tint = TINTS[rng.choice(6, p=(0.28, 0.22, 0.32, 0.08, 0.05, 0.05))]
        x, y = rng.uniform(-SPAN / 2, SPAN / 2), 0.652 - 0.19 * rng.random() ** 1.6
        radius, power = rng.uniform(0.0007, 0.0022), np.exp(rng.uniform(np.log(40), np.log(1500)))
        box = frame.box(x - radius, y - radius, x + radius, y + radius)
        if not is_empty(box):
            lay(planes, box, disc(frame, box, x, y, radius).astype(np.float32), tint * power)
        _glitter(frame, planes, x, 1.31 - y, radius, tint * power * 0.05, rng)


def _glitter(frame: Frame, planes: np.ndarray, x: float, y: float, radius: float, colour: np.ndarray, rng: np.random.Generator) -> None:
    """A light's image in the water, broken into short strokes."""
    for _ in range(7):
        at, half = y + abs(rng.normal(0, 0.05)), radius * rng.uniform(1.5, 4)
        centre = x + rng.normal(0, 0.003)
        box = frame.box(centre - half, at - radius, centre + half, at + radius)
        if not is_empty(box):
            share = capsule(frame, box, (centre - half, at, centre + half, at), (radius * 0.4, radius * 0.4))
            lay(planes, box, share.astype(np.float32), colour)


def _far(frame: Frame, rng: np.random.Generator) -> Layer:
    """Sky, town and water: 60 m away."""
    planes = _sky(frame, rng)
    _town(frame, planes, rng)
    return Layer(planes, FAR)


class _Terrace:
    """The middle layer while it is painted."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.cover = np.zeros((frame.height, frame.width), np.float32)
        self.planes = np.zeros((6, frame.height, frame.width), np.float32)

    def over(self, box: Box, share: np.ndarray, colour: np.ndarray) -> None:
        part = self.cover[box]
        part += share * (1 - part)
        lay(self.planes, box, share, colour)

    def rod(self, x0: float, y0: float, x1: float, y1: float, radius: float, colour: np.ndarray) -> None:
        box = self.frame.box(min(x0, x1) - radius, min(y0, y1) - radius, max(x0, x1) + radius, max(y0, y1) + radius)
        if not is_empty(box):
            self.over(box, np.clip(capsule(self.frame, box, (x0, y0, x1, y1), (radius, radius)), 0, 1).astype(np.float32), colour)

    def block(self, x0: float, y0: float, x1: float, y1: float, colour: np.ndarray) -> None:
        box = self.frame.box(x0, y0, x1, y1)
        if not is_empty(box):
            self.over(box, rectangle(self.frame, box, x0, y0, x1, y1), colour)


def _terrace(frame: Frame, rng: np.random.Generator) -> Layer:
    """Railing, plant, strings of bulbs and the menu: 4 m away."""
    terrace = _Terrace(frame)
    iron, wood = np.array([0.02, 0.022, 0.025, 0, 0.01, 0.02], np.float32), np.array([0.14, 0.075, 0.035, 0, 0.01, 0.01], np.float32)
    for x in np.arange(-SPAN / 2, SPAN / 2, 0.052):
        terrace.rod(x, 0.80, x, 1.1, 0.0032, iron)
    terrace.block(-SPAN / 2, 0.785, SPAN / 2, 0.815, wood)
    terrace.block(-SPAN / 2, 0.815, SPAN / 2, 0.821, wood * 0.3)
    _leaves(terrace, rng)
    _bulbs(terrace, rng)
    x0, y0, x1, y1 = MENU
    terrace.block(x0 - 0.012, y0 - 0.012, x1 + 0.012, 0.80, wood)
    white = np.array([PAPER, PAPER, PAPER, 0, 0, 0], np.float32)
    terrace.block(x0, y0, x1, y1 - 0.012, white)
    for text, high, low in (("CAFE", 0.018, 0.058), ("espresso  2.4\nlatte  3.6\ntea  3.0\nlemon cake  4.2", 0.07, 0.135)):
        cells, mask = placed(frame, text, (x0 + 0.012, y0 + high, x1 - 0.012, y0 + low))
        lay(terrace.planes, cells, mask, white * np.float32(0.05))
    np.maximum(terrace.planes, 0, out=terrace.planes)  # rounding beside the bulbs
    return Layer(terrace.planes, MIDDLE, np.clip(terrace.cover, 0, 1))


def _leaves(terrace: _Terrace, rng: np.random.Generator) -> None:
    """A shrub in a pot at the right edge and one at the left."""
    for root, count, side in ((0.60, 260, 0.15), (-0.58, 220, 0.13)):
        for _ in range(count):
            x, y = root + rng.normal(0, side * 0.6), 0.72 - abs(rng.normal(0, 0.13))
            angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.018, 0.04)
            tip = np.array([np.cos(angle), np.sin(angle)]) * length
            side_way = np.array([-tip[1], tip[0]]) * 0.32
            swell = np.sin(np.pi * LEAF)[:, None] * side_way
            rib = np.array([x, y]) + LEAF[:, None] * tip
            outline = np.concatenate([rib + swell, (rib - swell)[::-1]])
            shade = rng.uniform(0.2, 1.0) * (0.4 + 0.6 * (0.75 - y) / 0.3)
            green = np.array([0.05, 0.11, 0.025, 0, 0.02, 0.01], np.float32) * np.float32(shade)
            low, high = outline.min(axis=0), outline.max(axis=0)
            box = terrace.frame.box(*low, *high)
            if not is_empty(box):
                terrace.over(box, polygon_in(terrace.frame, box, outline), green)
        terrace.block(root - 0.06, 0.70, root + 0.06, 0.80, np.array([0.16, 0.055, 0.03, 0, 0.01, 0.01], np.float32))


def _bulbs(terrace: _Terrace, rng: np.random.Generator) -> None:
    """Two strings of warm bulbs that sag across the picture."""
    wire = np.array([0.01, 0.01, 0.01, 0, 0.005, 0.01], np.float32)
    glow = np.array([1.0, 0.62, 0.27, 0, 0, 0], np.float32)
    for left, right, sag in ((0.02, 0.17, 0.13), (0.24, 0.03, 0.10)):
        ends = [(-SPAN / 2, left), (0.0, (left + right) / 2 + sag), (SPAN / 2, right)]
        path = curve(ends, 24, closed=False)
        for (x0, y0), (x1, y1) in itertools.pairwise(path):
            terrace.rod(x0, y0, x1, y1, 0.0011, wire)
        for x, y in path[1::2]:
            strength = np.float32(rng.uniform(60, 140))
            terrace.rod(x, y, x, y + 0.012, 0.0032, wire)
            terrace.rod(x, y + 0.020, x, y + 0.024, 0.0072, glow * strength)


def _painted(part: Callable[[Frame, np.random.Generator], Layer], frame: Frame, numbers: np.random.Generator) -> Layer:
    """A layer by numbers that stay as they are for the next time."""
    return part(frame, deepcopy(numbers))


def _paint(frame: Frame, light: np.ndarray, rng: np.random.Generator) -> Painting:
    others = [light * skin_reflectance(0.04, 0.014), illuminant("HP1"), illuminant("D10000")]
    palette = np.concatenate([light * rgb_reflectances(), others])
    of_far, of_middle, of_near, of_gull = rng.spawn(4)
    parts = ((FAR, _far, of_far), (MIDDLE, _terrace, of_middle), (gull.AWAY, gull_layer, of_gull), (AWAY, sitter_layer, of_near))
    layers = tuple(
        Unpainted((frame.height, frame.width), away, partial(_painted, part, frame, numbers), moves=part is gull_layer)
        for away, part, numbers in parts
    )
    note = "skin after Jacques 2013 with 4 % melanosomes and 1.4 % blood; hair, cloth and leaves by the RGB basis"
    return Painting(palette, layers, (note,))


SCENE = SceneKind(
    "portrait",
    "somebody near, a gull that flies past a terrace, far lights: depth, defocus, hair and skin",
    40.0,
    "LED-B2",
    "the white menu on the terrace, facing the camera",
    _paint,
)
