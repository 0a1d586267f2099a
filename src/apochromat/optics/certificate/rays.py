"""Rays of the certificate: aimed at the stop once for each configuration, then reduced to wavefronts with NumPy.

A ray with direction d through the point p of the image plane has the path A = opl - d.p up to the plane through the origin at a right
angle to it. About any point Q its optical path difference is A + d.Q, less the mean: the reference sphere of infinite radius (the angle
eikonal; M. Born, E. Wolf, "Principles of Optics", section 4.1). It is linear in Q, so that the focus of least RMS is a linear fit.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.certificate.thresholds import line, thresholds
from apochromat.optics.errors import LensError
from apochromat.optics.first_order import matrices
from apochromat.optics.lens import Lens, LensInfo, SurfaceInfo
from apochromat.optics.linear import inverse
from apochromat.optics.precision import float64
from apochromat.optics.pupil import aimed, rings, square
from apochromat.optics.trace import CLIPPED, OK, Ray, trace
from apochromat.optics.wavefront import launched_path

BUNDLE, BLOCK = 385, 64  # rays of one field and wavelength that are traced together, and bundles in a compiled call


class Launch(NamedTuple):
    """Rays in front of the lens, (F, W, P) of each quantity, and their path from one wavefront of the object point (mm)."""

    ray: Ray
    path: Any
    wavelengths_nm: np.ndarray
    pupil: np.ndarray  # (P, 2) stop coordinates
    weights: np.ndarray  # (P,) of the pupil quadrature


class Exit(NamedTuple):
    """Rays on the image plane (NumPy): x, y mm, directions L, M, N, A = opl - d.p (mm), flag and its surface; each (F, W, P)."""

    x: np.ndarray
    y: np.ndarray
    L: np.ndarray
    M: np.ndarray
    N: np.ndarray
    path: np.ndarray
    status: np.ndarray
    surface: np.ndarray
    wavelengths_nm: np.ndarray
    pupil: np.ndarray
    weights: np.ndarray

    def at(self, field: int) -> Exit:
        """One field, (W, P)."""
        return self._replace(**{name: getattr(self, name)[field] for name in self._fields[:8]})

    def near(self, wavelength_nm: float) -> int:
        """Index of the wavelength that is nearest."""
        return int(np.abs(self.wavelengths_nm - wavelength_nm).argmin())


class Paraxial(NamedTuple):
    """Limits at the axis, (W,): height (of a near object: direction) of a ray in front by its direction behind; focus (mm)."""

    scale: np.ndarray
    focus_mm: np.ndarray
    pupil_vergence: np.ndarray  # 1/mm, one over the distance from the image plane to the exit pupil


@cache
def fine_pupil() -> tuple[np.ndarray, np.ndarray]:
    """A square grid (P, 2) over the pupil and points on its rim; weights (P,), none of the rim."""
    sampling = thresholds()["sampling"]
    grid, weights = square(sampling["pupil_across"])
    return np.concatenate([grid, rim(sampling["pupil_rim"])]), np.concatenate([weights, np.zeros(sampling["pupil_rim"])])


@cache
def ring_pupil() -> tuple[np.ndarray, np.ndarray]:
    """The quadrature over the pupil, (P, 2) and (P,), and the chief ray after it, of no weight."""
    return with_chief(*rings(*thresholds()["sampling"]["pupil_rings"]))


def with_chief(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pupil points and weights with the stop's middle, of no weight, as the last."""
    return np.concatenate([points, np.zeros((1, 2))]), np.append(weights, 0.0)


def rim(count: int) -> np.ndarray:
    """Points (count, 2) on the edge of the pupil."""
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angle), np.sin(angle)], -1)


@float64
def launch(lens: Lens, angles: Any, wavelengths_nm: Any, pupil: tuple[np.ndarray, np.ndarray], config: int) -> Launch:
    """Aimed rays of fields by their angles (F, 2) in degrees at the object, at wavelengths (W,), through pupil points (P, 2)."""
    lens = bare(lens)
    wavelengths, points = np.asarray(wavelengths_nm, float), np.asarray(pupil[0], float)
    tangents = np.tan(np.radians(np.asarray(angles, float)))
    shape = (len(tangents), len(wavelengths), -(-len(points) // BUNDLE))
    # Every job is cut into blocks of one size, so that the aim is compiled once.
    pieces = np.resize(points, (shape[2] * BUNDLE, 2)).reshape(shape[2], BUNDLE, 2)
    f, w, p = (index.ravel() for index in np.indices(shape))
    blocks = [_launch(lens, tangents[f[k]], wavelengths[w[k]], pieces[p[k]], config) for k in _blocks(len(f))]
    whole = [np.concatenate(v)[: len(f)].reshape(*shape[:2], -1)[..., : len(points)] for v in zip(*blocks, strict=True)]
    return Launch(Ray(*whole[:6]), whole[6], wavelengths, points, pupil[1])


@float64
def exits(lens: Lens, start: Launch, config: int, *, apertures: bool) -> Exit:
    """The rays on the image plane; apertures: those beyond a clear radius are flagged."""
    lens = bare(lens if apertures else unvignetted(lens))
    shape = np.shape(start.path)
    pieces = -(-shape[2] // BUNDLE)
    flat = [_in_bundles(v, pieces) for v in (*start.ray, start.path)]
    wavelengths = np.broadcast_to(start.wavelengths_nm[None, :, None], (*shape[:2], pieces)).ravel()
    blocks = [_exits(lens, Ray(*(v[k] for v in flat[:6])), flat[6][k], wavelengths[k], config) for k in _blocks(len(wavelengths))]
    whole = [np.concatenate(v)[: len(wavelengths)].reshape(*shape[:2], -1)[..., : shape[2]] for v in zip(*blocks, strict=True)]
    return Exit._make([*whole, start.wavelengths_nm, start.pupil, start.weights])


def bare(lens: Lens) -> Lens:
    """The lens without names: lenses of one structure share their compiled traces."""
    surfaces = tuple(SurfaceInfo(kind=s.kind) for s in lens.info.surfaces)
    blank = LensInfo(
        "", surfaces, lens.info.stop, (line("e"),), (1.0,), 0, configurations=("",) * lens.C, is_perturbed=lens.info.is_perturbed
    )
    return lens.replace(info=blank)


def unvignetted(lens: Lens) -> Lens:
    """The lens without clear radii and obscurations."""
    return lens.replace(semi_diameter=np.full(lens.S, np.inf), inner_radius=np.zeros(lens.S))


def _in_bundles(values: Any, pieces: int) -> np.ndarray:
    """(F, W, P) as (F * W * pieces, BUNDLE), the last of each filled up with its last ray."""
    values = np.asarray(values)
    filled = np.pad(values, ((0, 0), (0, 0), (0, pieces * BUNDLE - values.shape[2])), mode="edge")
    return filled.reshape(-1, BUNDLE)


def _blocks(count: int) -> list[np.ndarray]:
    """Indices of `count` bundles in blocks of one size, the last filled up."""
    return list(np.minimum(np.arange(-(-count // BLOCK) * BLOCK), count - 1).reshape(-1, BLOCK))


@float64
def paraxial(lens: Lens, wavelengths_nm: Any, config: int) -> Paraxial:
    """First-order limits at wavelengths (W,)."""
    return Paraxial(*(np.asarray(v) for v in _paraxial(bare(lens), jnp.asarray(wavelengths_nm, jnp.float64), config)))


@jax.jit
def _launch(lens: Lens, tangents: Any, wavelengths: Any, pupil: Any, config: Any) -> tuple[Any, ...]:
    """Rays (K, P) and their path from the object (K, P), of K bundles."""

    def one(tangent: Any, wavelength: Any, pupil: Any) -> tuple[Any, ...]:
        ray = aimed(lens, tangent, lens.index(wavelength), pupil, config)
        return *ray, launched_path(ray, jnp.asarray(lens.object_vergence)[config])

    return jax.vmap(one)(tangents, wavelengths, pupil)


@jax.jit
def _exits(lens: Lens, ray: Ray, path: Any, wavelengths: Any, config: Any) -> tuple[Any, ...]:
    """What `Exit` holds of rays (K, P), K bundles of one wavelength each."""

    def one(ray: Ray, path: Any, wavelength: Any) -> tuple[Any, ...]:
        end = trace(lens, ray, lens.index(wavelength), config)
        return end.x, end.y, end.L, end.M, end.N, path + end.opl - end.L * end.x - end.M * end.y, end.status, end.surface

    return jax.vmap(one)(ray, path, wavelengths)


@jax.jit
def _paraxial(lens: Lens, wavelengths: Any, config: Any) -> tuple[Any, Any, Any]:
    vergence = jnp.asarray(lens.object_vergence)[config]
    onward = (-1.0) ** sum(s.kind == "mirror" for s in lens.info.surfaces)

    def one(wavelength: Any) -> tuple[Any, Any, Any]:
        index = lens.index(wavelength)
        front, whole = matrices(lens, index, config)
        back = whole @ inverse(front)
        height, direction = whole @ jnp.stack([jnp.ones(()), vergence])
        return jnp.where(vergence == 0, 1.0, vergence) / direction, -height / direction * onward, -back[1, 1] / back[0, 1] * onward

    return jax.vmap(one)(wavelengths)


def refuse_lost(rays: Exit, configuration: str) -> None:
    """Raise LensError when a ray of the full pupil does not reach the image."""
    lost = (rays.status != OK) & (rays.status != CLIPPED)
    if lost.any():
        first = int(rays.surface[lost][0]) + 1
        place = f"at surface {first}" if first else "before the first surface"
        where = f" in configuration {configuration!r}" if configuration else ""
        found = f"{int(lost.sum())} of {lost.size} rays lost, the first {place}"
        raise LensError(f"Expected the full pupil to reach the image on axis{where}, found {found}.")


def best_points(rays: Exit) -> np.ndarray:
    """Points (W, 3) in mm of least RMS wavefront, from the axis's point of the image plane; of one field."""
    root = np.sqrt(rays.weights)[:, None]
    points = []
    for i in range(len(rays.wavelengths_nm)):
        design = np.stack([np.ones_like(rays.L[i]), rays.L[i], rays.M[i], rays.N[i]], -1)
        points.append(-np.linalg.lstsq(design * root, rays.path[i] * root[:, 0], rcond=None)[0][1:])
    return np.array(points)


def wavefronts(rays: Exit, point: np.ndarray) -> np.ndarray:
    """Optical path differences (W, P) in mm about a point (3,) or one for each wavelength (W, 3), piston removed."""
    x, y, z = np.broadcast_to(point, (len(rays.wavelengths_nm), 3)).T[..., None]
    path = rays.path + rays.L * x + rays.M * y + rays.N * z
    return path - (path * rays.weights).sum(1, keepdims=True) / rays.weights.sum()


def working_f_number(axis: Exit, wavelength_nm: float) -> float:
    """1 / (2 n' sin u') of the real marginal rays on axis, in air; of rays that reach the rim of the pupil at (0, 1) and (0, -1)."""
    directions = axis.M[axis.near(wavelength_nm)]
    top, bottom = (int(np.hypot(axis.pupil[:, 0], axis.pupil[:, 1] - y).argmin()) for y in (1, -1))
    return float(1 / np.abs(directions[top] - directions[bottom]))
