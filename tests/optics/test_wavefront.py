"""OPD and focus: perfect mirrors have none, known defocus has a known one; a hand-made trace of an asphere; flags."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_lenses import lens_of, singlet

from apochromat.optics.first_order import first_order
from apochromat.optics.focus import best_focus, colour_focus, depth_of_focus, working_f_number
from apochromat.optics.precision import float64
from apochromat.optics.pupil import rings
from apochromat.optics.trace import CLIPPED, MISSED, OK
from apochromat.optics.wavefront import noll, opd, opds, rms, spherical, strehl, zernike, zernike_fit

POINTS, WEIGHTS = rings(6, 8)
NM = 546.0


def paraboloid(focal=40.0, stop_radius=2.5):
    """A mirror without aberration on the axis, in air."""
    return lens_of([-1 / (2 * focal)], [-focal], [1.0], conic=[-1.0], stop_radius=stop_radius, kinds=["mirror"])


def oval(index=1.5, focal=30.0, stop_radius=6.0):
    """One refracting ellipsoid that focuses an infinite object, without aberration, inside its glass."""
    return lens_of([index / ((index - 1) * focal) / index], [focal * index], [index], conic=[-1 / index**2], stop_radius=stop_radius)


def ellipsoid(a=50.0, e=0.6, stop_radius=8.0):
    """A mirror that images one of its foci on the other."""
    lens = lens_of([-1 / (a * (1 - e**2))], [-a * (1 - e)], [1.0], conic=[-(e**2)], stop_radius=stop_radius, kinds=["mirror"])
    return lens.replace(object_vergence=np.array([1 / (a * (1 + e))]))


@pytest.mark.parametrize("lens", [paraboloid(), oval(), ellipsoid()], ids=["paraboloid", "oval", "ellipsoid"])
def test_stigmatic_surfaces_have_no_opd(lens):
    waves, status = opd(lens, (0.0, 0.0), NM, POINTS)
    assert np.all(status == OK)
    assert np.abs(waves).max() < 1e-7
    assert abs(float(best_focus(lens, [(0.0, 0.0)], [NM])[0, 0])) < 1e-9
    assert float(strehl(waves, WEIGHTS)) == pytest.approx(1, abs=1e-12)


def test_defocus_has_the_opd_of_two_spheres_and_its_strehl_ratio():
    lens, defocus = paraboloid(), 0.03
    waves, _ = opd(lens, (0.0, 0.0), NM, POINTS, 0, defocus)
    height = np.hypot(*POINTS.T) * 2.5
    turn = 2 * np.arctan(height / 80)  # slope of the ray to the axis
    radius = 40 + defocus  # of the sphere about the shifted point, from the vertex, where the exit pupil is
    cosine = defocus * np.cos(turn)
    before = np.sqrt(cosine**2 - defocus**2 + radius**2) - cosine  # path from the sphere to the mirror's own focus
    expected = (before - (radius - defocus)) / (NM * 1e-6)
    assert np.allclose(waves, expected, atol=1e-7)
    # Strehl of w waves of defocus at the rim is (sin pi w / pi w)^2.
    w = defocus * 2.5**2 / (2 * 40**2) / (NM * 1e-6)
    assert float(strehl(waves, WEIGHTS)) == pytest.approx(np.sinc(w) ** 2, rel=5e-3)
    assert float(rms(waves, WEIGHTS)) == pytest.approx(w / np.sqrt(12), rel=5e-3)
    about = lens.replace(thickness=lens.thickness - defocus)
    assert float(best_focus(about, [(0.0, 0.0)], [NM])[0, 0]) == pytest.approx(-defocus, abs=1e-9)


def sag_of(r2):
    return r2 / 20 / (1 + np.sqrt(1 - 0.5 * r2 / 400)) + 2e-5 * r2**2


def path_by_hand(x, y, tangent, image, to_sphere):
    """Path of a ray through (x, y) of the plane z = 0 and one asphere, by bisection and Snell's law in vectors."""
    d = np.array([0.0, tangent, 1.0]) / np.hypot(tangent, 1)
    start = np.array([x, y, 0.0])
    low, high = -1.0, 5.0
    for _ in range(80):
        middle = (low + high) / 2
        p = start + middle * d
        low, high = (middle, high) if p[2] < sag_of(p[0] ** 2 + p[1] ** 2) else (low, middle)
    p, h = start + low * d, 1e-5
    r2 = p[0] ** 2 + p[1] ** 2
    slope = (sag_of(r2 + h) - sag_of(r2 - h)) / h  # twice the derivative in r^2
    normal = np.array([-slope * p[0], -slope * p[1], 1.0])
    normal /= np.linalg.norm(normal)
    along = d @ normal
    out = (d + (np.sqrt(1.6**2 - 1 + along**2) - along) * normal) / 1.6
    centre, radius = to_sphere
    u = p - centre
    t = -(u @ out) - np.sqrt((u @ out) ** 2 - u @ u + radius**2)
    at = p + out * (image - p[2]) / out[2]
    return d @ start + low + 1.6 * t, at, out


@pytest.mark.parametrize("angle", [0.0, 4.0])
def test_opd_of_an_even_asphere_agrees_with_a_trace_by_hand(angle):
    lens = lens_of([1 / 20], [53.0], [1.6], conic=[-0.5], even=[[0.0, 2e-5]], stop_radius=3.0)
    tangent, nowhere = np.tan(np.radians(angle)), (np.zeros(3), 1e3)
    waves, _ = opd(lens, (0.0, angle), NM, POINTS)

    # The stop is the surface: a ray through p of its plane z = 0 is the one launched there.
    _, centre, out = path_by_hand(0.0, 0.0, tangent, 53.0, nowhere)
    radius = 53 / out[2]
    chief, _, _ = path_by_hand(0.0, 0.0, tangent, 53.0, (centre, radius))
    paths = []
    for x, y in 3.0 * POINTS[::5]:
        paths.append(path_by_hand(x, y, tangent, 53.0, (centre, radius))[0])
    assert np.allclose(waves[::5], (chief - np.array(paths)) / (NM * 1e-6), atol=1e-5)


def test_undercorrected_spherical_aberration_is_positive_and_of_the_seidel_size():
    """Seidel's S_I of a spherical mirror with the stop on it is y^4 / (4 f^3); W040 = S_I / 8 = y^4 / (32 f^3), balanced by defocus."""
    lens = lens_of([-1 / 200], [-100.0], [1.0], stop_radius=10.0, kinds=["mirror"])
    waves, _ = opd(lens, (0.0, 0.0), NM, POINTS)
    fit = zernike_fit(waves, POINTS, WEIGHTS, 22)
    assert float(spherical(fit)) == pytest.approx(10**4 / (32 * 100**3) / (NM * 1e-6), rel=0.02)
    residual = waves - zernike(POINTS, 22) @ np.asarray(fit)
    assert np.abs(residual).max() < 1e-4


def test_a_telecentric_exit_pupil_is_no_special_case():
    """As the stop passes the front focus the exit pupil leaps from one side of infinity to the other; the OPD goes on."""

    def before(gap):
        facts = {"kinds": ["stop", "standard", "standard"], "stop_radius": 4.0}
        return lens_of([0, 1 / 50, -1 / 50], [gap, 4.0, 48.4], [1.0, 1.5, 1.0], **facts)

    gaps = 49.32 + np.array([-0.6, 0.0, 0.6])  # front focus
    pupils = [float(first_order(before(gap)).exit_pupil_position_mm) for gap in gaps]
    assert pupils[0] * pupils[2] < 0
    values = [np.asarray(opd(before(gap), (0.0, 3.0), NM, POINTS)[0]) for gap in gaps]
    assert np.abs(values[1]).max() > 1
    assert np.allclose(values[1], (values[0] + values[2]) / 2, atol=0.02)


def test_rays_that_fail_are_flagged_and_do_not_spread():
    lens = singlet(semi=[3.1, 3.1, np.inf], stop_radius=3.4)
    waves, status = opd(lens, (0.0, 8.0), NM, POINTS)
    assert set(np.unique(status)) == {OK, CLIPPED}
    assert np.isfinite(np.asarray(waves)).all()
    _, free = opd(lens, (0.0, 8.0), NM, POINTS, apertures=False)
    assert np.all(free == OK)
    ball = lens_of([1 / 3, -1 / 3], [6.0, 3.0], [1.5, 1.0], stop_radius=3.5)
    waves, status = opd(ball, (0.0, 0.0), NM, POINTS)
    assert MISSED in np.asarray(status)
    assert np.all(np.asarray(waves)[np.asarray(status) == MISSED] == 0)
    with float64():
        slope = jax.grad(lambda lens: jnp.sum(opd(lens, (0.0, 0.0), NM, POINTS)[0] ** 2))(ball)
    assert np.isfinite(np.asarray(slope.curvature)).all()


def test_fields_and_wavelengths_at_once_agree_with_one_by_one():
    lens = singlet()
    waves, status = opds(lens, lens.fields, [480.0, 650.0], POINTS, 0, 0.1)
    assert waves.shape == status.shape == (2, 2, len(POINTS))
    one, _ = opd(lens, lens.fields[1], 650.0, POINTS, 0, 0.1)
    assert np.allclose(waves[1, 1], one, atol=1e-9)
    assert np.allclose(waves[1, 0] * 480, waves[1, 1] * 650, atol=1e-6)  # no dispersion: the same path
    moved, _ = opd(lens, (0.0, 0.0), NM, POINTS, 0, 0.0, (0.001, 0.0))
    tilt = zernike_fit(moved - opd(lens, (0.0, 0.0), NM, POINTS)[0], POINTS, WEIGHTS, 6)
    assert abs(tilt[1]) > 100 * abs(tilt[2])


def test_zernike_terms_are_nolls_and_orthonormal():
    assert noll(11) == [(0, 0), (1, 1), (1, -1), (2, 0), (2, -2), (2, 2), (3, -1), (3, 1), (3, -3), (3, 3), (4, 0)]
    points, weights = rings(10, 24)
    basis = zernike(points, 37)
    assert np.allclose(basis.T @ (weights[:, None] * basis), np.eye(37), atol=1e-12)
    truth = np.random.default_rng(5).normal(size=(3, 37))
    assert np.allclose(zernike_fit(truth @ basis.T, points), truth, atol=1e-9)
    half = np.where(points[:, 0] > -0.2, weights, 0)  # rays left out have no say
    spoilt = np.where(half > 0, truth @ basis.T, 99.0)
    assert np.allclose(zernike_fit(spoilt, points, half), truth, atol=1e-6)
    assert np.allclose(rms(truth @ basis.T, weights), np.sqrt((truth[:, 1:] ** 2).sum(1)))


def dispersive(stop_radius):
    """The oval of n^2 = 2.2 + 0.012 / w^2, focused without aberration at 546 nm, in glass of that index."""
    lens = oval(np.sqrt(2.2 + 0.012 / 0.546**2), stop_radius=stop_radius)
    coefficients = np.zeros((1, 13))
    coefficients[0, [0, 3]] = 2.2, 0.012
    return lens.replace(coefficients=coefficients)


def test_colour_focus_of_a_narrow_pupil_is_paraxial_and_of_a_wide_one_is_not():
    wavelengths = np.array([436.0, 546.0, 656.0])
    index = np.sqrt(2.2 + 0.012 / (wavelengths / 1000) ** 2)
    lens = dispersive(0.3)
    paraxial = index / ((index - 1) * float(lens.curvature[0])) - float(lens.thickness[0, 0])
    focus = np.asarray(colour_focus(lens, wavelengths))
    assert np.allclose(focus, paraxial, atol=1e-3 * np.ptp(paraxial))
    wide = np.asarray(colour_focus(dispersive(8.0), wavelengths))
    assert abs(wide[1]) < 1e-6
    assert np.all(np.abs(wide - paraxial)[[0, 2]] > 5e-3 * np.abs(paraxial[[0, 2]]))


def test_focus_is_where_the_rms_is_least():
    lens = singlet()
    focus = float(best_focus(lens, [(0.0, 8.0)], [NM])[0, 0])
    spread = [float(rms(opd(lens, (0.0, 8.0), NM, POINTS, 0, focus + d, apertures=False)[0], WEIGHTS)) for d in (-1e-3, 0, 1e-3)]
    assert spread[1] < min(spread[0], spread[2])
    assert abs(spread[2] - spread[0]) < 0.01 * (spread[0] + spread[2] - 2 * spread[1])  # the bottom of the parabola


def test_working_f_number_is_that_of_the_marginal_ray():
    assert float(working_f_number(paraboloid())) == pytest.approx(1 / (2 * np.sin(2 * np.arctan(2.5 / 80))), rel=1e-9)
    near = ellipsoid()
    slope = 2 * np.arctan((1 + 0.6) / (1 - 0.6) * np.tan(np.arctan(8 / 80) / 2))  # of a focal ray of an ellipse after reflection
    expected = 1 / (2 * np.sin(slope))
    assert float(working_f_number(near)) == pytest.approx(expected, rel=1e-9)
    assert float(depth_of_focus(near, 0, 500.0)) == pytest.approx(2 * 5e-4 * expected**2, rel=1e-9)
