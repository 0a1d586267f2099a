"""A user's picture as a scene: pixel 1.0 is a white of stated luminance, RGB becomes spectra by a published basis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from apochromat.light.scene import Layer, Scene
from apochromat.light.spectra import illuminant, rgb_reflectances
from apochromat.scene.errors import SceneError
from apochromat.scene.pictures import read_picture


def image_scene(
    path: str | Path, height: int, width: int, *, lux: float | None = None, white_luminance: float | None = None, light: str = "D65"
) -> Scene:
    """A picture file as a flat scene of height x width cells, scaled to cover them and cut around its centre.

    path: EXR and Radiance HDR are read as linear, TIFF of floating numbers too; other TIFF, JPEG and PNG are decoded from sRGB. Primaries
    are taken as those of sRGB. Exactly one of `lux` (illuminance, lx) and `white_luminance` (cd/m^2) states what the value 1.0 means:
    white_luminance = lux / pi. light: name of the light that makes white; RGB becomes that light times a reflectance (Mallett and Yuksel
    2019).
    Raises SceneError for a file that cannot be read, for NaN, infinite or negative pixels, and for no or two statements of luminance.
    """
    if (lux is None) == (white_luminance is None):
        given = "neither" if lux is None else "both"
        raise SceneError(f"{path}: expected either lux or white_luminance to say how bright the picture is, found {given}")
    white = white_luminance if white_luminance is not None else (lux or 0.0) / np.pi
    if not (np.isfinite(white) and white > 0):
        raise SceneError(f"{path}: expected a luminance or illuminance above 0, found {lux if lux is not None else white_luminance!r}")
    if height < 1 or width < 1:
        raise SceneError(f"{path}: expected at least 1 x 1 cells, found {height} x {width}")
    planes = cover(_checked(read_picture(path), path), height, width)
    spectrum = illuminant(light)
    basis = rgb_reflectances() * spectrum * white
    return Scene(Path(path).stem, basis, (Layer(planes, np.inf),), float(white * np.pi), "where the picture's value 1.0 is white", spectrum)


def _checked(rgb: np.ndarray, path: str | Path) -> np.ndarray:
    for bad, word in ((np.isnan(rgb), "NaN"), (np.isinf(rgb), "infinite"), (rgb < 0, "negative")):
        if bad.any():
            row, column, channel = np.argwhere(bad)[0]
            where = f"the first in {'RGB'[channel]} at row {row}, column {column}"
            raise SceneError(f"{path}: expected finite pixels of at least 0, found {np.count_nonzero(bad)} {word} values, {where}")
    return rgb


def cover(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """(h, w, 3) scaled evenly until it covers height x width, cut around the centre, as planes (3, height, width) float32.

    Shrinking takes the mean over each cell, enlarging interpolates linearly: no value leaves the range it had.
    """
    scale = max(height / rgb.shape[0], width / rgb.shape[1])
    rows, columns = height / scale, width / scale
    top, left = (rgb.shape[0] - rows) / 2, (rgb.shape[1] - columns) / 2
    way = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    box = (left, top, left + columns, top + rows)
    planes = [Image.fromarray(np.ascontiguousarray(rgb[..., c], np.float32)).resize((width, height), way, box) for c in range(3)]
    return np.maximum(np.stack([np.asarray(p, np.float32) for p in planes]), 0)
