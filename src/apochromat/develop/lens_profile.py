"""Distortion and vignetting of known lenses, from the lensfun database (optional extra `lensfun`).

Source: lensfun (https://lensfun.github.io), calibration data CC-BY-SA 3.0. Its models are radial, so a profile is taken out of it as two
functions of the distance from the image's centre, and the database is asked once a picture, not once a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from apochromat.light.raw_frame import RawFrame

FAR_M = 1000.0  # focus distance where the file does not say
SHRINK = 16  # the picture that lensfun's vignetting is taken from is this much smaller


@dataclass(frozen=True)
class LensProfile:
    """One lens at one setting: radii in pixels of the active area, about its centre.

    radius (n,) rising: distance in the corrected picture. source (n,): distance in the picture as taken. falloff (4,): relative light at
    radius r as taken is the polynomial in (r / corner)^2 with these coefficients.
    """

    name: str
    radius: np.ndarray
    source: np.ndarray
    falloff: np.ndarray
    corner: float

    def scale_at(self, radius: np.ndarray) -> np.ndarray:
        """Source distance over corrected distance."""
        last = self.source[-1] / self.radius[-1]
        return np.interp(radius, self.radius, self.source / self.radius, right=last)

    def gain_at(self, source_radius: np.ndarray) -> np.ndarray:
        """Gain that evens out the light at this distance in the picture as taken."""
        return 1 / np.polynomial.polynomial.polyval(np.square(source_radius / self.corner), self.falloff)


def find(frame: RawFrame) -> LensProfile | None:
    """The profile of the lens the frame was taken with; None where lensfunpy is not installed or does not know camera, lens or setting."""
    facts = frame.metadata
    if not facts.get("focal_mm") or not facts.get("model") or not _mentioned(facts["model"]):
        return None
    database = _database()
    for camera in database.find_cameras(facts.get("make", ""), facts["model"])[:1]:
        for lens in _lenses(database, camera, facts)[:1]:
            return _profile(lens, camera.crop_factor, frame.active.height, frame.active.width, facts)
    return None


@cache
def _mentioned(model: str) -> bool:
    """True where a file of the database that comes with lensfunpy names the camera: cheaper than loading all of them to learn that."""
    package = find_spec("lensfunpy")
    if package is None or not package.submodule_search_locations:
        return False
    files = (Path(package.submodule_search_locations[0]) / "db_files").glob("*.xml")
    return any(model.encode() in file.read_bytes() for file in files)


@cache
def _database() -> Any:
    """lensfun's database as it comes with lensfunpy, so that a picture does not depend on what else the machine holds."""
    import lensfunpy  # pyright: ignore[reportMissingImports]

    return lensfunpy.Database(load_common=False)


def _lenses(database: Any, camera: Any, facts: dict[str, Any]) -> list[Any]:
    """Lenses that fit camera, name and focal length: by name, or the one lens of a camera that cannot change it."""
    name = facts.get("lens", "")
    fixed = camera.mount[:1].islower()  # lensfun writes the mounts of fixed lenses in lower case
    if not name and not fixed:
        return []
    found = database.find_lenses(camera, facts.get("lens_make"), name) if name else database.find_lenses(camera)
    return [lens for lens in found if lens.min_focal * 0.99 <= facts["focal_mm"] <= lens.max_focal * 1.01]


def _profile(lens: Any, crop_factor: float, height: int, width: int, facts: dict[str, Any]) -> LensProfile:
    """Sample lensfun along the middle row and the top row, which together hold every distance from the centre to the corner."""
    modifier = _modifier(lens, crop_factor, width, height, facts)
    y, x = (height - 1) / 2, (width - 1) / 2
    radius = np.concatenate([np.hypot(np.arange(width) - x, top - y) for top in (y, 0.0)])
    rows = np.concatenate([_row(modifier, top, width) for top in (y, 0.0)])
    source = np.hypot(rows[:, 0] - x, rows[:, 1] - y)
    order = np.unique(np.round(radius, 3), return_index=True)[1]
    kept = order[radius[order] > 1]
    falloff = _falloff(_modifier(lens, crop_factor, width // SHRINK, height // SHRINK, facts), width // SHRINK, height // SHRINK)
    return LensProfile(f"{lens.maker} {lens.model}", radius[kept], source[kept], falloff, float(np.hypot(y, x)))


def _modifier(lens: Any, crop_factor: float, width: int, height: int, facts: dict[str, Any]) -> Any:
    """lensfun's calculator for one picture size, which fills the frame without empty corners."""
    import lensfunpy  # pyright: ignore[reportMissingImports]

    modifier = lensfunpy.Modifier(lens, crop_factor, width, height)
    flags = lensfunpy.ModifyFlags.DISTORTION | lensfunpy.ModifyFlags.VIGNETTING | lensfunpy.ModifyFlags.SCALE
    aperture = facts.get("f_number") or lens.min_aperture or 8.0
    modifier.initialize(facts["focal_mm"], aperture, FAR_M, scale=0.0, pixel_format=np.float32, flags=flags)
    return modifier


def _row(modifier: Any, y: float, width: int) -> np.ndarray:
    """Source (x, y) of every pixel of one row; the row itself where the database has no distortion for the lens."""
    points = modifier.apply_geometry_distortion(0, y, width, 1)
    return np.stack([np.arange(width), np.full(width, y)], -1) if points is None else points[0].astype(np.float64)


def _falloff(modifier: Any, width: int, height: int) -> np.ndarray:
    """Coefficients of lensfun's vignetting model 1 + k1 r^2 + k2 r^4 + k3 r^6, r = 1 in the corner, from a picture of its gain."""
    light = np.ones((height, width, 3), np.float32)
    modifier.apply_color_modification(light)
    y, x = (height - 1) / 2, (width - 1) / 2
    r2 = (np.square(np.arange(height) - y)[:, None] + np.square(np.arange(width) - x)).ravel() / (x * x + y * y)
    powers = np.stack([r2, r2**2, r2**3], -1)
    return np.concatenate([[1.0], np.linalg.lstsq(powers, 1 / light[..., 1].ravel() - 1, rcond=None)[0]])
