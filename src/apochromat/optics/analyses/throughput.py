"""Throughput: share of the light on axis that reaches the image, by wavelength, for a stated coating and stated internal transmittances.

Each surface's loss is that of unpolarised light at the rays' own angles, averaged over the stop. "uncoated": Fresnel's equations; "mgf2":
one quarter wave of magnesium fluoride (n = 1.38) at 550 nm and normal incidence on every face to air, by the thin film's characteristic
matrix (H. A. Macleod, "Thin-Film Optical Filters", 2010, chapter 2); a number: that reflectance of every boundary. Mirrors and folds
reflect all. Light that a boundary reflects is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, HEIGHT_IN, WIDTH_IN, legend
from apochromat.optics.analyses._rays import Rays, rays, require_any
from apochromat.optics.analyses._result import Result
from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64
from apochromat.optics.pupil import rings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, ORDER = "Throughput", 150
FILM_INDEX, FILM_NM = 1.38, 550.0
Internal = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Throughput(Result):
    """Transmittance of W wavelengths on axis."""

    wavelengths_nm: np.ndarray  # (W,)
    coating: str
    surfaces: np.ndarray  # (W,) what the surfaces let through
    media: np.ndarray  # (W,) what the media let through, 1 where nothing is known
    total: np.ndarray  # (W,)
    per_surface: np.ndarray  # (W, S) 1 where there is no boundary
    without_data: tuple[str, ...]  # media taken as clear, for want of data


def compute(
    lens: Lens,
    config: int = 0,
    *,
    coating: str | float = "mgf2",
    internal: Internal | None = None,
    low_nm: float = 430.0,
    high_nm: float = 680.0,
    count: int = 16,
) -> Throughput:
    """Throughput at `count` wavelengths. internal: transmittance of 10 mm of each glass by name, as pairs of nm and share.

    Raises LensError for a coating that is neither "uncoated" nor "mgf2" nor a reflectance between 0 and 1.
    """
    _check(coating)
    wavelengths = np.linspace(low_nm, high_nm, count)
    points, weights = rings(4, 8)
    found = rays(lens, np.zeros((1, 2)), wavelengths, points, config, apertures=False)
    require_any(found, lens, "throughput")
    with float64():
        index = np.stack([np.asarray(lens.index(w)) for w in wavelengths])
    lengths, cosines = _way(lens, found, config)
    mirror = np.array([s.kind == "mirror" for s in lens.info.surfaces])
    through = np.ones((count, len(points), lens.S))
    for i in np.flatnonzero(~mirror):
        through[:, :, i] = 1 - reflectance(coating, index[:, i, None], index[:, i + 1, None], cosines[:, :, i], wavelengths[:, None])
    clear, missing = _internal(lens, lengths, wavelengths, internal or {})
    average = np.einsum("wp,p->w", through.prod(2), weights)
    name = coating if isinstance(coating, str) else f"{100 * coating:g} % a surface"
    media = np.einsum("wp,p->w", clear, weights)
    total = np.einsum("wp,p->w", through.prod(2) * clear, weights)
    return Throughput(wavelengths, name, average, media, total, np.einsum("wps,p->ws", through, weights), missing)


def _check(coating: str | float) -> None:
    if coating not in ("uncoated", "mgf2") and not (isinstance(coating, float | int) and 0 <= coating < 1):
        raise LensError(f"Expected the coating uncoated, mgf2, or a reflectance from 0 to 1, found {coating!r}.")


def reflectance(coating: str | float, before: np.ndarray, after: np.ndarray, cosine: np.ndarray, wavelength_nm: np.ndarray) -> np.ndarray:
    """Share of unpolarised light that a boundary between two indices throws back, at the cosine of incidence; 0 between equal ones."""
    boundary = np.abs(before - after) > 1e-9
    if not isinstance(coating, str):
        return np.where(boundary, float(coating), 0.0)
    sine = before * np.sqrt(np.maximum(1 - cosine**2, 0))
    beyond = np.sqrt(np.maximum(1 - (sine / after) ** 2, 0))
    air = (np.minimum(before, after) < 1.1) & (coating == "mgf2")  # cemented faces have no film
    film_cosine = np.sqrt(1 - (sine / FILM_INDEX) ** 2)
    phase = np.where(air, np.pi / 2 * FILM_NM / wavelength_nm * film_cosine, 0.0)
    share = np.zeros(np.broadcast_shapes(cosine.shape, before.shape))
    for parallel in (False, True):
        one, film, other = ((n / c if parallel else n * c) for n, c in ((before, cosine), (FILM_INDEX, film_cosine), (after, beyond)))
        b = np.cos(phase) + 1j * np.sin(phase) * other / film
        c = 1j * film * np.sin(phase) + other * np.cos(phase)
        share = share + np.abs((one * b - c) / (one * b + c)) ** 2 / 2
    return np.where(boundary, share, 0.0)


def _way(lens: Lens, found: Rays, config: int) -> tuple[np.ndarray, np.ndarray]:
    """Path (W, P, S) in mm behind each surface, and cosine of incidence (W, P, S) at each."""
    points, thickness = found.points[0], np.asarray(lens.thickness, float)[config]
    step = points[:, :, 1:] - points[:, :, :-1]
    step[..., 2] += thickness
    length = np.sqrt((step**2).sum(-1))
    first = points[:, :, :1] - found.start[0, :, :, None, :3]
    incoming = np.concatenate([np.broadcast_to(found.start[0, :, :, None, 3:], first.shape), step[:, :, :-1] / length[:, :, :-1, None]], 2)
    normal = _normals(lens, points[:, :, :-1])
    return length, np.clip(np.abs((incoming * normal).sum(-1)), 1e-6, 1)


def _normals(lens: Lens, points: np.ndarray) -> np.ndarray:
    """Unit normals (..., S, 3) of surfaces at points (..., S, 3) in their own frames."""
    c, k = np.asarray(lens.curvature, float), np.asarray(lens.conic, float)
    r2 = (points[..., :2] ** 2).sum(-1)
    slope = c / (2 * np.sqrt(np.maximum(1 - (1 + k) * c * c * r2, 1e-9)))
    slope = slope + sum((j + 1) * np.asarray(lens.even, float)[:, j] * r2**j for j in range(np.shape(lens.even)[1]))
    normal = np.stack([-2 * slope * points[..., 0], -2 * slope * points[..., 1], np.ones_like(r2)], -1)
    return normal / np.sqrt((normal**2).sum(-1, keepdims=True))


def _internal(lens: Lens, lengths: np.ndarray, wavelengths: np.ndarray, internal: Internal) -> tuple[np.ndarray, tuple[str, ...]]:
    """What the media let through (W, P), and the names of those without data."""
    clear, missing = np.ones(lengths.shape[:2]), set()
    for i, s in enumerate(lens.info.surfaces):
        name = s.glass or ("model glass" if s.is_model else "")
        if name in internal:
            nm, share = np.array(sorted(internal[name])).T
            clear *= np.interp(wavelengths, nm, share)[:, None] ** (lengths[:, :, i] / 10)
        elif name:
            missing.add(name)
    return clear, tuple(sorted(missing))


def size_in(result: Throughput) -> tuple[float, float]:
    """Width and height of the figure, inches."""
    return WIDTH_IN, HEIGHT_IN


def draw(result: Throughput, figure: Figure) -> None:
    """Per cent over wavelength, and the share of the surfaces alone where media take some too."""
    axes = figure.subplots()
    if (result.media < 1 - 1e-9).any():
        axes.plot(result.wavelengths_nm, 100 * result.surfaces, color=CYCLE[4], linestyle="--", label="surfaces alone")
    axes.plot(result.wavelengths_nm, 100 * result.total, color=CYCLE[0], label=f"{result.coating} surfaces")
    axes.set(xlabel="Wavelength (nm)", ylabel="Throughput on axis (%)", ylim=(0, 100), xlim=result.wavelengths_nm[[0, -1]])
    legend(axes)
