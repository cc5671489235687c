import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from cfd.block_matrix import gmres, pattern_of, product, to_scipy
from cfd.incomplete_lu import factorised


def chain(count, seed=0):
    """A random, diagonally dominant block-tridiagonal matrix: cells that join neighbours."""
    cells = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)
    pattern, slot = pattern_of(cells, count)
    data = np.random.default_rng(seed).normal(size=(len(pattern.column), 4, 4)).astype(np.float32)
    data[pattern.diagonal] += 12 * np.eye(4, dtype=np.float32)
    return pattern, slot, data


def test_the_pattern_holds_every_pair_of_a_cell_once():
    pattern, slot, _ = chain(6)
    assert len(pattern.column) == 6 + 2 * 5
    assert np.all(pattern.column[pattern.diagonal] == np.arange(6))
    assert pattern.row[slot[2]].tolist() == [[2, 2], [3, 3]] and pattern.column[slot[2]].tolist() == [[2, 3], [2, 3]]


def test_the_product_is_scipys():
    pattern, _, data = chain(50)
    x = np.random.default_rng(1).normal(size=(50, 4))
    np.testing.assert_allclose(product(pattern, data, x).ravel(), to_scipy(pattern, data) @ x.ravel(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_incomplete_factors_are_exact_where_nothing_fills_in(parts):
    """A tridiagonal matrix has no fill; with several parts the couplings between them are dropped."""
    pattern, _, data = chain(30)
    part = np.searchsorted(np.linspace(0, 30, parts + 1).astype(int), np.arange(30), side="right")
    cut = data.copy()
    cut[part[pattern.row] != part[pattern.column]] = 0
    right = np.random.default_rng(2).normal(size=(30, 4))
    expected = spsolve(to_scipy(pattern, cut.astype(float)).tocsc(), right.ravel())
    np.testing.assert_allclose(factorised(pattern, data, parts).solve(right).ravel(), expected, atol=2e-5)


def test_given_unknowns_stay_as_they_are_and_do_not_move_the_others():
    pattern, _, data = chain(30)
    fixed = np.arange(30) % 3 == 0
    known = np.repeat(fixed[:, None], 4, axis=1)
    known[:, 3] = False
    dense, right = to_scipy(pattern, data.astype(float)).toarray(), np.random.default_rng(2).normal(size=(30, 4))
    dense[known.ravel(), :], dense[:, known.ravel()] = 0.0, 0.0
    dense[known.ravel(), known.ravel()] = 1.0
    found = factorised(pattern, data, 1, None, fixed).solve(right)
    np.testing.assert_allclose(found.ravel(), np.linalg.solve(dense, right.ravel()), atol=2e-5)


def test_gmres_reaches_its_tolerance_and_says_how():
    pattern, _, data = chain(200)
    right = np.random.default_rng(3).normal(size=800)
    matrix = to_scipy(pattern, data.astype(float))
    factors = factorised(pattern, data, 4)
    x, iterations, left = gmres(lambda v: matrix @ v, lambda v: factors.solve(v.reshape(-1, 4)).ravel(), right, 1e-4, 50)
    assert iterations < 15 and left < 1e-4
    assert np.linalg.norm(matrix @ x - right) < 2e-4 * np.linalg.norm(right)
    _, iterations, left = gmres(lambda v: matrix @ v, lambda v: v, right, 1e-12, 3)
    assert iterations == 3 and left > 1e-12
