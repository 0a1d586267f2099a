"""The nominal lens as samples of it are compared with it: few rays, and what their change does to all that is tested.

What building errors change in a wavefront is smooth, over the pupil and over the wavelengths. So a sample is traced with few rays; their
change against the nominal lens's is fitted with polynomials and added to the nominal lens's own rays on the fine pupils of the design
tests: a sample without errors has exactly the nominal lens's figures. Clear radii vignette as in the nominal lens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial.legendre import legvander

from apochromat.optics.certificate import t5_lateral_colour as t5
from apochromat.optics.certificate.pupil_function import PupilFunction
from apochromat.optics.certificate.rays import Exit, Launch, best_points, exits, launch, with_chief
from apochromat.optics.certificate.sensor import stand_in
from apochromat.optics.certificate.thresholds import line, thresholds
from apochromat.optics.certificate.view import Nominal, View, arrived
from apochromat.optics.lens import Lens
from apochromat.optics.pupil import rings
from apochromat.optics.trace import OK, Ray

AXIS, FIELD = (20, 3), (6, 5)  # degree over the pupil of a change on the axis and in the fields, and its highest order in angle
RIDGE = 1e-9  # of a fit to fewer rays than the pupil has


class Landed(NamedTuple):
    """Rays on the image plane: x, y mm, direction cosines, A = opl - d.p (mm), see `rays`; of one shape."""

    x: Any
    y: Any
    L: Any
    M: Any
    N: Any
    path: Any


class OnAxis(NamedTuple):
    """Focus and wavefront: V wavelengths of the colour focus; U wavelengths and Q points of the wavefront; T polynomials."""

    best: Any  # (W, 3) mm, points of least RMS wavefront
    common: Any  # (2,) mm, x and y of the common focus
    focus_mm: Any  # (V,) of the nominal lens at the wavelengths whose largest shift counts, and last at g
    shown: Any  # (V, W) carries a change to these wavelengths
    projection: Any  # (W, T, P) from rays to polynomials
    lines: Any  # (U, W) carries a change to the wavelengths of test 3, g last
    waves_mm: Any  # (U,) these wavelengths
    fine: Any  # (Q, T) polynomials on the fine pupil
    rays: Any  # (4, U, Q) A, L, M and N there, of the nominal lens
    dof_mm: Any


class InField(NamedTuple):
    """Lateral colour in F fields at S lines; the MTF in one, for D directions of the frequency, by G points where the pupils overlap."""

    nominal: Any  # (F, 2, S, 4) chief ray and centroid of the nominal lens: x, y in the image plane (mm), L / N and M / N
    light: Any  # (F, 2, W, P) takes their change from that of rays
    lines: Any  # (S, W) carries a change to the lines
    rows: Any  # which of the lines count, those from F to C and then g
    green: Any  # which of the lines is 546.1 nm
    pixel_mm: Any
    point: Any  # (3,) mm, to which the phases refer
    projection: Any  # (W, T, P) from rays to polynomials, at the MTF's field
    phase: Any  # (S, D, G) difference between the two pupils, radians
    slopes: Any  # (S, D, G, T) its change by mm of a polynomial
    overlap: Any  # (S, D, G) product of the two amplitudes, as a part of the whole pupil's light
    neutral: Any  # (S,) weights of the polychromatic MTF


class Reference(NamedTuple):
    """One configuration of the nominal lens: P coarse rays, the chief ray last, of the axis and F fields at W wavelengths (1 + F, W, P)."""

    ray: Ray
    path: Any  # in front of the lens, mm
    landed: Landed  # of the nominal lens
    used: Any  # which rays the nominal lens carries to the image
    weights: Any  # (P,) of the quadrature on the axis
    wavelengths_nm: Any  # (W,)
    green: Any  # which of them is 546.1 nm
    config: Any
    axis: OnAxis
    fields: InField


def mtf_row() -> int:
    """Which of test 5's fields is the MTF's."""
    table = thresholds()["test_5"]
    return int(table["fields"].index(table["mtf_field"]))


def coarse(which: str) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 2) and weights (P,) of samples' rays on the "axis" or in a "field", the chief ray last."""
    return with_chief(*rings(*thresholds()["sampling"][f"as_built_{which}"]))


def polynomials(points: np.ndarray, degree: int, order: int) -> np.ndarray:
    """Polynomials (P, T) up to a total degree and an order in angle, the first of them 1, at points (P, 2) of the unit disc."""
    radial = legvander(2 * (points**2).sum(1) - 1, degree // 2)
    turns = np.cumprod(np.pad(np.repeat((points @ [1, 1j])[:, None], order, 1), ((0, 0), (1, 0)), constant_values=1), 1)
    around = [(m, part) for m in range(order + 1) for part in ((turns.real, turns.imag) if m else (turns.real,))]
    return np.concatenate([radial[:, : (degree - m) // 2 + 1] * part[:, m : m + 1] for m, part in around], 1)


def projections(points: np.ndarray, weights: np.ndarray, used: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(..., T, P) from values at rays to polynomials, by weighted least squares over the rays used (..., P)."""
    basis, found = polynomials(points, *shape), []
    for share in weights * used.reshape(-1, used.shape[-1]):
        found.append(np.linalg.solve((basis.T * share) @ basis + RIDGE * np.eye(basis.shape[1]), basis.T * share))
    return np.array(found).reshape(*used.shape[:-1], *basis.T.shape)


def reference(lens: Lens, nominal: Nominal) -> Reference:
    """Aim and trace the coarse rays of one configuration, and prepare what `compared` adds their change to."""
    config, wavelengths = nominal.launched.config, np.array(thresholds()["sampling"]["as_built_nm"])
    start = _launched(lens, nominal, wavelengths, config)
    end = exits(lens, start, config, apertures=False)
    used = arrived(end.status)
    return Reference(
        ray=start.ray,
        path=start.path,
        landed=Landed(*(getattr(end, name) for name in Landed._fields)),
        used=used,
        weights=start.weights,
        wavelengths_nm=wavelengths,
        green=end.near(line("e")),
        config=config,
        axis=_on_axis(nominal.view, end.at(0)),
        fields=_in_field(nominal.view, wavelengths, used[1:]),
    )


def _launched(lens: Lens, nominal: Nominal, wavelengths: np.ndarray, config: int) -> Launch:
    """Rays of the axis and of the fields, each on their own points, as one; points and weights are the axis's."""
    axis, fields = (
        launch(lens, angles, wavelengths, coarse(which), config)
        for which, angles in (("axis", np.zeros((1, 2))), ("field", nominal.launched.angles))
    )
    joined = [np.concatenate([a, f]) for a, f in zip((*axis.ray, axis.path), (*fields.ray, fields.path), strict=True)]
    return axis._replace(ray=Ray(*joined[:6]), path=joined[6])


def _on_axis(view: View, coarse_rays: Exit) -> OnAxis:
    focus, axis, wavelengths = view.focus, view.axis, coarse_rays.wavelengths_nm
    low, high = thresholds()["test_2"]["range_nm"]
    shown = _with_g(focus.wavelengths_nm, (focus.wavelengths_nm >= low - 1e-6) & (focus.wavelengths_nm <= high + 1e-6))
    rows = _with_g(axis.wavelengths_nm, t5.visible(axis.wavelengths_nm))
    return OnAxis(
        best=best_points(coarse_rays),
        common=view.common[:2],
        focus_mm=view.foci_mm[shown, 2],
        shown=_carried(wavelengths, focus.wavelengths_nm[shown]),
        projection=projections(coarse_rays.pupil, coarse_rays.weights, arrived(coarse_rays.status), AXIS),
        lines=_carried(wavelengths, axis.wavelengths_nm[rows]),
        waves_mm=axis.wavelengths_nm[rows] * 1e-6,
        fine=polynomials(axis.pupil, *AXIS),
        rays=np.stack([axis.path, axis.L, axis.M, axis.N])[:, rows],
        dof_mm=view.dof_mm,
    )


def _with_g(wavelengths_nm: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Indices of chosen wavelengths, and last that of g."""
    return np.append(np.flatnonzero(chosen), np.abs(wavelengths_nm - line("g")).argmin())


def _carried(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(V, W) from a smooth function at wavelengths (W,) to others (V,), by the polynomial through them."""
    at_known, at_wanted = (legvander((w - known.mean()) / np.ptp(known), len(known) - 1) for w in (known, wanted))
    return np.asarray(at_wanted @ np.linalg.inv(at_known))


def _in_field(view: View, wavelengths: np.ndarray, used: np.ndarray) -> InField:
    rays, (points, weights) = view.fields, coarse("field")
    fits = projections(points, weights, used, FIELD)  # (F, W, T, P)
    bright = np.where(rays.status == OK, rays.weights, 0.0)
    bright /= bright.sum(2, keepdims=True)
    seen = np.where(bright[..., None] > 0, np.stack([rays.x, rays.y, rays.L / rays.N, rays.M / rays.N], -1), 0.0)
    shape = polynomials(rays.pupil, *FIELD)
    carried = _carried(wavelengths, rays.wavelengths_nm)
    nearest = np.abs(rays.wavelengths_nm - wavelengths[:, None]).argmin(1)
    light = np.einsum("fwq,qt,fwtp->fwp", bright[:, nearest], shape, fits)
    chief = np.broadcast_to(np.eye(len(points))[-1], light.shape)
    phase, slopes, overlap = _overlaps(view)
    return InField(
        nominal=np.stack([_ends(rays), np.einsum("fwp,fwpc->fwc", bright, seen)], 1),
        light=np.stack([chief, light], 1),
        lines=carried,
        rows=_with_g(rays.wavelengths_nm, t5.visible(rays.wavelengths_nm)),
        green=rays.near(line("e")),
        pixel_mm=view.pixel_um * 1e-3,
        point=t5.image_point(view),
        projection=fits[mtf_row()],
        phase=phase,
        slopes=slopes,
        overlap=overlap,
        neutral=stand_in().neutral(rays.wavelengths_nm),
    )


def _ends(rays: Exit) -> np.ndarray:
    """x, y, L / N and M / N of chief rays (F, S, 4)."""
    x, y, L, M, N = (v[..., -1] for v in (rays.x, rays.y, rays.L, rays.M, rays.N))
    return np.stack([x, y, L / N, M / N], -1)


def _overlaps(view: View) -> tuple[np.ndarray, ...]:
    """Phases (S, D, G), slopes (S, D, G, T) and overlaps (S, D, G) of all lines and directions, filled up to one length; float32 serves."""
    frequency, wavelengths = t5.mtf_frequency(view), view.fields.wavelengths_nm
    pupils = t5.pupil_functions(view)
    rows = [_overlap(p, float(w), f) for p, w in zip(pupils, wavelengths, strict=True) for f in ((frequency, 0.0), (0.0, frequency))]
    longest = max(len(row[0]) for row in rows)
    stacked = (np.array([np.pad(v, [(0, longest - len(v))] + [(0, 0)] * (v.ndim - 1)) for v in each]) for each in zip(*rows, strict=True))
    return tuple(v.reshape(len(wavelengths), 2, *v.shape[1:]).astype(np.float32) for v in stacked)


def _overlap(pupil: PupilFunction, wavelength_nm: float, frequency: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """`transfer` of a pupil as sum(overlap * exp(i phase)): phases (G,), their slopes (G, T), and the overlap (G,)."""
    one, other = pupil.pair(wavelength_nm, frequency)
    product = one.amplitude * other.amplitude
    lit, k = product > 0, 2 * np.pi / (wavelength_nm * 1e-6)
    above, below = (polynomials(part.stop[:, lit].T, *FIELD) for part in (one, other))
    return k * (one.eikonal - other.eikonal)[lit], k * (above - below), product[lit] / pupil.light()
