"""What tolerances do to a lens: sensitivities one at a time, Monte Carlo samples with refocus, yield and worst offenders.

A criterion is any function of a lens that JAX can trace and that gives M numbers, each wanted at or below a limit: tests of the
certificate, wavefront errors, spots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.linear import solve
from apochromat.optics.perturb import Errors, Tolerances, applied, errors_of, in_blocks, tolerances
from apochromat.optics.precision import float64
from apochromat.optics.pupil import aimed, rings, tangents_of
from apochromat.optics.trace import OK, trace
from apochromat.optics.wavefront import launched_path

if TYPE_CHECKING:
    from apochromat.optics.tolerance_report import Report

SEED = 1  # of samples, where none is given
BATCH = 25  # samples traced together
LOST = 1e3  # waves of RMS error that a beam counts which loses a ray
Criterion = Callable[[Lens], Any]


@dataclass(frozen=True)
class Sensitivity:
    """Criterion values (M,) of the lens as designed, and of each error alone at its two extremes, refocused: (K, M)."""

    labels: tuple[str, ...]
    nominal: np.ndarray
    minus: np.ndarray
    plus: np.ndarray

    @property
    def change(self) -> np.ndarray:
        """Larger rise (K, M) of the two extremes; negative where both lower the value."""
        return np.maximum(self.minus, self.plus) - self.nominal

    def worst(self, count: int = 5, value: int | None = None) -> list[tuple[str, float]]:
        """Errors that raise a value the most, and by how much; None: any value, relative to the largest rise of each."""
        change = self.change
        rise = change[:, value] if value is not None else (change / np.maximum(np.abs(change).max(0), 1e-300)).max(1)
        return [(self.labels[k], float(rise[k])) for k in np.argsort(-rise, kind="stable")[:count]]


@dataclass(frozen=True)
class MonteCarlo:
    """Criterion values (N, M) of N samples, refocused, the draws (N, K) that made them, and the limits (M,)."""

    labels: tuple[str, ...]
    nominal: np.ndarray
    values: np.ndarray
    draws: np.ndarray
    limits: np.ndarray
    seed: int

    @property
    def passed(self) -> np.ndarray:
        """Which samples (N,) hold every limit; a value that is not a number holds none."""
        return np.asarray((self.values <= self.limits).all(1))

    @property
    def passing(self) -> float:
        """Yield: share of samples that hold every limit."""
        return float(self.passed.mean())

    @property
    def failing(self) -> np.ndarray:
        """Share of samples (M,) that miss each limit."""
        return 1 - (self.values <= self.limits).mean(0)

    def quantile(self, share: float) -> np.ndarray:
        """Values (M,) that a share of the samples stay at or below."""
        return np.quantile(self.values, share, axis=0)


@float64
def monte_carlo(
    lens: Lens,
    criterion: Criterion,
    limits: Any,
    within: Tolerances | str = "precision",
    *,
    samples: int = 500,
    seed: int = SEED,
    refocus: bool = True,
) -> MonteCarlo:
    """Samples of a lens built within tolerances, uniform and independent, each configuration refocused on axis before it is judged.

    criterion: Lens -> (M,), inside jit; limits: (M,) or one number. Raises LensError where nothing can err or samples is below 1.
    """
    errors = _errors(lens, within)
    if samples < 1:
        raise LensError(f"Expected 1 sample or more, found {samples}.")
    draws = errors.sampled(samples, seed)
    values = evaluated(lens, errors, criterion, np.vstack([np.zeros(len(errors)), draws]), refocus=refocus)
    bounds = np.broadcast_to(np.asarray(limits, float), values[0].shape)
    return MonteCarlo(tuple(e.label for e in errors.errors), values[0], values[1:], draws, bounds, seed)


@float64
def sensitivity(lens: Lens, criterion: Criterion, within: Tolerances | str = "precision", *, refocus: bool = True) -> Sensitivity:
    """Criterion values with each error alone at the two ends of its range. See `monte_carlo`."""
    errors = _errors(lens, within)
    one = np.eye(len(errors))
    values = evaluated(lens, errors, criterion, np.vstack([np.zeros((1, len(errors))), -one, one]), refocus=refocus)
    _, k = values.shape[1], len(errors)
    return Sensitivity(tuple(e.label for e in errors.errors), values[0], values[1 : k + 1], values[k + 1 :])


@float64
def derivatives(lens: Lens, criterion: Criterion, within: Tolerances | str = "precision", *, refocus: bool = True) -> np.ndarray:
    """Exact derivatives (M, K) of the criterion's values by each error, per half range, at the lens as designed."""
    errors = _errors(lens, within)
    return np.asarray(_derivatives(lens, errors, criterion, refocus))


def _errors(lens: Lens, within: Tolerances | str) -> Errors:
    errors = errors_of(lens, tolerances(within) if isinstance(within, str) else within)
    if not len(errors):
        raise LensError(f"Expected a lens with something to build, found none in {lens.info.name or 'the lens'}.")
    return errors


def evaluated(lens: Lens, errors: Errors, criterion: Criterion, draws: np.ndarray, *, refocus: bool = True) -> np.ndarray:
    """Criterion values (N, M) of draws (N, K), in batches of one compiled shape."""
    return in_blocks(draws, BATCH, lambda block: _evaluated(lens, errors, criterion, refocus, block))


def _value(lens: Lens, errors: Errors, criterion: Criterion, refocus: bool, draw: Any) -> Any:
    sample = applied(lens, errors, draw)
    return jnp.ravel(criterion(refocused(sample) if refocus else sample))


@partial(jax.jit, static_argnums=(1, 2, 3))
def _evaluated(lens: Lens, errors: Errors, criterion: Criterion, refocus: bool, draws: Any) -> Any:
    return jax.vmap(lambda draw: _value(lens, errors, criterion, refocus, draw))(draws)


@partial(jax.jit, static_argnums=(1, 2, 3))
def _derivatives(lens: Lens, errors: Errors, criterion: Criterion, refocus: bool) -> Any:
    return jax.jacfwd(lambda draw: _value(lens, errors, criterion, refocus, draw))(jnp.zeros(len(errors)))


def refocused(lens: Lens) -> Lens:
    """The lens, its image plane moved in each configuration to the focus of least RMS wavefront error on axis at the primary wavelength.

    That error is linear in the reference point, so that the focus is one weighted least-squares fit. Inside jit; differentiable.
    """
    return lens.replace(thickness=jnp.asarray(lens.thickness).at[:, -1].add(_refocusing(lens)))


@jax.jit
def _refocusing(lens: Lens) -> Any:
    """How far (C,) the image plane moves, mm."""
    points, weights = rings(6, 8)
    wavelength = jnp.asarray(lens.info.wavelengths_nm[lens.info.primary])

    def shift(config: Any) -> Any:
        directions, errors, good = _beam(lens, jnp.zeros(2), wavelength, points, config)
        return _best_point(directions, errors, jnp.where(good, weights, 0.0))[2]

    return jax.vmap(shift)(jnp.arange(lens.C))


@jax.jit
def _beam(lens: Lens, field: Any, wavelength: Any, points: Any, config: Any) -> tuple[Any, Any, Any]:
    """Direction cosines (P, 3) at the image, path (P,) mm to the plane through the origin at a right angle to each ray, and flags."""
    index = lens.index(wavelength)
    ray = aimed(lens, tangents_of(lens, field, config), index, points, config)
    end = trace(lens, ray, index, config, apertures=False)
    path = launched_path(ray, jnp.asarray(lens.object_vergence)[config]) + end.opl - end.L * end.x - end.M * end.y
    good = end.status == OK
    return jnp.stack([end.L, end.M, end.N], -1), jnp.where(good, path, 0.0), good


def _best_point(directions: Any, path: Any, weights: Any) -> Any:
    """The reference point (3,) mm of least RMS wavefront error."""
    weights = weights / jnp.maximum(weights.sum(), 1e-12)
    apart, errors = directions - weights @ directions, path - weights @ path
    normal = (apart.T * weights) @ apart
    return -solve(normal + 1e-18 * jnp.eye(3), apart.T @ (weights * errors)[:, None])[:, 0]


@jax.jit
def wavefront_errors(lens: Lens) -> Any:
    """A criterion: RMS wavefront error in waves [C, F, W], flat, about the best point of the image plane for each wavelength.

    A beam that loses a ray counts 1000 waves. Inside jit.
    """
    points, weights = rings(6, 8)

    def one(config: Any, field: Any, wavelength: Any) -> Any:
        directions, path, good = _beam(lens, field, wavelength, points, config)
        apart, errors = directions[:, :2] - weights @ directions[:, :2], path - weights @ path
        point = -solve((apart.T * weights) @ apart + 1e-18 * jnp.eye(2), apart.T @ (weights * errors)[:, None])[:, 0]
        rms = jnp.sqrt(jnp.maximum(weights @ (errors + apart @ point) ** 2, 1e-24)) * 1e6 / wavelength
        return jnp.where(good.all(), rms, LOST)

    fields, wavelengths = jnp.asarray(lens.fields), np.array(lens.info.wavelengths_nm)
    config, field, wavelength = (index.ravel() for index in np.indices((lens.C, len(fields), len(wavelengths))))
    return jax.vmap(one)(jnp.asarray(config), fields[field], jnp.asarray(wavelengths[wavelength]))


def wavefront_and_focus(lens: Lens) -> Any:
    """A criterion: `wavefront_errors`, and after them the distance (mm) of the image plane in each of the C configurations. Inside jit."""
    return jnp.concatenate([wavefront_errors(lens), jnp.asarray(lens.thickness)[:, -1]])


def tolerance(lens: Lens, samples: int = 500, seed: int = SEED, tolerances: str = "precision") -> Report:
    """Yield, worst offenders and refocus of a lens built within a declared set; see `tolerance_report.tolerance_report`."""
    from apochromat.optics.tolerance_report import tolerance_report

    return tolerance_report(lens, samples, seed, tolerances)
