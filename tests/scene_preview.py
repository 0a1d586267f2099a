"""What the eye would see of a scene, without lens or sensor: sRGB by the colour matching functions, softly compressed.

python tests/scene_preview.py docs/images      # writes the pictures of docs/scenes.md
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from apochromat.light.scene import Scene
from apochromat.light.spaces import D65_XYZ, bradford, rgb_to_xyz
from apochromat.light.spectra import xyz
from apochromat.scene import make_scene, scene_names

KEYS = {
    "night-street": 0.40,
    "branches": 0.32,
    "portrait": 0.30,
    "color-checker": 0.32,
}  # value of 18 % grey on the reference plane
ADAPTED = 0.8  # share of full adaptation to the scene's light


def preview(scene: Scene, key: float = 0.25, white: float = 50.0) -> np.ndarray:
    """sRGB codes (H, W, 3) of a scene: photographic tone curve of Reinhard et al. 2002 on the largest channel, `white` the burn-out."""
    seen = np.zeros_like(scene.layers[0].coefficients)
    for layer in scene.layers:
        seen *= 1 if layer.cover is None else 1 - layer.cover
        seen += layer.coefficients
    light = xyz(scene.light) / xyz(scene.light)[1]
    adapt = bradford(D65_XYZ ** (1 - ADAPTED) * light**ADAPTED, D65_XYZ)
    rgb = (
        np.tensordot(np.linalg.inv(rgb_to_xyz("srgb")) @ adapt @ xyz(scene.basis).T, seen, 1) * key * np.pi / (0.18 * scene.illuminance_lx)
    )
    grey = np.tensordot([0.2126, 0.7152, 0.0722], rgb, 1)
    rgb = grey + (rgb - grey) * grey / np.maximum(grey - np.minimum(rgb.min(axis=0), 0), 1e-9)
    peak = np.maximum(rgb.max(axis=0), 1e-6)
    shown = peak * (1 + peak / white**2) / (1 + peak)
    pale = 0.75 * np.clip((peak - 1) / (white - 1), 0, 1) ** 0.6
    rgb = np.clip(rgb / peak * shown * (1 - pale) + shown * pale, 0, 1)
    coded = np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return (np.moveaxis(coded, 0, 2) * 255 + 0.5).astype(np.uint8)


def main(folder: Path) -> None:
    """One small picture a scene, at most 60 kB."""
    for name in scene_names():
        picture = preview(make_scene(name, 1080, 1440), KEYS.get(name, 0.25))
        small = Image.fromarray(picture).resize((520, 390), Image.Resampling.LANCZOS)
        small.save(folder / f"scene-{name}.jpg", quality=72, optimize=True, progressive=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
