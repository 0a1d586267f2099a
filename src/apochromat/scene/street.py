"""A street in one-point perspective, cell by cell: two rows of houses, sky, wet ground that mirrors them. Lengths in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.scene.canvas import Frame
from apochromat.scene.facade import FAR, Houses, band, front
from apochromat.scene.lights import Lamp, Paints, shine
from apochromat.scene.texture import faded, fractal, surface_noise

EYE = 1.55  # of the camera above the ground
FOCAL = 0.95  # picture heights: 25 mm equivalent at 4:3
HORIZON = 0.57
VANISH = -0.06
LEFT, RIGHT = -5.6, 6.4  # the house fronts
KERBS = (-3.3, 4.0)


@dataclass(frozen=True)
class Street:
    """What stands in the street. dim: turns lx and cd/m^2 * pi into the scene's units; tables: noise lattices (n, 256, 256)."""

    paints: Paints
    left: Houses
    right: Houses
    lamps: tuple[Lamp, ...]
    tables: np.ndarray
    dim: float
    seed: int


def project(place: tuple[float, float, float]) -> tuple[float, float]:
    """Picture coordinates of a point (x right, y up from the ground, z away)."""
    x, y, z = place
    return VANISH + FOCAL * x / z, HORIZON - FOCAL * (y - EYE) / z


def render(street: Street, frame: Frame, rows: slice) -> np.ndarray:
    """Planes (8, h, W) of a strip of rows."""
    y = frame.y[rows]
    planes = _upright(street, frame, frame.x, HORIZON - y, EYE, 1.0, _cloud(street, frame, rows))
    if rows.stop > frame.rows(HORIZON):
        _add_ground(street, frame, y, planes)
    return planes


def _sky(street: Street, rise: np.ndarray, width: int) -> np.ndarray:
    """Town glow on low cloud: sodium and LED, brighter towards the horizon; 0.01 to 0.06 cd/m^2."""
    glow = (0.012 + 0.05 * np.exp(-np.abs(rise) / 0.16)).astype(np.float32) * np.float32(np.pi * street.dim)
    planes = np.zeros((8, len(rise), width), np.float32)
    for plane, share in ((0, 0.30), (1, 0.40), (2, 0.75), (6, 0.35)):
        planes[plane] = glow * np.float32(share)
    return planes


def _cloud(street: Street, frame: Frame, rows: slice) -> np.ndarray:
    """Relative brightness (h, W) of the low cloud."""
    box = (rows, slice(0, frame.width))
    return 1 + np.float32(0.4) * fractal(np.random.default_rng(street.seed), frame, box, 2.2, 6, stretch=2.0)


def _upright(
    street: Street, frame: Frame, x: np.ndarray, rise: np.ndarray, eye: float, blur: float, cloud: np.ndarray | None
) -> np.ndarray:
    """House fronts, the street's end and sky seen along rays that rise by `rise` (h, 1) or (h, w); eye < 0: from the mirrored camera."""
    width = x.shape[1]
    planes = _sky(street, rise, width)
    if cloud is not None:
        planes *= cloud
    split = int(np.clip(np.searchsorted(x[0], VANISH), 1, width - 1))
    for part, wall, row in ((slice(0, split), LEFT, street.left), (slice(split, width), RIGHT, street.right)):
        across = x[:, part] - np.float32(VANISH)
        away = np.abs(FOCAL * wall / np.where(np.abs(across) < 1e-4, 1e-4, across))
        end = away[0] > FAR
        away = np.minimum(away, FAR).astype(np.float32)
        mine = rise if rise.shape[1] == 1 else rise[:, part]
        up = (eye + mine / FOCAL * away).astype(np.float32)
        d_away = away**2 / (FOCAL * abs(wall) * frame.height)
        d_up = (away / (FOCAL * frame.height) + np.abs(mine) / FOCAL * d_away) * blur
        lit = shine(list(street.lamps), (wall, up, away), (-np.sign(wall), 0, 0))
        lit = {kind: (e + np.float32(0.03)) * np.float32(street.dim) for kind, e in lit.items()}
        colour, cover = front(row, street.paints, away, up, (d_away, d_up), lit, wall > 0, blur == 1)
        colour[:, :, end] *= 0.12
        haze = (1 - np.exp(-away / 160)).astype(np.float32)
        cover = cover * (1 - haze)
        planes[:, :, part] += cover * (colour - planes[:, :, part])
    return planes


def _add_ground(street: Street, frame: Frame, y: np.ndarray, planes: np.ndarray) -> None:
    drop = np.maximum(y - HORIZON, 0.25 / frame.height)
    away = (FOCAL * EYE / drop).astype(np.float32)
    x = ((frame.x - VANISH) * away / FOCAL).astype(np.float32)
    inside = (band(x, LEFT, RIGHT, away / (FOCAL * frame.height)) * (y > HORIZON) * (away < FAR)).astype(np.float32)
    lit = shine(list(street.lamps), (x, 0.0, away), (0, 1, 0))
    lit = {kind: (e + np.float32(0.06)) * np.float32(street.dim) for kind, e in lit.items()}
    step = away**2 / (FOCAL * EYE * frame.height)
    grey, wet, slope = _pavement(street, frame, x, away, step)
    ground = street.paints.lit(grey, lit)
    mirrored = _upright(street, frame, frame.x + slope * np.float32(0.25), drop * (1 + 2.2 * slope) + 0.6 * slope, -EYE, 5.0, None)
    cosine = np.clip(drop / np.sqrt(FOCAL**2 + drop**2) + 0.02, 0, 1)
    fresnel = (0.02 + 0.98 * (1 - cosine) ** 5).astype(np.float32)
    ground = ground * (1 - fresnel * wet) + mirrored * (fresnel * wet)
    planes += inside * (ground - planes)


def _pavement(street: Street, frame: Frame, x: np.ndarray, z: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reflectance (3, h, w) of the ground, how wet it is (h, w), and the slope of the water (h, w)."""
    a, b, c = street.tables[:3]
    side = z / (FOCAL * frame.height)
    patch = surface_noise(a, x * 0.55, z * 0.4) + 0.5 * surface_noise(b, x * 1.7 + 9, z * 1.3)
    grit = faded(step, 0.06) * surface_noise(c, x / 0.03, z / 0.03) + faded(step, 0.02) * surface_noise(b, x / 0.011, z / 0.011)
    walk = 1 - band(x, KERBS[0], KERBS[1], side)
    kerb = band(x, KERBS[0] - 0.18, KERBS[0], side) + band(x, KERBS[1], KERBS[1] + 0.18, side)
    slab = np.maximum(band(np.mod(x, 0.6), 0, 0.02, side), band(np.mod(z, 0.6), 0, 0.02, step)) * walk
    grey = 0.055 + 0.075 * walk + 0.10 * kerb - 0.09 * slab + 0.012 * patch
    zebra = band(z, 7.4, 10.2, step) * band(np.mod(x + 0.2, 1.0), 0, 0.5, side) * band(x, KERBS[0] + 0.3, KERBS[1] - 0.3, side)
    worn = np.clip(0.85 + 0.35 * patch, 0.3, 1)
    line = band(np.mod(z, 6.0), 0, 3.0, step) * band(x, 0.28, 0.42, side) * (z > 12)
    grey = grey + (0.40 - grey) * np.maximum(zebra, line) * worn
    grey = np.clip(grey * (1 + 0.3 * grit), 0.012, 0.6).astype(np.float32)
    wet = np.clip(0.55 + 0.9 * patch, 0.16, 1).astype(np.float32) * np.float32(0.95)
    ripple = surface_noise(b, x / 0.35, z / 0.5) + faded(step, 0.25) * surface_noise(c, x / 0.09, z / 0.12)
    slope = (0.018 * ripple * (1.15 - wet)).astype(np.float32)
    return grey * np.array([1.02, 1.0, 0.96], np.float32)[:, None, None], wet, slope
