"""DNG opcodes as typed values (DNG 1.7, chapter 7); raw reads them, develop applies them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Area:
    """The pixels an opcode touches: rows top..bottom, columns left..right by pitch, planes plane..plane+planes."""

    top: int
    left: int
    bottom: int
    right: int
    plane: int = 0
    planes: int = 1
    row_pitch: int = 1
    col_pitch: int = 1


@dataclass(frozen=True)
class Opcode:
    """Common head of every opcode: its DNG version and flags."""

    version: tuple[int, int, int, int] = (1, 3, 0, 0)
    optional: bool = False
    preview_skip: bool = False


@dataclass(frozen=True, kw_only=True)
class GainMap(Opcode):
    """Multiply by a bilinear map: points (v, h) at origin + i*spacing in coordinates relative to the image (0..1)."""

    area: Area
    spacing: tuple[float, float]  # v, h
    origin: tuple[float, float]  # v, h
    gains: np.ndarray  # (points_v, points_h, map_planes) float32


@dataclass(frozen=True, kw_only=True)
class WarpRectilinear(Opcode):
    """Radial and tangential warp; per plane k_r0..k_r3, k_t0, k_t1; centre (x, y) relative to the image (0..1)."""

    coefficients: np.ndarray  # (planes, 6) float64
    center: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class FixVignetteRadial(Opcode):
    """Gain 1 + k0 r^2 + k1 r^4 + ... + k4 r^10; centre (x, y) relative to the image, r = 1 at the farthest corner."""

    coefficients: np.ndarray  # (5,) float64
    center: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class FixBadPixelsConstant(Opcode):
    """Pixels of stored value `constant` are bad; `phase` is the Bayer phase of the image's corner."""

    constant: int
    phase: int


@dataclass(frozen=True, kw_only=True)
class FixBadPixelsList(Opcode):
    """Bad pixels `points` (n, 2) as (row, column) and rectangles `boxes` (m, 4) as top, left, bottom, right."""

    phase: int
    points: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TrimBounds(Opcode):
    """Trim the image to these bounds."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, kw_only=True)
class MapTable(Opcode):
    """Map 16-bit values through a table (the last entry serves the codes beyond it)."""

    area: Area
    table: np.ndarray  # (n,) uint16


@dataclass(frozen=True, kw_only=True)
class MapPolynomial(Opcode):
    """Map values 0..1 through a polynomial, coefficients from x^0 up."""

    area: Area
    coefficients: np.ndarray


@dataclass(frozen=True, kw_only=True)
class UnknownOpcode(Opcode):
    """An opcode this program does not carry out; an error unless it is optional."""

    id: int
    data: bytes
