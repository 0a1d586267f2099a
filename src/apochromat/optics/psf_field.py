"""How a lens spreads each point over the sensor, as kernels of one odd size at the pixel pitch, tile by tile and wavelength by wavelength.

A kernel is the point spread function without the pixel: it carries the mean over a cell of the scene to the mean over the same pixel, so
that the whole chain has the transfer function of lens times pixel up to the sensor's Nyquist frequency, whatever the phase of the edge.
It is taken at half the pitch, where a phone lens's aliases are faint, freed of its half pixel's aperture, and cut at Nyquist. The cut's
ripples, which a night's lamps would show, are kept down: among the kernels that are nowhere negative nor far above the light that falls
there, the one is found whose transform is nearest (projected gradients).

A centred lens is symmetric, so only the tiles of one quadrant are made; they are kept on disk.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import fft
from scipy.ndimage import maximum_filter

from apochromat.optics.errors import LensError
from apochromat.optics.exit_pupil import beams
from apochromat.optics.focused import WIDER, Mapping, looking_at
from apochromat.optics.lens import Lens
from apochromat.optics.precision import cache_folder
from apochromat.optics.psf import UPRIGHT, psf

NODES_NM = np.array([400.0, 425.0, 450.0, 475.0, 505.0, 535.0, 565.0, 600.0, 640.0, 690.0])
TILES = (5, 6)  # of one quadrant, rows and columns
TALL = 1.5  # of the light that falls about a pixel, the most that a kernel may have there
DEEP = 0.1  # and how far it may fall below zero, by the same measure
STEPS = 20  # of projected gradients
SIZES, MARGIN, COARSEST = (31, 63, 127), 10, 8  # of kernels in pixels, beyond the farthest ray, and the most that one pixel stands for
VERSION = 6  # of what is kept on disk


@dataclass(frozen=True)
class PsfField:
    """Kernels (rows, columns, W, n, n) float32 of the tiles of the quadrant right of and below the centre, each adding to 1; n odd.

    The tile of row i and column j has its middle at ((j + 1/2) / columns, (i + 1/2) / rows) of half the frame. `shrink`: pixels of the
    sensor that one of the kernel's stands for, 2 or more where a disc of confusion is too large for the kernel.
    """

    kernels: np.ndarray
    pitch_um: float
    shrink: int = 1


def psf_field(lens: Lens, seen: Mapping, distance_m: float, frame_mm: tuple[float, float], pitch_um: float) -> PsfField:
    """The PSF field of a focused lens for objects at a distance, over an ideal image (height, width) mm at a pixel pitch.

    Raises LensError where no light reaches a tile that the mapping says is lit.
    """
    lens = looking_at(lens, distance_m)
    file = cache_folder("psf", f"{_key(lens, frame_mm, pitch_um)}.npz")
    if file and file.exists():
        try:
            with np.load(file) as kept:
                return PsfField(_whole(kept["kernels"].astype(np.float32)), pitch_um, int(kept["shrink"]))
        except (OSError, ValueError, KeyError, EOFError):  # cut short: made anew
            pass
    found = _made(lens, seen, frame_mm, pitch_um)
    found = replace(found, kernels=found.kernels.astype(np.float16))  # as they are kept: the first frame is as all later ones
    if file:
        _keep(found, file)
    return replace(found, kernels=_whole(found.kernels.astype(np.float32)))


def _made(lens: Lens, seen: Mapping, frame_mm: tuple[float, float], pitch_um: float) -> PsfField:
    """All tiles at once, with a kernel as large as the widest of them needs."""
    fields = _fields(seen, frame_mm)
    lens = lens.replace(info=replace(lens.info, field_kind="angle"))
    upright = np.broadcast_to(UPRIGHT, (len(fields), 2, 2))
    spread = np.asarray(beams(lens, fields, NODES_NM, upright, 0, [0.0]).spread)
    reach = float(np.nanmax(np.where(np.isfinite(spread), spread, 0.0))) / (pitch_um * 1e-3) + MARGIN  # pixels
    size = next((n for n in SIZES if reach <= n // 2), SIZES[-1])
    shrink = 1
    while reach / shrink > size // 2 and shrink < COARSEST:
        shrink *= 2
    kernels = kernels_of(lens, fields, pitch_um * shrink, size).reshape(*TILES, len(NODES_NM), size, size)
    for i, j in np.argwhere(~np.isfinite(kernels.sum((-1, -2, -3)))):  # no rays there, or too wild ones: as the next tile inwards
        kernels[i, j] = kernels[max(i - 1, 0), max(j - 1, 0)]
    if not np.isfinite(kernels).all():
        raise LensError(f"expected rays of {lens.info.name or 'the lens'} to form an image, found none that do")
    return PsfField(kernels, pitch_um, shrink)


def _fields(seen: Mapping, frame_mm: tuple[float, float]) -> np.ndarray:
    """Field angles (tiles, 2), x and y in degrees, of the quadrant's tiles, none wider than the lens sees."""
    y, x = (((np.arange(n) + 0.5) / n * half / 2) for n, half in zip(TILES, frame_mm, strict=True))
    places = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    inside = np.minimum(1, seen.ideal_mm[-1] / WIDER / np.hypot(*places.T))
    return np.degrees(np.arctan(places * (inside / seen.scale_mm)[:, None]))


def kernels_of(lens: Lens, fields_deg: np.ndarray, pitch_um: float, size: int) -> np.ndarray:
    """Kernels (F, W, size, size) float32 of fields (F, 2) by angle, each adding to 1."""
    found = psf(lens, fields_deg, NODES_NM, pitch_um / 2, 2 * size + 2)
    values = np.asarray(found.values, float) / np.maximum(np.asarray(found.energy, float), 1e-12)[..., None, None]
    cut = _to_pixels(size)
    return np.stack([_within_bounds(cut, tile, size) for tile in values]).astype(np.float32)


def _within_bounds(cut: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Kernels (..., size, size) nearest to the cut of half pixels' light, within bounds by what falls about each pixel."""
    wanted = cut @ values @ cut.T
    most = TALL * maximum_filter(_pixels(values, size), (1,) * (values.ndim - 2) + (3, 3))
    frequency = np.fft.fftfreq(size)
    weight = _faded(frequency[:, None]) * _faded(frequency[: size // 2 + 1])
    kernels, target = np.clip(wanted, -DEEP * most, most), fft.rfft2(wanted)
    for _ in range(STEPS):
        kernels += fft.irfft2(weight * (target - fft.rfft2(kernels)), (size, size))
        kernels = np.clip(kernels, -DEEP * most, most)
    return _whole(kernels)


def _whole(kernels: np.ndarray) -> np.ndarray:
    """Kernels that add to 1: the little light that falls beyond them is spread as the rest."""
    return kernels / np.maximum(kernels.sum((-1, -2), keepdims=True), 1e-30)


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


def _key(lens: Lens, frame_mm: tuple[float, float], pitch_um: float) -> str:
    """What the kernels depend on."""
    leaves = [np.asarray(getattr(lens, name), float).tobytes() for name in lens.__dataclass_fields__ if name not in ("info", "fields")]
    facts = repr((VERSION, lens.info.structure, frame_mm, pitch_um, NODES_NM.tolist(), TILES))
    return hashlib.sha256(b"".join([*leaves, facts.encode()])).hexdigest()[:32]


def _keep(found: PsfField, file: Path) -> None:
    """Write by a temporary name; a folder that cannot be written is none of the picture's business."""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
            np.savez(part, kernels=found.kernels, shrink=found.shrink)
        os.replace(part.name, file)
    except OSError:
        Path(part.name).unlink(missing_ok=True)
