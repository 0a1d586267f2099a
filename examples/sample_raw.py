#!/usr/bin/env python3
"""Make the built-in sample RAW: an evening at a lake, photographed by a small made-up phone camera, as a DNG.

    sample_raw.py sample.dng [--seed 7]

The scene is drawn procedurally in linear light (sun far above white, saturated sails, thin twigs against the sky), then seen through
an imperfect camera: lens blur, lateral colour, vignetting (stated as GainMaps), a Bayer mosaic, shot and read noise (stated as
NoiseProfile), 12 bits over a black level of 256.
"""

import argparse

import numpy as np
from PIL import Image, ImageDraw

import apochromat as apo
from apochromat.light.noise import NoiseModel
from apochromat.light.opcodes import Area, GainMap
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame

HEIGHT, WIDTH = 1512, 2016
BLACK, WHITE = 256.0, 4095.0
NOISE = NoiseModel(np.full(3, 1.6e-4), np.full(3, 6e-7))
# A camera with a typical phone's response: XYZ (D65) -> camera RGB
COLOR_MATRIX = np.array([[0.78, -0.22, -0.08], [-0.42, 1.28, 0.15], [-0.08, 0.21, 0.62]])
SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
HORIZON = 0.56


def ridge(rng, width, roughness, octaves=9):
    """A mountain silhouette in -1..1 by summing noise of halving wavelength."""
    x, line = np.linspace(0, 1, width), np.zeros(width)
    for k in range(octaves):
        knots = rng.uniform(-1, 1, 2 ** (k + 1) + 2)
        line += np.interp(x * 2 ** (k + 1), np.arange(len(knots)), knots) * roughness**k
    return line


def sky(y, x):
    """Evening sky: blue above, warm at the horizon, a sun about 30 times white."""
    t = np.clip(y / HORIZON, 0, 1)[..., None]
    t = t**1.6
    colour = (1 - t) * np.array([0.10, 0.20, 0.42]) + t * np.array([0.95, 0.52, 0.25])
    distance = np.hypot((x - 0.33) * WIDTH / HEIGHT, y - 0.47)[..., None]
    glow = np.exp(-distance * 7) * np.array([1.2, 0.75, 0.35]) + np.exp(-distance * 30) * np.array([2.5, 1.9, 1.1])
    return colour + glow + 30 * (distance < 0.022) * np.array([1.0, 0.86, 0.62])


def mountains(scene, rng, y):
    """Three ridges, the nearer the darker and greener."""
    height, width = scene.shape[:2]
    for depth, (top, tint) in enumerate([(0.43, (0.30, 0.26, 0.30)), (0.485, (0.13, 0.13, 0.15)), (0.525, (0.03, 0.042, 0.026))]):
        line = top + 0.045 * ridge(rng, width, 0.52)
        texture = 1 + 0.05 * (depth + 1) * rng.standard_normal((height // 4, width // 4)).repeat(4, 0).repeat(4, 1)[:height, :width]
        mask = (y > line[None, :]) & (y <= HORIZON)
        scene[mask] = np.array(tint) * np.clip(texture, 0.2, 2)[mask][:, None]


def lake(scene, rng):
    """What is above the horizon again, darker and shaken by ripples."""
    height = len(scene)
    first = int(HORIZON * height)
    rows = np.arange(first, height)
    depth = (rows - first) / (height - first)
    ripple = np.interp(np.arange(height), np.arange(0, height, 3), rng.standard_normal(len(range(0, height, 3))))
    for row, d in zip(rows, depth, strict=True):
        source = first - 1 - int((row - first) * (0.9 + 0.02 * ripple[row]))
        shift = int((6 + 26 * d) * np.sin(row * 0.9 / (0.3 + d)) * 0.5)
        scene[row] = np.roll(scene[max(source, 0)], shift, 0) * (0.62 - 0.3 * d) + np.array([0.004, 0.008, 0.012])


def twigs(draw, rng, x, y, angle, length, thickness):
    """A branch and, from it, its branches."""
    if length < 26:
        return
    x1, y1 = x + length * np.cos(angle), y - length * np.sin(angle)
    draw.line([(x, y), (x1, y1)], fill=255, width=max(1, round(thickness)))
    for _ in range(2 + (rng.random() < 0.35)):
        twigs(draw, rng, x1, y1, angle + rng.normal(0, 0.42), length * rng.uniform(0.68, 0.86), thickness * 0.66)


def draw_over(scene, colour, painter):
    """Cover what `painter` draws (an ImageDraw at the scene's size) with a colour."""
    mask = Image.new("L", (scene.shape[1], scene.shape[0]))
    painter(ImageDraw.Draw(mask))
    left, top, right, bottom = mask.getbbox()
    cover = (np.asarray(mask.crop((left, top, right, bottom)), np.float32) / 255)[..., None]
    part = scene[top:bottom, left:right]
    part += cover * (np.array(colour, np.float32) - part)


def sails(scene, k):
    """Boats with saturated sails, their reflections, and two lamps."""
    h, w = scene.shape[:2]
    base = int(HORIZON * h) + 26 * k
    boats = [(0.50, 60, (0.72, 0.03, 0.03)), (0.60, 44, (0.05, 0.10, 0.75)), (0.68, 34, (0.85, 0.55, 0.02)), (0.44, 26, (0.35, 0.04, 0.42))]
    for x, size, colour in boats:
        cx, s = x * w, size * k
        sail = [(cx, base - 2.4 * s), (cx, base - 0.25 * s), (cx + s, base - 0.25 * s)]
        draw_over(scene, colour, lambda d, p=sail: d.polygon(p, fill=255))
        mirrored = [(px, 2 * base - py) for px, py in sail]
        draw_over(scene, np.array(colour) * 0.4, lambda d, p=mirrored: d.polygon(p, fill=150))
        hull = [(cx - 0.5 * s, base - 0.2 * s), (cx + 1.1 * s, base - 0.2 * s), (cx + 0.8 * s, base), (cx - 0.3 * s, base)]
        draw_over(scene, (0.02, 0.018, 0.015), lambda d, p=hull: d.polygon(p, fill=255))
    for x, colour in [(0.735, (9.0, 5.2, 1.6)), (0.775, (0.4, 1.2, 8.0))]:
        r = 5 * k
        draw_over(scene, colour, lambda d, x=x, r=r: d.ellipse([x * w - r, base - 26 * k - r, x * w + r, base - 26 * k + r], fill=255))


def paint_scene(seed, oversampling=2):
    """The scene (HEIGHT, WIDTH, 3), linear sRGB, 1.0 = a white in the evening light."""
    rng, k = np.random.default_rng(seed), oversampling
    h, w = HEIGHT * k, WIDTH * k
    y, x = np.meshgrid((np.arange(h) + 0.5) / h, (np.arange(w) + 0.5) / w, indexing="ij", sparse=True)
    scene = sky(y, x).astype(np.float32)
    mountains(scene, rng, y)
    lake(scene, rng)
    sails(scene, k)
    draw_over(scene, (0.012, 0.010, 0.008), lambda d: twigs(d, rng, 0.90 * w, 0.99 * h, np.pi / 2 + 0.06, 230 * k, 26 * k))
    return scene.reshape(HEIGHT, k, WIDTH, k, 3).mean((1, 3))


def through_lens(rgb):
    """Slight blur, and red and blue imaged 1.0008 and 0.9994 times as large as green."""
    planes = []
    for plane, scale in zip(np.moveaxis(rgb, -1, 0), (1.0008, 1.0, 0.9994), strict=True):
        image = Image.fromarray(plane.astype(np.float32))
        left, top = (WIDTH - WIDTH / scale) / 2, (HEIGHT - HEIGHT / scale) / 2
        enlarge = (1 / scale, 0, left, 0, 1 / scale, top)
        image = image.transform(image.size, Image.Transform.AFFINE, enlarge, Image.Resampling.BICUBIC)
        padded = np.pad(np.asarray(image), 1, mode="edge")
        kernel = np.array([0.16, 0.68, 0.16])
        rows = sum(wt * padded[i : i + HEIGHT] for i, wt in enumerate(kernel))
        planes.append(sum(wt * rows[:, i : i + WIDTH] for i, wt in enumerate(kernel)))
    return np.clip(np.stack(planes, -1), 0, None)


def falloff():
    """Lens shading on a 13 x 17 grid and on every pixel: 1 in the middle, 0.55 in the corners."""

    def at(v, h):
        return 1 - 0.45 * ((v - 0.5) ** 2 * HEIGHT**2 + (h - 0.5) ** 2 * WIDTH**2) * 4 / (HEIGHT**2 + WIDTH**2)

    grid = 1 / at(np.linspace(0, 1, 13)[:, None], np.linspace(0, 1, 17)[None, :])
    v, h = (np.arange(HEIGHT) + 0.5) / HEIGHT * 12, (np.arange(WIDTH) + 0.5) / WIDTH * 16
    rows = np.stack([np.interp(v, np.arange(13), grid[:, j]) for j in range(17)], 1)
    return grid, 1 / np.stack([np.interp(h, np.arange(17), row) for row in rows])


def photograph(scene, seed):
    """The RawFrame that the made-up camera takes of the scene."""
    rng = np.random.default_rng(seed + 1)
    camera = np.maximum(scene @ (COLOR_MATRIX @ SRGB_TO_XYZ).T, 0)
    neutral = COLOR_MATRIX @ SRGB_TO_XYZ @ np.ones(3)
    camera = through_lens(camera / neutral.max()) * 0.55
    grid, fall = falloff()
    mosaic = camera[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = camera[::2, ::2, 0], camera[1::2, 1::2, 2]
    signal = mosaic * fall
    noisy = signal + rng.standard_normal(signal.shape) * np.sqrt(NOISE.scale[0] * signal + NOISE.offset[0])
    samples = np.clip(np.rint(noisy * (WHITE - BLACK) + BLACK), 0, WHITE).astype(np.uint16)
    gains = grid[..., None].astype(np.float32)
    maps = tuple(
        GainMap(area=Area(row, column, HEIGHT, WIDTH, 0, 1, 2, 2), spacing=(1 / 12, 1 / 16), origin=(0.0, 0.0), gains=gains)
        for row in (0, 1)
        for column in (0, 1)
    )
    whole = Box(0, 0, HEIGHT, WIDTH)
    return RawFrame(
        samples=samples,
        cfa="RGGB",
        levels=Levels(np.full((1, 1, 1), BLACK, np.float32), np.full(4, WHITE, np.float32)),
        active=whole,
        crop=Box(8, 8, HEIGHT - 8, WIDTH - 8),
        profile=ColorProfile((Calibration(21, COLOR_MATRIX),), as_shot_neutral=neutral / neutral.max()),
        noise=NOISE,
        opcodes2=maps,
        metadata={"make": "Apochromat", "model": "Sample camera", "exposure_s": 1 / 60, "f_number": 2.0, "iso": 100, "focal_mm": 5.6},
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    apo.write_dng(photograph(paint_scene(arguments.seed), arguments.seed), arguments.output)


if __name__ == "__main__":
    main()
