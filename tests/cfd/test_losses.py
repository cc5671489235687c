"""Pressure-loss laws against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfd.exact import poiseuille_drop_pa
from cfd.losses import dynamic_pressure_pa, expansion_coefficient_1_m4, junction_coefficient_1_m4, viscous_resistance_pa_s_m3

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


def test_one_stenosis_loses_borda_carnot():
    area = AREA * np.array([1, 1, 0.5, 0.25, 0.5, 1, 1])
    loss = expansion_coefficient_1_m4(area, 1.0)
    np.testing.assert_allclose(loss[:4], 0.0)
    assert loss[-1] == pytest.approx((1 / (0.25 * AREA) - 1 / AREA) ** 2)
    assert expansion_coefficient_1_m4(area, 1.3)[-1] == pytest.approx(1.3 * loss[-1])


def test_two_stenoses_lose_twice_and_a_widening_before_a_rise_is_counted_once():
    one = AREA * np.array([1, 0.5, 0.25, 0.5, 1])
    assert expansion_coefficient_1_m4(np.tile(one, 2), 1.0)[-1] == pytest.approx(2 * expansion_coefficient_1_m4(one, 1.0)[-1])


def test_contraction_is_reversible():
    np.testing.assert_allclose(expansion_coefficient_1_m4(np.linspace(AREA, 0.3 * AREA, 40), 1.2), 0.0, atol=1e-20)


@given(st.lists(st.floats(0.2, 3.0), min_size=2, max_size=60))
@settings(max_examples=60, deadline=None)
def test_expansion_loss_never_gives_energy_back(shape):
    loss = expansion_coefficient_1_m4(AREA * np.array(shape), 1.2)
    assert loss[0] == 0 and np.all(np.diff(loss) >= -1e-6 * loss.max())


def test_small_ripples_cost_next_to_nothing():
    ripple = AREA * (1 + 0.03 * np.sin(np.linspace(0, 60, 400)))
    assert expansion_coefficient_1_m4(ripple, 1.2)[-1] < 0.1 / AREA**2


def test_junction_costs_the_lost_velocity_only():
    """Half of the flow into a daughter of the parent's area: the velocity halves, (u_p - u_d)^2 = u_d^2."""
    assert junction_coefficient_1_m4(1e-6, 2e-6, AREA, AREA, 1.0) == pytest.approx(1 / AREA**2)
    assert junction_coefficient_1_m4(1e-6, 2e-6, 0.4 * AREA, AREA, 1.0) == 0.0


def test_dynamic_pressure():
    assert dynamic_pressure_pa(1e-6, 1e-6, 1060.0) == pytest.approx(530.0)
