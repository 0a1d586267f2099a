"""Where a lens focuses each wavelength, and how deep that focus is.

The focus of a wavelength is the plane of minimum RMS OPD over the full, unvignetted pupil: never the paraxial one, which spherical
aberration parts from it. Newton's steps on the OPD of rays traced once; the derivative passes through the last.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from apochromat.optics.lens import Lens
from apochromat.optics.model_glass import E_NM
from apochromat.optics.precision import float64
from apochromat.optics.pupil import rings, tangents_of
from apochromat.optics.wavefront import Arrived, arrive, path_difference, variance

RINGS, ARMS = 12, 12
STEPS = 4


@float64
def colour_focus(lens: Lens, wavelengths_nm: Any, config: Any = 0) -> Any:
    """Focus (W,) in mm on the axis, measured from the image plane and positive away from the lens, of wavelengths (W,) in nm."""
    return _foci(lens, jnp.zeros((1, 2)), jnp.asarray(wavelengths_nm, jnp.float64), config, 1 if not lens.info.is_perturbed else ARMS)[0]


@float64
def best_focus(lens: Lens, fields: Any, wavelengths_nm: Any, config: Any = 0) -> Any:
    """Focus (F, W) in mm of fields (F, 2) at wavelengths (W,): as `colour_focus`, each about its own chief ray."""
    return _foci(lens, jnp.asarray(fields, jnp.float64), jnp.asarray(wavelengths_nm, jnp.float64), config, ARMS)


def _foci_inside(lens: Lens, fields: Any, wavelengths: Any, config: Any, arms: int) -> Any:
    points, weights = rings(RINGS, arms)

    def one(field: Any, wavelength: Any) -> Any:
        at = arrive(lens, tangents_of(lens, field, config), wavelength, jnp.asarray(points), config, apertures=False)
        return focus_of(at, jnp.asarray(weights))

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(fields, wavelengths)


_foci = jax.jit(_foci_inside, static_argnames="arms")


def focus_of(at: Arrived, weights: Any) -> Any:
    """Defocus (mm) of least RMS OPD of rays (P,) with weights of a pupil quadrature; inside jit."""

    fixed = lax.stop_gradient((at, weights))
    settled = lax.fori_loop(0, STEPS, lambda _, defocus: _step(fixed[0], defocus, fixed[1]), jnp.zeros(()))
    return _step(at, lax.stop_gradient(settled), weights)


def _step(at: Arrived, defocus: Any, weights: Any) -> Any:
    """The next of Gauss and Newton's steps to where OPD and its slope in defocus do not correlate."""
    waves, slope = jax.jvp(lambda d: path_difference(at, d), (defocus,), (jnp.ones(()),))
    return defocus - variance(waves, slope, weights) / jnp.maximum(variance(slope, slope, weights), 1e-30)


@float64
def working_f_number(lens: Lens, config: Any = 0, wavelength_nm: Any = E_NM) -> Any:
    """Working f-number 1 / (2 n sin u') of the real ray from the axis through the edge of the stop."""
    return _working(lens, jnp.asarray(wavelength_nm, jnp.float64), config)


@jax.jit
def _working(lens: Lens, wavelength_nm: Any, config: Any) -> Any:
    at = arrive(lens, jnp.zeros(2), wavelength_nm, jnp.array([[0.0, 1.0], [0.0, -1.0]]), config, apertures=False)
    return 1 / (at.medium * jnp.abs(at.M[0] - at.M[1]))


@float64
def depth_of_focus(lens: Lens, config: Any = 0, wavelength_nm: Any = E_NM) -> Any:
    """Depth of focus 2 lambda N^2 in mm, half the range: a quarter wave either way; N the working f-number at that wavelength."""
    return 2 * wavelength_nm * 1e-6 * working_f_number(lens, config, wavelength_nm) ** 2
