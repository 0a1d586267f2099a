"""What of a layer's light falls beyond the kernels of a PSF field: a faint glow about all that is bright, at a quarter of the resolution.

It falls off by the cube of the distance, as diffraction at the pupil's edge has it; see `kernels.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from apochromat.optics.coarse import add_enlarged, binned, over_frame
from apochromat.optics.kernels import fading
from apochromat.optics.psf_field import PsfField

COARSE, FARTHEST = 4, 192  # cells of the kernel's to one of the far light's, and how many of these it reaches


def add_far(
    whole: np.ndarray, planes: Sequence[np.ndarray], field: PsfField, weights: np.ndarray, corner: tuple[int, int] = (0, 0)
) -> None:
    """Add to signals (C, H, W) of the frame what of the light of planes K x (h, w), at a corner of it, falls beyond the kernels.

    weights (K, C, W): of the planes, seen by channels, at the field's wavelengths.
    """
    step = COARSE * field.shrink
    lost = np.einsum("kcw,ijw->kcij", weights, field.lost)
    source = np.zeros((len(whole), *(-(-n // step) for n in whole.shape[1:])), np.float32)
    before = [o % step for o in corner]
    for plane, shares in zip(planes, lost, strict=True):
        coarse = binned(np.pad(plane, [(n, 0) for n in before]) if any(before) else plane, step)
        box = tuple(slice(o // step, o // step + n) for o, n in zip(corner, coarse.shape, strict=True))
        for channel, share in zip(source, shares, strict=True):
            if share.any():
                channel[box] += coarse * over_frame(share, channel.shape, box)
    if not source.any():
        return
    for plane, fallen in zip(whole, _fallen(source, field.kernels.shape[-1]), strict=True):
        add_enlarged(plane, fallen, step)


def _fallen(source: np.ndarray, size: int) -> np.ndarray:
    """Light (C, h, w) in coarse cells spread beyond kernels of a size."""
    rows, columns = source.shape[1:]
    place = (np.arange(-FARTHEST, FARTHEST + 1) * COARSE) ** 2
    radius = np.sqrt(np.maximum(place[:, None] + place, 1))
    far = (1 - fading(radius, size / 2)) / radius**3
    padded = [fft.next_fast_len(n + 2 * FARTHEST, True) for n in (rows, columns)]
    spectrum = fft.rfft2((far / far.sum()).astype(np.float32), padded)
    spread = fft.irfft2(fft.rfft2(source, padded) * spectrum, padded)
    return np.asarray(spread[:, FARTHEST : FARTHEST + rows, FARTHEST : FARTHEST + columns])
