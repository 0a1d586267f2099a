"""Point spread functions at the pixel pitch, of several fields and wavelengths in one compiled call.

The exit pupil on a grid of directions (`exit_pupil`) is carried to the image by a Fourier transform at lambda N / 2 or finer, squared,
and integrated exactly over the pixels, as its band limit allows. The grid's step sets the period of the image: it is as fine as the
window asks for, or finer, until the phase steps from cell to cell by less than pi / 2. Where that would need too large a grid, rays are
gathered in the pixels instead and convolved with the diffraction pattern of the same pupil without aberration.

Faint light beyond the period is spread evenly over it, so that a sharp image keeps all its energy. Phases are of float64, the transform
of float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from apochromat.optics.exit_pupil import Beam, Pupil, beams, beside_in_plane, lead_in_plane, pupil_on_grid
from apochromat.optics.lens import Lens
from apochromat.optics.precision import float64

LARGEST = 384  # cells across the pupil, beyond which rays are gathered
LEAST = 64  # cells across the pupil, and the image's period in units of lambda N
USUAL = 96  # those with which a wide window is content
GATHERED = 512  # rays across the pupil of a geometric PSF
RIM = 1.01  # half width of their grid, over the pupil's
STEP = 16  # cells across the pupil are a multiple of
TOGETHER = 1 << 16  # cells worked on at once
UPRIGHT = np.eye(2)


@dataclass(frozen=True)
class Psf:
    """Images of points: what of the light of an unvignetted pupil falls in each pixel.

    values (F, W, size, size): rows along y, columns along x, both rising with the index; the image point `centre_mm` (F, 2), where the
    chief ray of the primary wavelength lands, is the middle of pixel [size // 2, size // 2]. energy (F, W): what passes all apertures, 1 if
    nothing is vignetted. geometric (F,): gathered from rays. residual_waves (F, W): RMS that the fit to the traced paths leaves.
    """

    values: Any
    energy: Any
    centre_mm: Any
    pitch_um: float
    geometric: tuple[bool, ...]
    residual_waves: Any

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
    upright = np.broadcast_to(UPRIGHT, (len(fields), 2, 2))
    found = beams(lens, fields, wavelengths, upright, config, [float(defocus_mm)])
    return psf_of(found, pitch, size, defocus_mm, geometric)


@float64
def psf_of(found: Beam, pitch_um: float, size: int, defocus_mm: Any = 0.0, geometric: bool | None = None) -> Psf:
    """`psf` of beams (F, W) that are known; grids upright, traced to the plane `defocus_mm`."""
    half, spread, wavelengths = (np.asarray(v) for v in (found.half, found.spread, found.wavelength))
    plans = [sampling(half[f], spread[f], wavelengths[f], pitch_um, size, geometric) for f in range(len(half))]
    values, energy = np.zeros((*wavelengths.shape, size, size)), np.zeros(wavelengths.shape)
    for plan in dict.fromkeys(_joined(plans)):
        chosen = np.flatnonzero([p.geometric == plan.geometric for p in plans])
        some = jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], found)
        edge = (size - plan.window) // 2
        image, energy[chosen] = sampled(some, plan, pitch_um, jnp.asarray(defocus_mm, jnp.float64))
        values[chosen, :, edge : size - edge, edge : size - edge] = image
    centre = np.asarray(found.point + defocus_mm * found.drift)[:, 0]
    return Psf(values, energy, centre, float(pitch_um), tuple(p.geometric for p in plans), np.asarray(found.residual))


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


@float64
@partial(jax.jit, static_argnames=("plan", "pitch_um"))
def sampled(found: Beam, plan: Sampling, pitch_um: float, defocus_mm: Any) -> tuple[Any, Any]:
    """PSFs (F, W, window, window) and their energy (F, W) of beams (F, W), with sizes fixed: differentiable."""
    shape = found.wavelength.shape
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)
    make = _gathered if plan.geometric else _diffracted
    cells = GATHERED**2 if plan.geometric else plan.cells**2
    image, energy = lax.map(lambda beam: make(beam, plan, pitch_um, defocus_mm), flat, batch_size=max(1, TOGETHER // cells))
    return image.reshape(*shape, *image.shape[1:]), energy.reshape(shape)


def _diffracted(beam: Beam, plan: Sampling, pitch_um: float, defocus_mm: Any) -> tuple[Any, Any]:
    """PSF and energy of one beam by its pupil's Fourier transform."""
    pupil = _pupil(beam, plan, pitch_um)
    phase = -2 * jnp.pi * lead_in_plane(beam, pupil, defocus_mm) / (beam.wavelength * 1e-6)
    fine = _intensity(pupil.amplitude * jnp.cos(phase), pupil.amplitude * jnp.sin(phase), plan)
    onto, energy = jnp.asarray(_integral(plan.window, plan.fine), jnp.float32), pupil.light.sum()
    return onto @ fine @ onto.T + _beyond(pupil, plan).astype(jnp.float32), energy


def _pupil(beam: Beam, plan: Sampling, pitch_um: float) -> Pupil:
    """The pupil's grid whose step gives the image the plan's period."""
    step = beam.wavelength * 1e-6 / (beam.medium * plan.period * pitch_um * 1e-3)
    return pupil_on_grid(beam, plan.cells, jnp.full(2, step))


def _beyond(pupil: Pupil, plan: Sampling) -> Any:
    """Light that each pixel gets of what lies beyond the period: what cells cut by an edge have more than their amplitude's square."""
    return (pupil.light.sum() - (pupil.amplitude**2).sum()) / plan.period**2


def _intensity(real: Any, imaginary: Any, plan: Sampling) -> Any:
    """Light at the fine samples of the window (M, M) that add to the pupil's over one period."""
    field = lax.complex(real.astype(jnp.float32), imaginary.astype(jnp.float32))
    image = _along_first(_along_first(field, plan).T, plan)
    return image.T.real**2 + image.T.imag**2


def _along_first(field: Any, plan: Sampling) -> Any:
    """Transform (M, n) along the first axis of a pupil (cells, n) to the window's fine samples, unitary over a whole period."""
    whole = plan.period * plan.fine
    onto_first = 2j * np.pi * _places(plan.window, plan.fine)[0] * np.arange(plan.cells) / plan.period
    shifted = field * jnp.asarray(np.exp(onto_first) * np.sqrt(whole), jnp.complex64)[:, None]
    return jnp.fft.ifft(shifted, whole, axis=0)[: plan.window * plan.fine]


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


def _gathered(beam: Beam, plan: Sampling, pitch_um: float, defocus_mm: Any) -> tuple[Any, Any]:
    """PSF and energy of one beam from where its rays land, convolved with its diffraction pattern."""
    pupil = _pupil(beam, plan, pitch_um)
    light = pupil.light.sum()
    airy = _intensity(pupil.amplitude, jnp.zeros_like(pupil.amplitude), plan) + _beyond(pupil, plan).astype(jnp.float32) / plan.fine**2
    dense = pupil_on_grid(beam, GATHERED, 2 * RIM * beam.half / GATHERED)
    beside = jnp.stack(beside_in_plane(beam, dense, defocus_mm), -1).reshape(-1, 2) / (pitch_um * 1e-3)
    landed = _deposited(beside, dense.light.ravel(), plan)
    place = jnp.exp(-2j * jnp.pi * np.fft.fftfreq(plan.window * plan.fine, 1 / plan.fine) * _places(plan.window, plan.fine)[0])
    spectrum = jnp.fft.fft2(landed) * jnp.fft.fft2(airy.astype(jnp.float64) / jnp.maximum(light, 1e-30)) * place[:, None] * place
    fine = jnp.fft.ifft2(spectrum).real
    blur = np.sinc(np.fft.fftfreq(plan.window * plan.fine)) ** 2  # of the deposit, taken out again
    onto = jnp.asarray(_integral(plan.window, plan.fine, 1 / blur))
    return onto @ fine @ onto.T, light


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
