"""What a RAW file holds, as typed facts: samples in digital numbers, levels, geometry, colour matrices, noise, opcodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apochromat.light.noise import NoiseModel
from apochromat.light.opcodes import Opcode


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels; bottom and right are outside it."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


@dataclass(frozen=True)
class Levels:
    """How stored numbers become light.

    `table` (n,) maps stored codes to linear DN before anything else (LinearizationTable), or is None. Black of pixel (y, x) of the
    active area is black[y % rows, x % cols, plane] + delta_v[y] + delta_h[x], in DN after the table. `white` holds one saturation
    level per sample plane or, for a mosaic, per CFA position 2*(y%2) + (x%2) of the active area.
    """

    black: np.ndarray  # (rows, cols, planes) float32
    white: np.ndarray  # (4,) for a mosaic, else (planes,) float32
    delta_h: np.ndarray | None = None  # (active width,) float32
    delta_v: np.ndarray | None = None  # (active height,) float32
    table: np.ndarray | None = None


@dataclass(frozen=True)
class Calibration:
    """One calibration illuminant of a DNG: matrices (3, 3), row-major, as the DNG specification 1.7 names them."""

    illuminant: int  # EXIF LightSource code: 17 = A, 21 = D65, 23 = D50
    color_matrix: np.ndarray  # XYZ -> camera
    forward_matrix: np.ndarray | None = None  # white-balanced camera -> XYZ D50
    camera_calibration: np.ndarray | None = None


@dataclass(frozen=True)
class ColorProfile:
    """Camera colour: one or two calibrations, AnalogBalance, and the shot's white as camera neutral or chromaticity."""

    calibrations: tuple[Calibration, ...]
    analog_balance: np.ndarray = field(default_factory=lambda: np.ones(3))
    as_shot_neutral: np.ndarray | None = None  # (3,) camera RGB of white
    as_shot_xy: tuple[float, float] | None = None


@dataclass(frozen=True)
class RawFrame:
    """One RAW frame, nothing applied yet.

    `samples` are numbers as stored: (H, W) for a CFA mosaic or monochrome sensor, (H, W, 3) for linear RGB (camera space), over the
    whole stored area; uint16, or float32 for floating-point DNGs. `cfa` is the 2x2 pattern at the active area's top left corner
    ("RGGB", "BGGR", "GRBG", "GBRG"), or "" where samples are linear RGB or monochrome.
    `crop` is the final picture inside the active area, in (fractional-free) active-area pixels; `scale` is DefaultScale (h, v).
    """

    samples: np.ndarray
    cfa: str
    levels: Levels
    active: Box
    crop: Box
    profile: ColorProfile
    scale: tuple[float, float] = (1.0, 1.0)
    orientation: int = 1  # EXIF, 1..8
    baseline_exposure_ev: float = 0.0  # BaselineExposure + BaselineExposureOffset
    noise: NoiseModel | None = None  # as the file states it; None where it does not
    opcodes1: tuple[Opcode, ...] = ()
    opcodes2: tuple[Opcode, ...] = ()
    opcodes3: tuple[Opcode, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)  # see raw.metadata
    path: str = ""
    notes: tuple[str, ...] = ()  # sentences a user should read: what was replaced, ignored or estimated

    @property
    def is_mosaic(self) -> bool:
        return bool(self.cfa)
