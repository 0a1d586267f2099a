"""`certify`: the seven tests on a lens, in every configuration that it declares."""

from __future__ import annotations

import numpy as np

from apochromat.optics.certificate import (
    t1_colour_focus,
    t2_focus_spread,
    t3_wavefront,
    t4_spherochromatism,
    t5_lateral_colour,
    t6_fringe,
)
from apochromat.optics.certificate.result import Certificate, ColourFocus, TestResult, Verdict
from apochromat.optics.certificate.scope import scope_of
from apochromat.optics.certificate.sensor import stand_in
from apochromat.optics.certificate.t7_as_built import built, sample_count
from apochromat.optics.certificate.thresholds import thresholds
from apochromat.optics.certificate.view import Nominal, View, nominal
from apochromat.optics.certificate.words import judged, verdict_sentence
from apochromat.optics.lens import Lens


def certify(lens: Lens, samples: int | None = None, as_built: bool = True) -> Certificate:
    """The APO certificate of a lens (`docs/optics/certificate.md`).

    samples: of test 7, None: as many as the specification says. as_built: carry out test 7. Raises LensError for model glass or media
    that no catalogue has, for rays that do not reach the image, and for samples below 1.
    """
    samples = sample_count(samples)
    scope = scope_of(lens)
    lenses = [nominal(lens, config, scope.pixel_um, scope.image_radius_mm) for config in range(lens.C)]
    tests = design_tests(lens, lenses)
    manufacture = built(lens, lenses, samples) if as_built else None
    return Certificate(
        specification=str(thresholds()["version"]),
        lens=lens.info.name,
        source=lens.info.source,
        configurations=lens.info.configurations,
        pixel_um=scope.pixel_um,
        image_radius_mm=scope.image_radius_mm,
        sensor=stand_in().statement,
        notes=(stand_in().statement, *scope.notes, *(manufacture.notes if manufacture else ())),
        design=_verdict(tests, "tests 1 to 6"),
        as_built=_verdict((manufacture.test,), "test 7") if manufacture else None,
        tests=(*tests, manufacture.test) if manufacture else tests,
        yields=manufacture.yields if manufacture else (),
        top_sensitivity=manufacture.sensitivities[0] if manufacture and manufacture.sensitivities else None,
        sensitivities=manufacture.sensitivities if manufacture else (),
        colour_focus=tuple(_curve(n.view) for n in lenses),
    )


def design_tests(lens: Lens, lenses: list[Nominal]) -> tuple[TestResult, ...]:
    """Tests 1 to 6 over all configurations."""
    views = [n.view for n in lenses]
    near = np.asarray(lens.object_vergence) != 0
    return (
        t1_colour_focus.judge(views),
        judged(2, t2_focus_spread.TITLE, [c for v in views for c in t2_focus_spread.measure(v)]),
        judged(3, t3_wavefront.TITLE, [c for v in views for c in t3_wavefront.measure(v)]),
        judged(
            4,
            t4_spherochromatism.TITLE,
            [c for n, is_near in zip(lenses, near, strict=True) for c in t4_spherochromatism.measure(n, bool(is_near))],
        ),
        judged(5, t5_lateral_colour.TITLE, [c for v in views for c in t5_lateral_colour.measure(v)]),
        judged(6, t6_fringe.TITLE, [c for v in views for c in t6_fringe.measure(v)]),
    )


def _verdict(tests: tuple[TestResult, ...], name: str) -> Verdict:
    return Verdict(passed=all(t.passed for t in tests), sentence=verdict_sentence(tests, name))


def _curve(view: View) -> ColourFocus:
    return ColourFocus(
        configuration=view.name,
        f_number=view.f_number,
        dof_um=view.dof_mm * 1e3,
        wavelengths_nm=tuple(view.focus.wavelengths_nm.tolist()),
        shift_um=tuple((view.shifts_mm * 1e3).tolist()),
    )
