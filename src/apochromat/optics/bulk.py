"""A million rays: traced by a compiled kernel on every core; the few it is not sure of, by `trace`.

Measured on 2 cores, float64, flags and apertures on: 1e6 rays through 13 even aspheres in 0.2 s, where `trace` takes 0.5 s at best.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from apochromat.native import kernels
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64
from apochromat.optics.trace import Ray, Traced, rotations, trace

ASK = 5  # flag of the kernel: it is not sure
TILE = 64  # rays that the kernel takes at once: fewer are left to `trace`
LEAST = 256  # rays that `trace` is given at once, or twice, four times as many: few shapes are compiled


def trace_bulk(lens: Lens, ray: Ray, wavelength_nm: float, config: int = 0, *, apertures: bool = True) -> Traced:
    """Trace rays (n,) in the frame of surface 0 to the image plane, as `trace` does; NumPy arrays in and out, no gradients."""
    rays = [np.ascontiguousarray(v, np.float64) for v in ray]
    with float64():
        index = np.asarray(lens.index(wavelength_nm))
    traced = np.full((len(Traced._fields), len(rays[0])), ASK, float)
    if lens.S > 1 and len(rays[0]) >= TILE:  # the kernel cannot tell the axes of one row
        given = {f"{axis}0": v for axis, v in zip(Ray._fields, rays, strict=True)}
        kernels.rays(**given, surfaces=_surfaces(lens, index, config, apertures), behind=float(index[-1]), traced=traced)
    asked = np.flatnonzero(traced[6] == ASK)
    if len(asked):
        traced[:, asked] = _reference(lens, np.stack(rays)[:, asked], index, config, apertures)
    return Traced(*traced[:6], *traced[6:].astype(np.int8))


@float64
def _surfaces(lens: Lens, index: np.ndarray, config: int, apertures: bool) -> np.ndarray:
    """The lens as the kernel reads it, (S, 27): its columns stand in `kernels/rays.py`."""
    mirror = np.array([s.kind == "mirror" for s in lens.info.surfaces])
    semi, inner = (np.asarray(v, float) if apertures else still for v, still in ((lens.semi_diameter, np.inf), (lens.inner_radius, 0.0)))
    tilt, decenter = (np.asarray(v, float) * lens.info.is_perturbed for v in (lens.tilt, lens.decenter))
    columns = [lens.curvature, lens.conic, lens.even, semi**2 + 0 * mirror, inner**2 + 0 * mirror, index[:-1]]
    columns += [np.where(mirror, 1.0, index[:-1] / index[1:]), np.where(mirror, -1.0, 1.0), np.asarray(lens.thickness)[config]]
    return np.column_stack([*map(np.asarray, columns), decenter, np.asarray(rotations(jnp.asarray(tilt))).reshape(-1, 9)])


@float64
def _reference(lens: Lens, rays: np.ndarray, index: np.ndarray, config: int, apertures: bool) -> np.ndarray:
    """Rays (6, n) by `trace`, (8, n)."""
    count = rays.shape[1]
    size = LEAST * 2 ** int(np.ceil(np.log2(max(1, count / LEAST))))
    padded = np.pad(rays, ((0, 0), (0, size - count)), mode="edge")
    return np.stack([np.asarray(v, float)[:count] for v in trace(lens, Ray(*padded), index, config, apertures=apertures)])
