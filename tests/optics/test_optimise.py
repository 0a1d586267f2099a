"""Damped least squares: exact Jacobians, known optima, bounds, seeds."""

import numpy as np
import pytest
from hand_lenses import model_doublet

from apochromat.optics.errors import LensError
from apochromat.optics.first_order import first_order
from apochromat.optics.glass import glass
from apochromat.optics.lens import SurfaceInfo
from apochromat.optics.optimise import Goal, Merit, Term, Variable, optimise, read_goal, substitute, swapped
from apochromat.optics.optimise.alignment import DECENTRE_MM, TILT
from apochromat.optics.optimise.beams import half_pupil
from apochromat.optics.optimise.image_terms import LOST_UM
from apochromat.optics.optimise.least_squares import descend
from apochromat.optics.optimise.merit import TOLERANCE
from apochromat.optics.precision import float64
from apochromat.optics.pupil import bundle
from apochromat.optics.trace import trace

DOUBLET = (SurfaceInfo("stop"), SurfaceInfo(glass="crown", is_model=True), SurfaceInfo(glass="flint", is_model=True), SurfaceInfo())


def doublet(configurations=("far", "near")):
    """A cemented doublet of model glass behind its stop, f about 20 mm, f/5, for two distances."""
    c, even = len(configurations), np.zeros((len(DOUBLET), 8))
    even[1, 1] = 1e-5
    return model_doublet(
        DOUBLET,
        (486.1327, 546.074, 656.2725),
        [0, 1 / 12, -1 / 9, -1 / 40],
        np.array([[0.5, 2.0, 1.0, 18.6], [0.5, 2.0, 1.0, 19.4]])[:c],
        [[1.5, 60, 0], [1.5168, 64.2, 0.0], [1.62, 36.4, 0.0], [1.5, 60, 0]],
        [[0, 0], [0, 4]],
        configurations,
        conic=np.array([0.0, -0.5, 0.0, 0.0]),
        even=even,
        object_vergence=np.array([0.0, 1 / 500])[:c],
    )


EVERY = (
    Variable(kind="curvature"),
    Variable(kind="conic", surfaces=(1,)),
    Variable(kind="even", surfaces=(1,), orders=(2, 4, 6)),
    Variable(kind="thickness", surfaces=(0, 1, 2)),
    Variable(kind="defocus", each=True),
    Variable(kind="nd"),
    Variable(kind="vd"),
    Variable(kind="stop_radius"),
)
TERMS = (
    Term(kind="spot"),
    Term(kind="opd"),
    Term(kind="efl", target=20.5),
    Term(kind="f_number", target=5.0),
    Term(kind="entrance_pupil", target=4.2),
    Term(kind="colour_focus", wavelengths_nm=(450.0, 546.074, 656.2725)),
    Term(kind="lateral_colour"),
    Term(kind="distortion"),
    Term(kind="chief_ray_angle", target=3.0),
    Term(kind="relative_illumination", target=0.9, fields=(1,)),
    Term(kind="total_track", target=22.0),
    Term(kind="image_clearance", target=18.0),
    Term(kind="centre", target=2.1),
    Term(kind="edge", target=1.1),
    Term(kind="air", target=0.6),
    Term(kind="slope", target=20.0),
    Term(kind="semi_diameter", target=2.5),
    Term(kind="spherochromatism", wavelengths_nm=(450.0, 546.074, 656.2725)),
    Term(kind="incidence", target=20.0),
    Term(kind="alignment", configurations=("far",)),
)


@pytest.fixture(scope="module")
def merit():
    return Merit(doublet(), Goal(variables=EVERY, terms=TERMS))


def test_jacobian_is_that_of_differences_for_every_kind_of_variable_and_term(merit):
    x = np.zeros(len(merit.variables))
    residuals, jacobian = merit.linearised(x)
    assert np.isfinite(residuals).all()
    for i, label in enumerate(merit.variables.labels):
        step = np.zeros_like(x)
        step[i] = 2e-3
        near, far = (merit.linearised(x + k * step)[0] - merit.linearised(x - k * step)[0] for k in (1, 2))
        difference = (8 * near - far) / 12 / step[i]
        assert np.abs(difference - jacobian[:, i]).max() <= 1e-6 * np.abs(jacobian[:, i]).max(), label


@float64
def test_alignment_is_what_decentred_and_tilted_surfaces_cost(merit):
    """Against traces of the lens with one surface moved: first order in the errors, straight fronts taken away."""
    lens, (points, weights) = doublet(), half_pupil(merit.goal.rays.rings, merit.goal.rays.arms)
    residuals, _ = merit.linearised(np.zeros(len(merit.variables)))
    found = residuals[merit._owner == len(TERMS) - 1].reshape(-1, len(points)) * TOLERANCE["alignment"]
    rays, index = bundle(lens, np.zeros(2), 546.074, points), lens.index(546.074)
    nominal = trace(lens, rays, index)

    def path(i, axis, size):
        error = np.zeros((lens.S, 2))
        error[i, axis] = size
        end = trace(lens.perturbed(**{"decenter" if axis else "tilt": error}), rays, index)
        return np.asarray(end.opl - nominal.L * end.x - nominal.M * end.y)

    slope = np.asarray(nominal.M)
    for k, (axis, size) in enumerate([(1, DECENTRE_MM)] * 3 + [(0, TILT)] * 3):
        change = (path(k % 3 + 1, axis, size) - path(k % 3 + 1, axis, -size)) / 2 * 1e6 / 546.074
        change -= slope * (weights * change * slope).sum() / (weights * slope**2).sum()
        assert found[k] == pytest.approx(change * np.sqrt(weights), abs=2e-3 * np.abs(found[k]).max())


@pytest.fixture(scope="module")
def simple():
    """Two curvatures and the image distance for a focal length and a spot: one compiled merit for the tests of the search."""
    variables = (Variable(kind="curvature", surfaces=(1, 3), low=-0.12, high=0.12), Variable(kind="defocus"))
    terms = (Term(kind="spot"), Term(kind="efl", target=20.5, weight=30))
    return doublet(("far",)), Goal(variables=variables, terms=terms, iterations=12, restarts=2)


def test_the_same_seed_gives_the_same_lens_and_a_better_one(simple):
    lens, goal = simple
    first, again = (optimise(lens, goal, seed=3) for _ in range(2))
    assert np.array_equal(first.lens.curvature, again.lens.curvature)
    assert first.merit < 0.1 * first.start_merit
    assert first.merit == pytest.approx(sum(first.parts.values()), rel=1e-12)
    assert float(first_order(first.lens).efl_mm) == pytest.approx(20.5, abs=1e-2)
    assert np.abs(first.lens.curvature).max() <= 0.12
    assert first.lens.conic[1] == lens.conic[1]


def test_an_interrupted_search_keeps_the_best(simple):
    lens, goal = simple
    merits = []

    def stop(count, merit):
        merits.append(merit)
        if count == 3:
            raise KeyboardInterrupt

    found = optimise(lens, goal, progress=stop)
    assert found.interrupted
    assert found.merit == merits[-1] < merits[0]


def test_glass_is_replaced_by_real_glass_and_swapped(simple):
    lens, goal = simple
    goal = goal.model_copy(update={"variables": (*goal.variables, Variable(kind="nd"))})
    found = substitute(lens, goal, candidates=("N-BK7", "F2", "N-SF5"), trials=2, seed=1)
    assert set(found.glasses) == {1, 2}
    assert set(found.glasses.values()) <= {"N-BK7", "F2", "N-SF5"}
    assert not any(s.is_model for s in found.lens.info.surfaces)
    assert float(first_order(found.lens).efl_mm) == pytest.approx(20.5, abs=0.05)


def test_a_swap_keeps_the_power_of_the_outer_faces(simple):
    lens, _ = simple
    real = swapped(lens, 2, glass("N-SF5"))
    assert real.curvature[3] * (1 - glass("N-SF5").nd) == pytest.approx(lens.curvature[3] * (1 - 1.62), rel=1e-12)


class Rosenbrock:
    """Residuals 10 (y - x^2) and 1 - x: a bent valley with its floor at (1, 1)."""

    def linearised(self, x):
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]), np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])


def test_descent_finds_a_known_minimum():
    wide = np.full(2, -5.0), np.full(2, 5.0)
    found = descend(Rosenbrock(), np.array([-1.2, 1.0]), wide, 200)
    assert found.x == pytest.approx([1.0, 1.0], abs=1e-6)


def test_descent_stays_inside_bounds():
    found = descend(Rosenbrock(), np.array([-1.2, 1.0]), (np.full(2, -5.0), np.array([0.5, 5.0])), 200)
    assert found.x == pytest.approx([0.5, 0.25], abs=1e-6)


def test_a_goal_that_asks_for_what_is_not_there_is_refused(tmp_path):
    lens = doublet()
    efl = (Term(kind="efl", target=20.0),)
    for goal, word in (
        (Goal(variables=(Variable(kind="curvature", surfaces=(9,)),), terms=efl), "found 9"),
        (Goal(variables=(Variable(kind="curvature", surfaces=(0,)),), terms=efl), "stop"),
        (Goal(variables=(Variable(kind="defocus", configurations=("nearer",)),), terms=efl), "nearer"),
        (Goal(variables=(Variable(kind="defocus"),), terms=(Term(kind="efl"),)), "target"),
        (Goal(variables=(Variable(kind="defocus"),), terms=(Term(kind="folded_entry", high=13.0),)), "fold"),
        (Goal(variables=(Variable(kind="defocus"),), terms=(Term(kind="spot", fields=(4,)),)), "fields"),
        (Goal(variables=(Variable(kind="defocus"),), terms=efl, fields=((0.0, 0.0), (0.0, 1000.0))), "found 1000 in the goal"),
    ):
        with pytest.raises(LensError, match=word):
            Merit(lens, goal)
    path = tmp_path / "goal.toml"
    path.write_text('[[variables]]\nkind = "curvature"\n[[terms]]\nkind = "spit"\n')
    with pytest.raises(LensError, match=r"terms\.0\.kind"):
        read_goal(path)


def test_lost_rays_are_finite_in_value_and_derivative(merit):
    x = np.zeros(len(merit.variables))
    x[merit.variables.labels.index("stop radius 0")] = 45.0  # a stop of 11 mm before a face of 9 mm radius
    residuals, jacobian = merit.linearised(x)
    assert np.isfinite(residuals).all()
    assert np.isfinite(jacobian).all()
    assert merit.parts(residuals)["spot"] > 0.01 * LOST_UM**2
