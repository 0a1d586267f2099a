"""A scene whose lateral chromatic aberration is known: discs of many sizes and colours, each colour displaced along the radius."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates


def leaves(height: int, width: int, seed: int = 0, saturation: float = 0.35) -> np.ndarray:
    """Overlapping discs ("dead leaves") of random brightness and, in part, colour; (H, W, 3) linear, as soft as a lens makes it."""
    rng = np.random.default_rng(seed)
    scene = np.full((height, width, 3), 0.3)
    for _ in range(height * width // 400):
        radius = min(3 / np.sqrt(rng.uniform(0.001, 1)), 60)
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        top, left = max(int(cy - radius), 0), max(int(cx - radius), 0)
        y, x = np.ogrid[top : min(int(cy + radius) + 2, height), left : min(int(cx + radius) + 2, width)]
        cover = np.clip(radius - np.hypot(y - cy, x - cx) + 0.5, 0, 1)[..., None]
        part = scene[top : top + cover.shape[0], left : left + cover.shape[1]]
        part += cover * (rng.uniform(0.02, 0.9) * (1 + saturation * rng.uniform(-1, 1, 3)) - part)
    return gaussian_filter(scene, (0.6, 0.6, 0))


def displaced(scene: np.ndarray, red: tuple[float, float], blue: tuple[float, float]) -> np.ndarray:
    """The scene with red and blue displaced outwards by linear r + cubic r^3 px, r = 1 in the corner."""
    height, width = scene.shape[:2]
    cy, cx = (height - 1) / 2, (width - 1) / 2
    y, x = np.mgrid[:height, :width].astype(float)
    v, u = (y - cy) / np.hypot(cy, cx), (x - cx) / np.hypot(cy, cx)
    out = scene.copy()
    for c, (linear, cubic) in ((0, red), (2, blue)):
        back = linear + cubic * (u * u + v * v)  # first order: the inverse differs by a hundredth of the displacement's change over itself
        out[..., c] = map_coordinates(scene[..., c], [y - v * back, x - u * back], order=3, mode="nearest")
    return out
