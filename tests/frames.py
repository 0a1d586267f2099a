"""Small synthetic RAW frames with known content, built without files."""

import numpy as np

from apochromat.light.development import Development
from apochromat.light.noise import NoiseModel
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame

MATRIX = np.array([[0.78, -0.22, -0.08], [-0.42, 1.28, 0.15], [-0.08, 0.21, 0.62]])
NEUTRAL = np.array([0.55, 1.0, 0.62])
COLOR = (0, 1, 1, 2)  # colour of each CFA position
PHONE = NoiseModel(np.array([2.5e-3, 2.4e-3, 2.7e-3]), np.array([2e-5, 1.8e-5, 2.5e-5]))  # about ISO 3200


def detailed_scene(height, width, seed=0):
    """Camera RGB (H, W, 3) 0..1 with edges, texture and colour, smooth enough to be sampled."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    planes = []
    for k in range(3):
        a, b, c = rng.uniform(0.02, 0.25, 3)
        planes.append(0.35 + 0.15 * np.sin(a * x + b * y) + 0.1 * np.sin(c * x - k) + 0.15 * (x + 0.4 * y > 0.6 * width))
    return np.stack(planes, -1) * NEUTRAL


def mosaic_of(rgb, cfa="RGGB"):
    """The samples a sensor of this pattern takes of an RGB picture."""
    mosaic = np.empty(rgb.shape[:2])
    for k, colour in enumerate(cfa):
        mosaic[k // 2 :: 2, k % 2 :: 2] = rgb[k // 2 :: 2, k % 2 :: 2, "RGB".index(colour)]
    return mosaic


def frame_of(signal, cfa="RGGB", black=256.0, white=4095.0, noise=None, seed=1, **facts):
    """RawFrame whose samples are `signal` (H, W), 0..1, over black, with noise of the model given, 12 bits."""
    rng = np.random.default_rng(seed)
    if noise is not None:
        signal = signal + rng.standard_normal(signal.shape) * np.sqrt(noise.scale[1] * np.maximum(signal, 0) + noise.offset[1])
    samples = np.clip(np.rint(signal * (white - black) + black), 0, white).astype(np.uint16)
    whole = Box(0, 0, *samples.shape)
    values = {
        "active": whole,
        "crop": whole,
        "profile": ColorProfile((Calibration(21, MATRIX),), as_shot_neutral=NEUTRAL),
        "noise": noise or NoiseModel(np.full(3, 1e-5), np.full(3, 1e-8)),
        **facts,
    }
    return RawFrame(samples, cfa, Levels(np.full((1, 1, 1), black, np.float32), np.full(4, white, np.float32)), **values)


def scene_frame(height=256, width=320, **facts):
    """A frame of the detailed scene."""
    return frame_of(mosaic_of(detailed_scene(height, width), facts.get("cfa", "RGGB")), **facts)


def exposed(signal, noise, seed):
    """A mosaic (H, W) of electrons counted and read out: `signal` with Poisson and Gaussian noise of the model, per CFA position."""
    rng, out = np.random.default_rng(seed), np.empty(signal.shape)
    for p, c in enumerate(COLOR):
        plane = signal[p // 2 :: 2, p % 2 :: 2]
        read = rng.normal(0, np.sqrt(noise.offset[c]), plane.shape)
        out[p // 2 :: 2, p % 2 :: 2] = rng.poisson(plane / noise.scale[c]) * noise.scale[c] + read
    return out


def noise_ratio(found, noise, level):
    """Estimated over true standard deviation per colour at a signal level."""
    return np.sqrt((found.scale * level + found.offset) / (noise.scale * level + noise.offset))


def balanced_development(rgb, noise=0.01, seed=0, **facts):
    """White-balanced mosaic of a scene with shot and read noise, nothing clipped, at the point where lateral CA is looked for."""
    rng = np.random.default_rng(seed)
    mosaic = mosaic_of(rgb)
    mosaic = mosaic + noise * rng.standard_normal(mosaic.shape) * np.sqrt(np.maximum(mosaic, 0) + 0.01)
    clip = np.zeros((mosaic.shape[0] // 2, mosaic.shape[1] // 2), np.uint8)
    return Development(frame=scene_frame(*mosaic.shape, **facts), mosaic=mosaic.astype(np.float32), clip=clip)
