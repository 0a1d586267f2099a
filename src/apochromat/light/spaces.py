"""The RGB spaces of the program, derived from their published primaries; chromatic adaptation by linear Bradford.

Sources: ITU-R BT.2020 (working space), IEC 61966-2-1 (sRGB), SMPTE EG 432-1 with D65 (Display P3); CIE 15 for D65 and D50;
Bradford: K. M. Lam, PhD thesis, University of Bradford 1985.
"""

from __future__ import annotations

import numpy as np

D65_XY = (0.3127, 0.3290)
D50_XY = (0.34567, 0.35850)
D50_XYZ = np.array([0.96422, 1.0, 0.82521])  # ICC profile connection space white
PRIMARIES = {
    "rec2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "srgb": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "display-p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_OKLAB_CONES = np.array([
    [0.8189330101, 0.3618667424, -0.1288597137],
    [0.0329845436, 0.9293118715, 0.0361456387],
    [0.0482003018, 0.2643662691, 0.6338517070],
])  # fmt: skip


def xyz_of_xy(xy: tuple[float, float]) -> np.ndarray:
    """XYZ (3,) of a chromaticity at Y = 1."""
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


D65_XYZ = xyz_of_xy(D65_XY)


def rgb_to_xyz(space: str) -> np.ndarray:
    """Matrix (3, 3) from linear RGB of a space to XYZ relative to its white, D65."""
    primaries = np.stack([xyz_of_xy(xy) for xy in PRIMARIES[space]], axis=1)
    return primaries * np.linalg.solve(primaries, D65_XYZ)


def conversion(source: str, target: str) -> np.ndarray:
    """Matrix (3, 3) from linear RGB of one space to another; white stays (1, 1, 1)."""
    return np.linalg.solve(rgb_to_xyz(target), rgb_to_xyz(source))


def bradford(white_from: np.ndarray, white_to: np.ndarray) -> np.ndarray:
    """Matrix (3, 3) that carries XYZ under one white (3,) to the corresponding XYZ under another."""
    gains = (_BRADFORD @ white_to) / (_BRADFORD @ white_from)
    return np.linalg.inv(_BRADFORD) @ (gains[:, None] * _BRADFORD)


def rgb_to_cones(space: str) -> np.ndarray:
    """Matrix (3, 3) from linear RGB to the cone responses of Oklab, white at (1, 1, 1).

    Source: B. Ottosson, "A perceptual color space for image processing", 2020.
    """
    cones = _OKLAB_CONES @ rgb_to_xyz(space)
    return cones / cones.sum(axis=1, keepdims=True)
