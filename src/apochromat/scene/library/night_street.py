"""A street after rain: sodium and LED lamps, neon, shop windows, wet ground, a tree, and somebody walking across.

Lamps have intensities of street lamps and the surfaces get what follows from distance and angle: lamp heads of 1e3 to 1e5 cd/m^2
stand beside corners of a few mcd/m^2. The whole is scaled so that the notice under the LED lamp gets the illuminance asked for.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np

from apochromat.light.scene import Layer, Unpainted
from apochromat.scene.canvas import Frame, disc, is_empty, lay, rectangle
from apochromat.scene.facade import houses, shop_lamps
from apochromat.scene.kind import Painting, SceneKind
from apochromat.scene.lettering import placed
from apochromat.scene.lights import Lamp, Paints
from apochromat.scene.street import FOCAL, LEFT, RIGHT, Street, project, render
from apochromat.scene.tree import grow, tree_cover
from apochromat.scene.walker import AWAY, walker

LUX = 3.0
STANDS = 15.0  # m, where the lens sees the street
STRIP = 96  # rows painted at once
DIM = 1 / LUX  # lx, and cd/m^2 times pi, to units of the reference plane's white
NOTICE = (2.86, 1.05, 5.2)  # lower left corner, m
NOTICE_SIZE = (0.42, 0.60)
PAPER = 0.85


def _street(rng: np.random.Generator, paints: Paints) -> Street:
    left, right = houses(rng, paints, np.pi * DIM), houses(rng, paints, np.pi * DIM)
    lamps = [Lamp("sodium", (-3.0, 6.4, z), 75.0, post=True) for z in (11.5, 31.0, 51.0, 71.0)]
    lamps += [Lamp("led", (3.6, 6.2, z), 95.0, post=True) for z in (20.0, 41.0, 62.0)]
    lamps += [Lamp("neon", (4.6, 4.4, 11.2), 5.0, down=False), Lamp("led", (-4.0, 3.6, 14.5), 2.5, down=False)]
    lamps += shop_lamps(left, LEFT + 0.7, np.pi * DIM) + shop_lamps(right, RIGHT - 0.7, np.pi * DIM)
    tables = rng.uniform(-1, 1, (3, 256, 256)).astype(np.float32)
    return Street(paints, left, right, tuple(lamps), tables, DIM, int(rng.integers(2**31)))


def _box(frame: Frame, planes: np.ndarray, low: tuple[float, float, float], size: tuple[float, float], colour: np.ndarray) -> None:
    """An upright rectangle facing the camera, lower left corner and size in metres."""
    x0, y1 = project(low)
    x1, y0 = project((low[0] + size[0], low[1] + size[1], low[2]))
    box = frame.box(x0, y0, x1, y1)
    if not is_empty(box):
        lay(planes, box, rectangle(frame, box, x0, y0, x1, y1), colour)


def _streak(frame: Frame, planes: np.ndarray, place: tuple[float, float, float], colour: np.ndarray, rng: np.random.Generator) -> None:
    """Image of a lamp in the wet ground: drawn out towards the camera and broken by ripples."""
    x, y = project((place[0], -place[1], place[2]))
    wide, long = 0.028 * FOCAL * 9 / (place[2] + 6), 0.16 * (1 + 3 / place[2])
    box = frame.box(x - 4 * wide, y - 3.5 * long, x + 4 * wide, y + 3.5 * long)
    top = int(np.ceil(frame.rows(0.6)))
    box = (slice(min(max(box[0].start, top), frame.height), box[0].stop), box[1])
    if is_empty(box):
        return
    at_x, at_y = frame.at(box)
    wobble = rng.normal(0, 0.35, 64)
    ripple = np.interp(np.mod(at_y * 40, 64), np.arange(64), wobble)
    fall = np.exp(-0.5 * ((at_x - x) / wide + ripple) ** 2 - np.abs(at_y - y) / long * 1.6) * (0.8 + 0.5 * np.sin(ripple * 9))
    for plane, weight in zip(planes, colour, strict=True):
        plane[box] += (fall * weight).astype(np.float32)


def _halo(frame: Frame, planes: np.ndarray, x: float, y: float, size: float, colour: np.ndarray) -> None:
    """Light scattered by damp air around a lamp: falls with the inverse square of the angle."""
    box = frame.box(x - 12 * size, y - 12 * size, x + 12 * size, y + 12 * size)
    at_x, at_y = frame.at(box)
    square = ((at_x - x) ** 2 + (at_y - y) ** 2) / size**2
    glow = np.maximum(1 / (1 + square) - 1 / 145, 0)
    for plane, weight in zip(planes, colour, strict=True):
        if weight:
            plane[box] += (glow * weight).astype(np.float32)


def _lamps(frame: Frame, planes: np.ndarray, street: Street, rng: np.random.Generator) -> None:
    dark = street.paints.glow("led", (0.006, 0.006, 0.007))
    for lamp in sorted((lamp for lamp in street.lamps if lamp.post), key=lambda lamp: -lamp.place[2]):
        x, y, z = lamp.place
        glow = street.paints.glow(lamp.kind) * DIM
        outer = x - 0.9 if x < 0 else x + 0.9
        _box(frame, planes, (outer - 0.06, 0.0, z), (0.12, y + 0.2), dark)
        _box(frame, planes, (min(x, outer), y + 0.12, z), (0.9, 0.07), dark)
        _box(frame, planes, (x - 0.34, y + 0.02, z), (0.68, 0.13), dark)
        _box(frame, planes, (x - 0.28, y - 0.07, z), (0.56, 0.10), glow * np.pi * 9000)
        px, py = project(lamp.place)
        _halo(frame, planes, px, py, 0.16 / z, glow * 7)
        _streak(frame, planes, lamp.place, glow * 7 * min(1.0, 18 / z), rng)


def _cars(frame: Frame, planes: np.ndarray, paints: Paints, rng: np.random.Generator) -> None:
    """Headlights and tail lights far down the street."""
    for x, z, colour, strength in (
        (-1.9, 44.0, (1, 1, 1), 9000.0),
        (1.6, 36.0, (1, 0.03, 0.02), 900.0),
        (1.7, 58.0, (1, 0.03, 0.02), 700.0),
    ):
        glow = paints.glow("led", colour) * DIM * np.pi
        for side in (-0.6, 0.6):
            px, py = project((x + side, 0.7, z))
            radius = 0.1 * FOCAL / z
            box = frame.box(px - radius, py - radius, px + radius, py + radius)
            lay(planes, box, disc(frame, box, px, py, radius), glow * strength)
            _halo(frame, planes, px, py, 0.2 / z, glow * strength * 0.0008)
            _streak(frame, planes, (x + side, 0.7, z), glow * strength * 0.0005, rng)


def _neon(frame: Frame, planes: np.ndarray, paints: Paints, rng: np.random.Generator) -> None:
    """Two signs that face the camera: tubes on dark boards, with their glow."""
    tubes = (
        (("H\nO\nT\nE\nL"), (4.7, 3.2, 11.0), (0.85, 3.3), paints.glow("neon")),
        ("BAR", (-5.3, 3.1, 14.0), (1.6, 0.9), paints.glow("led", (0.05, 0.9, 0.85))),
    )
    for text, low, size, colour in tubes:
        _box(frame, planes, low, size, paints.glow("led", (0.01, 0.01, 0.012)))
        x0, y1 = project(low)
        x1, y0 = project((low[0] + size[0], low[1] + size[1], low[2]))
        pad = 0.1 * (x1 - x0)
        for share in range(5):
            _halo(frame, planes, (x0 + x1) / 2, y0 + (y1 - y0) * (share + 0.5) / 5, 0.03, colour * DIM * np.pi * 0.04)
        cells, mask = placed(frame, text, (x0 + pad, y0 + pad, x1 - pad, y1 - pad), stroke=0.05)
        lay(planes, cells, mask, colour * DIM * np.pi * 500)
        for share in range(3):
            _streak(frame, planes, (low[0] + size[0] / 2, low[1] + size[1] * share / 2, low[2]), colour * 1.1 * DIM * np.pi, rng)


def _notice(frame: Frame, planes: np.ndarray, paints: Paints) -> None:
    """The reference plane: a white timetable on a post, facing the camera, lit by the LED lamp alone."""
    x, y, z = NOTICE
    dark, white = paints.glow("led", (0.02, 0.02, 0.022)), paints.glow("led", (PAPER, PAPER, PAPER))
    _box(frame, planes, (x + 0.17, 0.0, z), (0.07, 2.0), dark)
    _box(frame, planes, (x - 0.03, y - 0.03, z), (NOTICE_SIZE[0] + 0.06, NOTICE_SIZE[1] + 0.34), dark)
    _box(frame, planes, NOTICE, NOTICE_SIZE, white)
    left, top = project((x, y + NOTICE_SIZE[1], z))
    right, head = project((x + NOTICE_SIZE[0], y + NOTICE_SIZE[1] + 0.28, z))
    cells, mask = placed(frame, "N 17", (left, head + 0.006, right, top - 0.006))
    lay(planes, cells, mask, white)
    lines = "06  12 32 52\n07  02 12 22 42\n08  02 12 32 52\n12  12 32 52\n18  02 22 42\n23  12 52"
    _, low = project((x, y + 0.30, z))
    cells, mask = placed(frame, lines, (left + 0.004, top + 0.008, right - 0.004, low))
    lay(planes, cells, mask, dark)


def _tree(frame: Frame, planes: np.ndarray, street: Street, rng: np.random.Generator) -> None:
    """A bare tree on the left pavement, its twigs lit by the sodium lamp behind it."""
    root = project((-3.9, 0.0, 8.2))
    pieces = grow(rng, root, -1.5, 0.62, 0.017, levels=4, spread=0.75, lift=-0.3, thinnest=5e-4)
    cover = tree_cover(frame, pieces) * (frame.y < root[1])
    lamp_x, lamp_y = project((-3.0, 6.4, 11.5))
    near = np.exp(-np.hypot(frame.x - lamp_x, frame.y - lamp_y) / 0.22).astype(np.float32)
    for plane, bark, light in zip(planes, street.paints.glow("led", (0.01, 0.009, 0.008)), street.paints.glow("sodium"), strict=True):
        plane += cover * (bark + light * (0.01 + 0.10 * near) - plane)


def _still(frame: Frame, paints: Paints, numbers: tuple[np.random.Generator, ...]) -> Layer:
    """All that stands: street, cars, signs, lamps, tree, notice."""
    of_street, of_lamps, of_tree = numbers
    street = _street(of_street, paints)
    planes = np.empty((8, frame.height, frame.width), np.float32)
    strips = [slice(top, min(top + STRIP, frame.height)) for top in range(0, frame.height, STRIP)]

    def render_into(rows: slice) -> None:
        planes[:, rows] = render(street, frame, rows)

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(render_into, strips))
    _cars(frame, planes, paints, of_lamps)
    _neon(frame, planes, paints, of_lamps)
    _lamps(frame, planes, street, of_lamps)
    _tree(frame, planes, street, of_tree)
    _notice(frame, planes, paints)
    np.maximum(planes, 0, out=planes)  # rounding beside the lamps
    return Layer(planes, STANDS)


def _paint(frame: Frame, light: np.ndarray, rng: np.random.Generator) -> Painting:
    paints = Paints(light)
    *numbers, of_walker = rng.spawn(4)
    shape = frame.height, frame.width
    layers = (
        Unpainted(shape, STANDS, lambda: _still(frame, paints, tuple(deepcopy(numbers)))),
        Unpainted(shape, AWAY, lambda: walker(frame, paints, deepcopy(of_walker)), moves=True),
    )
    note = "white LED and 2700 K light carry three colour parts; under sodium and neon a surface keeps its lightness alone"
    return Painting(paints.palette, layers, (note,))


SCENE = SceneKind(
    "night-street",
    "a wet street at night with lamps, neon, signs and somebody walking: dynamic range, noise, mixed light",
    LUX,
    "LED-B3",
    "the white notice on the post, facing the camera under the LED lamp",
    _paint,
)
