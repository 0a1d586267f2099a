"""The 24 patches of a ColorChecker by their measured reflectances, evenly lit and facing the camera."""

from __future__ import annotations

import numpy as np

from apochromat.light.scene import Layer
from apochromat.light.spectra import color_checker
from apochromat.scene.basis import compact
from apochromat.scene.canvas import Frame, lay, rectangle
from apochromat.scene.kind import Painting, SceneKind

PITCH = 0.2  # between patches, picture heights: 41 mm on the chart
PATCH = 0.86  # side of a patch over the pitch
SURROUND = "neutral 5 (.70 D)"  # reflectance 0.19


def patch_boxes() -> dict[str, tuple[float, float, float, float]]:
    """x0, y0, x1, y1 of every patch, picture heights, row by row."""
    found = {}
    for i, name in enumerate(color_checker()):
        row, column = divmod(i, 6)
        cx, cy, half = (column - 2.5) * PITCH, 0.5 + (row - 1.5) * PITCH, PATCH * PITCH / 2
        found[name] = (cx - half, cy - half, cx + half, cy + half)
    return found


def _paint(frame: Frame, light: np.ndarray, rng: np.random.Generator) -> Painting:
    patches = color_checker()
    names = list(patches)
    basis, weights, error = compact(np.stack([patches[n] for n in names]) * light)
    planes = np.empty((len(basis), frame.height, frame.width), np.float32)
    planes[:] = weights[names.index(SURROUND)][:, None, None]
    mount = (-3.1 * PITCH, 0.5 - 2.1 * PITCH, 3.1 * PITCH, 0.5 + 2.1 * PITCH)
    for corners, name in [(mount, names[-1]), *((box, name) for name, box in patch_boxes().items())]:
        box = frame.box(*corners)
        lay(planes, box, rectangle(frame, box, *corners), weights[names.index(name)])
    note = f"24 measured reflectances in {len(basis)} spectra: XYZ exact, root mean square error {error:.1e} of the white patch"
    return Painting(basis, (Layer(planes, 1.0),), (note,))


SCENE = SceneKind(
    "color-checker",
    "24 measured patches, evenly lit: colour accuracy and white balance",
    1000.0,
    "D65",
    "the chart, facing the camera",
    _paint,
)
