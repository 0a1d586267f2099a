"""The certificate's sentences: which test fails, where, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

from apochromat.optics.certificate.result import Check, Measured, TestResult


def judged(number: int, title: str, checks: Sequence[Check], explanation: str = "") -> TestResult:
    """A test from its checks, all of which must hold; the one that uses most of its limit speaks for it."""
    worst = max(checks, key=lambda c: (not c.passed, c.severity))
    passed = all(c.passed for c in checks)
    return TestResult(
        number=number,
        title=title,
        passed=passed,
        value=worst.value,
        limit=worst.limit,
        margin=worst.margin,
        unit=worst.unit,
        sentence=f"Test {number}, {title}: {_outcome(worst, passed)}{explanation}",
        checks=tuple(Measured.of(c) for c in checks),
    )


def _outcome(worst: Check, passed: bool) -> str:
    """What the deciding check found."""
    where = f" ({worst.configuration})" if worst.configuration else ""
    found = f"{worst.name} is {quantity(worst.value, worst.unit)}{where}, the limit is {worst.sense} {quantity(worst.limit, worst.unit)}"
    amount = quantity(abs(worst.margin), worst.unit)
    return f"passes with {amount} to spare; {found}." if passed else f"fails by {amount}; {found}."


def quantity(value: float, unit: str) -> str:
    """A number and its unit, to the figures that matter."""
    if unit == "%":
        return f"{value:.1f} %"
    if unit == "crossings":
        return f"{value:.0f} crossing{'' if value == 1 else 's'}"
    number = f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{number} {unit}".rstrip()


def verdict_sentence(tests: Sequence[TestResult], name: str) -> str:
    """One sentence over tests."""
    failed = [t for t in tests if not t.passed]
    if not failed:
        return f"passes {name}."
    if len(tests) == 1:
        return f"fails {name}, {tests[0].title}, by {quantity(-tests[0].margin, tests[0].unit)}."
    numbers = _listed([str(t.number) for t in failed])
    worst = "; ".join(f"{t.title} by {quantity(-t.margin, t.unit)}" for t in failed)
    return f"fails {numbers} of {name}: {worst}."


def _listed(items: Sequence[str]) -> str:
    """Items as English lists them."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
