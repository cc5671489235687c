"""The split of flow among outlets, and the healthy calibre that drives it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccta.model import CoronaryTree
from cfd.outlets import outlet_resistances_pa_s_m3, outlet_shares, with_side_branches
from cfd.profiles import branch_profiles, healthy_diameter
from tests.cfd.trees import left_tree, narrowing, stenosis, straight


def two_trees(first_mm, second_mm):
    return CoronaryTree((straight(50, first_mm), straight(50, second_mm, (0, 50, 0))))


@given(ratio=st.floats(0.3, 3.0), exponent=st.floats(2.0, 3.0))
@settings(max_examples=20, deadline=None)
def test_two_ostia_share_by_the_power_of_the_diameter(ratio, exponent):
    tree = two_trees(1.5, 1.5 * ratio)
    shares = outlet_shares(tree, branch_profiles(tree), exponent)
    assert shares[1] / shares[0] == pytest.approx(ratio**exponent, rel=1e-3)


def test_bifurcation_by_bifurcation_by_hand():
    """LAD (1.6) : LCx (1.4), then LAD : D1 (1.0), after LAD : RCA (1.7) at the aorta, all to the power 2.66."""
    tree = left_tree(degree=0.0)
    shares = outlet_shares(tree, branch_profiles(tree), 2.66)
    lad, lcx, d1, rca = (np.array([1.6, 1.4, 1.0, 1.7])) ** 2.66
    left = lad / (lad + rca)
    expected = [left * lad / (lad + lcx) * lad / (lad + d1), left * lcx / (lad + lcx), left * lad / (lad + lcx) * d1 / (lad + d1), rca / (lad + rca)]
    np.testing.assert_allclose(shares, expected, rtol=1e-3)


def test_resistances_in_parallel_are_the_total():
    shares = np.array([0.2, 0.3, 0.5])
    resistance = outlet_resistances_pa_s_m3(8.0e8, shares)
    assert 1 / np.sum(1 / resistance) == pytest.approx(8.0e8)
    assert resistance[0] == pytest.approx(4.0e9)


@pytest.mark.parametrize("marked", [True, False])
def test_a_stenosis_does_not_reduce_its_own_demand(marked):
    healthy, diseased = left_tree(0.0), left_tree(0.7)
    profiles = branch_profiles(diseased, stenoses=[stenosis()] if marked else [])
    np.testing.assert_allclose(outlet_shares(diseased, profiles, 2.66), outlet_shares(healthy, branch_profiles(healthy), 2.66), rtol=0.02)


def test_a_trifurcation_is_shared_at_once():
    side = {"parent": 0, "name": ""}
    tree = CoronaryTree(
        (
            straight(50, 1.5),
            straight(30, 1.5, (0, 0, 20), (0, 1, 0), parent_distance_mm=20.0, **side),
            straight(30, 1.5, (0, 0, 20.4), (1, 0, 0), parent_distance_mm=20.4, **side),
        )
    )
    np.testing.assert_allclose(outlet_shares(tree, branch_profiles(tree), 2.66), 1 / 3, rtol=1e-3)


def test_healthy_calibre_sees_taper_and_step_and_ignores_the_lesion():
    s = np.linspace(0, 100, 401)
    truth = 3.6 - 0.008 * s - 0.5 * (s >= 40)
    measured = truth * narrowing(1.0, 0.6, 70.0)(s) + np.random.default_rng(0).normal(0, 0.05, len(s))
    fit = healthy_diameter(s, measured, [40.0], np.ones(len(s), bool))
    assert np.abs(fit - truth).max() < 0.12
    assert np.all(np.diff(fit) <= 1e-9)


def test_a_bulge_where_a_branch_leaves_is_no_calibre():
    tree = CoronaryTree(
        (straight(60, lambda s: 1.5 + 0.6 * np.exp(-(((s - 30) / 0.8) ** 2))), straight(30, 1.2, (0, 0, 30), (0, 1, 0), parent=0, parent_distance_mm=30.0))
    )
    diameter = 2e3 * np.sqrt(branch_profiles(tree)[0].area_m2 / np.pi)
    assert diameter.max() == pytest.approx(3.0, abs=0.05)


def test_a_taper_without_visible_branches_loses_what_it_cannot_carry():
    """4.8 mm at the ostium and 3.6 mm at the end: (3.6 / 4.8)^2.66 of the flow is left, the rest has gone evenly on the way."""
    tree = CoronaryTree((straight(80, lambda s: 2.4 - 0.0075 * s),))
    (profile,) = with_side_branches(tree, branch_profiles(tree), 2.66)
    left = (3.6 / 4.8) ** 2.66
    assert profile.side_share[-1] == pytest.approx(1 - left, abs=0.005) and profile.side_share[0] == 0.0
    assert np.all(np.diff(profile.side_share) >= 0) and outlet_shares(tree, [profile], 2.66)[0] == pytest.approx(left, abs=0.005)


def test_a_vessel_that_keeps_its_calibre_loses_nothing():
    tree = left_tree(0.0)
    leaking = with_side_branches(tree, branch_profiles(tree), 2.66)
    assert max(one.side_share[-1] for one in leaking) < 2e-3
    np.testing.assert_allclose(outlet_shares(tree, leaking, 2.66), outlet_shares(tree, branch_profiles(tree), 2.66), atol=2e-3)


@given(taper=st.floats(0.0, 0.008), exponent=st.floats(2.0, 3.0))
@settings(max_examples=10, deadline=None)
def test_what_leaves_on_the_way_and_at_the_ends_is_the_whole(taper, exponent):
    lad = straight(90, lambda s: 1.7 - taper * s)
    tree = CoronaryTree((lad, straight(40, lambda s: 1.2 - taper * s, (0, 0, 30), (0, 1, 0), parent=0, parent_distance_mm=30.0), straight(70, 1.5, (0, 50, 0))))
    leaking = with_side_branches(tree, branch_profiles(tree), exponent)
    whole = sum(one.side_share[-1] for one in leaking) + outlet_shares(tree, leaking, exponent).sum()
    assert whole == pytest.approx(1.0, abs=1e-9)
