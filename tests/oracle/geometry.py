"""Oracle of geometry and vignetting: the closed forms of the DNG Specification, one point at a time."""

import math

import numpy as np


def warp_rectilinear(
    y: float, x: float, size: tuple[int, int], coefficients: np.ndarray, center: tuple[float, float]
) -> tuple[float, float]:
    """Source (y, x) of an output pixel. Pixel (y, x) has its centre at (y + 0.5, x + 0.5); the radius is 1 at the farthest corner."""
    k0, k1, k2, k3, t0, t1 = coefficients
    cy, cx, m = _centre(size, center)
    dy, dx = (y + 0.5 - cy) / m, (x + 0.5 - cx) / m
    r = math.hypot(dy, dx)
    f = k0 + k1 * r**2 + k2 * r**4 + k3 * r**6
    dx_source = f * dx + t0 * (2 * dx * dy) + t1 * (r**2 + 2 * dx**2)
    dy_source = f * dy + t1 * (2 * dx * dy) + t0 * (r**2 + 2 * dy**2)
    return cy + m * dy_source - 0.5, cx + m * dx_source - 0.5


def vignette_gain(y: float, x: float, size: tuple[int, int], coefficients: np.ndarray, center: tuple[float, float]) -> float:
    """FixVignetteRadial's gain at a pixel."""
    cy, cx, m = _centre(size, center)
    r = math.hypot(y + 0.5 - cy, x + 0.5 - cx) / m
    return 1 + sum(k * r ** (2 * n + 2) for n, k in enumerate(coefficients))


def _centre(size: tuple[int, int], center: tuple[float, float]) -> tuple[float, float, float]:
    height, width = size
    cy, cx = center[1] * height, center[0] * width
    return cy, cx, max(math.hypot(cy - b, cx - a) for b in (0, height) for a in (0, width))
