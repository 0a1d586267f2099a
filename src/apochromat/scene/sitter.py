"""The near layer of the portrait: somebody in profile, head and shoulders, with fine strands of hair. Lengths in picture heights."""

from __future__ import annotations

import numpy as np
from PIL import Image

from apochromat.light.scene import Layer
from apochromat.scene.canvas import Box, Frame, capsule, curve, is_empty, polygon, polygon_in, smoothstep
from apochromat.scene.strokes import strokes
from apochromat.scene.texture import fractal

AWAY = 1.2  # m
KEY = np.array([0.62, -0.42, 0.66])  # towards the key light: right, up (y runs down), nearer
RIM = np.array([-0.93, -0.25, -0.10])
LATTICE = 512  # rows on which shading is worked out at any size of picture

FACE = [
    (-0.16, 0.150), (-0.105, 0.163), (-0.055, 0.188), (-0.022, 0.226), (-0.009, 0.268), (-0.005, 0.298), (-0.012, 0.318), (0.002, 0.340),
    (0.018, 0.366), (0.033, 0.387), (0.033, 0.398), (0.019, 0.407), (0.004, 0.411), (0.004, 0.421), (0.013, 0.432), (0.012, 0.441),
    (0.001, 0.445), (0.010, 0.451), (0.011, 0.462), (-0.003, 0.473), (-0.004, 0.484), (0.003, 0.500), (-0.004, 0.520), (-0.026, 0.533),
    (-0.066, 0.535), (-0.105, 0.552), (-0.112, 0.600), (-0.104, 0.690), (-0.12, 0.80), (-0.34, 0.80), (-0.29, 0.60), (-0.30, 0.30),
]  # fmt: skip
HAIR = [
    (-0.052, 0.187), (-0.082, 0.158), (-0.135, 0.128), (-0.205, 0.117), (-0.275, 0.138), (-0.330, 0.195), (-0.355, 0.275), (-0.358, 0.36),
    (-0.352, 0.45), (-0.355, 0.55), (-0.362, 0.65), (-0.345, 0.73), (-0.285, 0.755), (-0.225, 0.725), (-0.195, 0.64), (-0.185, 0.56),
    (-0.172, 0.48), (-0.150, 0.42), (-0.128, 0.36), (-0.112, 0.30), (-0.088, 0.245), (-0.066, 0.212),
]  # fmt: skip
COAT = [
    (-0.62, 1.04), (-0.585, 0.93), (-0.52, 0.845), (-0.42, 0.785), (-0.32, 0.735), (-0.20, 0.72), (-0.08, 0.735), (0.00, 0.775),
    (0.085, 0.835), (0.145, 0.91), (0.175, 1.04),
]  # fmt: skip
SCARF = [
    (-0.315, 0.665), (-0.27, 0.625), (-0.19, 0.622), (-0.115, 0.632), (-0.085, 0.655), (-0.072, 0.70), (-0.045, 0.735), (-0.05, 0.78),
    (-0.10, 0.815), (-0.19, 0.82), (-0.28, 0.80), (-0.335, 0.755), (-0.34, 0.70),
]  # fmt: skip


class Sitter:
    """Cover (H, W) and planes (6, H, W): key light R, G, B; key on skin; sodium; dusk."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.cover = np.zeros((frame.height, frame.width), np.float32)
        self.planes = np.zeros((6, frame.height, frame.width), np.float32)

    def over(self, box: Box, cover: np.ndarray, colour: tuple[float, ...], shade: np.ndarray, rim: np.ndarray, fill: float = 0.05) -> None:
        """Paint key-lit colour (R, G, B, skin) with `shade`, a sodium `rim` and a little dusk from all around."""
        grey = 0.3 * colour[0] + 0.5 * colour[1] + 0.2 * colour[2] + 0.5 * colour[3]
        self.cover[box] += cover * (1 - self.cover[box])
        for i, plane in enumerate(self.planes):
            light = colour[i] * shade if i < 4 else (grey * rim if i == 4 else np.float32(grey * fill))
            plane[box] += cover * (light - plane[box])

    def tint(self, box: Box, where: np.ndarray, factors: tuple[float, ...]) -> None:
        """Multiply planes by factors towards which `where` (h, w; 0..1) leads; the cover stays."""
        for plane, factor in zip(self.planes, factors, strict=True):
            plane[box] *= 1 + where * np.float32(factor - 1)

    def blush(self, place: tuple[float, float], wide: float, tall: float, strength: float, factors: tuple[float, ...]) -> None:
        """A soft spot of another tint, at most fully so."""
        (x, y), reach = place, 3.5
        box = self.frame.box(x - reach * wide, y - reach * tall, x + reach * wide, y + reach * tall)
        if not is_empty(box):
            at_x, at_y = self.frame.at(box)
            spot = strength * np.exp(-(((at_x - x) / wide) ** 2) - ((at_y - y) / tall) ** 2)
            self.tint(box, np.minimum(spot, 1).astype(np.float32), factors)

    def line(self, points: list[tuple[float, float]], radii: tuple[float, float], factors: tuple[float, ...]) -> None:
        """Darken a soft line: an eyebrow, lashes, the corner of the mouth."""
        path = curve(points, 6, closed=False)
        low, high = path.min(axis=0) - max(radii), path.max(axis=0) + max(radii)
        box = self.frame.box(*low, *high)
        if is_empty(box):
            return
        widths = np.linspace(*radii, len(path))
        parts = [capsule(self.frame, box, (*a, *b), (r, r)) for a, b, r in zip(path[:-1], path[1:], widths, strict=False)]
        cover = np.maximum.reduce(parts).astype(np.float32)
        self.tint(box, cover * (self.cover[box] > 0), factors)

    def strand(self, points: np.ndarray, radius: float, colours: np.ndarray, opacity: float) -> None:
        """A hair along points (n, 2), colours (n, 6)."""
        ends = np.column_stack([points[:-1], points[1:]])
        for turn in (0, 1):  # every second piece: these do not touch each other
            pieces = ends[turn::2]
            for cells, cover, number in strokes(self.frame, pieces, np.full((len(pieces), 2), radius)):
                share = cover * np.float32(opacity)
                for plane, weight in zip((self.cover, *self.planes), (np.ones(len(points)), *colours.T), strict=True):
                    before = plane.ravel()[cells]
                    plane.ravel()[cells] = before + share * (weight[turn::2][number] - before)


def relief(frame: Frame, outline: np.ndarray, depth: float, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Key and rim light (h, w) in a box on a shape blown up from its outline: its cover blurred at several scales is its height."""
    small = Frame(LATTICE, max(2, round(LATTICE * frame.aspect)))
    mask = polygon(small, outline)
    height = np.zeros((small.height, small.width), np.float32)
    for sigma in (3, 7, 15, 30, 55):
        height += np.sqrt(np.clip(2 * _blurred(mask, sigma) - 0.9, 0.02, None)) * np.float32(sigma / LATTICE)
    height = _blurred(height, 2)
    gy, gx = np.gradient(height * LATTICE * depth)
    normal = np.stack([-gx, -gy, np.ones_like(gx)]) / np.sqrt(gx**2 + gy**2 + 1)
    key = np.clip(np.tensordot(KEY, normal, 1) * 0.85 + 0.15, 0.03, None)
    rim = np.clip(np.tensordot(RIM, normal, 1) + 0.05, 0, None) ** 1.5
    down, across = (n / of for n, of in zip(key.shape, (frame.height, frame.width), strict=True))
    size = box[1].stop - box[1].start, box[0].stop - box[0].start
    part = box[1].start * across, box[0].start * down, box[1].stop * across, box[0].stop * down
    lights = (Image.fromarray(light.astype(np.float32)).resize(size, Image.Resampling.BILINEAR, part) for light in (key, rim))
    lit, edge = (np.asarray(light, np.float32) for light in lights)
    return lit, edge


def _blurred(image: np.ndarray, sigma: int) -> np.ndarray:
    """Three running means of 2 sigma + 1 cells each way: close to a Gaussian of standard deviation sigma."""
    found = image.astype(np.float64)
    for axis in (0, 1, 0, 1, 0, 1):
        lines = np.moveaxis(found, axis, 0)
        total = np.cumsum(np.pad(lines, ((sigma + 1, sigma), (0, 0)), mode="edge"), axis=0)
        found = np.moveaxis((total[2 * sigma + 1 :] - total[: -2 * sigma - 1]) / (2 * sigma + 1), 0, axis)
    return found.astype(np.float32)


def _face(sitter: Sitter, rng: np.random.Generator) -> None:
    frame = sitter.frame
    outline = curve(FACE)
    box = frame.box(*outline.min(axis=0), *outline.max(axis=0))
    key, rim = relief(frame, outline, 11.0, box)
    at_x, at_y = frame.at(box)
    neck = smoothstep(0.0, 0.05, at_y - 0.528 - 0.35 * np.maximum(-0.02 - at_x, 0)).astype(np.float32)
    key = key * (1 - 0.72 * neck)
    pores = 1 + 0.03 * fractal(rng, frame, box, 45, 5)
    sitter.over(box, polygon_in(frame, box, outline), (0.02, 0.0, 0.0, 0.98), 1.3 * key * pores, 0.30 * rim)
    rosy = (1.0, 0.80, 0.74, 0.93, 1.0, 0.9)
    sitter.blush((-0.055, 0.405), 0.045, 0.040, 1.0, rosy)
    sitter.blush((0.026, 0.386), 0.020, 0.018, 0.7, rosy)
    sitter.blush((0.006, 0.446), 0.022, 0.0165, 1.5, (12.0, 1.0, 1.0, 0.62, 0.9, 0.7))
    sitter.blush((-0.030, 0.322), 0.026, 0.016, 0.75, (0.8, 0.75, 0.8, 0.70, 0.8, 0.8))
    sitter.blush((-0.014, 0.405), 0.010, 0.016, 0.35, (0.7,) * 6)
    dark = (0.10, 0.08, 0.07, 0.10, 0.15, 0.15)
    sitter.line([(-0.075, 0.287), (-0.052, 0.276), (-0.030, 0.277), (-0.014, 0.286)], (0.0012, 0.0042), (0.3, 0.25, 0.2, 0.30, 0.4, 0.4))
    sitter.line([(-0.056, 0.325), (-0.042, 0.334), (-0.028, 0.336), (-0.017, 0.331)], (0.0009, 0.0021), dark)
    for i in range(9):
        x, y = -0.046 + 0.0036 * i, 0.3345 + 0.0009 * np.sin(i)
        sitter.line([(x, y), (x + 0.004 + 0.0006 * i, y + 0.006), (x + 0.010 + 0.0009 * i, y + 0.008)], (0.0008, 0.0003), dark)
    sitter.line([(0.011, 0.4450), (-0.003, 0.4458), (-0.017, 0.4490)], (0.0012, 0.0007), (0.6, 0.3, 0.3, 0.35, 0.4, 0.4))
    sitter.line([(0.014, 0.404), (0.008, 0.401), (0.002, 0.404)], (0.0022, 0.0012), (0.4, 0.3, 0.3, 0.35, 0.4, 0.4))


def _clothes(sitter: Sitter, rng: np.random.Generator) -> None:
    frame = sitter.frame
    for points, colour, depth, cells in ((COAT, (0.035, 0.055, 0.075, 0.0), 4.0, 110.0), (SCARF, (0.42, 0.10, 0.035, 0.0), 5.0, 70.0)):
        outline = curve(points)
        box = frame.box(*outline.min(axis=0), *outline.max(axis=0))
        key, rim = relief(frame, outline, depth, box)
        weave = 1 + 0.14 * fractal(rng, frame, box, cells, 4, gain=0.8)
        folds = 1 + 0.2 * fractal(rng, frame, box, 9, 3, stretch=2.5)
        sitter.over(box, polygon_in(frame, box, outline), colour, 1.2 * key * weave * folds, 0.9 * rim * weave)


def _hair(sitter: Sitter, rng: np.random.Generator) -> None:
    """A dark mass, then strands that flow from the parting over the ear to the back, and some that fly loose."""
    outline = curve(HAIR)
    box = sitter.frame.box(*outline.min(axis=0), *outline.max(axis=0))
    key, rim = relief(sitter.frame, outline, 1.5, box)
    sitter.over(box, polygon_in(sitter.frame, box, outline), (0.020, 0.011, 0.006, 0.0), 1.0 * key, 0.8 * rim)
    brown, pale = np.array([0.030, 0.013, 0.006]), np.array([0.13, 0.066, 0.028])
    t = np.linspace(0, 1, 14)[:, None]
    for i in range(1150):
        loose = i >= 950
        u, spread = rng.random(), rng.normal(0, 0.008 + 0.016 * loose)
        start = np.array([-0.050 - 0.135 * u, 0.192 - 0.072 * u**0.6]) + rng.normal(0, 0.004, 2)
        bend = np.array([-0.135 - 0.30 * u, 0.30 - 0.22 * u]) + spread
        belly = np.array([-0.155 - 0.225 * u, 0.50]) + spread
        end = np.array([-0.205 - 0.16 * u, rng.uniform(0.66, 0.765)]) + rng.normal(0, 0.008 + 0.030 * loose, 2)
        path = (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * bend + 3 * t**2 * (1 - t) * belly + t**3 * end
        path = path + np.sin(t * rng.uniform(5, 14) + rng.uniform(0, 6)) * rng.normal(0, 0.0022 + 0.004 * loose, 2)
        sitter.strand(path, rng.uniform(1.6e-4, 4.5e-4), _sheen(path, u, brown + (pale - brown) * rng.random() ** 2, loose), 0.85)


def _sheen(path: np.ndarray, u: float, colour: np.ndarray, loose: bool) -> np.ndarray:
    """Planes (n, 6) along a hair: light is strongest where the hair lies across it (J. T. Kajiya and T. L. Kay, SIGGRAPH 1989)."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.sqrt(np.clip(1 - (along @ KEY[:2]) ** 2, 0, 1))
    key = 0.15 + 0.45 * across + 2.4 * across**30 * (1 - 0.6 * u)
    planes = np.zeros((len(path), 6))
    planes[:, :3] = key[:, None] * colour
    rim = smoothstep(0.62, 1.0, np.array(u)) * 0.55 + 0.35 * loose
    planes[:, 4] = rim * (0.15 + across**3) * colour.mean() * 3.5
    planes[:, 5] = colour.mean() * 0.15
    return planes.astype(np.float32)


def sitter_layer(frame: Frame, rng: np.random.Generator) -> Layer:
    """The near layer at 1.2 m."""
    sitter = Sitter(frame)
    of_face, of_clothes, of_hair = rng.spawn(3)
    _face(sitter, of_face)
    _clothes(sitter, of_clothes)
    _hair(sitter, of_hair)
    return Layer(sitter.planes, AWAY, np.clip(sitter.cover, 0, 1, out=sitter.cover))
