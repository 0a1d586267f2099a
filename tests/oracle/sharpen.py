"""Oracle of the sharpen stage: NumPy, float64, written for reading."""

import numpy as np

LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
DARK = 0.002
PAD = 8
AXES = [(0, 1), (1, 0), (1, 1), (1, -1)]


def sharpen(rgb: np.ndarray, amount: float, blur: np.ndarray, noise: tuple[float, float]) -> np.ndarray:
    """rgb (H, W, 3) linear working RGB -> sharpened; blur (2, 4): taps 0..3 of the PSF, once and twice; noise: of the detail."""
    if amount == 0:
        return rgb
    padded = np.pad(rgb.astype(np.float64), ((PAD, PAD), (PAD, PAD), (0, 0)), "edge")
    y = padded @ LUMINANCE
    once, twice = (convolve(y, taps) for taps in blur)
    detail = 2 * y - 3 * once + twice
    energy = sum(moved(detail**2, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)) / 9
    variance = noise[0] * np.maximum(once, 0) + noise[1]
    weight = energy**2 / (energy**2 + (5 * variance) ** 2 + 1e-24)
    low, high = allowed(y)
    change = np.clip(y + amount * weight * detail, low, high) - y
    gain = np.clip(1 + change / (np.maximum(y, 0) + DARK), 0.25, 4)
    return (padded * gain[..., None])[PAD:-PAD, PAD:-PAD]


def allowed(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Range of the result: that of the 3x3 neighbourhood, beyond which a crest may rise and a trough sink by their own height."""
    around = np.stack([moved(y, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    crest, trough = np.zeros_like(y), np.zeros_like(y)
    for dy, dx in AXES:
        before, after = (np.stack([moved(y, side * step * dy, side * step * dx) for step in (1, 2)]) for side in (-1, 1))
        crest = np.maximum(crest, np.minimum(y - before.min(0), y - after.min(0)))
        trough = np.maximum(trough, np.minimum(before.max(0) - y, after.max(0) - y))
    return around.min(0) - trough, around.max(0) + crest


def convolve(y: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Symmetric separable convolution."""
    for axis in (0, 1):
        y = sum(taps[abs(d)] * np.roll(y, d, axis) for d in range(-3, 4))
    return y


def moved(y: np.ndarray, dy: int, dx: int) -> np.ndarray:
    return np.roll(y, (-dy, -dx), (0, 1))
