"""A million rays: traced in blocks that stay in the cache, on every core.

Measured on 2 cores, float64, flags and apertures on: 1e6 rays through 13 even aspheres in 0.5 s; in one piece 0.9 s, since every step of
Newton's iteration then goes through memory (80 MB of rays each time).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64
from apochromat.optics.trace import Ray, Traced, trace

BLOCK = 16384  # rays


def trace_bulk(lens: Lens, ray: Ray, wavelength_nm: float, config: int = 0, *, apertures: bool = True) -> Traced:
    """Trace rays (n,) in the frame of surface 0 to the image plane, as `trace` does; NumPy arrays in and out, no gradients."""
    count = len(ray.x)
    cores = min(len(os.sched_getaffinity(0)), max(1, count // BLOCK))
    share = -(-count // (cores * BLOCK)) * BLOCK
    rays = np.stack([np.asarray(v, np.float64) for v in ray])
    parts = [_padded(rays[:, i : i + share], share) for i in range(0, count, share)]
    with ThreadPoolExecutor(len(parts)) as pool:
        done = list(pool.map(lambda part: _traced(lens, part, wavelength_nm, config, apertures), parts))
    return Traced(*(np.concatenate(values)[:count] for values in zip(*done, strict=True)))


def _padded(rays: np.ndarray, size: int) -> np.ndarray:
    """Rays (6, n) with the last one repeated up to `size`, so that every part has one shape."""
    return np.pad(rays, ((0, 0), (0, size - rays.shape[1])), mode="edge")


@float64
def _traced(lens: Lens, rays: np.ndarray, wavelength_nm: float, config: int, apertures: bool) -> list[np.ndarray]:
    return [np.asarray(v) for v in _blocks(lens, jnp.asarray(rays), jnp.asarray(wavelength_nm, jnp.float64), config, apertures)]


@partial(jax.jit, static_argnames="apertures")
def _blocks(lens: Lens, rays: Any, wavelength_nm: Any, config: Any, apertures: bool) -> Traced:
    index = lens.index(wavelength_nm)
    blocks = Ray(*rays.reshape(6, -1, BLOCK))
    done = lax.map(lambda block: trace(lens, block, index, config, apertures=apertures), blocks)
    return Traced(*(v.reshape(-1) for v in done))
