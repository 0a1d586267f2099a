"""Test 7: as built. Samples within tolerances, each refocused, against tests 2, 3 and 5; and what one error alone does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.optics.certificate import t2_focus_spread, t3_wavefront, t5_lateral_colour
from apochromat.optics.certificate.compared import values
from apochromat.optics.certificate.reference import reference
from apochromat.optics.certificate.result import AsBuilt, Check, Sensitivity, TestResult
from apochromat.optics.certificate.thresholds import thresholds
from apochromat.optics.certificate.view import Nominal
from apochromat.optics.certificate.words import judged
from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.perturb import Errors, declared, errors_of

TITLE = "as built"
TESTS = {2: t2_focus_spread, 3: t3_wavefront, 5: t5_lateral_colour}
SENSITIVITIES = 15  # that are listed
WORST = 1e9  # severity of a sample that loses a ray


@dataclass(frozen=True)
class Built:
    """Test 7, the yields of every tolerance set, the largest sensitivities, and what is to be said beside them."""

    test: TestResult
    yields: tuple[AsBuilt, ...]
    sensitivities: tuple[Sensitivity, ...]
    notes: tuple[str, ...]


def built(lens: Lens, lenses: list[Nominal], samples: int | None = None) -> Built:
    """Monte Carlo of all tolerance sets, and one error at a time at both its ends. Raises LensError for samples below 1.

    Refocus needs no search: each test takes its sample's own common focus.
    """
    table, samples = thresholds()["test_7"], sample_count(samples)
    name, sets = table["deciding_set"], declared().sets
    errors = errors_of(lens, sets[name])
    draws = errors.sampled(samples, table["seed"])
    wider = {key: errors_of(lens, within).table() / errors.table() for key, within in sets.items()}
    alone = np.eye(len(errors))
    found = severities(lens, errors, np.concatenate([*(draws * w for w in wider.values()), 0 * alone[:1], -alone, alone]), lenses)
    yields = tuple(_yield(key, found[i * samples : (i + 1) * samples]) for i, key in enumerate(sets))
    sensitive = _sensitivities(errors, found[len(sets) * samples :])
    return Built(_judged(next(y for y in yields if y.tolerances == name), yields, sensitive), yields, sensitive, tuple(_notes(samples)))


def sample_count(samples: int | None) -> int:
    """How many samples are drawn: as many as asked for, None: as the specification says. Raises LensError for less than one."""
    count = thresholds()["test_7"]["samples"] if samples is None else samples
    if count < 1:
        raise LensError(f"Expected at least one sample for the as-built test, found {count}.")
    return int(count)


def severities(lens: Lens, errors: Errors, draws: np.ndarray, lenses: list[Nominal]) -> np.ndarray:
    """Share of the limit (N, 3) that built lenses use in tests 2, 3 and 5, each the worst of its checks and configurations.

    draws: (N, K) in half ranges of the errors.
    """
    worst = np.full((len(draws), len(TESTS)), -np.inf)
    for nominal in lenses:
        found, first = values(lens, errors, draws, reference(lens, nominal)), 0
        for k, test in enumerate(TESTS.values()):
            checks = test.measure(nominal.view)
            share = found[:, first : first + len(checks)] / [c.limit for c in checks]
            share = np.where([c.sense == "at most" for c in checks], share, 2 - share)
            share[~np.isfinite(share)] = WORST
            worst[:, k] = np.maximum(worst[:, k], share.max(1))
            first += len(checks)
    return worst


def _notes(samples: int) -> list[str]:
    """What is to be said beside test 7."""
    table = thresholds()["test_7"]
    notes = [f"Tolerances are {declared().status}; samples are drawn with seed {table['seed']}."]
    return notes if samples == table["samples"] else [*notes, f"Test 7 asks for {table['samples']} samples; {samples} were drawn."]


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
    said = [f"{y.tolerances} tolerances yield {100 * y.yield_fraction:.1f} %" for y in yields if y is not deciding]
    most = max(deciding.failures, key=lambda k: (deciding.failures[k], deciding.reached[k]))
    if deciding.failures[most]:
        said.append(
            f"test {most} fails most often, in {deciding.failures[most]} samples: {100 * limit:.0f} % of the samples stay below "
            f"{deciding.reached[most]:.2f} of its limits"
        )
    if sensitive:
        top = sensitive[0]
        said.append(f"the top sensitivity is {top.parameter}, from {top.nominal:.2f} to {top.severity:.2f} of a limit of test {top.test}")
    return judged(7, TITLE, [check], f" ({'; '.join(said)}.)")


def _yield(name: str, found: np.ndarray) -> AsBuilt:
    """Yield of a set from its samples' severities (N, 3)."""
    table = thresholds()["test_7"]
    reached = np.sort(found, 0)[int(np.ceil(table["yield"] * len(found))) - 1]
    return AsBuilt(
        tolerances=name,
        samples=len(found),
        seed=table["seed"],
        yield_fraction=float((found <= 1).all(1).mean()),
        failures={str(n): int((found[:, k] > 1).sum()) for k, n in enumerate(TESTS)},
        reached={str(n): float(reached[k]) for k, n in enumerate(TESTS)},
    )


def _sensitivities(errors: Errors, found: np.ndarray) -> tuple[Sensitivity, ...]:
    """Errors that use most more of a limit than the nominal lens does, largest first, of x and y the worse one.

    found: severities (1 + 2 K, 3) without errors, and with each alone at either end.
    """
    nominal, ends = found[0], found[1:].reshape(2, len(errors), len(TESTS)).max(0)
    rise = ends - nominal
    order = sorted(range(len(errors)), key=lambda k: (-round(rise[k].max(), 9), errors.errors[k].label))
    listed: dict[tuple[str, int], Sensitivity] = {}
    for k in order:
        error, test = errors.errors[k], int(rise[k].argmax())
        one = Sensitivity(parameter=error.label, severity=ends[k, test], nominal=nominal[test], test=list(TESTS)[test])
        listed.setdefault((error.quantity, error.surface), one)
    return tuple(listed.values())[:SENSITIVITIES]
