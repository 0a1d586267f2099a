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
BLUR = 5.0  # how much longer a cell's footprint up a wall is in the image on wet ground
COARSE = 4  # cells that share a lamp's strength in that image
MARGIN = 0.004  # of a wall's distance: what edges and ripples need beyond a bound


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
    planes = _sky(street, HORIZON - y, frame.width) * _cloud(street, frame, rows)
    below = max(float(y[0, 0]) - HORIZON, 0.0)
    _fronts(street, frame, _View(frame.x, HORIZON - y, EYE, below / EYE - MARGIN, np.inf), planes)
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


@dataclass(frozen=True)
class _View:
    """Rays of a strip: columns x (1, w) or (h, w), rise over the horizon (h, 1) or (h, w), from a camera at `eye` m (< 0: mirrored).

    Only walls seen more than `inner` and less than `outer` times their distance across from the vanishing point are worked out.
    """

    x: np.ndarray
    rise: np.ndarray
    eye: float
    inner: float
    outer: float

    @property
    def sharp(self) -> bool:
        """Whether this is what is seen, not its blurred image in the ground."""
        return self.eye > 0


def _fronts(street: Street, frame: Frame, view: _View, planes: np.ndarray) -> None:
    """Lay both rows of houses over the sky in planes (8, h, W)."""
    for wall, row in ((LEFT, street.left), (RIGHT, street.right)):
        aside = np.sign(wall) * (frame.x[0] - VANISH)
        columns = np.flatnonzero((aside >= max(view.inner * abs(wall), 0)) & (aside < view.outer * abs(wall)))
        if len(columns):
            _front(street, frame, view, slice(columns[0], columns[-1] + 1), wall, row, planes)


def _front(street: Street, frame: Frame, view: _View, part: slice, wall: float, row: Houses, planes: np.ndarray) -> None:
    aside = np.maximum(np.sign(wall) * (view.x[:, part] - np.float32(VANISH)), np.float32(1e-4))
    reach = np.float32(FOCAL * abs(wall)) / aside
    away = np.minimum(reach, np.float32(FAR))
    rise = view.rise if view.rise.shape[1] == 1 else view.rise[:, part]
    up = (view.eye + rise / FOCAL * away).astype(np.float32)
    d_away = away**2 / np.float32(FOCAL * abs(wall) * frame.height)
    d_up = away / (FOCAL * frame.height) + np.abs(rise) / FOCAL * d_away
    thin = 1 if view.sharp else COARSE
    coarse = tuple(p[:: min(thin, len(p)), ::thin] for p in (up, away))
    lit = shine(list(street.lamps), (wall, *coarse), (-np.sign(wall), 0, 0))
    lit = {kind: _refined((e + np.float32(0.03)) * np.float32(street.dim), thin, up.shape) for kind, e in lit.items()}
    step = (d_away, d_up if view.sharp else d_up * BLUR)
    colour, cover = front(row, street.paints, away, up, step, lit, wall > 0, view.sharp)
    colour *= np.where(reach > FAR, np.float32(0.12), np.float32(1))
    cover = cover * np.exp(-away / np.float32(160))  # haze
    planes[:, :, part] += cover * (colour - planes[:, :, part])


def _refined(light: np.ndarray, thin: int, shape: tuple[int, ...]) -> np.ndarray:
    """Every value repeated `thin` times each way, cut to a shape."""
    if thin == 1:
        return light
    return np.repeat(np.repeat(light, thin, axis=0), thin, axis=1)[: shape[0], : shape[1]]


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
    rise = drop * (1 + 2.2 * slope) + 0.6 * slope
    mirrored = _sky(street, rise, frame.width)
    outer = (float(drop[-1, 0]) + 0.02) / EYE + MARGIN
    _fronts(street, frame, _View(frame.x + slope * np.float32(0.25), rise, -EYE, 0.0, outer), mirrored)
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
