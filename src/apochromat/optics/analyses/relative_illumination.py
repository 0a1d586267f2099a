"""Relative illumination: irradiance of the image of a uniform scene by that on axis, from the area of the real, vignetted pupil.

The projected solid angle of the pupil in direction-cosine space (M. P. Rimmer, "Relative illumination calculations", SPIE 655, 1986), taken
on the object side and carried to the image by the conservation of etendue: beam area x cos^4 over the area that a small patch of the field
covers on the image. So cos^4, distortion, pupil aberration and vignetting are all in it, and astigmatism does not upset it; coatings and
absorption are not (see throughput).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, HEIGHT_IN, WIDTH_IN, legend
from apochromat.optics.analyses._rays import Rays, field_axis, primary_nm, rays, require_any, sweep, widest_field
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import Lens
from apochromat.optics.trace import CLIPPED, OK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Relative illumination", 80
STEP = 1e-4  # of the field's tangent


@dataclass(frozen=True)
class RelativeIllumination(Result):
    """Irradiance of the image of a uniform scene, 1 on axis."""

    field: np.ndarray  # (F,) degrees or mm, as the lens declares fields
    field_axis: str
    height_mm: np.ndarray  # (F,) of the chief ray on the image
    relative: np.ndarray  # (F,) with vignetting
    unvignetted: np.ndarray  # (F,) the same lens without clear radii
    pupil_area: np.ndarray  # (F,) projected solid angle, pi sin^2 u' on axis


def compute(lens: Lens, config: int = 0, *, wavelength_nm: float | None = None, count: int = 11, mesh: int = 16) -> RelativeIllumination:
    """Illumination of `count` fields from the axis to the widest one over a polar mesh of the stop, `mesh` rings of 4 x mesh points."""
    part, slopes = sweep(lens, count, config)
    radius, angle = np.linspace(0, 1, mesh + 1), 2 * np.pi * np.arange(4 * mesh) / (4 * mesh)
    pupil = radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    wavelength = primary_nm(lens) if wavelength_nm is None else wavelength_nm
    found = rays(lens, slopes, wavelength, pupil.reshape(-1, 2), config)
    require_any(found, lens, "relative illumination")
    shape = (count, mesh + 1, 4 * mesh)
    usable = ((found.status == OK) | (found.status == CLIPPED)).reshape(shape)
    corners = _beam(lens, found, slopes, config).reshape(*shape, 2)
    area = np.where(_around(usable).all(0), _areas(_around(corners)), 0.0) / _patch(lens, slopes, wavelength, config)[:, None, None]
    whole, open_area = area.sum((1, 2)), (area * _open(lens, found, shape)).sum((1, 2))
    height = np.hypot(*np.moveaxis(found.points[:, 0, 0, -1, :2], -1, 0))
    return RelativeIllumination(
        field=part * np.hypot(*widest_field(lens)),
        field_axis=field_axis(lens),
        height_mm=height,
        relative=open_area / open_area[0],
        unvignetted=whole / whole[0],
        pupil_area=open_area,
    )


def _beam(lens: Lens, found: Rays, slopes: np.ndarray, config: int) -> np.ndarray:
    """Coordinates (F, P, 2) of the rays whose area is the beam's etendue per unit area of the field's tangents."""
    vergence = float(np.asarray(lens.object_vergence)[config])
    if vergence:
        return found.start[:, 0, :, 3:5] / vergence
    return found.start[:, 0, :, :2] / (1 + (slopes**2).sum(1))[:, None, None]  # cos^2 of the field, so cos^4 in area


def _patch(lens: Lens, slopes: np.ndarray, wavelength_nm: float, config: int) -> np.ndarray:
    """Area (F,) that chief rays cover on the image per unit area of the field's tangents."""
    beside = STEP * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    chief = rays(lens, (slopes[:, None] + beside).reshape(-1, 2), wavelength_nm, np.zeros((1, 2)), config, apertures=False)
    moved = np.diff(chief.landed[:, 0, 0].reshape(-1, 2, 2, 2), axis=2)[:, :, 0] / (2 * STEP)
    return np.abs(np.linalg.det(moved))


def _around(values: np.ndarray) -> np.ndarray:
    """The four corners (4, F, mesh, arms, ...) of each cell of a polar mesh (F, mesh + 1, arms, ...)."""
    following = np.roll(values, -1, axis=2)
    return np.stack([values[:, :-1], values[:, 1:], following[:, 1:], following[:, :-1]])


def _areas(corners: np.ndarray) -> np.ndarray:
    """Areas (...) of quadrilaterals (4, ..., 2), in the way round of their corners either sign alike."""
    a, b = corners[2] - corners[0], corners[3] - corners[1]
    return 0.5 * np.abs(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _open(lens: Lens, found: Rays, shape: tuple[int, ...]) -> np.ndarray:
    """Share (F, mesh, arms) of each cell that all apertures leave open.

    Each surface's margin, 1 - (r / clear radius)^2, varies smoothly over the pupil: inside a cell the edge is where a plane through it
    crosses zero.
    """
    r2 = (found.points[:, 0, :, :-1, :2] ** 2).sum(-1)
    semi2, inner2 = np.asarray(lens.semi_diameter, float) ** 2, np.asarray(lens.inner_radius, float) ** 2
    outer = np.where(np.isfinite(semi2), 1 - r2 / semi2, 1.0)
    inner = np.where(inner2 > 0, r2 / np.where(inner2 > 0, inner2, 1) - 1, 1.0)
    margin = np.minimum(outer, inner).min(-1).reshape(shape)
    cell = _around(margin)
    middle, reach = cell.mean(0), np.abs(cell[2] - cell[0]) / 2 + np.abs(cell[3] - cell[1]) / 2
    return np.clip(0.5 + middle / np.maximum(reach, 1e-12), 0, 1)


def size_in(result: RelativeIllumination) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, HEIGHT_IN


def draw(result: RelativeIllumination, figure: Figure) -> None:
    """The real lens, and the same without vignetting, over the field."""
    axes = figure.subplots()
    axes.plot(result.field, result.unvignetted, color=CYCLE[4], linestyle="--", label="without clear radii")
    axes.plot(result.field, result.relative, color=CYCLE[0], label="real lens")
    top = max(1.05, 1.05 * float(np.nanmax(result.unvignetted)))
    axes.set(xlabel=result.field_axis, ylabel="Illumination by that on axis", xlim=(0, result.field[-1] or 1), ylim=(0, top))
    legend(axes)
