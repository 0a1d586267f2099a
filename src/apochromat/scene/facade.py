"""House fronts along a street as functions of place: storeys, lit windows, shops with goods, signs. Lengths in metres.

Edges are means over the footprint of a picture cell along and up the wall, so the same function draws the sharp picture and, with a
larger footprint, its blurred reflection on wet ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.scene.lettering import word
from apochromat.scene.lights import Lamp, Paints
from apochromat.scene.texture import faded, noise_table, surface_noise

STOREY = 3.3
SHOP = 3.4  # height of the ground floor
FAR = 95.0  # where the street ends
NAMES = ("BOOKS", "CAFE", "TAILOR", "RAMEN", "OPTIK", "FLOWERS", "RECORDS", "BAKERY", "PHOTO", "GROCER", "WATCHES", "TEA HOUSE")


def band(at: np.ndarray, low: float | np.ndarray, high: float | np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """Share of the footprint around `at` that lies between low and high: exact mean of a stripe."""
    return np.clip((np.minimum(at + footprint / 2, high) - np.maximum(at - footprint / 2, low)) / footprint, 0, 1)


@dataclass(frozen=True)
class Houses:
    """One side of the street, house by house; arrays are indexed by house, then storey, then window."""

    ends: np.ndarray  # (n,) where each house ends along the street
    heights: np.ndarray  # (n,)
    colours: np.ndarray  # (n, 3) reflectance of the wall
    pitch: np.ndarray  # (n,) between windows
    glow: np.ndarray  # (n, 8, 16, 8) planes of each window's light
    shop: np.ndarray  # (n, 8) planes of the shop's light
    sign: np.ndarray  # (n, 8) planes of the sign's light
    goods: np.ndarray  # (64, 64, 3) colours behind the shop windows
    names: tuple[np.ndarray, ...]  # covers of the shops' names
    grain: np.ndarray  # noise lattice of the plaster


def houses(rng: np.random.Generator, paints: Paints, dim: float) -> Houses:
    """A row of houses from random numbers; `dim` turns cd/m^2 into the scene's units."""
    ends = np.cumsum(rng.uniform(6.5, 11.0, 18)) + 2.0
    n = len(ends)
    walls = np.array([(0.30, 0.25, 0.20), (0.28, 0.15, 0.10), (0.22, 0.23, 0.25), (0.40, 0.36, 0.30), (0.33, 0.22, 0.16)], np.float32)
    glow = np.zeros((n, 8, 16, 8), np.float32)
    lit = rng.random(glow.shape[:3])
    for at in np.argwhere(lit < 0.34):
        kind = "tungsten" if rng.random() < 0.75 else "led"
        tint = rng.uniform((0.85, 0.65, 0.35), (1.0, 0.95, 0.9)) if kind == "tungsten" else rng.uniform((0.5, 0.7, 0.8), (0.8, 0.95, 1.0))
        glow[tuple(at)] = paints.glow(kind, tuple(tint)) * dim * np.exp(rng.uniform(np.log(0.4), np.log(7)))
    shop, sign = np.zeros((n, 8), np.float32), np.zeros((n, 8), np.float32)
    tints = ((1.0, 0.2, 0.12), (0.15, 0.8, 0.75), (1.0, 0.75, 0.25), (0.25, 0.45, 1.0), (0.9, 0.95, 1.0), (0.3, 0.9, 0.35))
    for i in range(n):
        open_now = rng.random() < 0.8 or i in (1, 2)
        shop[i] = paints.glow("tungsten" if rng.random() < 0.65 else "led") * dim * (rng.uniform(5, 16) if open_now else 0.05)
        sign[i] = paints.glow("led", tints[rng.integers(len(tints))]) * dim * (rng.uniform(4, 10) if open_now else 0.08)
    hue = rng.beta(0.9, 1.5, (64, 64, 3)) * 0.6 + rng.beta(1.2, 2.0, (64, 64, 1)) * np.array([0.5, 0.38, 0.25])
    goods = np.clip(hue * rng.uniform(0.15, 0.9, (64, 64, 1)), 0.01, 0.9).astype(np.float32)
    names = tuple(word(NAMES[i], 48) for i in rng.permutation(len(NAMES)))
    return Houses(
        ends,
        rng.uniform(8.5, 17.5, n),
        walls[rng.integers(0, 5, n)],
        rng.uniform(1.7, 2.6, n),
        glow,
        shop,
        sign,
        goods,
        names,
        noise_table(rng),
    )


def shop_lamps(row: Houses, x: float, dim: float) -> list[Lamp]:
    """The light that the nearer shops throw on the street, as a small lamp before each."""
    found, start = [], 2.0
    for end, planes in zip(row.ends[:6], row.shop, strict=False):
        kind = "tungsten" if planes[3:6].sum() > planes[:3].sum() else "led"
        found.append(Lamp(kind, (x, 1.8, (start + end) / 2), float(planes.max() / dim) * 1.1))
        start = end
    return found


def front(
    row: Houses,
    paints: Paints,
    along: np.ndarray,
    up: np.ndarray,
    step: tuple[np.ndarray, np.ndarray],
    shine: dict,
    flip: bool,
    sharp: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Planes (8, h, w) of the wall at (along, up), and how much of the cell lies below its roof (h, w).

    along (1, w) or (h, w) and up (h, w): metres; step: footprints along and up; shine: illuminance by kind; flip: names run towards the
    viewer; sharp: names can be read.
    """
    house = np.clip(np.searchsorted(row.ends, along), 0, len(row.ends) - 1)
    starts = np.concatenate([[0.0], row.ends])[house]
    d_along, d_up = step
    inside, width = (along - starts).astype(np.float32), (row.ends[house] - starts).astype(np.float32)
    rgb = np.moveaxis(row.colours[house], -1, 0) * (1 - 0.7 * band(inside, -1, 0.16, d_along)) * np.ones_like(up)
    cornice = band(np.mod(up - SHOP, STOREY), 0.0, 0.14, d_up)
    rgb = (rgb * (1 + 0.5 * cornice)).astype(np.float32)
    if sharp:
        rgb *= _plaster(row.grain, along, up, d_along)
    planes = paints.lit(rgb, shine)
    _windows(row, planes, house, inside, up, (d_along, d_up), width)
    _shops(row, planes, house, inside, up, (d_along, d_up), width)
    _names(row, planes, house, inside, up, (d_along, d_up), width, flip, sharp)
    return planes, np.clip((row.heights[house] - up) / d_up + 0.5, 0, 1).astype(np.float32)


def _plaster(grain: np.ndarray, along: np.ndarray, up: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Stains that run down the wall, roughness, and courses of brick where a cell is small enough."""
    stain = 0.22 * surface_noise(grain, along / 0.9, up / 3.1) + 0.16 * surface_noise(grain, along / 0.23 + 40, up / 0.6)
    rough = faded(step, 0.07) * 0.16 * surface_noise(grain, along / 0.06, up / 0.06)
    course = np.floor(up / 0.085)
    brick = surface_noise(grain, np.floor(along / 0.25 + 0.5 * np.mod(course, 2)) + 0.5, course + 0.5)
    return (1 + stain + rough + faded(step, 0.2) * 0.35 * brick).astype(np.float32)


def _over(planes: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    planes *= 1 - cover
    planes += cover * colour


def _windows(
    row: Houses, planes: np.ndarray, house: np.ndarray, inside: np.ndarray, up: np.ndarray, step: tuple, width: np.ndarray
) -> None:
    pitch = row.pitch[house].astype(np.float32)
    place = np.mod(inside, pitch)
    column = np.clip(inside // pitch, 0, 15).astype(int)
    storey = np.clip((up - SHOP) // STOREY, 0, 7).astype(int)
    height = np.mod(up - SHOP, STOREY)
    half = 0.24 * pitch
    across = band(place, pitch / 2 - half, pitch / 2 + half, step[0]) * (inside < width - 0.6)
    pane = across * band(height, 0.9, 2.65, step[1]) * (up > SHOP) * (up < row.heights[house] - 0.8)
    bars = np.maximum(band(place, pitch / 2 - 0.035, pitch / 2 + 0.035, step[0]), band(height, 1.95, 2.02, step[1]))
    curtain = 0.35 + 0.65 * band(place, pitch / 2 - half * 0.62, pitch / 2 + half * 0.62, step[0])
    shade = ((1 - 0.85 * bars) * curtain * (0.6 + 0.4 * np.clip((height - 0.9) / 1.7, 0, 1))).astype(np.float32)
    light = np.moveaxis(row.glow[np.broadcast_to(house, up.shape), storey, np.broadcast_to(column, up.shape)], -1, 0)
    _over(planes, pane.astype(np.float32), light * shade)


def _shops(row: Houses, planes: np.ndarray, house: np.ndarray, inside: np.ndarray, up: np.ndarray, step: tuple, width: np.ndarray) -> None:
    pane = band(inside, 0.45, width - 0.45, step[0]) * band(up, 0.55, 2.65, step[1])
    frames = band(np.mod(inside, 1.55), 0, 0.07, step[0])
    cell_u, cell_v = (inside / 0.26).astype(int), (up / 0.42).astype(int)
    goods = row.goods[(cell_v + 7 * house) % 64, (cell_u + 13 * house) % 64]
    gap = band(np.mod(inside, 0.26), 0.01, 0.12 + 0.13 * goods[..., 1], step[0]) * band(
        np.mod(up, 0.42), 0.03, 0.30 + 0.1 * goods[..., 0], step[1]
    )
    shelf = (gap * (0.75 - 0.2 * np.clip((up - 0.5) / 2, 0, 1)))[None] * np.moveaxis(goods, -1, 0) * (up < 1.9)
    back = 0.10 + 0.42 * np.clip((up - 1.2) / 1.5, 0, 1)
    rgb = np.where(up < 1.9, shelf + 0.04, back) * (1 - 0.9 * frames)
    strip = band(up, 2.42, 2.52, step[1]) * band(np.mod(inside, 1.55), 0.35, 1.25, step[0])
    rgb = rgb + 9 * strip
    light = np.moveaxis(row.shop[house], -1, 0)
    tint = np.concatenate([rgb, rgb, rgb[1:2], rgb[0:1]]).astype(np.float32)
    _over(planes, pane.astype(np.float32), light * tint)


def _names(
    row: Houses,
    planes: np.ndarray,
    house: np.ndarray,
    inside: np.ndarray,
    up: np.ndarray,
    step: tuple,
    width: np.ndarray,
    flip: bool,
    sharp: bool,
) -> None:
    """The lit board over each shop with its name."""
    board = band(up, 2.72, 3.32, step[1]) * band(inside, 0.4, width - 0.4, step[0])
    rows, columns = np.nonzero(board)
    if not len(rows):
        return
    houses, runs, widths = (np.broadcast_to(v, up.shape)[rows, columns] for v in (house, inside, width))
    for i in np.unique(houses):
        mask = row.names[i % len(row.names)]
        mine = houses == i
        r, c = rows[mine], columns[mine]
        run = runs[mine] / widths[mine]
        length = mask.shape[1] * 0.42 / mask.shape[0]
        u = ((0.5 - run) if flip else (run - 0.5)) * widths[mine] / length + 0.5
        v = (3.23 - up[r, c]) / 0.42
        ink = sample(mask, u * mask.shape[1], v * mask.shape[0])
        light = row.sign[i][:, None]
        share = board[r, c]
        planes[:, r, c] = (1 - share) * planes[:, r, c] + share * light * (0.10 + 1.5 * (ink if sharp else 0.2))


def sample(mask: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of a cover at pixel coordinates (0 = upper left edge), 0 outside."""
    padded = np.pad(mask, 1)
    x, y = np.clip(x + 0.5, 0, mask.shape[1] + 0.999), np.clip(y + 0.5, 0, mask.shape[0] + 0.999)
    i, j = x.astype(int), y.astype(int)
    u, v = x - i, y - j
    i1, j1 = np.minimum(i + 1, mask.shape[1] + 1), np.minimum(j + 1, mask.shape[0] + 1)
    top = padded[j, i] * (1 - u) + padded[j, i1] * u
    return top * (1 - v) + (padded[j1, i] * (1 - u) + padded[j1, i1] * u) * v
