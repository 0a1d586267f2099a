"""The APO certificate: its arithmetic in closed form, a lens that passes beside lenses that must fail, its words, schema and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from apochromat.optics.certificate import Certificate, certify, t1_colour_focus, t2_focus_spread, t3_wavefront, t4_spherochromatism
from apochromat.optics.certificate.compared import values
from apochromat.optics.certificate.crossings import crossings, most_crossings
from apochromat.optics.certificate.pupil_function import fitted, line_spreads, transfer
from apochromat.optics.certificate.rays import bare, best_points, exits, launch, ring_pupil, wavefronts
from apochromat.optics.certificate.reference import reference
from apochromat.optics.certificate.result import Check, schema_text
from apochromat.optics.certificate.scope import scope_of
from apochromat.optics.certificate.sensor import stand_in
from apochromat.optics.certificate.t7_as_built import TESTS, severities
from apochromat.optics.certificate.thresholds import line, line_wavelengths, thresholds
from apochromat.optics.certificate.view import Nominal, nominal
from apochromat.optics.certificate.words import judged
from apochromat.optics.errors import LensError
from apochromat.optics.first_order import first_order
from apochromat.optics.focus import colour_focus
from apochromat.optics.glass import glass
from apochromat.optics.lens import AIR, Lens, LensInfo, SurfaceInfo
from apochromat.optics.perturb import built, errors_of, tolerances
from apochromat.optics.pupil import square

FOCAL, STOP, ROWS = 200.0, 10.0, 4  # f/10; every lens has four surfaces, so that one compiled trace serves all


def cemented(
    glasses: tuple[str, ...], powers: np.ndarray, gaps: tuple[float, ...], bend: float, stop: float = STOP, **facts: object
) -> Lens:
    """A cemented lens from thin-lens powers (1/mm), stop in front, focused paraxially at e; flat surfaces in air fill it up."""
    curvature = [bend]
    for name, power in zip(glasses, powers, strict=True):
        curvature.append(curvature[-1] - power / (glass(name).nd - 1))
    media = [*glasses, *[""] * (ROWS - len(glasses))]
    thickness = np.array([[*gaps, *[0.0] * (ROWS - len(gaps) - 1), FOCAL]])
    lens = lens_of(np.pad(curvature, (0, ROWS - len(curvature))), thickness, media, stop, **facts)
    thickness[0, -1] = first_order(lens, line("e")).bfl_mm
    return lens.replace(thickness=thickness)


def lens_of(curvature: np.ndarray, thickness: np.ndarray, media: list[str], stop: float, kind: str = "standard", **facts: object) -> Lens:
    """A lens of spherical surfaces by its table."""
    count, configurations = len(curvature), facts.pop("configurations", ("",))
    surfaces = tuple(SurfaceInfo(kind=kind, glass=name) if i == 0 else SurfaceInfo(glass=name) for i, name in enumerate(media))
    info = {"pixel_um": 4.0, "image_radius_mm": 1.0, "configurations": configurations} | facts
    return Lens(
        curvature=curvature,
        conic=np.full(count, -1.0 if kind == "mirror" else 0.0),
        even=np.zeros((count, 8)),
        thickness=thickness,
        object_vergence=np.zeros(len(configurations)),
        stop_radius=np.full(len(configurations), stop),
        semi_diameter=np.full(count, np.inf),
        inner_radius=np.zeros(count),
        tilt=np.zeros((count, 2)),
        decenter=np.zeros((count, 2)),
        coefficients=np.array([glass(name).coefficients if name else AIR for name in media]),
        nd_shift=np.zeros(count),
        dispersion_shift=np.zeros(count),
        model=np.tile([1.5, 60.0, 0.0], (count, 1)),
        fields=np.zeros((1, 2)),
        info=LensInfo("test lens", surfaces, 0, (line("F"), line("e"), line("C")), (1.0, 1.0, 1.0), 1, **info),
    )


def achromatic(names: tuple[str, str], focal: float = FOCAL) -> np.ndarray:
    """Powers of two thin elements that share F and C."""
    v = np.array([glass(n).vd for n in names])
    return np.array([v[0], -v[1]]) / (v[0] - v[1]) / focal


def apochromatic(names: tuple[str, str, str], focal: float = FOCAL) -> np.ndarray:
    """Powers of three thin elements that share C, F and g."""
    v, p = np.array([glass(n).vd for n in names]), np.array([glass(n).pgf for n in names])
    return np.linalg.solve([np.ones(3), 1 / v, p / v], [1 / focal, 0, 0])


TRIPLET, DOUBLET = ("N-FK51A", "N-KZFS4", "N-SF6"), ("N-BK7", "F2")


def apochromat(**facts: object) -> Lens:
    return cemented(TRIPLET, apochromatic(TRIPLET), (5.0, 3.0, 3.0), 2.6 / FOCAL, **facts)


def achromat(**facts: object) -> Lens:
    return cemented(DOUBLET, achromatic(DOUBLET), (4.0, 3.0), 1.0 / FOCAL, **facts)


def singlet(**facts: object) -> Lens:
    return cemented(("N-BK7",), np.array([1 / FOCAL]), (4.0,), 1.2 / FOCAL, **facts)


@pytest.fixture(scope="session")
def certificates() -> dict[str, Certificate]:
    """The design tests on a lens that should pass and two that should not."""
    return {make.__name__: certify(make(), as_built=False) for make in (apochromat, achromat, singlet)}


@pytest.fixture(scope="session")
def mirror() -> Lens:
    """A paraboloid, stop at its vertex: no colour at all, no spherical aberration."""
    return lens_of(np.array([-1 / (2 * FOCAL)]), np.array([[-FOCAL]]), [""], STOP, kind="mirror")


def outcome(certificate: Certificate) -> dict[int, bool]:
    return {t.number: t.passed for t in certificate.tests}


class TestCrossings:
    wavelengths = np.linspace(430, 680, 51)

    @pytest.mark.parametrize(("degree", "count"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)])
    def test_a_chebyshev_polynomial_crosses_as_often_as_its_degree(self, degree: int, count: int) -> None:
        curve = np.polynomial.chebyshev.Chebyshev.basis(degree)(np.linspace(-1, 1, 401))
        assert most_crossings(curve, 0.5)[0] == count

    def test_lobes_between_crossings_count_from_the_excursion_on(self) -> None:
        x = np.linspace(-1.2, 1.2, 401)
        cubic = x**3 - 0.75 * x  # its inner lobes reach 0.25
        assert len(crossings(cubic, 0.0, 0.249)) == 3
        assert len(crossings(cubic, 0.0, 0.251)) == 1
        assert most_crossings(cubic, 0.251)[0] < 3

    def test_noise_below_the_excursion_is_no_crossing(self) -> None:
        noise = 0.009 * np.random.default_rng(1).uniform(-1, 1, 51)
        assert most_crossings(self.wavelengths / 250 + noise, 0.02)[0] == 1

    def test_a_level_off_the_middle_is_found(self) -> None:
        x = np.linspace(-1, 1, 201)
        count, level = most_crossings(7 + 4 * x**3 - 3 * x, 0.3)
        assert count == 3
        assert 6.3 < level < 7.7


class TestWavefront:
    def test_foci_agree_with_the_focus_of_the_optics_room(self) -> None:
        """To a two-thousandth of the depth of focus: the other measures half a millimetre of defocus on a sphere at the exit pupil."""
        lens = achromat()
        rays = exits(lens, launch(lens, np.zeros((1, 2)), line_wavelengths(), ring_pupil(), 0), 0, apertures=False).at(0)
        assert best_points(rays)[:, 2] == pytest.approx(np.asarray(colour_focus(lens, line_wavelengths())), abs=5e-5)

    def test_achromat_is_where_thin_lens_dispersion_puts_it(self) -> None:
        """BK7 and F2 brought together at 450 and 656 nm, f = 19.9 mm: three times what test 2 allows at f/2.39."""
        focal = 19.9
        spread = np.array([(glass(n).index(450.0) - glass(n).index(656.0)) / (glass(n).nd - 1) for n in DOUBLET])
        powers = np.array([spread[1], -spread[0]]) / (spread[1] - spread[0]) / focal
        lens = cemented(DOUBLET, powers, (1e-3, 1e-3), 1 / focal, stop=0.05, image_radius_mm=0.1)
        wavelengths = np.linspace(450, 656, 42)
        rays = exits(lens, launch(lens, np.zeros((1, 2)), wavelengths, ring_pupil(), 0), 0, apertures=False).at(0)
        strength = sum(p * (glass(n).index(wavelengths) - 1) / (glass(n).nd - 1) for n, p in zip(DOUBLET, powers, strict=True))
        found, expected = np.ptp(best_points(rays)[:, 2]) / 2, np.ptp(1 / strength) / 2
        assert found == pytest.approx(expected, rel=0.01)
        assert found > 3 * thresholds()["test_2"]["spread_dof"] * 2 * line("e") * 1e-6 * 2.39**2

    def test_a_paraboloid_has_no_error_and_the_coma_of_its_formula(self, mirror: Lens) -> None:
        """sin U' of a paraboloid at height h: F' = f / cos^2(U' / 2), so OSC = tan^2(U' / 2)."""
        nominal_mirror = nominal(mirror, 0, 4.0, 1.0)
        view = nominal_mirror.view
        one, two, three = t1_colour_focus.judge([view]), t2_focus_spread.measure(view), t3_wavefront.measure(view)
        assert one.passed
        assert "flat" in one.sentence
        assert max(c.value for c in two) == pytest.approx(0, abs=1e-6)
        assert max(c.value for c in three) < 1e-4
        rho = np.hypot(*ring_pupil()[0].T).max()
        half_angle = np.arctan(rho * STOP / (2 * FOCAL))  # tan(U' / 2) = h / 2 f
        expected = np.tan(half_angle) ** 2 * 0.1 / (2 * view.f_number) / (line("F") * 1e-6)
        at_f = t4_spherochromatism.measure(nominal_mirror, is_near=False)[-1]
        assert at_f.name.endswith("at F")
        assert at_f.value == pytest.approx(expected, rel=0.01)


class TestPupil:
    """A perfect pupil in air, of half width NA, images as diffraction theory says."""

    aperture, wavelength = 0.05, 500.0

    def perfect(self) -> object:
        points, _ = square(64)
        return fitted(*(self.aperture * points.T), 1.0, np.zeros(len(points)), points, np.ones((1, 1)))

    @pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.95])
    def test_transfer_of_a_circle(self, share: float) -> None:
        frequency = share * 2 * self.aperture / (self.wavelength * 1e-6)
        expected = 2 / np.pi * (np.arccos(share) - share * np.sqrt(1 - share**2))
        assert abs(transfer(self.perfect(), self.wavelength, (frequency, 0.0))) == pytest.approx(expected, abs=0.002)
        assert abs(transfer(self.perfect(), self.wavelength, (0.0, frequency))) == pytest.approx(expected, abs=0.002)

    @pytest.mark.parametrize("waves", [0.25, 0.5])
    def test_transfer_of_a_defocused_square_left_by_vignetting(self, waves: float) -> None:
        """H. H. Hopkins, Proc. R. Soc. A 231, 1955: (1 - s) sinc(8 W20 s (1 - s)) of a square; what the mask stops may be anything."""
        points, _ = square(96)
        half, share = 0.6, 0.3  # half width of the open square in the stop, frequency as a part of its cut-off
        beyond = np.maximum(np.abs(points).max(1) - half, 0)
        passes = beyond == 0
        path = self.wavelength * 1e-6 * (waves * (points / half)[:, 1] ** 2 + 50 * beyond**2)
        cell = np.abs((np.arange(320) + 0.5) / 160 - 1) <= half
        pupil = fitted(*(self.aperture * points.T), 1.0, path, points, np.outer(cell, cell) * 1.0, passes)
        frequency = share * 2 * self.aperture * half / (self.wavelength * 1e-6)
        for direction, aberrated in (((0.0, frequency), True), ((frequency, 0.0), False)):
            expected = (1 - share) * abs(np.sinc(8 * waves * share * (1 - share)) if aberrated else 1)
            assert abs(transfer(pupil, self.wavelength, direction)) == pytest.approx(expected, abs=0.015)

    def test_line_spread_is_the_transform_of_the_transfer(self) -> None:
        width = 20 * self.wavelength * 1e-6 / self.aperture
        y = (np.arange(1024) - 511.5) * width / 1024
        spread = line_spreads(self.perfect(), self.wavelength, y, np.zeros(1))[0]
        assert spread.sum() * (y[1] - y[0]) == pytest.approx(1, abs=0.01)
        frequency = 0.4 * 2 * self.aperture / (self.wavelength * 1e-6)
        found = (spread * np.cos(2 * np.pi * frequency * y)).sum() * (y[1] - y[0])
        assert found == pytest.approx(abs(transfer(self.perfect(), self.wavelength, (0.0, frequency))), abs=0.01)

    def test_defocus_of_the_depth_of_focus_dims_the_line(self) -> None:
        planes = np.array([0.0, 2 * self.wavelength * 1e-6 / (2 * self.aperture) ** 2])
        sharp, dim = line_spreads(self.perfect(), self.wavelength, np.zeros(1), planes)[:, 0]
        assert 0.75 < dim / sharp < 0.98


class TestSensor:
    def test_white_and_clipped_light_have_no_chroma(self) -> None:
        assert stand_in().chroma_plane(np.array([[1.0, 8.0, 0.3]] * 3)) == pytest.approx(0, abs=1e-9)

    def test_channels_are_balanced_and_declared_as_assumed(self) -> None:
        assert stand_in().weights.sum(1) == pytest.approx(1)
        assert stand_in().neutral(line_wavelengths()).sum() == pytest.approx(1)
        assert "assumed" in stand_in().statement
        assert "no real sensor" in stand_in().statement


class TestVerdicts:
    def test_an_apochromat_passes_colour_and_wavefront(self, certificates: dict[str, Certificate]) -> None:
        assert all(outcome(certificates["apochromat"])[n] for n in (1, 2, 3, 4)), certificates["apochromat"].text()

    def test_an_achromat_fails_by_colour_alone(self, certificates: dict[str, Certificate]) -> None:
        found = outcome(certificates["achromat"])
        assert not any(found[n] for n in (1, 2, 3))
        assert found[4]
        lens = achromat()
        view = nominal(lens, 0, 4.0, 1.0).view
        own = np.ptp(wavefronts(view.axis, best_points(view.axis)), axis=1) / (line_wavelengths() * 1e-6)
        assert own[view.axis.near(line("d"))] < 0.25
        assert not certificates["achromat"].design.passed

    def test_a_singlet_fails_everything_with_colour(self, certificates: dict[str, Certificate]) -> None:
        found = outcome(certificates["singlet"])
        assert not any(found[n] for n in (1, 2, 3, 6))

    def test_fringes_grow_with_colour(self, certificates: dict[str, Certificate]) -> None:
        zones = [next(c.value for c in certificates[n].tests[5].checks if c.unit == "µm") for n in ("apochromat", "achromat", "singlet")]
        assert zones[0] < zones[1] < zones[2]

    def test_margin_and_pass_follow_value_and_limit(self, certificates: dict[str, Certificate]) -> None:
        for certificate in certificates.values():
            for check in (c for t in certificate.tests for c in t.checks):
                margin = check.limit - check.value if check.sense == "at most" else check.value - check.limit
                assert check.margin == pytest.approx(margin)
                assert check.passed == (margin >= 0)
            assert certificate.design.passed == all(outcome(certificate).values())

    def test_the_sentence_says_which_fails_and_by_how_much(self) -> None:
        checks = [
            Check(name="focus shift", configuration="3 m", value=0.8, limit=0.5, unit="DOF"),
            Check(name="focus shift at g", configuration="3 m", value=0.2, limit=1.0, unit="DOF"),
        ]
        result = judged(2, "focus spread", checks)
        assert (result.passed, result.value, result.limit) == (False, 0.8, 0.5)
        assert result.sentence == "Test 2, focus spread: fails by 0.3 DOF; focus shift is 0.8 DOF (3 m), the limit is at most 0.5 DOF."


class TestDocument:
    def test_the_schema_is_the_committed_one(self) -> None:
        assert files("apochromat.optics.certificate").joinpath("certificate.schema.json").read_text("utf-8") == schema_text()

    def test_json_comes_back_the_same_and_says_pass(self, certificates: dict[str, Certificate]) -> None:
        text = certificates["achromat"].to_json()
        assert Certificate.from_json(text) == certificates["achromat"]
        document = json.loads(text)
        assert document["design"]["pass"] is False
        assert {"value", "limit", "margin", "pass", "sentence"} <= document["tests"][0].keys()
        assert document["as_built"] is None

    def test_the_figure_shows_every_configuration(self, certificates: dict[str, Certificate]) -> None:
        figure = certificates["apochromat"].figure()
        assert len(figure.axes) == 1
        assert "nm" in figure.axes[0].get_xlabel()
        assert "µm" in figure.axes[0].get_ylabel()

    def test_what_is_not_declared_is_said(self) -> None:
        scope = scope_of(achromat(pixel_um=None, image_radius_mm=None))
        assert scope.pixel_um == thresholds()["defaults"]["pixel_um"]
        assert scope.image_radius_mm == pytest.approx(FOCAL * thresholds()["defaults"]["image_radius_per_focal_length"], rel=0.02)
        said = " ".join(scope.notes)
        assert all(word in said for word in ("pixel pitch", "image radius", "3 m", "cover glass", "filter"))


class TestRefusals:
    def test_model_glass(self) -> None:
        lens = achromat()
        surfaces = (SurfaceInfo(is_model=True), *lens.info.surfaces[1:])
        info = replace(lens.info, surfaces=surfaces)
        with pytest.raises(LensError, match="model glass behind surface 1"):
            certify(lens.replace(info=info))

    def test_a_medium_that_is_not_what_its_name_says(self) -> None:
        lens = achromat()
        coefficients = np.array(lens.coefficients)
        coefficients[0, 0] += 0.01
        with pytest.raises(LensError, match="N-BK7"):
            certify(lens.replace(coefficients=coefficients))

    def test_a_medium_without_a_name(self) -> None:
        lens = achromat()
        surfaces = (SurfaceInfo(), *lens.info.surfaces[1:])
        with pytest.raises(LensError, match="without a name"):
            certify(lens.replace(info=replace(lens.info, surfaces=surfaces)))

    def test_no_samples(self) -> None:
        with pytest.raises(LensError, match="at least one sample"):
            certify(achromat(), samples=0)

    def test_a_pupil_that_does_not_pass(self) -> None:
        with pytest.raises(LensError, match="full pupil"):
            certify(achromat().replace(stop_radius=np.array([70.0])), as_built=False)


@pytest.fixture(scope="session")
def nominal_apochromat() -> Nominal:
    """The apochromat traced for the tests."""
    return nominal(apochromat(), 0, 4.0, 1.0)


def judged_alone(lens: Lens, of: Nominal) -> np.ndarray:
    """What tests 2, 3 and 5 measure on one lens through the rays of another, by their own fine pupils."""
    focus, fine = (exits(lens, rays, 0, apertures=False).at(0) for rays in (of.launched.focus, of.launched.fine))
    view = replace(of.view, focus=focus, axis=fine, fields=exits(lens, of.launched.fields, 0, apertures=True))
    return np.array([c.value for test in TESTS.values() for c in test.measure(view)])


class TestAsBuilt:
    def test_samples_measure_what_the_design_tests_measure_on_each_of_them(self, nominal_apochromat: Nominal) -> None:
        """Many at once, on few rays, against the tests' own code on one lens at a time: in DOF, waves, pixels and MTF."""
        lens = apochromat()
        errors = errors_of(lens, tolerances("precision"))
        draws = np.vstack([np.zeros(len(errors)), 2 * errors.sampled(3, seed=5)])
        found = values(lens, errors, draws, reference(lens, nominal_apochromat))
        alone = np.array([judged_alone(built(bare(lens), errors, draw), nominal_apochromat) for draw in draws])
        assert found[0] == pytest.approx(alone[0], abs=1e-5)
        assert np.abs(alone[1:] - alone[0]).max(0).min() > 1e-4
        assert found == pytest.approx(alone, abs=2e-3)

    def test_a_sample_that_loses_rays_fails_every_test(self, nominal_apochromat: Nominal) -> None:
        lens = apochromat()
        errors = errors_of(lens, tolerances("precision"))
        torn = np.array([[5e4 if e.quantity == "element decentre" else 0.0 for e in errors.errors]])
        assert (severities(lens, errors, torn, [nominal_apochromat]) > 1e6).all()

    def test_yields_fall_with_tolerances_and_the_top_sensitivity_is_named(self) -> None:
        certificate = certify(apochromat(), samples=3)
        precision, ordinary = certificate.yields
        assert (precision.tolerances, ordinary.tolerances) == ("precision", "ordinary")
        assert precision.yield_fraction >= ordinary.yield_fraction
        assert all(precision.failures[k] <= ordinary.failures[k] for k in precision.failures)
        assert all(precision.reached[k] < ordinary.reached[k] for k in precision.reached)
        top = certificate.top_sensitivity
        assert top == certificate.sensitivities[0]
        assert top.severity > top.nominal
        assert top.parameter in certificate.tests[6].sentence
        assert certificate.as_built.passed == (precision.yield_fraction >= 0.8)
        assert certificate.passed == (certificate.design.passed and certificate.as_built.passed)
        assert "3 were drawn" in " ".join(certificate.notes)
        assert Certificate.from_json(certificate.to_json()) == certificate
