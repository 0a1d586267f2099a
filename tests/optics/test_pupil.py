"""Pupil and first order: rays reach the stop where they are sent; Gaussian optics in closed form; quadratures add up."""

import jax.numpy as jnp
import numpy as np
import pytest
from hand_lenses import lens_of, phone, singlet

from apochromat.optics.first_order import first_order, matrices
from apochromat.optics.precision import float64
from apochromat.optics.pupil import bundle, bundles, rings, square
from apochromat.optics.trace import MISSED, trace


def test_rays_reach_the_stop_where_they_are_sent(shared):
    """A stop behind a strong asphere, up to 38 degrees, to a millionth of its radius."""
    lens = phone(shared / "data" / "lens" / "cellphone80deg.json", stop=2, stop_radius=0.6)
    pupil = rings(3, 6)[0]
    rays = bundles(lens, lens.fields, 546.0, pupil)
    with float64():
        end = trace(lens, rays, lens.index(546.0), last=2)
    np.testing.assert_allclose(end.x, np.broadcast_to(0.6 * pupil[:, 0], end.x.shape), atol=1e-6)
    np.testing.assert_allclose(end.y, np.broadcast_to(0.6 * pupil[:, 1], end.y.shape), atol=1e-6)


def test_a_near_object_sends_its_rays_from_one_point():
    lens = singlet().replace(object_vergence=np.array([1 / 300]))
    ray = bundle(lens, (0.0, 5.0), 546.0, square(6)[0])
    y = np.asarray(ray.y) - 300 * np.asarray(ray.M) / np.asarray(ray.N)
    np.testing.assert_allclose(y, -300 * np.tan(np.radians(5)), rtol=1e-12)


def test_a_ray_that_cannot_be_aimed_is_flagged():
    blind = singlet(fields=((0.0, 0.0), (0.0, 80.0)))
    with float64():
        end = trace(blind, bundle(blind, (0.0, 89.0), 546.0, square(4)[0]), blind.index(546.0))
    assert (np.asarray(end.status) == MISSED).all()


def test_image_heights_are_reached_by_the_chief_ray():
    lens = singlet(fields=((0.0, 0.0), (2.0, 4.0)), field_kind="image_height")
    with float64():
        end = trace(lens, bundle(lens, (2.0, 4.0), 546.0, np.zeros((1, 2))), lens.index(546.0))
    np.testing.assert_allclose([end.x[0], end.y[0]], [2.0, 4.0], atol=1e-9)


def test_first_order_of_a_thick_lens():
    """The lensmaker's equation with thickness, and a stop 2 mm behind seen through the lens."""
    n, radius, t = 1.5, 50.0, 4.0
    power = (n - 1) * (2 / radius - (n - 1) * t / (n * radius**2))
    got = first_order(singlet())
    assert float(got.efl_mm) == pytest.approx(1 / power, rel=1e-12)
    # From the last surface, which is the stop 2 mm behind the glass
    assert float(got.bfl_mm) == pytest.approx((1 - (n - 1) * t / (n * radius)) / power - 2, rel=1e-12)
    assert float(got.exit_pupil_mm) == pytest.approx(6.0, rel=1e-12)
    assert float(got.exit_pupil_position_mm) == pytest.approx(-46.7, rel=1e-12)
    assert float(got.total_track_mm) == pytest.approx(52.7)
    assert float(got.f_number) == pytest.approx(float(got.efl_mm) / float(got.entrance_pupil_mm))


def reshaped(curvature, thickness, index, even=0.0):
    """The singlet with other numbers: what is compiled for one serves the other. `even`: r^2 coefficient of the first surface."""
    coefficients, polynomial = np.zeros((3, 13)), np.zeros((3, 8))
    coefficients[:, 0], polynomial[0, 0] = np.square(index), even
    return singlet().replace(curvature=np.array(curvature), thickness=np.array([thickness]), coefficients=coefficients, even=polynomial)


def test_an_even_asphere_of_second_power_has_its_focal_length():
    """A flat surface with z = a r^2 has the curvature 2 a at its vertex."""
    lens = reshaped([0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [1.6, 1.6, 1.6], even=0.01)
    assert float(first_order(lens).efl_mm) == pytest.approx(1.6 / (0.6 * 0.02), rel=1e-12)  # in the glass behind it


def test_the_80_degree_phone_lens_has_its_focal_length(shared):
    lens = phone(shared / "data" / "lens" / "cellphone80deg.json")
    assert float(first_order(lens).efl_mm) == pytest.approx(5.1636, abs=5e-4)


def test_magnification_at_twice_the_focal_length():
    thin = reshaped([1 / 50, -1 / 50, 0.0], [0.0, 0.0, 100.0], [1.5, 1.0, 1.0]).replace(object_vergence=np.array([1 / 100]))
    assert float(first_order(thin).magnification) == pytest.approx(-1.0, rel=1e-9)


@pytest.mark.parametrize("points", [rings(4, 12), square(64)])
def test_quadratures_add_up(points):
    (p, w), exact = points, {0: 1.0, 2: 1 / 2, 4: 1 / 3, 6: 1 / 4}
    for power, mean in exact.items():
        assert (w * (p**2).sum(1) ** (power / 2)).sum() == pytest.approx(mean, rel=2e-2 if len(p) > 100 else 1e-12)
    assert (w[:, None] * p).sum(0) == pytest.approx([0, 0], abs=1e-12)


def test_global_precision_is_left_alone():
    first_order(singlet())
    assert jnp.zeros(1).dtype == jnp.float32


@pytest.mark.parametrize("mirrors", [False, True])
def test_first_order_in_closed_form_is_the_derivative_of_the_trace(mirrors):
    """A lens said to be perturbed is differentiated, whatever its tilts; r^2 terms, mirrors and a stop in the middle count in both."""
    media = [1.0, 1.0, 1.0, 1.0] if mirrors else [1.6, 1.2, 1.7, 1.0]
    kinds = ["mirror", "mirror", "stop", "mirror"] if mirrors else ["standard", "standard", "stop", "standard"]
    thickness = [-8.0, 9.0, 3.0, -20.0] if mirrors else [4.0, 2.0, 3.0, 20.0]
    lens = lens_of([-1 / 90, 1 / 70, 0.0, -1 / 50], thickness, media, stop=2, kinds=kinds)
    lens = lens.replace(even=np.array([[3e-3, 1e-5], [-2e-3, 0], [0, 0], [1e-3, 2e-6]]) @ np.eye(2, 8))
    with float64():
        index = lens.index(546.0)
        closed, differentiated = (np.array(matrices(case, index)) for case in (lens, lens.perturbed()))
    np.testing.assert_allclose(closed, differentiated, rtol=1e-12, atol=1e-14)
    assert np.abs(closed[1, 1, 0]) > 1e-3
