"""Somebody who walks across the night street under an umbrella: a layer of its own that moves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from apochromat.light.scene import Layer
from apochromat.scene.canvas import Frame, capsule, convex, disc, is_empty
from apochromat.scene.lights import Paints
from apochromat.scene.street import project

AWAY = 8.6  # m


class _Figure:
    """Cover and planes of one layer, painted in metres at one distance."""

    def __init__(self, frame: Frame, x: float) -> None:
        self.frame, self.x = frame, x
        self.cover = np.zeros((frame.height, frame.width), np.float32)
        self.planes = np.zeros((8, frame.height, frame.width), np.float32)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return project((self.x + x, y, AWAY))

    def _over(self, box: tuple[slice, slice], cover: np.ndarray, colour: np.ndarray) -> None:
        part = self.cover[box]
        part += cover * (1 - part)
        for plane, weight in zip(self.planes, colour, strict=True):
            piece = plane[box]
            piece += cover * (weight - piece)

    def limb(self, points: list[tuple[float, float]], radii: list[float], colour: np.ndarray) -> None:
        """Rounded pieces from point to point."""
        scale = 0.95 / AWAY
        for (a, ra), (b, rb) in pairwise(zip(points, radii, strict=True)):
            x0, y0 = self.at(*a)
            x1, y1 = self.at(*b)
            reach = max(ra, rb) * scale
            box = self.frame.box(min(x0, x1) - reach, min(y0, y1) - reach, max(x0, x1) + reach, max(y0, y1) + reach)
            if not is_empty(box):
                self._over(box, capsule(self.frame, box, (x0, y0, x1, y1), (ra * scale, rb * scale)).astype(np.float32), colour)

    def shape(self, points: list[tuple[float, float]], colour: np.ndarray) -> None:
        """A convex shape."""
        corners = np.array([self.at(*p) for p in points])
        box = self.frame.box(*corners.min(axis=0), *corners.max(axis=0))
        if not is_empty(box):
            self._over(box, convex(self.frame, box, corners), colour)

    def ball(self, x: float, y: float, radius: float, colour: np.ndarray) -> None:
        """A disc."""
        px, py = self.at(x, y)
        r = radius * 0.95 / AWAY
        box = self.frame.box(px - r, py - r, px + r, py + r)
        if not is_empty(box):
            self._over(box, disc(self.frame, box, px, py, r).astype(np.float32), colour)


def walker(frame: Frame, paints: Paints, rng: np.random.Generator) -> Layer:
    """The figure as a moving layer at 8.6 m; its place across the street and the umbrella's colour follow the random numbers."""
    figure = _Figure(frame, rng.uniform(0.1, 0.7))
    warm = paints.glow("sodium")
    coat = paints.glow("led", (0.020, 0.022, 0.030)) + 0.02 * warm
    lit = paints.glow("tungsten", (0.10, 0.085, 0.07)) + 0.12 * warm
    skin = paints.glow("tungsten", (0.32, 0.18, 0.12)) + 0.10 * warm
    trousers = paints.glow("led", (0.012, 0.013, 0.018))
    dome = paints.glow("led", ((0.55, 0.05, 0.04), (0.45, 0.30, 0.03), (0.05, 0.22, 0.35))[rng.integers(3)])
    figure.limb([(-0.05, 0.88), (-0.20, 0.48), (-0.36, 0.08)], [0.10, 0.075, 0.05], trousers)
    figure.limb([(-0.38, 0.06), (-0.26, 0.03)], [0.045, 0.04], trousers)
    figure.limb([(0.05, 0.88), (0.20, 0.50), (0.24, 0.08)], [0.10, 0.075, 0.05], trousers)
    figure.limb([(0.24, 0.05), (0.38, 0.035)], [0.045, 0.04], trousers)
    figure.shape([(-0.22, 1.40), (0.20, 1.40), (0.27, 0.74), (-0.27, 0.70)], coat)
    figure.limb([(-0.16, 1.38), (0.15, 1.38)], [0.085, 0.085], coat)
    figure.limb([(-0.215, 1.36), (-0.25, 0.74)], [0.018, 0.018], lit)
    figure.limb([(-0.18, 1.36), (-0.30, 1.05), (-0.18, 0.86)], [0.07, 0.06, 0.045], coat)
    figure.limb([(0.16, 1.36), (0.27, 1.14), (0.20, 1.32)], [0.07, 0.055, 0.045], coat)
    figure.ball(0.21, 1.34, 0.045, skin)
    figure.ball(0.0, 1.60, 0.105, skin)
    figure.ball(-0.015, 1.635, 0.108, paints.glow("led", (0.012, 0.010, 0.009)))
    figure.limb([(0.21, 1.30), (0.13, 2.12)], [0.008, 0.008], trousers)
    _umbrella(figure, dome)
    _mirror(figure, rng)
    return Layer(figure.planes, AWAY, np.clip(figure.cover, 0, 1), moves=True)


def _mirror(figure: _Figure, rng: np.random.Generator) -> None:
    """The figure's image in the wet ground below its feet, broken by ripples and fainter where the ground is seen more steeply."""
    frame = figure.frame
    _, foot = figure.at(0.0, 0.0)
    first = int(np.ceil(frame.rows(foot + 0.004)))
    y = frame.y[first:, 0]
    swing = np.interp(np.mod(y * 260, 256), np.arange(256), rng.normal(0, 1, 256)).astype(np.float32)
    source = frame.rows(2 * foot - y + 0.004 * swing)
    row = np.clip(np.floor(source - 0.5).astype(int), 0, frame.height - 2)
    part = np.clip(source - 0.5 - row, 0, 1).astype(np.float32)[:, None]
    shift = np.round(0.003 * swing * frame.height).astype(int)
    column = np.clip(np.arange(frame.width)[None] + shift[:, None], 0, frame.width - 1)
    fade = (0.55 * np.exp(-(y - foot) / 0.25) * (source >= 0)).astype(np.float32)[:, None]
    for plane in (*figure.planes, figure.cover):
        plane[first:] += fade * ((1 - part) * plane[row[:, None], column] + part * plane[row[:, None] + 1, column])


def _umbrella(figure: _Figure, colour: np.ndarray) -> None:
    """A dome of eight gores, lit from above left."""
    angles = np.linspace(0, np.pi, 9)
    for i in range(8):
        a0, a1 = angles[i], angles[i + 1]
        rim = [(0.12 + 0.60 * np.cos(a), 1.84 + (0.03 if j else 0.0)) for j, a in enumerate((a0, a1))]
        top = [(0.12 + 0.60 * np.cos(a) * 0.72, 1.84 + 0.29 * (1 - 0.25 * abs(np.cos(a)))) for a in (a1, a0)]
        shade = 0.45 + 0.5 * (i / 7) + (0.08 if i % 2 else 0)
        figure.shape([rim[0], rim[1], *top], colour * shade)
        figure.shape([*top[::-1], (0.13, 2.16)], colour * shade * 1.12)
