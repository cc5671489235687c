"""Viscosity of blood against published values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfd.blood import VISCOSITY_PA_S, carreau_yasuda_viscosity_pa_s, newtonian_viscosity_pa_s


def test_viscosity_at_haematocrit_045_is_32_times_plasma():
    assert newtonian_viscosity_pa_s(0.45) == pytest.approx(3.2 * 0.0012)


def test_default_viscosity_is_that_of_a_normal_haematocrit():
    assert newtonian_viscosity_pa_s(0.41) == pytest.approx(VISCOSITY_PA_S, rel=0.02)


@given(low=st.floats(0.1, 0.6), step=st.floats(0.001, 0.05))
def test_viscosity_rises_with_haematocrit(low, step):
    assert newtonian_viscosity_pa_s(low + step) > newtonian_viscosity_pa_s(low)


@pytest.mark.parametrize("haematocrit", [0.0, 45.0, float("nan")])
def test_a_haematocrit_is_a_fraction(haematocrit):
    with pytest.raises(ValueError, match="fraction"):
        newtonian_viscosity_pa_s(haematocrit)


def test_carreau_yasuda_has_its_plateaus_and_thins():
    assert carreau_yasuda_viscosity_pa_s(0.0) == pytest.approx(0.022)
    assert carreau_yasuda_viscosity_pa_s(1e9) == pytest.approx(0.0022, rel=1e-3)
    assert np.all(np.diff(carreau_yasuda_viscosity_pa_s(np.logspace(-2, 4, 50))) < 0)
    by_hand = 0.0022 + 0.0198 * (1 + 11.0**0.644) ** ((0.392 - 1) / 0.644)
    assert carreau_yasuda_viscosity_pa_s(-100.0) == pytest.approx(by_hand)
