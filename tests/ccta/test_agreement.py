"""Agreement statistics against values worked out by hand or known from print."""

import numpy as np
import pytest

from ccta.agreement import icc_agreement, linear_kappa, matched


def test_icc_of_shrout_and_fleiss():
    """Judges 1 and 2 of Shrout and Fleiss 1979, table 2, by hand: sums of squares 23.417 (rows), 80.083 (columns), 3.417 (rest); MSR 4.683, MSE 0.683."""
    first, second = [9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2]
    assert icc_agreement(first, second) == pytest.approx((4.6833 - 0.6833) / (4.6833 + 0.6833 + 2 * (80.0833 - 0.6833) / 6), rel=1e-3)


def test_icc_bounds():
    x = np.array([0.0, 10, 100, 500])
    assert icc_agreement(x, x) == pytest.approx(1.0)
    assert icc_agreement(x, x + 200) < 0.8  # agreement, not mere correlation
    assert icc_agreement([3, 3], [3, 3]) == 1.0
    with pytest.raises(ValueError, match="at least two"):
        icc_agreement([1], [1])


def test_kappa():
    """2 x 2 by hand: observed 0.7, chance 0.5 -> 0.4; with three ordered categories a neighbour counts half as much as the far one."""
    first, second = [0] * 5 + [1] * 5, [0] * 3 + [1] * 2 + [0] * 1 + [1] * 4
    assert linear_kappa(first, second, 2) == pytest.approx(0.4)
    near, far = linear_kappa([0, 1, 2, 0], [0, 1, 2, 1], 3), linear_kappa([0, 1, 2, 0], [0, 1, 2, 2], 3)
    assert 1 > near > far
    assert linear_kappa([1, 1], [1, 1], 3) == 1.0


def test_matching_is_one_to_one():
    """Two found lesions on one long true lesion: one is its match, the other a piece of it, and the true one next to it has none."""
    true = [np.array([[x, 0.0, 0.0] for x in range(17)]), np.array([[16.0, 8, 0]])]
    found = [np.array([[2.0, 1, 0]]), np.array([[13.0, 0, 0], [14, 0, 0]]), np.array([[16.0, 30, 0]])]
    pairs, touching = matched(found, true, 3.0)
    assert pairs.tolist() == [-1, 0, -1] and touching.tolist() == [True, True, False]


def test_matching_makes_as_many_pairs_as_it_can():
    true = [np.zeros((1, 3)), np.array([[4.0, 0, 0]])]
    found = [np.array([[1.9, 0, 0]]), np.array([[-2.0, 0, 0]])]  # the first is nearest to the first true one, which the second can only have
    assert matched(found, true, 3.0)[0].tolist() == [1, 0]
    assert matched([], true, 3.0)[0].tolist() == [] and matched(found, [], 3.0)[0].tolist() == [-1, -1]
