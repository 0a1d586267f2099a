"""Optiland beside the lens engine: the same lens, written as .zmx and opened there, and how far the two differ.

Needs Optiland (`pip install optiland`; 0.6.3 here), which is no dependency. Both trace the same rays: aimed at the stop here, traced there
by its own code with its own glass data, except where a lens has model glass: those media get the indices used here. Optiland's wavefront
puts its reference sphere through the exit pupil's middle on the axis, at the primary wavelength; here it goes through the point where the
chief ray meets the exit pupil, at each wavelength. `exit_pupil_point` is set to that.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from optiland import fileio
from optiland.distribution import BaseDistribution
from optiland.materials import IdealMaterial
from optiland.optic import Optic
from optiland.psf import FFTPSF
from optiland.rays import RealRays
from optiland.rays.ray_aiming.base import BaseRayAimer
from optiland.rays.ray_aiming.registry import register_aimer
from optiland.wavefront.reference_geometry import SphericalReference
from optiland.wavefront.strategy import ChiefRayStrategy
from scipy.optimize import minimize_scalar

from apochromat.optics.first_order import first_order
from apochromat.optics.focus import ARMS, RINGS, colour_focus
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64
from apochromat.optics.pupil import bundle, field_angles, rings
from apochromat.optics.trace import OK, Ray, trace
from apochromat.optics.wavefront import opd
from apochromat.optics.zmx_write import write_zmx

LINES_NM = (435.8343, 486.1327, 546.074, 587.5618, 656.2725)
SETTLED_MM = 1e-13  # of Optiland's iteration on aspheres, which otherwise ends at 1e-6
BACK_MM = 10.0  # before the first vertex, where rays from infinity start there
PUPIL, WEIGHTS = rings(RINGS, ARMS)
POINTS = np.concatenate([np.zeros((1, 2)), PUPIL])  # the chief ray first


@dataclass(frozen=True)
class Differences:
    """Largest differences between the two over all rays, fields and wavelengths."""

    efl_relative: float
    height_mm: float
    stop_mm: float  # from the points of the stop that the rays were aimed at, in Optiland's trace
    opd_waves: float
    focus_um: float
    lateral_um: float


@register_aimer("apochromat")
class _Aimer(BaseRayAimer):
    """Optiland's rays, aimed by the lens engine."""

    def __init__(self, optic: Any, lens: Lens, **_: Any) -> None:
        super().__init__(optic)
        self.lens = lens

    def aim_rays(self, fields: Any, wavelengths: Any, pupil_coords: Any) -> tuple[np.ndarray, ...]:
        widest = np.hypot(*np.asarray(self.lens.fields).T).max()
        field = [float(np.ravel(part)[0]) * widest for part in fields]
        points = np.stack([np.ravel(part).astype(float) for part in pupil_coords], -1)
        filled = np.concatenate([points, np.zeros((len(POINTS) - len(points), 2))])  # one shape, compiled once
        ray = bundle(self.lens, field, 1e3 * float(np.ravel(wavelengths)[0]), filled)
        x, y, _, L, M, N = (np.array(part, float)[: len(points)] for part in ray)
        vergence = float(self.lens.object_vergence[0])
        back = BACK_MM if vergence == 0 else 1 / vergence
        return x - back * L / N, y - back * M / N, np.full_like(x, -back), L, M, N


class _Points(BaseDistribution):
    """Given points of the pupil."""

    def __init__(self, points: np.ndarray) -> None:
        self.x, self.y = (np.ascontiguousarray(column) for column in points.T)

    def generate_points(self, num_points: int) -> None:
        """They are there already."""


def in_configuration(lens: Lens, config: int) -> Lens:
    """The lens in one of its configurations, its fields as angles, at five wavelengths from g to C."""
    part = slice(config, config + 1)
    leaves = {name: np.asarray(getattr(lens, name))[part] for name in ("thickness", "object_vergence", "stop_radius")}
    info = replace(lens.info, configurations=("",), field_kind="angle")
    info = replace(info, wavelengths_nm=LINES_NM, weights=(1.0,) * len(LINES_NM), primary=2)
    return lens.replace(**leaves, fields=np.asarray(field_angles(lens, config)), info=info)


def opened(lens: Lens, folder: Path) -> Any:
    """Optiland's optic of a lens of one configuration, by way of a .zmx file."""
    path = Path(folder) / "lens.zmx"
    write_zmx(lens, path)
    optic = fileio.load_zemax_file(str(path))
    for surface in optic.surfaces.surfaces:
        surface.geometry.tol = SETTLED_MM
    optic.ray_tracer.set_aiming("apochromat", lens=lens)
    return optic


def index(lens: Lens, nm: float) -> np.ndarray:
    """Indices (S + 1,) of the lens engine."""
    with float64():
        return np.asarray(lens.index(jnp.asarray(nm)))


def give_indices(optic: Any, lens: Lens, nm: float) -> None:
    """Model glass gets its index at one wavelength."""
    for i, n in enumerate(index(lens, nm)[1:], 1):
        if lens.info.surfaces[i - 1].is_model:
            optic.updater.set_material(IdealMaterial(float(n)), i)


def index_difference(optic: Any, lens: Lens) -> float:
    """Largest difference between the indices of both, over all media and wavelengths."""
    there = [[float(np.ravel(s.material_post.n(nm / 1e3))[0]) for s in optic.surfaces.surfaces[:-1]] for nm in LINES_NM]
    return float(np.abs(np.array(there) - np.array([index(lens, nm) for nm in LINES_NM])).max())


def skew_ray(optic: Any, lens: Lens) -> float:
    """How far (mm) one skew ray, launched and traced by Optiland with its own paraxial aim, lands from where the engine takes it."""
    optic.ray_tracer.set_aiming("paraxial")
    nm = lens.info.wavelengths_nm[lens.info.primary]
    end = optic.trace_generic(0.0, 0.4, 0.3, 0.4, nm / 1e3)
    start = [float(np.ravel(getattr(optic.surfaces, name))[0]) for name in "xyzLMN"]
    with float64():
        here = trace(lens, Ray(*(jnp.asarray([v]) for v in start)), jnp.asarray(index(lens, nm)), apertures=False)
    optic.ray_tracer.set_aiming("apochromat", lens=lens)
    return math.hypot(float(here.x[0]) - float(np.ravel(end.x)[0]), float(here.y[0]) - float(np.ravel(end.y)[0]))


def efl_relative(optic: Any, lens: Lens) -> float:
    """Relative difference of the focal lengths at the primary wavelength."""
    return abs(float(optic.paraxial.f2()) / float(first_order(lens).efl_mm) - 1)


def compare(lens: Lens, folder: Path, parts: tuple[float, ...] = (0.0, 0.5)) -> Differences:
    """Heights and OPD over the pupil at parts of the widest field, colour focus and lateral colour, at the five lines."""
    widest, optic = np.asarray(lens.fields)[np.argmax(np.hypot(*np.asarray(lens.fields).T))], opened(lens, folder)
    give_indices(optic, lens, LINES_NM[2])
    efl, found, focus, chief = efl_relative(optic, lens), [], [], []
    for nm in LINES_NM:
        give_indices(optic, lens, nm)
        rows, heights = zip(*(_field(optic, lens, part * widest, nm) for part in parts), strict=True)
        found += rows
        chief.append(heights)
        focus.append(_focus(optic, lens, nm))
    chief = np.array(chief)  # wavelengths, fields, (there, here)
    lateral = chief - chief[2]
    focus_um = 1e3 * np.abs(np.array(focus) - np.asarray(colour_focus(lens, np.array(LINES_NM)))).max()
    return Differences(efl, *map(float, np.max(found, 0)), float(focus_um), float(1e3 * np.abs(np.diff(lateral)).max()))


def _share(lens: Lens, field: np.ndarray) -> tuple[float, float]:
    """A field as Optiland counts: parts of the widest."""
    x, y = field / np.hypot(*np.asarray(lens.fields).T).max()
    return float(x), float(y)


def _field(optic: Any, lens: Lens, field: np.ndarray, nm: float) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """Of one field at one wavelength: largest differences over the pupil (height and stop in mm, OPD in waves); height of the chief ray
    there and here, mm."""
    share, stop = _share(lens, field), lens.info.stop
    with float64():
        end = _traced(lens, bundle(lens, field, nm, POINTS), index(lens, nm))
    there = optic.trace_generic(*share, *_columns(POINTS), nm / 1e3)
    ok = np.asarray(end.status) == OK
    height = np.hypot(np.asarray(end.x) - there.x, np.asarray(end.y) - there.y)[ok].max()
    at_stop = np.stack([optic.surfaces.x[stop + 1], optic.surfaces.y[stop + 1]], -1)
    missed = np.abs(at_stop - float(lens.stop_radius[0]) * POINTS)[ok].max()
    chief = float(there.y[0]), float(end.y[0])
    waves, _ = opd(lens, field, nm, POINTS)
    strategy = ChiefRayStrategy(optic, _Points(POINTS))
    strategy.exit_pupil_point = _pupil_point(there, lens, nm)
    difference = np.asarray(strategy.compute_wavefront_data(share, nm / 1e3).opd) - np.asarray(waves)
    return (height, missed, np.abs(difference)[ok].max()), chief


_traced = jax.jit(trace)


def _columns(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])


def _pupil_point(rays: Any, lens: Lens, nm: float) -> tuple[float, float, float]:
    """Where Optiland's chief ray, the first of these, meets the plane of the exit pupil at this wavelength."""
    x, y, z, L, M, N = (float(getattr(rays, name)[0]) for name in "xyzLMN")
    along = float(first_order(lens, nm).exit_pupil_position_mm)
    return x + along * L / N, y + along * M / N, z + along


def _focus(optic: Any, lens: Lens, nm: float) -> float:
    """Defocus (mm) of least RMS OPD on axis, from rays that Optiland traces and its path to a sphere."""
    rays = optic.trace_generic(0.0, 0.0, *_columns(PUPIL), nm / 1e3)
    z, far = float(rays.z[0]), -float(first_order(lens, nm).exit_pupil_position_mm)

    def variance(defocus: float) -> float:
        path = rays.opd - SphericalReference((0.0, 0.0, z + defocus), far + defocus).path_length(rays, 1.0)
        return float(np.cov(path, aweights=WEIGHTS, ddof=0)) * 1e12

    return float(minimize_scalar(variance, bounds=(-0.5, 0.5), method="bounded", options={"xatol": 1e-8}).x)


def tracing(lens: Lens, ray: Ray, nm: float) -> Any:
    """A call, to be timed, that traces rays through the same lens, built surface by surface in Optiland; r^2 terms included."""
    optic, indices = Optic(), index(lens, nm)
    optic.surfaces.add(index=0, thickness=np.inf)
    for i, n in enumerate(indices[1:]):
        curvature, even = float(lens.curvature[i]), [float(v) for v in np.asarray(lens.even)[i]]
        shape = {"radius": 1 / curvature if curvature else np.inf, "conic": float(lens.conic[i]), "coefficients": even}
        medium = {"material": IdealMaterial(float(n)), "thickness": float(lens.thickness[0, i]), "is_stop": i == lens.info.stop}
        optic.surfaces.add(index=i + 1, surface_type="even_asphere", **shape, **medium)
    optic.surfaces.add(index=lens.S + 1)
    arrays, one = [np.asarray(part, float) for part in ray], np.ones(np.size(ray.x))
    return lambda: optic.surfaces.trace(RealRays(*arrays, one, nm / 1e3 * one), record=False)


def point_spreads(lens: Lens, folder: Path, parts: np.ndarray, lines_nm: np.ndarray) -> Any:
    """A call, to be timed, that computes Optiland's FFT PSFs at parts of the widest field and wavelengths."""
    optic = opened(lens, folder)
    optic.ray_tracer.set_aiming("paraxial")
    return lambda: [FFTPSF(optic, (0.0, float(part)), nm / 1e3, num_rays=128, grid_size=256) for part in parts for nm in lines_nm]
