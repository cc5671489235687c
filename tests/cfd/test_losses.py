"""Pressure-loss laws against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccta.units import mm2_to_m2, pa_to_mmhg
from cfd.exact import poiseuille_drop_pa
from cfd.losses import (
    EXPANSION_LOSS,
    JET_EXCESS,
    JET_EXPONENT,
    JET_LENGTH,
    curvature_factor,
    dynamic_pressure_pa,
    expansion_coefficient_1_m4,
    junction_coefficient_1_m4,
    reynolds_length_m,
    viscous_resistance_pa_s_m3,
)
from tests.cfd.trees import narrowing

AREA = np.pi * 1.5e-3**2


def test_viscous_resistance_of_a_tube_is_poiseuille():
    distance = np.linspace(0, 0.1, 50)
    resistance = viscous_resistance_pa_s_m3(distance, np.full(50, AREA), 0.0035)
    assert 2e-6 * resistance[-1] == pytest.approx(poiseuille_drop_pa(2e-6, 1.5e-3, 0.1, 0.0035), rel=1e-12)


def test_viscous_resistance_of_a_cone_by_hand():
    """int ds / r^4 = L (r1^-3 - r2^-3) / (3 (r2 - r1))."""
    radius = np.linspace(1.0e-3, 2.0e-3, 2001)
    resistance = viscous_resistance_pa_s_m3(np.linspace(0, 0.05, 2001), np.pi * radius**2, 0.0035)
    assert resistance[-1] == pytest.approx(8 * 0.0035 / np.pi * 0.05 * (1e9 - 1.25e8) / (3 * 1e-3), rel=1e-5)


def test_a_bend_costs_what_white_measured():
    """By hand: De = 100 gives (11.6 / 100)^0.45 = 0.3794, 0.6206^2.2 = 0.3502, 1 / 0.6498 = 1.539; a straight vessel and De < 11.6 give 1."""
    radius, bend = 1.5e-3, 60e-3
    reynolds = 2 * radius * 100 / np.sqrt(radius / bend)
    factor = curvature_factor(np.array([reynolds, reynolds, 0.1 * reynolds]), np.full(3, np.pi * radius**2), np.array([1 / bend, 0.0, 1 / bend]))
    np.testing.assert_allclose(factor, [1.539, 1.0, 1.0], atol=2e-3)


def lost(area, length_m=0.1, reynolds_m=1e-6):
    """Coefficient along a vessel; with a tiny Reynolds number a jet spreads at once."""
    return expansion_coefficient_1_m4(np.linspace(0, length_m, len(area)), np.asarray(area, float), np.full(len(area), reynolds_m))


def test_one_stenosis_loses_borda_carnot():
    area = AREA * np.array([1, 1, 0.5, 0.25, 0.5, 1, 1, 1])
    loss = lost(area)
    np.testing.assert_allclose(loss[:4], 0.0)
    assert loss[-1] == pytest.approx(EXPANSION_LOSS * (1 / (0.25 * AREA) - 1 / AREA) ** 2)


def test_two_stenoses_lose_twice():
    one = AREA * np.array([1, 0.5, 0.25, 0.5, 1, 1])
    assert lost(np.tile(one, 2))[-1] == pytest.approx(2 * lost(one)[-1])


def test_a_jet_gives_its_excess_back_over_a_length_that_grows_with_reynolds_number():
    area = np.full(400, AREA)
    area[40:60] = 0.25 * AREA
    for reynolds in (0.3, 1.2):
        loss = lost(area, reynolds_m=reynolds)
        borda = (1 / (0.25 * AREA) - 1 / AREA) ** 2
        assert loss[60] == pytest.approx((EXPANSION_LOSS + JET_EXCESS) * borda)
        length = JET_LENGTH * reynolds * 4 ** (JET_EXPONENT / 2)
        assert loss[-1] == pytest.approx((EXPANSION_LOSS + JET_EXCESS * np.exp(-0.1 * 339 / 399 / length)) * borda)


def test_contraction_is_reversible():
    np.testing.assert_allclose(lost(np.linspace(AREA, 0.3 * AREA, 40)), 0.0, atol=1e-20)


@given(st.lists(st.floats(0.2, 3.0), min_size=2, max_size=60))
@settings(max_examples=60, deadline=None)
def test_expansion_loss_never_gives_energy_back(shape):
    for reynolds in (1e-6, 1.0):
        assert np.all(lost(AREA * np.array(shape), reynolds_m=reynolds) >= 0)


def test_small_ripples_cost_next_to_nothing():
    assert lost(AREA * (1 + 0.03 * np.sin(np.linspace(0, 60, 400))))[-1] < 0.1 / AREA**2


ECCENTRIC = [  # three-dimensional, as the fit's but none of them in it: degree, half length mm, mL/s, drop mmHg to 15 and 25 mm behind
    (0.55, 4.0, 2.3005, 11.55, 11.17),
    (0.65, 6.0, 1.4871, 17.16, 16.87),
    (0.45, 5.0, 3.4988, 9.93, 9.71),
]
CONCENTRIC = [  # axisymmetric: the same, to 15 and 30 mm behind
    (0.4, 6.0, 4.0, 7.84, 7.52),
    (0.5, 10.0, 3.0, 13.11, 12.32),
    (0.7, 10.0, 1.0, 16.19, 15.67),
]


def drops_mmhg(degree, half_mm, flow_ml_s, beyond_mm):
    """Of the static pressure from the stenosis' beginning, in a straight vessel of 3 mm."""
    s, flow = np.linspace(0, 0.1, 801), flow_ml_s * 1e-6
    area = mm2_to_m2(np.pi * narrowing(1.5, degree, 20.0, half_mm)(1e3 * s) ** 2)
    total = viscous_resistance_pa_s_m3(s, area, 0.0035) * flow
    total += 530 * flow**2 * expansion_coefficient_1_m4(s, area, reynolds_length_m(np.full(801, flow), 1060.0, 0.0035))
    return [pa_to_mmhg(np.interp(0.02 + 1e-3 * (half_mm + x), s, total) - np.interp(0.02 - 1e-3 * half_mm, s, total)) for x in beyond_mm]


@pytest.mark.parametrize(("degree", "half_mm", "flow_ml_s", "near_mmhg", "far_mmhg"), ECCENTRIC)
def test_an_eccentric_stenosis_outside_the_fit_agrees_with_navier_stokes(degree, half_mm, flow_ml_s, near_mmhg, far_mmhg):
    """1 mmHg is 0.01 in FFR."""
    assert drops_mmhg(degree, half_mm, flow_ml_s, (15, 25)) == pytest.approx([near_mmhg, far_mmhg], abs=1.5)


@pytest.mark.parametrize(("degree", "half_mm", "flow_ml_s", "near_mmhg", "far_mmhg"), CONCENTRIC)
def test_a_concentric_stenosis_is_read_too_severe_by_a_third_at_most(degree, half_mm, flow_ml_s, near_mmhg, far_mmhg):
    for drop, truth in zip(drops_mmhg(degree, half_mm, flow_ml_s, (15, 30)), (near_mmhg, far_mmhg), strict=True):
        assert 0.95 < drop / truth < 1.35


def test_junction_costs_the_lost_velocity_only():
    """Half of the flow into a daughter of the parent's area: the velocity halves, (u_p - u_d)^2 = u_d^2."""
    straight = (1.0, 0.0)
    assert junction_coefficient_1_m4(1e-6, 2e-6, AREA, AREA, straight, 1.0) == pytest.approx(1 / AREA**2)
    assert junction_coefficient_1_m4(1e-6, 2e-6, 0.4 * AREA, AREA, straight, 1.0) == 0.0


def test_a_daughter_across_its_parent_loses_the_parents_whole_velocity():
    """At a right angle rho / 2 v_p^2 is lost; at 60 degrees three quarters of it, and what of the other half exceeds the daughter's velocity."""
    assert junction_coefficient_1_m4(1e-6, 2e-6, AREA, AREA, (0.0, 1.0), 1.0) == pytest.approx(4 / AREA**2)
    assert junction_coefficient_1_m4(1e-6, 2e-6, 2 * AREA, AREA, (0.5, 0.75**0.5), 1.0) == pytest.approx((3 + 0.25) / AREA**2)


def test_dynamic_pressure():
    assert dynamic_pressure_pa(1e-6, 1e-6, 1060.0) == pytest.approx(530.0)
