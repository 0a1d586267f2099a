"""Errors of building: rigid elements, refocus, exact derivatives, yields that are known."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from hand_lenses import model_doublet

from apochromat.optics.certificate.thresholds import thresholds
from apochromat.optics.errors import LensError
from apochromat.optics.lens import SurfaceInfo
from apochromat.optics.model_glass import C_NM, D_NM, F_NM
from apochromat.optics.perturb import ARCMIN, Tolerances, built, declared, elements_of, errors_of, tolerances
from apochromat.optics.precision import float64
from apochromat.optics.tolerance import derivatives, evaluated, monte_carlo, sensitivity, tolerance, wavefront_and_focus
from apochromat.optics.trace import Ray, trace_points

ROWS = (
    SurfaceInfo("stop"),
    SurfaceInfo(glass="crown", is_model=True),
    SurfaceInfo(glass="flint", is_model=True),
    SurfaceInfo(),
    SurfaceInfo("cover", glass="plate", is_model=True),
    SurfaceInfo("cover"),
)
NONE = {name: 0.0 for name in Tolerances.model_fields}


@pytest.fixture(scope="module")
def lens():
    """A cemented doublet, f about 20 mm, f/5, behind its stop and in front of a cover glass."""
    return model_doublet(
        ROWS,
        (F_NM, D_NM, C_NM),
        [0, 1 / 12, -1 / 9, -1 / 40, 0, 0],
        [[0.5, 2.0, 1.0, 17.0, 0.5, 1.2]],
        [[1.5, 60, 0], [1.5168, 64.2, 0], [1.62, 36.4, 0], [1.5, 60, 0], [1.52, 60, 0], [1.5, 60, 0]],
        [[0, 0], [0, 3]],
    )


def draw_of(errors, sizes):
    """A draw with the errors (quantity, surface, axis) at sizes in half ranges."""
    places = [(e.quantity, e.surface, e.axis) for e in errors.errors]
    draw = np.zeros(len(places))
    for place, size in sizes.items():
        draw[places.index(place)] = size
    return draw


def test_a_cemented_group_is_one_element_and_a_plate_none(lens):
    assert elements_of(lens) == [(1, 3)]
    found = {(e.quantity, e.surface) for e in errors_of(lens, tolerances()).errors}
    assert {s for q, s in found if q == "radius"} == {1, 2, 3}
    assert {s for q, s in found if q == "nd"} == {1, 2}
    assert {s for q, s in found if q == "surface tilt"} == {1, 2, 3}
    assert {s for q, s in found if q == "thickness"} == {0, 1, 2, 3}


def test_an_element_tilts_about_its_first_vertex_as_a_rigid_body(lens):
    errors = errors_of(lens, Tolerances(**NONE | {"tilt_arcmin": 300.0, "decentre_um": 100.0}))
    draw = draw_of(errors, {("element tilt", 1, 0): 0.8, ("element tilt", 1, 1): -0.6, ("element decentre", 1, 0): 0.5})
    tilted = built(lens, errors, draw)
    a, b = 240 * ARCMIN, -180 * ARCMIN
    about_x = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
    turn = (about_y @ about_x).T  # of the element's own axes into the room's
    height, slope = np.array([[0.0, 0.0], [1.4, 0.6], [-1.0, -1.6]]), np.sin(np.radians(2.0))
    rays = Ray(*height.T, np.zeros(3), np.zeros(3), np.full(3, slope), np.full(3, np.sqrt(1 - slope**2)))
    with float64():
        points, _ = trace_points(tilted, rays, tilted.index(D_NM))
    vertex = np.cumsum(np.append(0, np.asarray(tilted.thickness)[0]))
    for i in (1, 2, 3):
        radius = 1 / lens.curvature[i]
        along = np.asarray(lens.thickness)[0, 1:i].sum() + radius
        centre = np.array([0.05, 0, 0.5]) + turn @ np.array([0, 0, along])
        met = np.asarray(points[i]) + np.array([0, 0, vertex[i]])
        assert np.linalg.norm(met - centre, axis=1) == pytest.approx(np.full(3, abs(radius)), abs=1e-10)


def test_index_abbe_number_radius_and_thickness_err_by_what_is_declared(lens):
    errors = errors_of(lens, tolerances())
    worse = built(lens, errors, draw_of(errors, {("nd", 1, 0): 1.0, ("vd", 2, 0): -1.0, ("radius", 1, 0): 1.0, ("thickness", 2, 0): -1.0}))
    with float64():
        n = {w: (np.asarray(lens.index(w)), np.asarray(worse.index(w))) for w in (F_NM, D_NM, C_NM)}
    assert n[D_NM][1][2] - n[D_NM][0][2] == pytest.approx(2e-4, abs=1e-12)
    abbe = [(n[D_NM][k][3] - 1) / (n[F_NM][k][3] - n[C_NM][k][3]) for k in (0, 1)]
    assert abbe[1] / abbe[0] == pytest.approx(1 - 0.003, abs=1e-9)
    assert 1 / np.asarray(worse.curvature)[1] == pytest.approx(12 * 1.0005, abs=1e-12)
    assert np.asarray(worse.thickness)[0, 2] == pytest.approx(1.0 - 0.003, abs=1e-12)


def test_refocus_finds_the_same_plane_from_any_other(lens):
    errors = errors_of(lens, tolerances())
    none = np.zeros((1, len(errors)))

    def beams_and_plane(shift, refocus):
        moved = lens.replace(thickness=lens.thickness + np.array([0, 0, 0, 0, 0, shift]))
        found = evaluated(moved, errors, wavefront_and_focus, none, refocus=refocus)[0]
        return found[:-1], found[-1]

    best = beams_and_plane(0.0, True)[1]
    assert beams_and_plane(0.05, True)[1] == pytest.approx(best, abs=1e-9)
    on_axis = [beams_and_plane(best - lens.thickness[0, -1] + shift, False)[0][1] for shift in (-0.01, 0.0, 0.01)]
    assert on_axis[1] < min(on_axis[0], on_axis[2])


def test_derivatives_are_those_of_differences(lens):
    errors, exact = errors_of(lens, tolerances()), derivatives(lens, lengths)
    step = 0.05 * np.eye(len(errors))
    with float64():
        near, far = (evaluated(lens, errors, lengths, k * step) - evaluated(lens, errors, lengths, -k * step) for k in (1, 2))
    difference = ((8 * near - far) / 12 / 0.05).T
    assert exact.shape == difference.shape
    assert np.abs(exact - difference).max() <= 1e-6 * np.abs(exact).max()
    assert np.isfinite(exact).all()


def lengths(lens):
    """Distance to the refocused image, and the change of the first curvature, relative."""
    return jnp.stack([lens.thickness[0, -1], jnp.abs(lens.curvature[1] * 12 - 1) ** 2 * 1e6])


def radius_error(lens):
    """Error of the first radius by its tolerance."""
    return jnp.abs(1 / (lens.curvature[1] * 12) - 1) / 0.0005


def test_the_yield_of_a_known_criterion_is_its_probability(lens):
    found = monte_carlo(lens, radius_error, 0.4, samples=400, seed=7, refocus=False)
    assert found.passing == pytest.approx(0.4, abs=4 * np.sqrt(0.4 * 0.6 / 400))
    assert found.values.min() >= 0
    assert found.values.max() <= 1 + 1e-9
    again = monte_carlo(lens, radius_error, 0.4, samples=400, seed=7, refocus=False)
    assert np.array_equal(again.values, found.values)
    assert not np.array_equal(monte_carlo(lens, radius_error, 0.4, samples=400, seed=8, refocus=False).values, found.values)


def test_the_worst_offender_is_the_one_that_counts(lens):
    found = sensitivity(lens, radius_error, refocus=False)
    assert found.worst(1) == [("radius of surface 2", pytest.approx(1.0, abs=1e-9))]
    assert np.abs(np.delete(found.change, found.labels.index("radius of surface 2"), axis=0)).max() < 1e-9


def test_declared_sets(lens):
    sets = declared().sets
    assert declared().status == "assumed"
    assert declared().version == thresholds()["version"]
    assert all(getattr(sets["ordinary"], k) == pytest.approx(2 * getattr(sets["precision"], k)) for k in NONE)
    with pytest.raises(LensError, match="precision"):
        tolerances("perfect")
    with pytest.raises(LensError, match="1 sample"):
        monte_carlo(lens, radius_error, 1.0, samples=0)
    with pytest.raises(LensError, match="something to build"):
        monte_carlo(lens, radius_error, 1.0, Tolerances(**NONE))


def test_the_report_says_what_was_drawn(lens):
    report = tolerance(lens, samples=20, seed=4)
    found = json.loads(report.to_json())
    assert (found["samples"], found["seed"], found["status"], len(found["beams"])) == (20, 4, "assumed", 6)
    assert all(b["limit"] == pytest.approx(max(1 / 14, 1.25 * b["nominal"])) for b in found["beams"])
    assert found["yield"] == pytest.approx(1 - max(b["failing"] for b in found["beams"]), abs=0.3)
    assert found["refocus_um"][1] > 1.0
    rises = [rise for _, rise in found["offenders"]]
    assert rises == sorted(rises, reverse=True)
    assert rises[0] > 0
    assert report.text().startswith(f"doublet: {100 * found['yield']:.1f} % of 20 samples pass")
