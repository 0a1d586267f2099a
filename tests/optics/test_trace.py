"""Trace: closed forms, an independent NumPy trace, flags, and gradients against finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_lenses import lens_of, phone, singlet

from apochromat.optics.bulk import trace_bulk
from apochromat.optics.precision import float64
from apochromat.optics.trace import CLIPPED, MISSED, OK, TOTAL_REFLECTION, Ray, trace, trace_points


def rays(points, direction=(0.0, 0.0, 1.0), z=0.0):
    x, y = np.asarray(points, float).T
    L, M, N = (np.full(x.shape, v) for v in np.array(direction) / np.linalg.norm(direction))
    return Ray(x, y, np.full(x.shape, z), L, M, N)


@partial(jax.jit, static_argnames="apertures")
def _run(lens, ray, apertures):
    return trace(lens, ray, lens.index(546.0), apertures=apertures)


def run(lens, ray, apertures=True):
    with float64():
        end = _run(lens, Ray(*map(jnp.asarray, ray)), apertures)
        return type(end)(*map(np.asarray, end))


def independent(lens, ray, index):
    """The same trace in plain NumPy, surface by surface: bisection for the intersection, vector refraction."""
    p, d = np.stack(ray[:3], -1), np.stack(ray[3:], -1)
    path = np.zeros(len(p))
    for s in range(lens.S):
        c, k, a = lens.curvature[s], lens.conic[s], lens.even[s]

        def sag(r2, c=c, k=k, a=a):
            return c * r2 / (1 + np.sqrt(1 - (1 + k) * c * c * r2)) + sum(v * r2 ** (i + 1) for i, v in enumerate(a))

        def miss(t, p=p, d=d, sag=sag):
            q = p + t[:, None] * d
            return q[:, 2] - sag(q[:, 0] ** 2 + q[:, 1] ** 2)

        middle = -p[:, 2] / d[:, 2]
        low, high = middle - 1.0, middle + 1.0
        assert (miss(low) * miss(high) < 0).all()
        for _ in range(60):
            half = (low + high) / 2
            inside = miss(half) * miss(low) > 0
            low, high = np.where(inside, half, low), np.where(inside, high, half)
        p, path = p + low[:, None] * d, path + index[s] * low
        r2, h = p[:, 0] ** 2 + p[:, 1] ** 2, 1e-5
        slope = (sag(r2 + h) - sag(np.maximum(r2 - h, 0))) / (h + np.minimum(h, r2))
        n = np.stack([-2 * slope * p[:, 0], -2 * slope * p[:, 1], np.ones(len(p))], -1)
        n /= np.linalg.norm(n, axis=1, keepdims=True)
        ratio, cos = index[s] / index[s + 1], (n * d).sum(1)
        d = ratio * d + (np.sqrt(1 - ratio**2 * (1 - cos**2)) - ratio * cos)[:, None] * n
        p = p - [0, 0, lens.thickness[0, s]]
    t = -p[:, 2] / d[:, 2]
    return p + t[:, None] * d, d, path + index[-1] * t


def test_paraboloid_mirror_brings_every_ray_to_its_focus():
    mirror = lens_of([-1 / 200], [-100.0], [1.0], conic=[-1.0], kinds=["mirror"])
    end = run(mirror, rays(np.random.default_rng(1).uniform(-30, 30, (200, 2)), z=-50.0))
    np.testing.assert_allclose([end.x, end.y], 0, atol=1e-12)
    np.testing.assert_allclose(end.opl, 150.0, atol=1e-11)
    assert (end.status == OK).all()


def test_aplanatic_points_of_a_sphere_are_sharp():
    """Rays that aim at n R behind the centre of a glass ball's surface meet at R / n behind it."""
    n, radius = 1.6, 10.0
    ball = lens_of([1 / radius], [radius + radius / n], [n])
    aim, points = radius + n * radius, np.random.default_rng(2).uniform(-4, 4, (100, 2))
    x, y = points.T
    d = np.stack([-x, -y, np.full(len(x), aim)]) / np.hypot(np.hypot(x, y), aim)
    end = run(ball, Ray(x, y, np.zeros(100), *d))
    np.testing.assert_allclose([end.x, end.y], 0, atol=1e-12)


def test_asphere_agrees_with_an_independent_trace(shared):
    lens = phone(shared / "data" / "lens" / "cellphone80deg.json")
    points = np.random.default_rng(3).uniform(-0.7, 0.7, (64, 2))
    ray = rays(points, (0.05, np.sin(0.3), np.cos(0.3)))
    end = run(lens, ray)
    p, d, path = independent(lens, ray, np.concatenate([[1.0], np.sqrt(lens.coefficients[:, 0])]))
    np.testing.assert_allclose(np.stack([end.x, end.y]), p[:, :2].T, atol=1e-7)  # the oracle's slopes are differences
    np.testing.assert_allclose(np.stack([end.L, end.M, end.N]), d.T, atol=1e-7)
    np.testing.assert_allclose(end.opl, path, atol=1e-7)


def test_the_80_degree_phone_lens_gives_the_published_spot(shared):
    lens = phone(shared / "data" / "lens" / "cellphone80deg.json")
    rng, n = np.random.default_rng(0), 1_000_000
    r, phi = 1.09 * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    points, direction = np.stack([r * np.cos(phi), r * np.sin(phi)], -1), (0.0, np.sin(np.radians(10)), np.cos(np.radians(10)))
    end = trace_bulk(lens, rays(points, direction), 546.0)
    assert (end.status == OK).all()
    assert end.y.mean() == pytest.approx(0.88979, abs=1e-5)
    assert np.hypot(end.x - end.x.mean(), end.y - end.y.mean()).__pow__(2).mean() ** 0.5 == pytest.approx(5.480e-3, abs=1e-6)


def test_bulk_is_the_same_trace():
    lens = singlet(semi=[5.0, 5.0, 3.0])
    tilted = lens.perturbed(
        tilt=np.array([[0.01, -0.02], [0.0, 0.03], [0.02, 0.0]]), decenter=np.array([[0.1, 0.0], [0.0, -0.2], [0.05, 0.3]])
    )
    mirror = lens_of(
        [-1 / 60, 1 / 40], [-20.0, 30.0], [1.0, 1.0], conic=[-1.2, 0.0], even=[[1e-4, 2e-6], [0.0, 1e-6]], kinds=["mirror", "mirror"]
    )
    every = rays(np.random.default_rng(5).uniform(-6, 6, (20_000, 2)), (0.02, 0.1, 1.0))
    for each, apertures, count in ((lens, True, 20_000), (lens, False, 65), (tilted, True, 4097), (mirror, True, 64), (lens, True, 3)):
        ray = Ray(*(v[:count] for v in every))
        bulk, plain = trace_bulk(each, ray, 546.0, apertures=apertures), run(each, ray, apertures=apertures)
        for a, b in zip(bulk, plain, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


def test_bulk_flags_what_fails_as_the_trace_does():
    ball = lens_of([1 / 5, -1 / 5], [10.0, 20.0], [1.9, 1.0], semi=[6.0, 4.0])
    points = [*np.random.default_rng(6).uniform(-5.5, 5.5, (997, 2)), [1e9, 0], [np.nan, 0], [5.0, 0.0]]
    one = lens_of([1 / 5], [10.0], [1.9], semi=[3.0])
    for lens, ray in ((ball, rays(points)), (ball, rays(points, (0.0, 0.6, 0.8))), (one, rays(points))):
        bulk, plain = trace_bulk(lens, ray, 546.0), run(lens, ray)
        assert len(set(bulk.status.tolist())) > 1
        for a, b in zip(bulk, plain, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)


def test_each_way_to_fail_is_flagged_and_finite():
    ball = lens_of([1 / 5, -1 / 5], [10.0, 20.0], [1.9, 1.0], semi=[6.0, 4.0])
    end = run(ball, rays([[0.1, 0], [5.2, 0], [1e9, 0], [np.nan, 0]]))
    assert end.status.tolist() == [OK, MISSED, MISSED, MISSED]
    assert end.surface.tolist() == [-1, 0, 0, 0]
    prism = lens_of([0.0, 0.0], [5.0, 5.0], [1.5, 1.0]).perturbed(tilt=np.array([[0.0, 0.0], [np.radians(50), 0.0]]))
    assert run(prism, rays([[0.0, 0.0]])).status[0] == TOTAL_REFLECTION
    for value in (*end[:6], *run(prism, rays([[0.0, 0.0]]))[:6]):
        assert np.isfinite(value).all()


def test_clipped_rays_are_traced_on_and_obscured_ones_flagged():
    lens = singlet(semi=[1.0, 9.0, 9.0])
    end, free = run(lens, rays([[0.5, 0], [2.0, 0]])), run(lens, rays([[0.5, 0], [2.0, 0]]), apertures=False)
    assert end.status.tolist() == [OK, CLIPPED]
    assert free.status.tolist() == [OK, OK]
    np.testing.assert_array_equal(end.x, free.x)
    hollow = lens.replace(inner_radius=np.array([0.7, 0, 0]), semi_diameter=np.full(3, np.inf))
    assert run(hollow, rays([[0.5, 0], [2.0, 0]])).status.tolist() == [CLIPPED, OK]


def test_tilt_and_decentre_are_those_of_a_mirror_and_a_thin_lens():
    flat = lens_of([0.0], [-50.0], [1.0], kinds=["mirror"])
    turn = np.radians(0.5)
    end = run(flat.perturbed(tilt=np.array([[turn, 0.0]])), rays([[0.0, 0.0]]))
    assert abs(end.y[0]) == pytest.approx(50 * np.tan(2 * turn), rel=1e-12)
    moved = singlet().perturbed(decenter=np.array([[0.2, 0], [0.2, 0], [0, 0]]))
    there, here = run(moved, rays([[0.2, 0.0]])), run(singlet(), rays([[0.0, 0.0]]))
    assert there.x[0] - 0.2 == pytest.approx(here.x[0], abs=1e-12)


def test_points_lie_on_their_surfaces():
    lens = singlet()
    with float64():
        points, end = trace_points(lens, Ray(*map(jnp.asarray, rays([[1.0, 2.0]]))), lens.index(546.0))
    r2 = float(points[0, 0, 0] ** 2 + points[0, 0, 1] ** 2)
    assert float(points[0, 0, 2]) == pytest.approx(50 - np.sqrt(2500 - r2), abs=1e-12)
    assert points.shape == (4, 1, 3)
    assert end.status.tolist() == [OK]


VARIABLES = [
    ("curvature", (1,), 1e-6),
    ("conic", (1,), 1e-3),
    ("even", (1, 0), 1e-6),
    ("even", (0, 2), 1e-9),
    ("thickness", (0, 0), 1e-4),
    ("tilt", (1, 0), 1e-5),
    ("decenter", (0, 1), 1e-4),
    ("nd_shift", (0,), 1e-6),
    ("dispersion_shift", (0,), 1e-4),
    ("object_vergence", (0,), 1e-6),
    ("stop_radius", (0,), 1e-4),
    ("fields", (1, 1), 1e-4),
]


@pytest.fixture(scope="module")
def merit():
    """Squared ray errors of aimed rays, some of them just inside the first surface's rim, and its gradient."""
    from apochromat.optics.pupil import bundle, rings

    pupil = rings(3, 8)[0]

    def value(lens):
        end = trace(lens, bundle(lens, jnp.asarray(lens.fields)[1], 500.0, pupil), lens.index(500.0))
        return jnp.mean((end.y - 5) ** 2 + end.x**2)

    with float64():
        return jax.jit(jax.value_and_grad(value))


@pytest.fixture(scope="module")
def dispersive():
    """A perturbed singlet of Sellmeier glass (N-BK7) whose rim nearly cuts the bundle."""
    bk7 = [1, 0, 0, 0, 0, 0, 0, 1.03961212, 0.00600069867, 0.231792344, 0.0200179144, 1.01046945, 103.560653]
    lens = singlet(semi=[3.6, 9.0, 9.0])
    lens.coefficients[0] = bk7
    return lens.perturbed(tilt=np.full((3, 2), 0.01), decenter=np.full((3, 2), 0.02))


@pytest.mark.parametrize(("name", "at", "step"), VARIABLES)
def test_gradient_agrees_with_finite_differences(merit, dispersive, name, at, step):
    def moved(by):
        leaf = np.array(getattr(dispersive, name))
        leaf[at] += by
        return float(merit(dispersive.replace(**{name: leaf}))[0])

    with float64():
        exact = float(np.asarray(getattr(merit(dispersive)[1], name))[at])
        # Richardson's extrapolation: the error of the differences falls below that of rounding
        halves = [(moved(h) - moved(-h)) / (2 * h) for h in (step, step / 2)]
    assert exact == pytest.approx((4 * halves[1] - halves[0]) / 3, rel=1e-6, abs=1e-9)


def test_gradient_of_failing_rays_is_finite(merit):
    failing = singlet(fields=((0.0, 0.0), (0.0, 85.0)), semi=[1.0, 1.0, 1.0]).perturbed()
    with float64():
        value, gradient = merit(failing)
    assert np.isfinite(value)
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()
