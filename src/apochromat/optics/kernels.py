"""One kernel: what a lens makes of a point, from the mean over a cell of the scene to the mean over the same cell of the image.

It is the point spread function without the pixel, so that the whole chain has the transfer function of lens times pixel, whatever the phase
of the edge. Cells are those of the image without distortion, so it is turned and stretched as the lens's distortion will undo. It is taken
at half the pitch, where a phone lens's aliases are faint, freed of its half cell's aperture, and cut at Nyquist. The cut's ripples, which a
night's lamps would show, are kept down: among the kernels that are hardly negative nor far above the light that falls there, the one is
found whose transform is nearest, above all at low frequencies (A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm
for linear inverse problems", SIAM J. Imaging Sci. 2, 2009; here with bounds).

Far out, diffraction at the pupil's edge leaves light that falls with the cube of the distance, in proportion to the pupil's perimeter over
its area (R. Barakat and A. Houston, "Line spread function and cumulative line spread function", J. Opt. Soc. Am. 54, 1964, for the circle).
What the transform's period has folded back of it is taken out; a kernel fades roundly towards its rim, and the light beyond is stated.
"""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.ndimage import map_coordinates, maximum_filter

from apochromat.optics.exit_pupil import Beam, beams
from apochromat.optics.lens import Lens
from apochromat.optics.psf import UPRIGHT, psf_of

NODES_NM = np.array([400.0, 425.0, 450.0, 475.0, 505.0, 535.0, 565.0, 600.0, 640.0, 690.0])
TALL = 1.5  # of the most light that falls on a cell about this one, the most that a kernel may have there
DEEP = 0.5  # and how far it may fall below zero, by the same measure
ABOUT = 5  # cells across that are about one
STEPS, COARSE = 40, 0.18  # of the descent, and cycles a cell above which its frequencies count for less
FADES = 0.6  # of a kernel's radius, from where it fades
SQUARE = 1.8006  # mean over directions of the reciprocal distance of a square's edge from its middle, times the square's side


def bounds_of(lens: Lens, fields_deg: np.ndarray, stretch: np.ndarray) -> tuple[Beam, np.ndarray, np.ndarray]:
    """Of fields (F, 2): their beams (F, W); how far (F,) from the image point rays land, mm; the light (F, W) beyond a distance, times that
    distance in mm. The latter two by the ideal image, which is stretched (F, 2, 2) on the sensor.
    """
    found = beams(lens, fields_deg, NODES_NM, np.broadcast_to(UPRIGHT, (len(fields_deg), 2, 2)), 0, [0.0])
    spread = np.asarray(found.spread)
    spread = np.where(np.isfinite(spread), spread, 0.0).max(-1)
    half = np.asarray(found.half)
    around = np.sqrt(2 * (half**2).sum(-1)) / np.maximum(half.prod(-1), 1e-12)  # of the pupil, an ellipse: perimeter over area
    tails = NODES_NM * 1e-6 * around / (2 * np.pi**2) / np.sqrt(np.abs(np.linalg.det(stretch)))[:, None]
    return found, spread / np.linalg.svd(stretch, compute_uv=False).min(-1), tails


def kernels_of(
    found: Beam, stretch: np.ndarray, tails: np.ndarray, pitch_um: float, size: int, pixel: float
) -> tuple[np.ndarray, np.ndarray]:
    """Kernels (F, W, size, size) float32 of beams (F, W), and the share (F, W) of the light that falls beyond them.

    stretch (F, 2, 2): of the ideal image on the sensor; tails (F, W): light beyond a distance, times that distance in cells; pixel: cells
    across a pixel.
    """
    image = psf_of(found, pitch_um / 2, 2 * size + 2)
    values = np.asarray(image.values, float) / np.maximum(np.asarray(image.energy, float), 1e-12)[..., None, None]
    kernels = np.empty((*values.shape[:2], size, size))
    for number, turn in enumerate(stretch):
        seen = _turned(_unfolded(values[number], tails[number] * np.sqrt(abs(np.linalg.det(turn)))), turn)
        kernels[number] = _within_bounds(seen, size, _pixel_ratio(turn, size, pixel))
    window = (values > 0).any((0, 1, 2)).sum() / 4 / max(np.linalg.svd(stretch, compute_uv=False).max(), 1.0)
    return _faded_out(kernels, tails, window)


def _turned(values: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """Light (W, m, m) of half cells on the sensor, by half cells of the ideal image."""
    middle = values.shape[-1] // 2
    places = np.arange(values.shape[-1]) - middle
    x, y = (row[0] * places[None, :] + row[1] * places[:, None] + middle for row in stretch)
    found = np.stack([map_coordinates(plane, [y, x], order=5, mode="constant") for plane in values])
    return found * abs(np.linalg.det(stretch))


def _pixel_ratio(stretch: np.ndarray, size: int, pixel: float) -> np.ndarray:
    """Transform (size, size // 2 + 1) of a pixel as the ideal image sees it over that of one that is not stretched."""
    x, y = np.fft.rfftfreq(size)[None, :], np.fft.fftfreq(size)[:, None]
    sides = np.linalg.inv(stretch)
    seen = np.sinc(pixel * (sides[0, 0] * x + sides[1, 0] * y)) * np.sinc(pixel * (sides[0, 1] * x + sides[1, 1] * y))
    return np.asarray(seen / np.maximum(np.sinc(pixel * x) * np.sinc(pixel * y), 0.05))


def _unfolded(values: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Light (W, m, m) of half cells without what the transform's period has folded back evenly of what falls beyond it."""
    lit = values > 0
    count = np.maximum(lit.sum((-1, -2)), 1)
    beyond = SQUARE * tails / (np.sqrt(count) / 2)
    folded = np.clip(values.sum((-1, -2)) - (1 - beyond), 0, beyond)
    return values - lit * (folded / count)[:, None, None]


def _faded_out(kernels: np.ndarray, tails: np.ndarray, window: float) -> tuple[np.ndarray, np.ndarray]:
    """Kernels (F, W, n, n) that fade, and beyond a window (half as wide, in cells) follow the law of the cube; the light beyond (F, W)."""
    size = kernels.shape[-1]
    radius = np.hypot(*np.meshgrid(*[np.arange(size) - size // 2] * 2))
    law = tails[..., None, None] / (2 * np.pi * np.maximum(radius, 1.0) ** 3)
    near = fading(radius, min(window, size / 2))
    kernels = (kernels * near + law * (1 - near)) * fading(radius, size / 2)
    out = np.geomspace(FADES * size / 2, 1e3 * size, 20000)
    lost = np.minimum(tails * np.trapezoid((1 - fading(out, size / 2)) / out**2, out), 0.5)
    share = (1 - lost) / np.maximum(kernels.sum((-1, -2)), 1e-30)
    return (kernels * share[..., None, None]).astype(np.float32), lost


def fading(radius: np.ndarray, rim: float) -> np.ndarray:
    """1 within FADES of the rim, falling to 0 at it as a squared cosine."""
    part = np.clip((radius / rim - FADES) / (1 - FADES), 0, 1)
    return np.cos(np.pi / 2 * part) ** 2


def _within_bounds(values: np.ndarray, size: int, ratio: np.ndarray) -> np.ndarray:
    """Kernels (W, size, size) nearest to the cut of half cells' light times a ratio, within bounds by what falls about each cell."""
    cut = _to_pixels(size)
    most = maximum_filter(_pixels(values, size), (1, ABOUT, ABOUT))
    target = fft.rfft2(cut @ values @ cut.T) * ratio
    frequency, half = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)
    weight = _faded(frequency) * _faded(half) / (1 + (frequency**2 + half**2) / COARSE**2)
    kernels = np.clip(fft.irfft2(target, (size, size)), -DEEP * most, TALL * most)
    ahead, pace = kernels, 1.0
    for _ in range(STEPS):
        found = np.clip(ahead + fft.irfft2(weight * (target - fft.rfft2(ahead)), (size, size)), -DEEP * most, TALL * most)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = found + (pace - 1) / faster * (found - kernels)
        kernels, pace = found, faster
    return kernels


def _pixels(values: np.ndarray, size: int) -> np.ndarray:
    """Light (..., size, size) of the pixels whose middles are those of every second half pixel: half of either neighbour's."""
    for axis in (-1, -2):
        values = np.moveaxis(values, axis, -1)
        first = values.shape[-1] // 2 - 2 * (size // 2)
        middle = values[..., first : first + 2 * size : 2]
        before, after = values[..., first - 1 : first - 1 + 2 * size : 2], values[..., first + 1 : first + 1 + 2 * size : 2]
        values = np.moveaxis(middle + (before + after) / 2, -1, axis)
    return values


def _faded(frequency: np.ndarray) -> np.ndarray:
    """1 up to 0.4 cycles per pixel, falling to 0.2 at Nyquist, where a transform is not known better than its alias."""
    return np.clip(1 - 8 * (np.abs(frequency) - 0.4), 0.2, 1)


def _to_pixels(size: int) -> np.ndarray:
    """Matrix (size, 2 size + 2) from integrals over half pixels to samples at the pixel pitch of what lies below Nyquist."""
    count = 2 * size + 2
    frequency = np.arange(-(count // 4), count // 4 + 1) / (count / 2)  # cycles per pixel, Nyquist included
    share = np.where(np.abs(frequency) < 0.5 - 1e-9, 1.0, 0.5) / np.sinc(frequency / 2)
    places, centres = (np.arange(count) - count // 2) / 2, np.arange(size) - size // 2
    onto = np.exp(2j * np.pi * np.outer(centres, frequency)) * share
    return np.real(onto @ np.exp(-2j * np.pi * np.outer(frequency, places))) / (count / 2)
