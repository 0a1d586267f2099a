"""How a lens spreads each point over the sensor, as kernels at the cells' pitch, node by node over the frame and wavelength by wavelength.

A centred lens is symmetric, so only the nodes of one quadrant are made; they are kept on disk. See `kernels.py` for a kernel.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from apochromat.optics.apart import done_apart
from apochromat.optics.errors import LensError
from apochromat.optics.focused import WIDER, Mapping, looking_at
from apochromat.optics.kernels import NODES_NM, bounds_of, kernels_of
from apochromat.optics.lens import Lens
from apochromat.optics.precision import cache_folder

TILES = (4, 5)  # of one quadrant, rows and columns, with a node at each corner
SIZES, MARGIN, COARSEST = (63, 95, 127), 10, 8  # of kernels in cells, beyond the farthest ray, and the most that one of theirs stands for
STRETCH = 0.01  # of an ideal height, either way, over which the local magnification is taken
FAINTEST = 1024.0  # times a kernel, as it is kept: half floats then reach down to 1e-10
VERSION = 13  # of what is kept on disk
Told = Callable[[float], None]


@dataclass(frozen=True)
class PsfField:
    """Kernels (rows + 1, columns + 1, W, n, n) float32 at the corners of the tiles of the quadrant right of and below the centre; n odd.

    The node of row i and column j is at (j / columns, i / rows) of half the frame. `lost` (rows + 1, columns + 1, W): the share of the
    light that falls beyond a kernel, which has the rest. `shrink`: cells that one of the kernel's stands for, 2 or more where a disc of
    confusion is too large for the kernel.
    """

    kernels: np.ndarray
    lost: np.ndarray
    pitch_um: float
    shrink: int = 1


def psf_field(
    lens: Lens,
    seen: Mapping,
    distance_m: float,
    frame_mm: tuple[float, float],
    pitch_um: float,
    pixel_um: float,
    told: Told = lambda _: None,
) -> PsfField:
    """The PSF field of a focused lens for objects at a distance, over an ideal image (height, width) mm at a pitch of cells, for pixels.

    Raises LensError where no light reaches a node that the mapping says is lit.
    """
    lens = looking_at(lens, distance_m)
    file = cache_folder("psf", f"{_key(lens, frame_mm, pitch_um, pixel_um)}.npz")
    if file and file.exists():
        try:
            with np.load(file) as kept:
                return _as_kept(kept["kernels"], kept["lost"], pitch_um, int(kept["shrink"]))
        except (OSError, ValueError, KeyError, EOFError):  # cut short: made anew
            pass
    kernels, lost, shrink = done_apart(made, lens, seen, frame_mm, pitch_um, pixel_um, TILES, told=told)
    if file:
        _keep(kernels, lost, shrink, file)
    return _as_kept(kernels, lost, pitch_um, shrink)  # the first frame is as all later ones


def _as_kept(kernels: np.ndarray, lost: np.ndarray, pitch_um: float, shrink: int) -> PsfField:
    """Kernels that have, to float32, all light but what is lost."""
    whole = kernels.astype(np.float32)
    whole *= ((1 - lost) / whole.sum((-1, -2), dtype=float))[..., None, None].astype(np.float32)
    return PsfField(whole, lost, pitch_um, shrink)


def made(
    lens: Lens, seen: Mapping, frame_mm: tuple[float, float], pitch_um: float, pixel_um: float, tiles: tuple[int, int], told: Told
) -> tuple[np.ndarray, np.ndarray, int]:
    """Kernels as they are kept, float16 times FAINTEST, what they lose, and how much they are shrunk (`PsfField`), for a lens that looks at
    its object: all nodes, a row at a time so that little memory is asked for, with a kernel as large as the widest of them needs."""
    places = _places(seen, frame_mm, tiles)
    fields, stretch = np.degrees(np.arctan(places / seen.scale_mm)), _stretch(seen, places)
    lens = lens.replace(info=replace(lens.info, field_kind="angle"))
    beams, reach, tails = zip(*(bounds_of(lens, row, turned) for row, turned in zip(fields, stretch, strict=True)), strict=True)
    size, shrink = _size(float(np.max(reach)) / (pitch_um * 1e-3) + MARGIN)
    cell_um = pitch_um * shrink
    kernels, lost = np.empty((*fields.shape[:2], len(NODES_NM), size, size), np.float32), np.empty((*fields.shape[:2], len(NODES_NM)))
    for i, (row, turned, beyond) in enumerate(zip(beams, stretch, tails, strict=True)):
        kernels[i], lost[i] = kernels_of(row, turned, beyond / (cell_um * 1e-3), cell_um, size, pixel_um / cell_um)
        told((i + 1) / len(fields))
    for i, j in np.argwhere(~np.isfinite(kernels.sum((-1, -2, -3)))):  # no rays there, or too wild ones: as the next node inwards
        kernels[i, j], lost[i, j] = kernels[max(i - 1, 0), max(j - 1, 0)], lost[max(i - 1, 0), max(j - 1, 0)]
    if not np.isfinite(kernels).all():
        raise LensError(f"expected rays of {lens.info.name or 'the lens'} to form an image, found none that do")
    return (kernels * np.float32(FAINTEST)).astype(np.float16), lost, shrink


def _size(reach: float) -> tuple[int, int]:
    """A kernel's size and what one of its cells stands for, so that light within `reach` cells of the middle is in it."""
    size = next((n for n in SIZES if reach <= n // 2), SIZES[-1])
    shrink = 1
    while reach / shrink > size // 2 and shrink < COARSEST:
        shrink *= 2
    return size, shrink


def _places(seen: Mapping, frame_mm: tuple[float, float], tiles: tuple[int, int]) -> np.ndarray:
    """Ideal places (rows + 1, columns + 1, 2) of the quadrant's nodes in mm, x and y, none farther out than the lens sees."""
    y, x = (np.arange(n + 1) / n * half / 2 for n, half in zip(tiles, frame_mm, strict=True))
    places = np.stack(np.meshgrid(x, y), -1)
    inside = np.minimum(1, seen.ideal_mm[-1] / WIDER / np.maximum(np.hypot(places[..., 0], places[..., 1]), 1e-9))
    return places * inside[..., None]


def _stretch(seen: Mapping, places_mm: np.ndarray) -> np.ndarray:
    """How the ideal image is stretched on the sensor, (..., 2, 2), at ideal places (..., 2) as x and y: the derivative of the mapping."""
    height = np.maximum(np.hypot(places_mm[..., 0], places_mm[..., 1]), 1e-6 * seen.ideal_mm[-1])[..., None, None]
    along = places_mm[..., None] * places_mm[..., None, :] / height**2
    apart = (1 - STRETCH) * height, (1 + STRETCH) * height
    radial = (seen.real(apart[1]) - seen.real(apart[0])) / (apart[1] - apart[0])
    return seen.real(height) / height * (np.eye(2) - along) + radial * along


def _key(lens: Lens, frame_mm: tuple[float, float], pitch_um: float, pixel_um: float) -> str:
    """What the kernels depend on."""
    leaves = [np.asarray(getattr(lens, name), float).tobytes() for name in lens.__dataclass_fields__ if name not in ("info", "fields")]
    facts = repr((VERSION, lens.info.structure, frame_mm, pitch_um, pixel_um, NODES_NM.tolist(), TILES))
    return hashlib.sha256(b"".join([*leaves, facts.encode()])).hexdigest()[:32]


def _keep(kernels: np.ndarray, lost: np.ndarray, shrink: int, file: Path) -> None:
    """Write by a temporary name; a folder that cannot be written is none of the picture's business."""
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            np.savez(stream, kernels=kernels, lost=lost, shrink=shrink)
        os.replace(part, file)
    except OSError:
        pass
    finally:
        part.unlink(missing_ok=True)
