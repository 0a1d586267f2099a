"""First-order quantities as derivatives of the real trace at the axis: right for every kind of surface, r^2 terms included."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from apochromat.optics.lens import Lens
from apochromat.optics.linear import inverse
from apochromat.optics.precision import float64
from apochromat.optics.trace import Ray, trace


class FirstOrder(NamedTuple):
    """Gaussian quantities of one configuration at one wavelength; mm. Positions of pupils: from surface 0, from the image plane."""

    efl_mm: Any
    bfl_mm: Any  # from the last surface to the paraxial focus of an infinite object
    f_number: Any  # EFL over the diameter of the entrance pupil
    entrance_pupil_mm: Any  # diameter
    entrance_pupil_position_mm: Any
    exit_pupil_mm: Any  # diameter
    exit_pupil_position_mm: Any
    total_track_mm: Any  # surface 0 to the image, along the unfolded axis
    magnification: Any  # 0 for an object at infinity


def matrix(lens: Lens, index: Any, config: Any = 0, last: int | None = None) -> Any:
    """(2, 2): height and direction cosine M at the image plane (or in the frame of surface `last`) by those at surface 0."""

    def carry(state: Any) -> Any:
        (y, m), zero = state, jnp.zeros(())
        ray = Ray(zero, y, zero, zero, m, jnp.sqrt(1 - m * m))
        end = trace(lens, ray, index, config, apertures=False, last=last)
        return jnp.stack([end.y, end.M])

    return jax.jacfwd(carry)(jnp.zeros(2))


@float64
def first_order(lens: Lens, wavelength_nm: Any = None, config: int = 0) -> FirstOrder:
    """First-order quantities at a wavelength (nm; None: the primary one) in a configuration. Differentiable in every leaf."""
    wavelength = lens.info.wavelengths_nm[lens.info.primary] if wavelength_nm is None else wavelength_nm
    return _first_order(lens, jnp.asarray(wavelength, jnp.float64), config)


@partial(jax.jit, static_argnames="config")
def _first_order(lens: Lens, wavelength_nm: Any, config: int) -> FirstOrder:
    index = lens.index(wavelength_nm)
    whole, front = matrix(lens, index, config), matrix(lens, index, config, lens.info.stop)
    back = whole @ inverse(front)
    onward = (-1.0) ** sum(s.kind == "mirror" for s in lens.info.surfaces)
    thickness, vergence = jnp.asarray(lens.thickness)[config], jnp.asarray(lens.object_vergence)[config]
    efl, stop_diameter = -1 / whole[1, 0], 2 * jnp.asarray(lens.stop_radius)[config]
    entrance_diameter, entrance = stop_diameter / jnp.abs(front[0, 0]), front[0, 1] / front[0, 0]
    exit_position = -back[0, 1] / (back[1, 1] / onward)
    exit_diameter = stop_diameter * jnp.abs(back[0, 0] + exit_position * back[1, 0] / onward)
    # The image, by a ray through the middle of the entrance pupil, of an object point one object distance beside the axis.
    distance = 1 / jnp.where(vergence == 0, 1.0, vergence)
    slope = -1 / (1 + entrance / distance)
    magnification = jnp.where(vergence == 0, 0.0, whole[0, 0] * (1 + slope) + whole[0, 1] * slope / distance)
    return FirstOrder(
        efl_mm=efl,
        bfl_mm=thickness[-1] - whole[0, 0] / whole[1, 0] * onward,
        f_number=jnp.abs(efl) / entrance_diameter,
        entrance_pupil_mm=entrance_diameter,
        entrance_pupil_position_mm=entrance,
        exit_pupil_mm=exit_diameter,
        exit_pupil_position_mm=exit_position,
        total_track_mm=thickness.sum(),
        magnification=magnification,
    )
