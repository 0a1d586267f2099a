"""The finishing kernel with every stage off but those under test."""

import numpy as np

from apochromat.chain import _stage_modules
from apochromat.native import kernels


def finish(rgb, **arguments):
    """rgb (H, W, 3) linear working RGB -> (H, W, 3) float32 from the finishing kernel with these arguments on."""
    off = {name: value for module in _stage_modules() for name, value in getattr(module, "OFF", {}).items()}
    planes = np.ascontiguousarray(np.asarray(rgb, np.float32).transpose(2, 0, 1))
    out = np.empty((*planes.shape[1:], 3), np.float32)
    values = {**off, "camera_to_working": np.eye(3, dtype=np.float32), **arguments}
    kernels.finish_f32(rgb=planes, left=0, top=0, output=out, **values)
    return out


def defocused(scene, sigmas, clip=1.0):
    """scene (H, W, 3) blurred by a Gaussian of its own width per channel, then clipped as a sensor does."""
    return np.minimum(np.stack([_blur(scene[..., c], sigma) for c, sigma in enumerate(sigmas)], -1), clip)


def _blur(plane, sigma):
    reach = int(np.ceil(5 * sigma))
    taps = np.exp(-np.square(np.arange(-reach, reach + 1) / sigma) / 2)
    for axis in (0, 1):
        padded = np.pad(plane, [(reach, reach) if k == axis else (0, 0) for k in (0, 1)], "edge")
        plane = np.apply_along_axis(lambda line: np.convolve(line, taps / taps.sum(), "valid"), axis, padded)
    return plane
