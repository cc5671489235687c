"""Boundary data against hand calculations; every default is said."""

import pytest

from ccta.errors import BadSettings
from ccta.model import Unavailable
from ccta.settings import FlowSettings
from ccta.units import ml_min_to_m3_s, mmhg_to_pa
from cfd.physiology import expected_lv_mass_g, hyperaemic_physiology, mean_arterial_pressure_mmhg, rest_flow_ml_min

MISSING = Unavailable("no heart in the image")


def test_mean_pressure_of_120_over_80():
    assert mean_arterial_pressure_mmhg(120, 80) == pytest.approx(93.333, abs=1e-3)


def test_rest_flow_of_120_g():
    """5.09 x 120^0.75 = 5.09 x 36.257 = 184.5 mL/min; 1 mL/min/g gives 120."""
    assert rest_flow_ml_min(120.0, FlowSettings()) == pytest.approx(184.5, abs=0.1)
    assert rest_flow_ml_min(120.0, FlowSettings(rest_flow_law="per_gram")) == pytest.approx(120.0)
    with pytest.raises(BadSettings, match="allometric"):
        rest_flow_ml_min(120.0, FlowSettings(rest_flow_law="guess"))


def test_hyperaemia_scales_the_total_resistance():
    """At rest (93.33 - 5) mmHg over the resting flow; hyperaemia takes 0.24 of it."""
    rest = hyperaemic_physiology(120.0, "M", FlowSettings(hyperaemia_factor=1.0))
    hyperaemic = hyperaemic_physiology(120.0, "M", FlowSettings())
    assert rest.total_resistance_pa_s_m3 == pytest.approx(mmhg_to_pa(280 / 3 - 5) / ml_min_to_m3_s(184.546), rel=1e-4)
    assert hyperaemic.total_resistance_pa_s_m3 == pytest.approx(0.24 * rest.total_resistance_pa_s_m3)


def test_each_default_is_said_and_a_measurement_is_not():
    said = " ".join(hyperaemic_physiology(MISSING, "F", FlowSettings()).assumptions)
    for words in ("120/80 mmHg assumed", "no heart in the image", "a woman of average size", "Haematocrit was not given", "Resting flow", "0.24"):
        assert words in said
    known = FlowSettings(systolic_mmhg=140, diastolic_mmhg=90, haematocrit=0.45)
    physiology = hyperaemic_physiology(150.0, "F", known)
    said = " ".join(physiology.assumptions)
    assert "Blood pressure" not in said and "Haematocrit" not in said and "was not measured (" not in said
    assert physiology.aortic_pressure_pa == pytest.approx(mmhg_to_pa(140 / 3 + 60))
    assert physiology.viscosity_pa_s == pytest.approx(0.00384)


def test_mass_from_body_size():
    """DuBois: 180 cm, 80 kg -> 1.996 m2; times 64 g/m2."""
    mass, words = expected_lv_mass_g("M", 180, 80)
    assert mass == pytest.approx(64 * 1.996, rel=1e-3)
    assert "180 cm" in words
    assert expected_lv_mass_g("F", 0, 0)[0] < expected_lv_mass_g("", 0, 0)[0] < expected_lv_mass_g("M", 0, 0)[0]
    assert hyperaemic_physiology(MISSING, "M", FlowSettings(lv_mass_g=200.0)).assumptions[1].startswith("Myocardial mass of 200 g")


@pytest.mark.parametrize(
    "wrong",
    [
        {"systolic_mmhg": 80.0, "diastolic_mmhg": 120.0},
        {"systolic_mmhg": 120.0},
        {"haematocrit": 45.0},
        {"hyperaemia_factor": 0.0},
        {"distal_pressure_mmhg": 100.0},
    ],
    ids=lambda one: next(iter(one)),
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(BadSettings):
        hyperaemic_physiology(120.0, "M", FlowSettings(**wrong))
