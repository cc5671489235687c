"""The sparse solver of flow networks against dense algebra, on matrices of any scaling."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cfd.sparse_lu import factorise, plan_pivots, room_for, substitute


@given(st.integers(1, 40), st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_any_regular_matrix_is_solved(size, seed):
    """Rows and columns scaled by up to 1e6 either way, as pressures and flows are; the residual is at rounding."""
    rng = np.random.default_rng(seed)
    matrix = (rng.random((size, size)) < 0.1) * rng.normal(size=(size, size))
    matrix[np.arange(size), rng.permutation(size)] += 1 + rng.random(size)
    matrix *= 10.0 ** rng.uniform(-6, 6, (size, 1)) * 10.0 ** rng.uniform(-6, 6, size)
    row, column = np.nonzero(matrix)
    plan, singular = plan_pivots(size, row, column, matrix[row, column])
    factors, solution = room_for(plan), np.empty(size)
    if singular or np.linalg.matrix_rank(matrix / np.abs(matrix).max(axis=1, keepdims=True)) < size:
        return
    for again in (1.0, 3.0):  # other values, the same pivots
        right_side = rng.normal(size=size)
        assert factorise(plan, factors, again * matrix[row, column])
        substitute(plan, factors, right_side, solution)
        terms = np.abs(again * matrix) @ np.abs(solution) + np.abs(right_side)
        assert np.all(np.abs(again * matrix @ solution - right_side) <= 1e-10 * terms)


def test_an_empty_row_or_column_is_singular():
    """[[1, 1], [0, 0]] and its transpose."""
    for row, column in (([0, 0], [0, 1]), ([0, 1], [0, 0])):
        _, singular = plan_pivots(2, np.array(row), np.array(column), np.ones(2))
        assert singular


def test_a_matrix_of_rank_one_is_refused():
    row, column = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    plan, singular = plan_pivots(2, row, column, np.array([1.0, 2.0, 2.0, 4.0]))
    assert singular or not factorise(plan, room_for(plan), np.array([1.0, 2.0, 2.0, 4.0]))
