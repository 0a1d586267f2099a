"""Point spread functions at the pixel pitch, of several fields and wavelengths in one compiled call.

The exit pupil on a grid of directions (`exit_pupil`) is carried to the image by a matrix Fourier transform at lambda N / 2 or finer,
squared, and integrated exactly over the pixels, as its band limit allows. The grid's step sets the period of the image: it is as fine as
the window asks for, or finer, until the phase steps from cell to cell by less than pi / 2. Where that would need too large a grid, rays
are gathered in the pixels instead and convolved with the diffraction pattern of the same pupil without aberration. For the matrix
transform: R. Soummer et al., "Fast computation of Lyot-style coronagraph propagation", Opt. Express 15, 15935 (2007).

Faint light beyond the period folds back into it, as in every discrete transform, so that a sharp image keeps all its energy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.exit_pupil import Cone, cone, image_point, path, pupil_on_grid
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64

LARGEST = 384  # cells across the pupil, beyond which rays are gathered
LEAST = 64  # cells across the pupil, and the image's period in units of lambda N
USUAL = 96  # those with which a wide window is content
GATHERED = 256  # rays across the pupil of a geometric PSF
STEP = 16  # cells across the pupil are a multiple of
TOGETHER = 1 << 18  # rays traced at once
UPRIGHT = np.eye(2)


@dataclass(frozen=True)
class Psf:
    """Images of points: what of the light of an unvignetted pupil falls in each pixel.

    values (F, W, size, size): rows along y, columns along x, both rising with the index; the image point `centre_mm` (F, 2), where the
    chief ray of the primary wavelength lands, is the middle of pixel [size // 2, size // 2]. energy (F, W): what passes all apertures, 1 if
    nothing is vignetted. geometric (F,): gathered from rays.
    """

    values: Any
    energy: Any
    centre_mm: Any
    pitch_um: float
    geometric: tuple[bool, ...]

    def polychromatic(self, weights: Any) -> Any:
        """(F, size, size): the mean over wavelengths with weights (W,)."""
        share = np.asarray(weights, float) / np.sum(weights)
        return jnp.einsum("w,fwyx->fyx", share, self.values)


@dataclass(frozen=True)
class Sampling:
    """Sizes that are fixed before compilation: pixels across the part of the window computed, cells across the pupil, image samples per
    pixel, and the period of the image in pixels."""

    window: int
    cells: int
    fine: int
    period: int
    geometric: bool


@float64
def psf(
    lens: Lens,
    fields: Any = None,
    wavelengths_nm: Any = None,
    pixel_um: float | None = None,
    size: int = 128,
    config: Any = 0,
    defocus_mm: Any = 0.0,
    *,
    geometric: bool | None = None,
) -> Psf:
    """Point spread functions of fields (F, 2) at wavelengths (W,), nm, on size x size pixels; None: the lens's own.

    defocus_mm: of the image plane, away from the lens. geometric: None chooses for each field by its phase steps; True or False is obeyed.
    """
    fields = np.atleast_2d(np.asarray(lens.fields if fields is None else fields, float))
    wavelengths = np.atleast_1d(np.asarray(lens.info.wavelengths_nm if wavelengths_nm is None else wavelengths_nm, float))
    pitch = lens.info.pixel_um if pixel_um is None else pixel_um
    if not pitch or not pitch > 0 or size < 8 or size % 2:
        raise ValueError(f"expected a positive pixel pitch in µm and an even size of at least 8 pixels, found {pitch} and {size}")
    defocus = jnp.asarray(defocus_mm, jnp.float64)
    points, beams = _cones(lens, jnp.asarray(fields), jnp.asarray(wavelengths), config, defocus)
    half, spread = np.asarray(beams.half), np.asarray(beams.spread)
    plans = [sampling(half[f], spread[f], wavelengths, pitch, size, geometric) for f in range(len(fields))]
    values, energy = np.zeros((len(fields), len(wavelengths), size, size)), np.zeros((len(fields), len(wavelengths)))
    for plan in dict.fromkeys(_joined(plans)):
        chosen = np.flatnonzero([p.geometric == plan.geometric for p in plans])
        some = jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], (points, beams))
        image, passed = sampled(lens, *some, plan, pitch, config, defocus)
        edge = (size - plan.window) // 2
        values[chosen, :, edge : size - edge, edge : size - edge], energy[chosen] = image, passed
    return Psf(values, energy, np.asarray(points), float(pitch), tuple(p.geometric for p in plans))


def sampling(half: Any, spread: Any, wavelengths_nm: Any, pitch_um: float, size: int, geometric: bool | None = None) -> Sampling:
    """Sizes for beams of half widths (W, 2) in direction cosines that spread (W,) mm about their image point."""
    finest = np.min(wavelengths_nm * 1e-6 / (2 * half.max(-1))) / (pitch_um * 1e-3)  # lambda N in pixels
    furthest = np.max(spread) / (pitch_um * 1e-3)
    needed = max(4 * furthest, LEAST * finest)  # of the image's period, the former for phase steps of pi / 2
    enough = size if needed > size else 4 * int(np.ceil(max(needed, USUAL * finest) / 4))
    window = min(size, enough)
    period = window * max(1, int(np.ceil(needed / window)))
    cells = _cells(period, finest)
    rays = cells > LARGEST if geometric is None else geometric
    if rays:
        period, cells = window, _cells(window, finest)
    return Sampling(window, cells, int(np.ceil(2 / finest)), period, rays)


def _cells(period: int, finest: float) -> int:
    return STEP * int(np.ceil((period / finest + 1) / STEP))


def _joined(plans: list[Sampling]) -> list[Sampling]:
    """One plan for all fields of a kind, as fine as any of theirs."""
    joined = []
    for rays in (False, True):
        if alike := [p for p in plans if p.geometric == rays]:
            window, period = max(p.window for p in alike), max(p.period for p in alike)
            period = window * -(-period // window)
            cells = max(STEP * int(np.ceil(p.cells * period / p.period / STEP)) for p in alike)
            joined.append(Sampling(window, cells, max(p.fine for p in alike), period, rays))
    return joined


def _cones_inside(lens: Lens, fields: Any, wavelengths: Any, config: Any, defocus: Any) -> tuple[Any, Cone]:
    def one(field: Any) -> tuple[Any, Cone]:
        point = image_point(lens, field, config, defocus)
        each = jax.vmap(lambda wavelength: cone(lens, field, wavelength, config, point, defocus, jnp.asarray(UPRIGHT)))
        return point, each(wavelengths)

    return jax.vmap(one)(fields)


_cones = jax.jit(_cones_inside)


@float64
@partial(jax.jit, static_argnames=("plan", "pitch_um"))
def sampled(lens: Lens, points: Any, beams: Cone, plan: Sampling, pitch_um: float, config: Any, defocus: Any) -> tuple[Any, Any]:
    """PSFs (F, W, window, window) and their energy (F, W) of beams already aimed, with sizes fixed: differentiable."""
    shape = beams.wavelength.shape
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), beams)
    each = jnp.repeat(points, shape[1], axis=0)
    make = _gathered if plan.geometric else _diffracted
    count = len(each)
    rays = GATHERED**2 if plan.geometric else plan.cells**2
    together = max(d for d in range(1, count + 1) if count % d == 0 and (d == 1 or d * rays <= TOGETHER))
    image, energy = lax.map(lambda args: make(lens, args[0], args[1], plan, pitch_um, config, defocus), (each, flat), batch_size=together)
    return image.reshape(*shape, *image.shape[1:]), energy.reshape(shape)


def _diffracted(lens: Lens, point: Any, beam: Cone, plan: Sampling, pitch_um: float, config: Any, defocus: Any) -> tuple[Any, Any]:
    """PSF and energy of one beam by its pupil's Fourier transform."""
    rays, wave = _pupil(lens, beam, plan, pitch_um, config)
    lead, _ = path(lens, rays, beam, point, defocus)
    phase = -2 * jnp.pi * lead / wave
    amplitude = jnp.sqrt(rays.light)
    fine = _intensity(amplitude * jnp.cos(phase), amplitude * jnp.sin(phase), plan)
    onto = jnp.asarray(_integral(plan.window, plan.fine), jnp.float32)
    return onto @ fine @ onto.T, rays.light.sum()


def _pupil(lens: Lens, beam: Cone, plan: Sampling, pitch_um: float, config: Any) -> tuple[Any, Any]:
    """The pupil's grid whose step gives the image the plan's period; the wavelength in mm."""
    wave = beam.wavelength * 1e-6
    step = wave / (lens.index(beam.wavelength)[-1] * plan.period * pitch_um * 1e-3)
    return pupil_on_grid(lens, beam, config, plan.cells, jnp.full(2, step)), wave


def _intensity(real: Any, imaginary: Any, plan: Sampling) -> Any:
    """Light at the fine samples of the window (M, M) that add to the pupil's over one period."""
    onto = jnp.asarray(_transform(plan), jnp.complex64)
    field = (real + 1j * imaginary).astype(jnp.complex64)
    image = onto @ field @ onto.T
    return image.real**2 + image.imag**2


def _transform(plan: Sampling) -> np.ndarray:
    """Matrix (M, cells) from the pupil to the window's fine samples, unitary over a whole period."""
    phase = np.outer(_places(plan.window, plan.fine), np.arange(plan.cells) - (plan.cells - 1) / 2) / plan.period
    return np.exp(2j * np.pi * phase) / np.sqrt(plan.period * plan.fine)


def _places(window: int, fine: int) -> np.ndarray:
    """The fine samples' places in pixels from the image point."""
    return (np.arange(window * fine) + 0.5) / fine - 0.5 - window // 2


def _integral(window: int, fine: int, extra: np.ndarray | None = None) -> np.ndarray:
    """Matrix (window, M) that integrates band-limited samples over the pixels; extra (M,): a further filter on its frequencies."""
    places, centres = _places(window, fine), np.arange(window) - window // 2
    frequency = np.fft.fftfreq(window * fine, 1 / fine)
    filtered = np.sinc(frequency) * (1.0 if extra is None else extra)
    waves = np.exp(2j * np.pi * np.outer(centres, frequency)) * filtered
    return np.real(waves @ np.exp(-2j * np.pi * np.outer(frequency, places))) / window


def _gathered(lens: Lens, point: Any, beam: Cone, plan: Sampling, pitch_um: float, config: Any, defocus: Any) -> tuple[Any, Any]:
    """PSF and energy of one beam from where its rays land, convolved with its diffraction pattern."""
    rays, _ = _pupil(lens, beam, plan, pitch_um, config)
    airy = _intensity(jnp.sqrt(rays.light), jnp.zeros_like(rays.light), plan)
    dense = pupil_on_grid(lens, beam, config, GATHERED, 2 * beam.half / GATHERED)
    _, beside = path(lens, dense, beam, point, defocus)
    landed = _deposited(beside.reshape(-1, 2) / (pitch_um * 1e-3), dense.light.ravel(), plan)
    place = jnp.exp(-2j * jnp.pi * np.fft.fftfreq(plan.window * plan.fine, 1 / plan.fine) * _places(plan.window, plan.fine)[0])
    spectrum = jnp.fft.fft2(landed) * jnp.fft.fft2(airy.astype(jnp.float64) / rays.light.sum()) * place[:, None] * place
    fine = jnp.fft.ifft2(spectrum).real
    blur = np.sinc(np.fft.fftfreq(plan.window * plan.fine)) ** 2  # of the deposit, taken out again
    onto = jnp.asarray(_integral(plan.window, plan.fine, 1 / blur))
    return onto @ fine @ onto.T, rays.light.sum()


def _deposited(places: Any, light: Any, plan: Sampling) -> Any:
    """Rays at places (P, 2) in pixels shared among the four fine samples about each: (M, M); beyond the window they are lost."""
    count = plan.window * plan.fine
    spot = (places - _places(plan.window, plan.fine)[0]) * plan.fine
    low = jnp.floor(jnp.clip(spot, -2, count + 1)).astype(jnp.int32)
    part = spot - low
    image = jnp.zeros((count, count))
    for row in (0, 1):
        for column in (0, 1):
            share = jnp.where(row, part[:, 1], 1 - part[:, 1]) * jnp.where(column, part[:, 0], 1 - part[:, 0])
            y, x = low[:, 1] + row, low[:, 0] + column
            inside = (x >= 0) & (x < count) & (y >= 0) & (y < count)
            image = image.at[jnp.where(inside, y, 0), jnp.where(inside, x, 0)].add(jnp.where(inside, light * share, 0.0))
    return image
