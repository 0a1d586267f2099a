"""Modulation transfer through frequency, through focus and against field: sagittal and tangential, polychromatic.

Diffraction: the autocorrelation of the exit pupil on its grid of directions, the grid's axes turned along the field; the transforms of
several wavelengths are added with their phases, so that lateral colour counts. Geometric: the transform of where the rays land, without
diffraction. Each is that of the optics alone, without the pixel. J. W. Goodman, "Introduction to Fourier Optics", chapter 6.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.exit_pupil import Beam, Pupil, beams, beside_in_plane, lead_in_plane, pupil_on_grid, turn_to
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64

LEAST, LARGEST, STEP = 128, 384, 16  # cells across the pupil: fewest, most, a multiple of
FINER = 1.1  # the image's period over that at which the phase steps by pi / 2
RIM = 1.01  # half width of the grid, over the pupil's
STEEPEST = 5  # slope of where rays land over the pupil, at most, over that of a defocus which spreads them as far
WHOLE = 10  # cells or more by which a frequency shifts the pupil: a grid that makes it whole cells is then coarser by less than FINER


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
    found = beams(lens, fields, wavelengths, np.stack([turn_to(field) for field in fields]), config, planes)
    cells, alone = _cells(found), _cells_for_one(found, frequencies[0])
    if not geometric and len(frequencies) == 1 and alone <= LARGEST:
        transfer = transferred_at_one(found, jnp.asarray(planes), jnp.asarray(frequencies[0]), alone)
    else:
        transfer = transferred(found, jnp.asarray(planes), jnp.asarray(frequencies), cells, geometric)
    mixed = jnp.einsum("w,fwzak->zfak", share, transfer)
    light = jnp.einsum("w,fwza->zfa", share, transfer[..., 0])
    return jnp.abs(mixed[..., 1:]) / jnp.maximum(jnp.abs(light), 1e-30)[..., None]


def _wanted(found: Beam) -> Any:
    """Cells (F, W) across each pupil that keep phase steps under pi / 2."""
    half, spread, wavelength = (np.asarray(v) for v in (found.half, found.spread, found.wavelength))
    return 2 * RIM * half.max(-1) * 4 * FINER * spread / (wavelength * 1e-6)


def _cells(found: Beam) -> int:
    """As many as all want, within limits."""
    return int(np.clip(STEP * np.ceil(_wanted(found).max() / STEP), LEAST, LARGEST))


def _cells_for_one(found: Beam, frequency: float) -> int:
    """Cells across the pupil for `transferred_at_one`; more than LARGEST if the frequency is too low for it.

    The phase of a pupil's product with itself, shifted, is the change of the pupil's own over the shift; its steps are kept under pi.
    """
    share = np.asarray(_lags(found, frequency, 1))
    smooth = min(float((_wanted(found) * np.minimum(1, STEEPEST * share.max(-1))).max()), LARGEST)
    whole = min(WHOLE / max(float(share.min()), 1e-30), 2 * LARGEST)
    return max(LEAST, STEP * int(np.ceil(max(smooth, whole) / STEP)))


def _lags(found: Beam, frequency: Any, count: int) -> Any:
    """Cells (..., 2) by which a frequency shifts pupils of `count` cells across, along either axis."""
    return frequency * (found.wavelength * 1e-6 / found.medium)[..., None] * count / (2 * RIM * found.half)


@float64
@partial(jax.jit, static_argnames=("count", "geometric"))
def transferred(found: Beam, planes_mm: Any, frequencies: Any, count: int, geometric: bool = False) -> Any:
    """Transfer (F, W, Z, 2, 1 + K) of beams (F, W) in planes (Z,), in units of the unvignetted light, at frequency 0 and those given.

    On a pupil of `count` cells across: differentiable.
    """
    every = jnp.concatenate([jnp.zeros(1), frequencies])

    def one(beam: Beam) -> Any:
        step = 2 * RIM * beam.half / count
        pupil = pupil_on_grid(beam, count, step)
        make = partial(_landed if geometric else _correlated, beam, pupil, step, every)
        return lax.map(make, planes_mm)

    return _each(one, found)


@float64
@partial(jax.jit, static_argnames="count")
def transferred_at_one(found: Beam, planes_mm: Any, frequency: Any, count: int) -> Any:
    """`transferred` (F, W, Z, 2, 2) at one frequency, by the pupil's product with itself shifted by whole cells: no Fourier transform."""

    def one(beam: Beam) -> Any:
        lags = jnp.floor(lax.stop_gradient(_lags(beam, frequency, count)))
        pupil = pupil_on_grid(beam, count, frequency * beam.wavelength * 1e-6 / (beam.medium * lags))

        def make(plane_mm: Any) -> Any:
            field = _field32(beam, pupil, plane_mm)
            overlap = jnp.stack([_overlap(field.T, lags[0]), _overlap(field, lags[1])])
            return jnp.stack([jnp.full_like(overlap, pupil.light.sum()), overlap], -1)

        return lax.map(make, planes_mm)

    return _each(one, found)


def _each(make: Callable[[Beam], Any], found: Beam) -> Any:
    """Results (F, W, ...) for each of beams (F, W), one after the other."""
    shape = found.wavelength.shape
    result = lax.map(make, jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found))
    return result.reshape(*shape, *result.shape[1:])


def _overlap(field: Any, lag: Any) -> Any:
    """Autocorrelation of a pupil (n, n) at `lag` cells along its first axis."""
    beyond = jnp.concatenate([field, jnp.zeros_like(field)])
    return (lax.dynamic_slice_in_dim(beyond, lag.astype(jnp.int32), len(field)) * field.conj()).sum()


def _field(beam: Beam, pupil: Pupil, plane_mm: Any) -> Any:
    """Complex amplitude (n, n) of the pupil for the image point in a plane."""
    return pupil.amplitude * jnp.exp(-2j * jnp.pi * lead_in_plane(beam, pupil, plane_mm) / (beam.wavelength * 1e-6))


def _field32(beam: Beam, pupil: Pupil, plane_mm: Any) -> Any:
    """`_field` in single precision, whole waves taken off before."""
    waves = lead_in_plane(beam, pupil, plane_mm) / (beam.wavelength * 1e-6)
    phase, amplitude = (v.astype(jnp.float32) for v in (2 * jnp.pi * (waves - jnp.round(waves)), pupil.amplitude))
    return lax.complex(amplitude * jnp.cos(phase), -amplitude * jnp.sin(phase))


def _landed(beam: Beam, pupil: Pupil, step: Any, frequencies: Any, plane_mm: Any) -> Any:
    """Geometric transfer (2, K) along either axis."""
    beside = jnp.stack(beside_in_plane(beam, pupil, plane_mm))
    phase = -2 * jnp.pi * beside[..., None] * frequencies
    return jnp.einsum("yx,ayxk->ak", pupil.light, jnp.exp(1j * phase))


def _correlated(beam: Beam, pupil: Pupil, step: Any, frequencies: Any, plane_mm: Any) -> Any:
    """Diffraction transfer (2, K) along either axis: the pupil's autocorrelation, its image interpolated to any frequency."""
    field, period = _field(beam, pupil, plane_mm), beam.wavelength * 1e-6 / (beam.medium * step)  # (2,) mm
    cusp = pupil.light.sum() - (pupil.amplitude**2).sum()
    return jnp.stack([_along(field.T, period[0], frequencies, cusp), _along(field, period[1], frequencies, cusp)])


def _along(field: Any, period: Any, frequencies: Any, cusp: Any) -> Any:
    """Transfer (K,) of a pupil (n, n) for frequencies along its first axis: transform of the line spread over one period.

    Cells that an edge cuts count by their mean, which rounds the autocorrelation's cusp at frequency 0 within one cell: `cusp` is the
    light that this takes, given back there.
    """
    count = field.shape[0]
    line = (jnp.abs(jnp.fft.ifft(field, 2 * count, axis=0)) ** 2).sum(1) * 2 * count
    order = jnp.fft.fftfreq(2 * count)  # of the period
    lag = jnp.abs(frequencies * period)  # in cells
    value = jnp.exp(-2j * jnp.pi * frequencies[:, None] * (order * period)) @ line + cusp * jnp.maximum(1 - lag, 0) ** 3
    return jnp.where(lag > count, 0.0, value)  # beyond, no cell meets another
