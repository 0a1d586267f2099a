"""Modulation transfer through frequency, through focus and against field: sagittal and tangential, polychromatic.

Diffraction: the autocorrelation of the exit pupil on its grid of directions, the grid's axes turned along the field; the transforms of
several wavelengths are added with their phases, so that lateral colour counts. Geometric: the transform of where the rays land, without
diffraction. Each is that of the optics alone, without the pixel. J. W. Goodman, "Introduction to Fourier Optics", chapter 6.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.exit_pupil import Cone, Pupil, cone, image_point, path, pupil_on_grid, turn_to
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64

LEAST, LARGEST, STEP = 64, 384, 16  # cells across the pupil: fewest, most, a multiple of
FINER = 1.1  # the image's period over that at which the phase steps by pi / 2


@float64
def mtf(
    lens: Lens,
    frequencies: Any,
    fields: Any = None,
    wavelengths_nm: Any = None,
    weights: Any = None,
    config: Any = 0,
    defocus_mm: Any = 0.0,
    *,
    geometric: bool = False,
) -> Any:
    """MTF (F, 2, K) at frequencies (K,), cycles per mm: sagittal, then tangential, of fields (F, 2), wavelengths (W,) with weights (W,).

    Sagittal frequencies run across the field's direction, tangential ones along it; x and y on the axis. None: the lens's own fields,
    wavelengths and weights. Relative to the light that passes, so 1 at frequency 0. defocus_mm: of the image plane, away from the lens.
    """
    return through_focus(lens, frequencies, jnp.atleast_1d(defocus_mm), fields, wavelengths_nm, weights, config, geometric=geometric)[0]


@float64
def through_focus(
    lens: Lens,
    frequencies: Any,
    defocus_mm: Any,
    fields: Any = None,
    wavelengths_nm: Any = None,
    weights: Any = None,
    config: Any = 0,
    *,
    geometric: bool = False,
) -> Any:
    """MTF (Z, F, 2, K) at planes `defocus_mm` (Z,) beyond the image, of rays traced once; otherwise as `mtf`."""
    fields = np.atleast_2d(np.asarray(lens.fields if fields is None else fields, float))
    own = wavelengths_nm is None
    wavelengths = np.atleast_1d(np.asarray(lens.info.wavelengths_nm if own else wavelengths_nm, float))
    if weights is None:
        weights = lens.info.weights if own else np.ones(len(wavelengths))
    share = np.asarray(weights, float) / np.sum(weights)
    frequencies, planes = (np.atleast_1d(np.asarray(v, float)) for v in (frequencies, defocus_mm))
    turns = np.stack([turn_to(field) for field in fields])
    spread, beams = _cones(lens, *(jnp.asarray(v) for v in (fields, wavelengths, turns, planes)), config)
    period = 4 * FINER * np.asarray(spread) / (wavelengths * 1e-6)  # in wavelengths
    cells = int(np.ceil((2 * np.asarray(beams.half).max(-1) * period).max() / STEP)) * STEP + STEP
    count = int(np.clip(cells, LEAST, LARGEST))
    transfer = _transfer(lens, beams, *(jnp.asarray(v) for v in (fields, planes, frequencies)), config, count, geometric)
    mixed = jnp.einsum("w,fwzak->zfak", share, transfer)
    light = jnp.einsum("w,fwza->zfa", share, transfer[..., 0])
    return jnp.abs(mixed[..., 1:]) / jnp.maximum(jnp.abs(light), 1e-30)[..., None]


@jax.jit
def _cones(lens: Lens, fields: Any, wavelengths: Any, turns: Any, planes: Any, config: Any) -> tuple[Any, Cone]:
    """The largest spread (F, W) in mm over the planes, and the beams (F, W)."""

    def one(field: Any, turn: Any, wavelength: Any) -> tuple[Any, Cone]:
        def at(plane: Any) -> Cone:
            return cone(lens, field, wavelength, config, image_point(lens, field, config, plane), plane, turn)

        beams = lax.map(at, jnp.stack([planes.min(), planes.max()]))
        return beams.spread.max(), jax.tree.map(lambda leaf: leaf[0], beams)

    return jax.vmap(lambda field, turn: jax.vmap(lambda w: one(field, turn, w))(wavelengths))(fields, turns)


@partial(jax.jit, static_argnames=("count", "geometric"))
def _transfer(lens: Lens, beams: Cone, fields: Any, planes: Any, frequencies: Any, config: Any, count: int, geometric: bool) -> Any:
    """Transfer (F, W, Z, 2, 1 + K), in units of the unvignetted light, at frequency 0 and the given ones."""
    every = jnp.concatenate([jnp.zeros(1), frequencies])
    points = jax.vmap(lambda f: jax.vmap(lambda z: image_point(lens, f, config, z))(planes))(fields)

    def one(args: Any) -> Any:
        beam, point = args
        step = 2 * beam.half / count
        rays = pupil_on_grid(lens, beam, config, count, step)

        def at(place: Any) -> Any:
            plane, where = place
            lead, beside = path(lens, rays, beam, where, plane)
            return _landed(rays, beside, every) if geometric else _correlated(lens, rays, lead, beam, step, every)

        return lax.map(at, (planes, point))

    shape = beams.wavelength.shape
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), beams)
    result = lax.map(one, (flat, jnp.repeat(points, shape[1], axis=0)))
    return result.reshape(*shape, *result.shape[1:])


def _landed(rays: Pupil, beside: Any, frequencies: Any) -> Any:
    """Geometric transfer (2, K) along either axis."""
    phase = -2 * jnp.pi * beside[..., None] * frequencies
    return jnp.einsum("yx,yxak->ak", rays.light, jnp.exp(1j * phase))


def _correlated(lens: Lens, rays: Pupil, lead: Any, beam: Cone, step: Any, frequencies: Any) -> Any:
    """Diffraction transfer (2, K) along either axis: the pupil's autocorrelation, its image interpolated to any frequency."""
    wave = beam.wavelength * 1e-6
    amplitude = jnp.sqrt(rays.light) * jnp.exp(-2j * jnp.pi * lead / wave)
    period = wave / (lens.index(beam.wavelength)[-1] * step)  # (2,) mm
    return jnp.stack([_along(amplitude.T, period[0], frequencies), _along(amplitude, period[1], frequencies)])


def _along(amplitude: Any, period: Any, frequencies: Any) -> Any:
    """Transfer (K,) of a pupil (n, n) for frequencies along its first axis: transform of the line spread over one period."""
    count = amplitude.shape[0]
    line = (jnp.abs(jnp.fft.ifft(amplitude, 2 * count, axis=0)) ** 2).sum(1) * 2 * count
    order = jnp.fft.fftfreq(2 * count)  # of the period
    beyond = jnp.abs(frequencies * period) > count  # no cell meets another
    value = jnp.exp(-2j * jnp.pi * frequencies[:, None] * (order * period)) @ line
    return jnp.where(beyond, 0.0, value)
