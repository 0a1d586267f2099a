"""Damped least squares: exact Jacobians, known optima, bounds, seeds."""

import numpy as np
import pytest

from apochromat.optics.errors import LensError
from apochromat.optics.lens import AIR, Lens, LensInfo, SurfaceInfo
from apochromat.optics.optimise import Goal, Merit, Term, Variable, optimise

DOUBLET = (SurfaceInfo("stop"), SurfaceInfo(glass="crown", is_model=True), SurfaceInfo(glass="flint", is_model=True), SurfaceInfo())


def doublet(configurations=("far", "near")):
    """A cemented doublet of model glass behind its stop, f about 20 mm, f/5, for two distances."""
    s, c = len(DOUBLET), len(configurations)
    info = LensInfo("doublet", DOUBLET, 0, (486.1327, 546.074, 656.2725), (1.0, 1.0, 1.0), 1, configurations=configurations)
    even = np.zeros((s, 8))
    even[1, 1] = 1e-5
    return Lens(
        curvature=np.array([0, 1 / 12, -1 / 9, -1 / 40]),
        conic=np.array([0.0, -0.5, 0.0, 0.0]),
        even=even,
        thickness=np.array([[0.5, 2.0, 1.0, 18.6], [0.5, 2.0, 1.0, 19.4]])[:c],
        object_vergence=np.array([0.0, 1 / 500])[:c],
        stop_radius=np.full(c, 2.0),
        semi_diameter=np.full(s, np.inf),
        inner_radius=np.zeros(s),
        tilt=np.zeros((s, 2)),
        decenter=np.zeros((s, 2)),
        coefficients=np.tile(AIR, (s, 1)).astype(float),
        nd_shift=np.zeros(s),
        dispersion_shift=np.zeros(s),
        model=np.array([[1.5, 60, 0], [1.5168, 64.2, 0.0], [1.62, 36.4, 0.0], [1.5, 60, 0]]),
        fields=np.array([[0.0, 0.0], [0.0, 4.0]]),
        info=info,
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
