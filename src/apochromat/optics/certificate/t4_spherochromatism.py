"""Test 4: spherochromatism, and the offence against the sine condition.

OSC after A. E. Conrady and R. Kingslake ("Lens Design Fundamentals", 1978, chapter 9), spherical aberration allowed for:
OSC = (F' / f') (l' - p') / (L' - p') - 1, where F' = h / sin U' (sin U / sin U' of a near object), l' and L' are the paraxial and the real
focus and p' is the exit pupil.
"""

from __future__ import annotations

import numpy as np

from apochromat.optics.certificate.rays import Exit, Launch, Paraxial, wavefronts
from apochromat.optics.certificate.result import Check
from apochromat.optics.certificate.thresholds import line, thresholds
from apochromat.optics.certificate.view import Nominal

TITLE = "spherochromatism and sine condition"


def measure(lens: Nominal, is_near: bool) -> list[Check]:
    """Change of balanced W040 between C and F; OSC at both."""
    view, table = lens.view, thresholds()["test_4"]
    w040 = balanced_w040_mm(view.focus, view.foci_mm)
    at_c, at_f = (view.focus.near(line(name)) for name in "CF")
    change = abs(float(w040[at_c] - w040[at_f])) / (line("e") * 1e-6)
    checks = [
        Check(
            name="change of balanced W040 from C to F",
            configuration=view.name,
            value=change,
            limit=table["w040_waves"],
            unit="waves at 546.1 nm",
        )
    ]
    height = table["image_height"] * view.image_radius_mm / (2 * view.f_number)
    for name, i in (("C", at_c), ("F", at_f)):
        offence = offence_against_sine(view.focus, lens.launched.focus, lens.limits, i, is_near)
        value = float(np.abs(offence).max()) * height / (line(name) * 1e-6)
        checks.append(
            Check(
                name=f"offence against the sine condition at {name}",
                configuration=view.name,
                value=value,
                limit=table["osc_waves"],
                unit="waves",
            )
        )
    return checks


def balanced_w040_mm(axis: Exit, foci_mm: np.ndarray) -> np.ndarray:
    """W040 (W,) in mm: six times the Zernike term 6 rho^4 - 6 rho^2 + 1 of the wavefront about each wavelength's own focus."""
    rho2 = (axis.pupil**2).sum(1)
    zernike = 6 * rho2**2 - 6 * rho2 + 1
    return np.asarray(6 * 5 * (wavefronts(axis, foci_mm) * zernike * axis.weights).sum(1))


def offence_against_sine(axis: Exit, start: Launch, limits: Paraxial, i: int, is_near: bool) -> np.ndarray:
    """OSC of the rays of wavelength i, that along the axis left out."""
    ray = start.ray
    off = axis.weights > 0  # not the ray along the axis
    L, M, N, x, y = (v[i, off] for v in (axis.L, axis.M, axis.N, axis.x, axis.y))
    sine = np.hypot(L, M)
    before = np.hypot(ray.L[0, i, off], ray.M[0, i, off]) if is_near else np.hypot(ray.x[0, i, off], ray.y[0, i, off])
    # Where the ray crosses the axis: from its height along its own direction.
    crossing = -(x * L + y * M) * N / sine**2
    paraxial = limits.focus_mm[i] * limits.pupil_vergence[i] - 1
    real = crossing * limits.pupil_vergence[i] - 1
    return np.asarray(before / sine / abs(limits.scale[i]) * paraxial / real - 1)
