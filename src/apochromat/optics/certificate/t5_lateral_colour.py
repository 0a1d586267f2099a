"""Test 5: lateral colour of chief ray and centroid at four fields, and MTF in many colours against that in one."""

from __future__ import annotations

import numpy as np

from apochromat.optics.certificate.pupil_function import PupilFunction, fitted, transfer
from apochromat.optics.certificate.rays import Exit
from apochromat.optics.certificate.result import Check
from apochromat.optics.certificate.sensor import stand_in
from apochromat.optics.certificate.thresholds import line, thresholds
from apochromat.optics.certificate.view import View, arrived
from apochromat.optics.trace import OK

TITLE = "lateral colour"


def measure(view: View) -> list[Check]:
    """Spreads in pixels at each field, F to C and with g; polychromatic MTF, tangential and sagittal."""
    table = thresholds()["test_5"]
    checks = []
    for i, share in enumerate(table["fields"]):
        rays = view.fields.at(i)
        for what, points in (("chief ray", chief_points(rays, view.common[2])), ("centroid", centroids(rays, view.common[2]))):
            checks += _spreads(view, what, share, points)
    return checks + _transfers(view, table)


def _spreads(view: View, what: str, share: float, points: np.ndarray) -> list[Check]:
    """Largest distance between points (W, 2) of two wavelengths, in pixels."""
    table, wavelengths = thresholds()["test_5"], view.fields.wavelengths_nm
    apart = np.linalg.norm(points[:, None] - points, axis=-1) * 1e3 / view.pixel_um
    with_g = visible(wavelengths) | (np.abs(wavelengths - line("g")) < 1e-6)
    return [
        Check(
            name=f"{what} spread at {share:g} field from {band}",
            configuration=view.name,
            value=float(apart[np.ix_(used, used)].max()),
            limit=table[key],
            unit="pixels",
        )
        for band, used, key in (("F to C", visible(wavelengths), "c_to_f_pixels"), ("g to C", with_g, "g_pixels"))
    ]


def visible(wavelengths_nm: np.ndarray) -> np.ndarray:
    """Which wavelengths (W,) lie from F to C."""
    return (wavelengths_nm >= line("F") - 1e-6) & (wavelengths_nm <= line("C") + 1e-6)


def at_plane(rays: Exit, z_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """x, y (W, P) in mm where rays meet the plane z."""
    return rays.x + z_mm * rays.L / rays.N, rays.y + z_mm * rays.M / rays.N


def chief_points(rays: Exit, z_mm: float) -> np.ndarray:
    """Points (W, 2) of the ray through the stop's middle, the last of the pupil's points."""
    return np.stack([v[:, -1] for v in at_plane(rays, z_mm)], -1)


def centroids(rays: Exit, z_mm: float) -> np.ndarray:
    """Centroids (W, 2) of the light: that of the PSF is the mean of the rays (the gradient of the wavefront, averaged)."""
    x, y = at_plane(rays, z_mm)
    weights = np.where(rays.status == OK, rays.weights, 0.0)
    return np.stack([(x * weights).sum(1), (y * weights).sum(1)], -1) / weights.sum(1)[:, None]


def _transfers(view: View, table: dict[str, float]) -> list[Check]:
    """MTF at the MTF's field: absolute, and against that at 546.1 nm."""
    frequency = mtf_frequency(view)
    pupils = pupil_functions(view)
    checks = []
    for name, direction in (("sagittal", (frequency, 0.0)), ("tangential", (0.0, frequency))):
        many, one = mtf_pair(view, pupils, direction)
        label = f"{name} polychromatic MTF at {table['mtf_field']:g} field, {frequency:.0f} cycles/mm,"
        checks += [
            Check(name=label, configuration=view.name, value=many, limit=table["mtf"], unit="", sense="at least"),
            Check(
                name=f"{label} as a part of that at 546.1 nm",
                configuration=view.name,
                value=many / max(one, 1e-9),
                limit=table["mtf_of_green"],
                unit="",
                sense="at least",
            ),
        ]
    return checks


def mtf_frequency(view: View) -> float:
    """Frequency of the MTF, cycles/mm."""
    return float(thresholds()["test_5"]["mtf_nyquist"] * 1e3 / (2 * view.pixel_um))


def mtf_rays(view: View) -> Exit:
    """Rays (W, P) at the MTF's field."""
    table = thresholds()["test_5"]
    return view.fields.at(table["fields"].index(table["mtf_field"]))


def image_point(view: View) -> np.ndarray:
    """The point (3,) in mm of the MTF: at its field the centroid at 546.1 nm, in the plane of common focus."""
    rays, z = mtf_rays(view), view.common[2]
    return np.append(centroids(rays, z)[rays.near(line("e"))], z)


def pupil_functions(view: View) -> list[PupilFunction]:
    """One for each wavelength at the MTF's field, about its image point."""
    rays, (x, y, z) = mtf_rays(view), image_point(view)
    functions = []
    for i in range(len(rays.wavelengths_nm)):
        used = arrived(rays.status[i])
        L, M, N, path = (v[i, used] for v in (rays.L, rays.M, rays.N, rays.path))
        eikonal = path + L * x + M * y + N * z
        passes = rays.status[i, used] == OK
        functions.append(fitted(L, M, float(np.sign(N[0])), eikonal - eikonal.mean(), rays.pupil[used], view.mask, passes))
    return functions


def mtf_pair(view: View, pupils: list[PupilFunction], frequency: tuple[float, float]) -> tuple[float, float]:
    """Polychromatic MTF at a frequency (x, y) in cycles/mm, and that at 546.1 nm."""
    wavelengths = view.fields.wavelengths_nm
    transfers = np.array([transfer(p, float(w), frequency) for p, w in zip(pupils, wavelengths, strict=True)])
    weights = stand_in().neutral(wavelengths)
    return float(abs((weights * transfers).sum())), float(abs(transfers[view.fields.near(line("e"))]))
