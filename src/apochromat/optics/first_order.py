"""First-order quantities as derivatives of the real trace at the axis: right for every kind of surface, r^2 terms included."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

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


def matrices(lens: Lens, index: Any, config: Any = 0) -> tuple[Any, Any]:
    """(2, 2) each: height and direction cosine M in the stop's vertex plane, and at the image plane, by those at surface 0.

    The derivatives of the real trace at the axis: in closed form, or of a lens with tilts or decentres by differentiating its trace.
    """
    if lens.info.is_perturbed:
        return _differentiated(lens, index, config, lens.info.stop), _differentiated(lens, index, config, None)
    return centred_matrices(lens, index, config)


def centred_matrices(lens: Lens, index: Any, config: Any = 0) -> tuple[Any, Any]:
    """`matrices` of a lens as if it were centred: paraxial refraction with the r^2 term in each surface's power.

    W. T. Welford, "Aberrations of Optical Systems", 1986, chapter 3.
    """
    turned = np.array([-1.0 if s.kind == "mirror" else 1.0 for s in lens.info.surfaces])
    behind = np.cumprod(turned)  # direction of the light along z
    ratio = jnp.where(turned < 0, 1.0, index[:-1] / index[1:])
    bend = -(jnp.asarray(lens.curvature) + 2 * jnp.asarray(lens.even)[:, 0]) * (behind - ratio * behind * turned)
    along = jnp.asarray(lens.thickness)[config] * behind
    through = jnp.stack([jnp.stack([1 + along * bend, along * ratio], -1), jnp.stack([bend, ratio], -1)], -2)

    def step(before: Any, by: Any) -> tuple[Any, Any]:
        return (by[:, :, None] * before).sum(1), before

    whole, before = lax.scan(step, jnp.eye(2), through)
    return before[lens.info.stop], whole


def _differentiated(lens: Lens, index: Any, config: Any, last: int | None) -> Any:
    """Derivative (2, 2) of the real trace at the axis, into the frame of surface `last` or to the image plane."""

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
    front, whole = matrices(lens, index, config)
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
