"""How far apart two colours look: CIELAB and CIEDE2000; and colours under another light: CAT16."""

from __future__ import annotations

import numpy as np

_CAT16 = np.array([[0.401288, 0.650173, -0.051461], [-0.250268, 1.204414, 0.045854], [-0.002079, 0.048952, 0.953127]])
_KINK = 6 / 29  # of the CIELAB cube root (ISO/CIE 11664-4)


def cat16(white_from: np.ndarray, white_to: np.ndarray) -> np.ndarray:
    """Matrix (3, 3) that carries XYZ under one white (3,) to the corresponding XYZ under another, adaptation complete.

    Source: C. Li et al., "Comprehensive color solutions: CAM16, CAT16, and CAM16-UCS", Color Res. Appl. 42 (2017).
    """
    gains = (_CAT16 @ white_to) / (_CAT16 @ white_from)
    return np.linalg.inv(_CAT16) @ (gains[:, None] * _CAT16)


def lab(xyz: np.ndarray, white: np.ndarray) -> np.ndarray:
    """CIELAB (..., 3) of XYZ (..., 3) relative to a white (3,) of the same scale. Source: ISO/CIE 11664-4."""
    ratio = np.asarray(xyz, float) / white
    root = np.where(ratio > _KINK**3, np.cbrt(ratio), ratio / (3 * _KINK**2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """CIEDE2000 difference (...) of CIELAB colours (..., 3), all k = 1.

    Source: ISO/CIE 11664-6; G. Sharma, W. Wu, E. Dalal, "The CIEDE2000 color-difference formula", Color Res. Appl. 30 (2005).
    """
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(np.asarray(first, float), -1, 0), np.moveaxis(np.asarray(second, float), -1, 0)
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = np.arctan2(b1, stretch * a1) % (2 * np.pi), np.arctan2(b2, stretch * a2) % (2 * np.pi)
    apart = h2 - h1
    turn = np.where(np.abs(apart) > np.pi, 2 * np.pi * np.sign(apart), 0.0)
    grey = c1 * c2 == 0
    hue_step = 2 * np.sqrt(c1 * c2) * np.sin(np.where(grey, 0.0, apart - turn) / 2)
    middle = (h1 + h2) / 2
    hue = np.where(grey, h1 + h2, np.where(turn == 0, middle, np.where(middle < np.pi, middle + np.pi, middle - np.pi)))
    return _weighted(l2 - l1, c2 - c1, hue_step, (l1 + l2) / 2, (c1 + c2) / 2, hue)


def _weighted(dl: np.ndarray, dc: np.ndarray, dh: np.ndarray, light: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """Differences of lightness, chroma and hue weighted by where they are (hue in radians)."""
    t = 1 - 0.17 * np.cos(hue - np.radians(30)) + 0.24 * np.cos(2 * hue)
    t += 0.32 * np.cos(3 * hue + np.radians(6)) - 0.20 * np.cos(4 * hue - np.radians(63))
    from_50 = np.square(light - 50)
    sl = 1 + 0.015 * from_50 / np.sqrt(20 + from_50)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    turned = np.radians(30) * np.exp(-np.square((np.degrees(hue) - 275) / 25))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(2 * turned)
    dl, dc, dh = dl / sl, dc / sc, dh / sh
    return np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + rotation * dc * dh, 0.0))
