"""Test 7: as built. Samples within tolerances, each refocused, against tests 2, 3 and 5; and what one error alone does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.certificate import t2_focus_spread, t3_wavefront, t5_lateral_colour
from apochromat.optics.certificate.rays import Exit, Launch, bare, launch, rim, with_chief
from apochromat.optics.certificate.result import AsBuilt, Check, Sensitivity, TestResult
from apochromat.optics.certificate.thresholds import line_wavelengths, thresholds
from apochromat.optics.certificate.view import Nominal, View, arrived
from apochromat.optics.certificate.words import judged
from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.perturb import Errors, applied, declared, errors_of
from apochromat.optics.precision import float64
from apochromat.optics.pupil import rings
from apochromat.optics.trace import Ray, trace

TITLE = "as built"
TESTS: dict[int, ModuleType] = {2: t2_focus_spread, 3: t3_wavefront, 5: t5_lateral_colour}
SENSITIVITIES = 10  # that are listed


@dataclass(frozen=True)
class Built:
    """Test 7, the yields of every tolerance set, the largest sensitivities, and what is to be said beside them."""

    test: TestResult
    yields: tuple[AsBuilt, ...]
    sensitivities: tuple[Sensitivity, ...]
    notes: tuple[str, ...]


class Beams(NamedTuple):
    """Rays in front of the lens that every sample shares, (W, A + F * P): on the axis, then in each field."""

    ray: Ray
    path: np.ndarray
    axis: Launch
    fields: Launch


def built(lens: Lens, lenses: list[Nominal], samples: int | None = None) -> Built:
    """Monte Carlo of all tolerance sets and one error at a time. Refocus needs no search: each test takes its sample's own common focus."""
    table = thresholds()["test_7"]
    samples = table["samples"] if samples is None else samples
    if samples < 1:
        raise LensError(f"Expected at least one sample for the as-built test, found {samples}.")
    beams = [beams_of(lens, n) for n in lenses]
    sets = declared().sets
    errors = errors_of(lens, sets[table["deciding_set"]])
    lenses = [_with_pupils(lens, errors, n, rays) for n, rays in zip(lenses, beams, strict=True)]
    yields = tuple(
        _yield(lens, lenses, beams, name, errors, errors_of(lens, within).table() / errors.table(), samples)
        for name, within in sets.items()
    )
    deciding = next(y for y in yields if y.tolerances == table["deciding_set"])
    notes = [f"Tolerances are {declared().status}; samples are drawn with seed {table['seed']}."]
    if samples != table["samples"]:
        notes.append(f"Test 7 asks for {table['samples']} samples; {samples} were drawn.")
    sensitive = sensitivities(lens, lenses[0], beams[0], errors)
    return Built(_judged(deciding, yields, sensitive), yields, sensitive, tuple(notes))


def _with_pupils(lens: Lens, errors: Errors, nominal: Nominal, beams: Beams) -> Nominal:
    """The nominal lens with its pupil functions, which samples refit: their rays' directions move by less than the fit can see."""
    view = sample_view(lens, errors, np.zeros(len(errors)), nominal.view, beams, nominal.launched.config)
    if view is None or not arrived(view.fields.status).all():
        return nominal
    return replace(nominal, view=replace(nominal.view, pupils=tuple(t5_lateral_colour.pupil_functions(view))))


def _judged(deciding: AsBuilt, yields: tuple[AsBuilt, ...], sensitive: tuple[Sensitivity, ...]) -> TestResult:
    limit = thresholds()["test_7"]["yield"]
    check = Check(
        name=f"yield of {deciding.samples} samples, {deciding.tolerances} tolerances,",
        configuration="",
        value=100 * deciding.yield_fraction,
        limit=100 * limit,
        unit="%",
        sense="at least",
    )
    most = max(deciding.failures, key=lambda k: deciding.failures[k])
    said = [f"{y.tolerances} tolerances yield {100 * y.yield_fraction:.1f} %" for y in yields if y is not deciding]
    said += [f"test {most} fails most often"] if deciding.failures[most] else []
    said += [f"the top sensitivity is {sensitive[0].parameter}"] if sensitive else []
    return judged(7, TITLE, [check], f" ({'; '.join(said)}.)")


@float64
def beams_of(lens: Lens, nominal: Nominal) -> Beams:
    """Rays aimed through the nominal lens in one configuration, fewer than for the design tests."""
    points, weights = rings(*thresholds()["sampling"]["as_built_rings"])
    edge = rim(thresholds()["sampling"]["as_built_rings"][1])
    config = nominal.launched.config
    axis_pupil = (np.concatenate([points, edge]), np.concatenate([weights, np.zeros(len(edge))]))
    axis = launch(lens, np.zeros((1, 2)), line_wavelengths(), axis_pupil, config)
    fields = launch(lens, nominal.launched.angles, line_wavelengths(), with_chief(points, weights), config)
    joined = [
        np.concatenate([_by_wavelength(a), _by_wavelength(f)], 1)
        for a, f in zip((*axis.ray, axis.path), (*fields.ray, fields.path), strict=True)
    ]
    return Beams(Ray(*joined[:6]), joined[6], axis, fields)


def _by_wavelength(values: Any) -> np.ndarray:
    """(F, W, P) as (W, F * P)."""
    values = np.asarray(values)
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)


@float64
def sample_view(lens: Lens, errors: Errors, draw: np.ndarray, nominal: View, beams: Beams, config: int) -> View | None:
    """One built lens as tests 2, 3 and 5 see it; None when a ray of its axis or a chief ray is lost."""
    end = [np.asarray(v) for v in _built_exits(bare(lens), errors, draw, beams.ray, beams.path, line_wavelengths(), config)]
    count = len(beams.axis.pupil)
    shape = (len(line_wavelengths()), len(beams.fields.path), -1)
    on_axis = [v[:, :count] for v in end]
    in_fields = [v[:, count:].reshape(shape).transpose(1, 0, 2) for v in end]
    axis, fields = (
        Exit._make([*values, line_wavelengths(), start.pupil, start.weights])
        for values, start in ((on_axis, beams.axis), (in_fields, beams.fields))
    )
    if not arrived(axis.status).all() or not arrived(fields.status[..., -1]).all():
        return None
    return replace(nominal, focus=axis, axis=axis, fields=fields)


@partial(jax.jit, static_argnames="errors")
def _built_exits(lens: Lens, errors: Errors, draw: Any, ray: Ray, path: Any, wavelengths: Any, config: Any) -> tuple[Any, ...]:
    lens = applied(lens, errors, draw)

    def one(ray: Ray, path: Any, wavelength: Any) -> tuple[Any, ...]:
        end = trace(lens, ray, lens.index(wavelength), config)
        return end.x, end.y, end.L, end.M, end.N, path + end.opl - end.L * end.x - end.M * end.y, end.status, end.surface

    return jax.vmap(one)(jax.tree.map(jnp.asarray, ray), path, wavelengths)


def severities(lens: Lens, errors: Errors, draw: np.ndarray, lenses: list[Nominal], beams: list[Beams]) -> dict[int, float]:
    """Share of the limit that one built lens uses in each test, the worst of its configurations; a lost ray is infinite."""
    worst = dict.fromkeys(TESTS, 0.0)
    for nominal, rays in zip(lenses, beams, strict=True):
        view = sample_view(lens, errors, draw, nominal.view, rays, nominal.launched.config)
        for number, test in TESTS.items():
            value = np.inf if view is None else max(c.severity for c in test.measure(view))
            worst[number] = max(worst[number], value)
    return worst


def _yield(lens: Lens, lenses: list[Nominal], beams: list[Beams], name: str, errors: Errors, wider: np.ndarray, samples: int) -> AsBuilt:
    """Yield of a set whose ranges are `wider` (K,) times those of `errors`: the draws are scaled, so that one compiled trace does."""
    seed = thresholds()["test_7"]["seed"]
    found = [severities(lens, errors, draw * wider, lenses, beams) for draw in errors.sampled(samples, seed)]
    failed = {str(number): sum(f[number] > 1 for f in found) for number in TESTS}
    passed = sum(all(v <= 1 for v in f.values()) for f in found)
    return AsBuilt(tolerances=name, samples=samples, seed=seed, yield_fraction=passed / samples, failures=failed)


def sensitivities(lens: Lens, nominal: Nominal, beams: Beams, errors: Errors) -> tuple[Sensitivity, ...]:
    """Errors that use most of a limit when each stands alone at either end of its range, largest first; in one configuration."""

    def measured(draw: np.ndarray) -> dict[int, float]:
        return severities(lens, errors, draw, [nominal], [beams])

    as_designed = measured(np.zeros(len(errors)))
    found = []
    for k, error in enumerate(errors.errors):
        ends = [measured(side * np.eye(len(errors))[k]) for side in (-1.0, 1.0)]
        rise = {n: max(e[n] for e in ends) - as_designed[n] for n in TESTS}
        test = max(rise, key=lambda n: rise[n])
        found.append((rise[test], error.label, test, max(e[test] for e in ends)))
    found.sort(key=lambda f: (-f[0], f[1]))
    return tuple(
        Sensitivity(parameter=label, severity=min(value, 1e9), nominal=as_designed[test], test=test)
        for _, label, test, value in found[:SENSITIVITIES]
    )
