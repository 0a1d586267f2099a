"""The finishing kernel with every stage off but those under test, and edges to try it on."""

import numpy as np

from apochromat.chain import _stage_modules
from apochromat.develop.sharpen import blur_taps, noise_gain
from apochromat.native import kernels

SLANT = 0.09  # radians


def switched(**arguments):
    """The kernel's arguments with every stage off but those given."""
    off = {name: value for module in _stage_modules() for name, value in getattr(module, "OFF", {}).items()}
    return {**off, "camera_to_working": np.eye(3, dtype=np.float32), **arguments}


def finish(rgb, **arguments):
    """rgb (H, W, 3) linear working RGB -> (H, W, 3) float32 from the finishing kernel with these arguments on."""
    planes = np.ascontiguousarray(np.asarray(rgb, np.float32).transpose(2, 0, 1))
    out = np.empty((*planes.shape[1:], 3), np.float32)
    kernels.finish_f32(rgb=planes, left=0, top=0, output=out, **switched(**arguments))
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


def edge(dark=(0.05, 0.05, 0.05), bright=(4.0, 4.0, 4.0), size=64):
    """A vertical edge through the middle."""
    scene = np.empty((size, size, 3))
    scene[:, : size // 2], scene[:, size // 2 :] = dark, bright
    return scene


def chroma(rgb):
    return np.hypot(rgb[..., 0] - rgb[..., 1], rgb[..., 2] - rgb[..., 1])


def sharpening(amount=0.7, radius=0.65, a=1e-5, b=1e-7):
    """Kernel arguments of sharpening for luminance noise of variance a Y + b."""
    blur = blur_taps(radius)
    gain = noise_gain(blur)
    return {"sharpen_amount": amount, "sharpen_blur": blur, "sharpen_noise_a": gain * a, "sharpen_noise_b": gain * b}


def slanted_edge(low, high, sigma, size=72, fine=8):
    """Grey edge, Gaussian blur of `sigma` pixels, sampled at pixel centres."""
    y, x = np.mgrid[: size * fine, : size * fine] / fine - size / 2
    scene = np.where(x * np.cos(SLANT) - y * np.sin(SLANT) > 0, high, low)[..., None]
    return np.repeat(defocused(scene, (sigma * fine,), np.inf)[::fine, ::fine], 3, -1)


def edge_profile(luminance):
    """Edge-spread function at a quarter of a pixel."""
    size = len(luminance)
    y, x = np.mgrid[:size, :size] - size / 2
    bins = np.rint(4 * (x * np.cos(SLANT) - y * np.sin(SLANT))).astype(int)
    use = np.abs(bins) <= 64
    return np.bincount(bins[use] + 64, luminance[use]) / np.bincount(bins[use] + 64)


def mtf50(luminance):
    """Spatial frequency of half contrast, cycles a pixel."""
    line = np.gradient(edge_profile(luminance)) * np.hamming(129)
    contrast = np.abs(np.fft.rfft(line, 4096))
    return np.argmax(contrast < contrast[0] / 2) / 4096 * 4
