"""Linear equations and inverses without LAPACK, for compiled code that maps over many of them.

XLA's CPU runtime runs a batched LAPACK call on a thread of its pool, which hands the batch to that same pool and waits. As many such calls
at once as there are threads, two on two cores, wait for ever. What is here is made of products and loops that never wait, compiles
quickly, and may be mapped and differentiated.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import lax

BLOCK = 8  # columns of a matrix factored together


def solve(matrix: Any, right: Any, leading: Any = None) -> Any:
    """Solutions (..., n, m) of symmetric positive definite equations, matrix (..., n, n), right (..., n, m): by blocked Cholesky's method.

    leading (m,): column j solves the first leading[j] equations for as many unknowns, the others being 0; None: all of them. Pivots are
    kept above rounding, so that a matrix singular to rounding gives a finite answer. Differentiable in both.
    G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th edition (2013), section 4.2.
    """
    n, m = right.shape[-2:]
    kept = jnp.arange(n)[:, None] < jnp.broadcast_to(n if leading is None else jnp.asarray(leading), (m,))
    return jnp.vectorize(partial(_solve, kept=kept), signature="(n,n),(n,m)->(n,m)")(matrix, right)


def _solve(matrix: Any, right: Any, kept: Any) -> Any:
    """`solve` of one matrix, for the unknowns kept (n, m) of each column: the factor of leading equations leads the factor."""
    lower, inverses = _factored(lax.stop_gradient(matrix))

    def product(unknown: Any) -> Any:
        return jnp.where(kept, matrix @ jnp.where(kept, unknown, 0.0), unknown)

    def solution(_: Any, right: Any) -> Any:
        between = _substituted(lower, inverses, jnp.where(kept, right, 0.0))
        found = _substituted(lower, inverses, jnp.where(kept, between, 0.0), back=True)
        return jnp.where(kept, found, right)

    return lax.custom_linear_solve(product, jnp.where(kept, right, 0.0), solution, symmetric=True)


def _factored(matrix: Any) -> tuple[Any, Any]:
    """Cholesky's factor (N, N) of a matrix (n, n), N the next multiple of the block, and the inverses (N / block, block, block) of its
    diagonal blocks."""
    n = len(matrix)
    block = min(BLOCK, n)
    size = -(-n // block) * block
    matrix = jnp.eye(size, dtype=matrix.dtype).at[:n, :n].set(matrix)
    row, column = jnp.arange(size)[:, None], jnp.arange(block)

    def step(k: Any, state: Any) -> Any:
        lower, inverses = state
        start = k * block
        panel = lax.dynamic_slice(matrix, (0, start), (size, block))
        panel = panel - lower @ lax.dynamic_slice(lower, (start, 0), (block, size)).T
        floor = jnp.finfo(matrix.dtype).eps * lax.dynamic_slice(jnp.diagonal(matrix), (start,), (block,))
        inverse = _inverse_factor(lax.dynamic_slice(panel, (start, 0), (block, block)), floor)
        panel = jnp.where(row >= start + column, panel @ inverse.T, 0.0)
        return lax.dynamic_update_slice(lower, panel, (0, start)), inverses.at[k].set(inverse)

    begin = jnp.zeros_like(matrix), jnp.zeros((size // block, block, block), matrix.dtype)
    return lax.fori_loop(0, size // block, step, begin)


def _inverse_factor(matrix: Any, floor: Any) -> Any:
    """Inverse of Cholesky's factor of a small matrix (b, b), pivots being at least `floor` (b,): elimination beside the identity."""
    order = jnp.arange(len(matrix))

    def step(i: Any, whole: Any) -> Any:
        top = whole[i] * lax.rsqrt(jnp.maximum(whole[i, i], floor[i]))
        share = jnp.where(order > i, top[: len(matrix)], 0.0)
        return (whole - share[:, None] * top).at[i].set(top)

    both = jnp.concatenate([matrix, jnp.eye(len(matrix), dtype=matrix.dtype)], 1)
    return lax.fori_loop(0, len(matrix), step, both)[:, len(matrix) :]


def _substituted(lower: Any, inverses: Any, right: Any, *, back: bool = False) -> Any:
    """Solution (n, m) of triangular equations with `_factored`'s factor, or with its transpose."""
    count, block, _ = inverses.shape
    n, m = right.shape
    right = jnp.pad(right, ((0, len(lower) - n), (0, 0)))

    def step(k: Any, found: Any) -> Any:
        k = count - 1 - k if back else k
        rest = lax.dynamic_slice(right, (k * block, 0), (block, m))
        known, inverse = lax.dynamic_slice_in_dim(lower, k * block, block, int(back)), inverses[k]
        rest = (inverse.T @ (rest - known.T @ found)) if back else inverse @ (rest - known @ found)
        return lax.dynamic_update_slice(found, rest, (k * block, 0))

    return lax.fori_loop(0, count, step, jnp.zeros_like(right))[:n]


def inverse(matrix: Any, least: float = 0.0) -> Any:
    """Inverses (..., k, k) of small matrices, finite where a determinant is below `least` in size. Differentiable.

    2 x 2 are written out, which compiles in no time; larger ones are eliminated with rows exchanged (Golub and Van Loan, section 3.4).
    """
    if matrix.shape[-1] == 2:
        a, b, c, d = (matrix[..., i, j] for i in (0, 1) for j in (0, 1))
        determinant = a * d - b * c
        determinant = jnp.where(jnp.abs(determinant) < least, 1.0, determinant)
        return jnp.stack([jnp.stack([d, -b], -1), jnp.stack([-c, a], -1)], -2) / determinant[..., None, None]
    found, size = jnp.vectorize(_eliminated, signature="(k,k)->(k,k),()")(matrix)
    return jnp.where(size[..., None, None] < least, jnp.eye(matrix.shape[-1]), found)


def _eliminated(matrix: Any) -> tuple[Any, Any]:
    """Inverse (k, k) of a matrix, and its determinant's size, by Gauss and Jordan's elimination."""
    k = len(matrix)
    order = jnp.arange(k)

    def step(i: Any, state: Any) -> Any:
        whole, size = state
        best = jnp.where(order < i, -1.0, jnp.abs(whole[:, i])).argmax()
        whole = whole[jnp.where(order == i, best, jnp.where(order == best, i, order))]
        pivot = whole[i, i]
        top = whole[i] / jnp.where(pivot == 0, 1.0, pivot)
        return (whole - whole[:, i, None] * top).at[i].set(top), size * jnp.abs(pivot)

    both = jnp.concatenate([matrix, jnp.eye(k, dtype=matrix.dtype)], 1)
    whole, size = lax.fori_loop(0, k, step, (both, jnp.ones((), matrix.dtype)))
    return whole[:, k:], size
