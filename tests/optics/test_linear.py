"""Linear equations without LAPACK: against numpy's, their derivatives, and that the exit pupil calls no LAPACK."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_lenses import singlet

from apochromat.optics.exit_pupil import beams_at
from apochromat.optics.linear import inverse, solve
from apochromat.optics.precision import float64


def definite(size, count=3, seed=1):
    root = np.random.default_rng(seed).normal(size=(count, size, 2 * size))
    return root @ root.swapaxes(1, 2) / size


@pytest.mark.parametrize("size", [1, 3, 8, 17, 66])
def test_definite_equations_and_their_leading_ones_are_solved(size):
    matrix, right = definite(size), np.random.default_rng(2).normal(size=(3, size, 3))
    part = (size + 1) // 2
    with float64():
        found = np.asarray(solve(matrix, right, [size, part, size]))
    assert np.allclose(matrix @ found[..., ::2], right[..., ::2], rtol=0, atol=1e-12)
    assert np.allclose(matrix[:, :part, :part] @ found[:, :part, 1:2], right[:, :part, 1:2], rtol=0, atol=1e-12)
    assert (found[:, part:, 1] == 0).all()


def test_equations_singular_to_rounding_are_met_all_the_same():
    basis = np.random.default_rng(3).normal(size=(20, 12))
    matrix, wanted = basis @ basis.T, basis @ np.ones(12)
    with float64():
        found = np.asarray(solve(matrix + 1e-13 * np.eye(20), wanted[:, None]))
    assert np.allclose(matrix @ found[:, 0], wanted, rtol=0, atol=1e-6)


def test_derivatives_are_those_of_the_exact_solution():
    matrix, right = definite(20), np.random.default_rng(4).normal(size=(3, 20, 2))
    with float64():
        slopes, exact = (
            jax.grad(lambda m, r, by=by: jnp.sin(by(m, r)).sum(), (0, 1))(jnp.asarray(matrix), jnp.asarray(right))
            for by in (solve, jnp.linalg.solve)
        )
    for found, known in zip(slopes, exact, strict=True):
        assert np.allclose(found, known, rtol=0, atol=1e-11 * np.abs(known).max())


@pytest.mark.parametrize("size", [2, 3, 4])
def test_inverses_exchange_rows_and_stay_finite(size):
    matrix = np.stack([np.eye(size)[::-1] * 3.0, definite(size, 1)[0], np.zeros((size, size))])
    with float64():
        found = np.asarray(inverse(jnp.asarray(matrix), 1e-12))
        slope = np.asarray(jax.grad(lambda m: inverse(m)[1, 0, 0])(jnp.asarray(matrix[:2]))[1])
    assert np.allclose(found[:2] @ matrix[:2], np.eye(size), rtol=0, atol=1e-12)
    assert np.isfinite(found).all()
    known = np.linalg.inv(matrix[1])
    assert np.allclose(slope, -np.outer(known[0], known[:, 0]), rtol=1e-10)


def test_exit_pupils_of_many_fields_call_no_lapack():
    lens = singlet(field_kind="image_height")
    fields, nm, turns = np.zeros((2, 2)), np.array([500.0, 600.0]), np.broadcast_to(np.eye(2), (2, 2, 2))
    with float64():
        assert "lapack" not in beams_at.lower(lens, fields, nm, turns, np.zeros(1), 0, 0).as_text()
