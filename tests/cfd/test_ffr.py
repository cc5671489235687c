"""Where FFR is read, and when it is refused."""

import numpy as np
import pytest

from ccta.findings import PullbackBranch
from ccta.model import Unavailable
from cfd.ffr import Reading, lesion_reading, vessel_reading
from tests.cfd.trees import stenosis


def branch(length_mm=100.0, diameter=lambda s: 3.0 + 0 * s, ffr=lambda s: 1 - 0.002 * s) -> PullbackBranch:
    s = np.linspace(0, length_mm, int(2 * length_mm) + 1)
    ones = np.ones(len(s))
    return PullbackBranch(
        name="LAD",
        vessel="LAD",
        distance_mm=s.tolist(),
        ffr=ffr(s).tolist(),
        flow_ml_min=ones.tolist(),
        pressure_mmhg=(93 * ffr(s)).tolist(),
        diameter_mm=diameter(s).tolist(),
        points_mm=[(0.0, 0.0, float(z)) for z in s],
    )


def test_a_lesion_is_read_10_to_20_mm_beyond_its_lower_border():
    """Lesion 34 to 46 mm, read over 56 to 66 mm: mean of 1 - 0.002 s at 61 mm; its delta from 34 mm."""
    reading = lesion_reading(branch(), stenosis(position_mm=40.0))
    assert (reading.from_mm, reading.to_mm) == (56.0, 66.0)
    one = branch()
    value, delta = reading.value(np.array(one.distance_mm), np.array(one.ffr))
    assert value == pytest.approx(1 - 0.002 * 61)
    assert delta == pytest.approx(0.002 * (61 - 34))


def test_the_reading_keeps_away_from_the_end():
    reading = lesion_reading(branch(length_mm=63.0), stenosis(position_mm=40.0))
    assert (reading.from_mm, reading.to_mm) == (56.0, 58.0)


def test_a_vessel_that_ends_behind_the_lesion_is_refused():
    refused = lesion_reading(branch(length_mm=55.0), stenosis(position_mm=40.0))
    assert isinstance(refused, Unavailable) and "9 mm beyond the lesion" in refused.reason


def test_the_first_of_two_lesions_is_read_before_the_second():
    reading = lesion_reading(branch(), stenosis(position_mm=40.0), next_entry_mm=50.0)
    assert (reading.from_mm, reading.to_mm) == (50.0, 50.0)


def test_a_thin_vessel_is_refused():
    refused = lesion_reading(branch(diameter=lambda s: np.where(s > 50, 1.3, 3.0)), stenosis(position_mm=40.0))
    assert isinstance(refused, Unavailable) and "1.3 mm wide" in refused.reason


def test_a_healthy_vessel_is_read_where_it_is_still_wide():
    reading = vessel_reading(branch(diameter=lambda s: 3.0 - 0.025 * s), 0, 12.0)  # 1.5 mm wide at 60 mm
    assert reading.to_mm == pytest.approx(59.5, abs=1.0)
    assert reading.to_mm - reading.from_mm == pytest.approx(10.0)
    assert reading.before_mm == 12.0
    assert vessel_reading(branch(), 0, 0.0).to_mm == 95.0
    assert isinstance(vessel_reading(branch(diameter=lambda s: 1.2 + 0 * s), 0, 0.0), Unavailable)


def test_one_noisy_contour_does_not_end_a_vessel():
    reading = vessel_reading(branch(diameter=lambda s: np.where(np.abs(s - 30) < 0.6, 1.0, 2.5)), 0, 0.0)
    assert reading.to_mm == 95.0


def test_reading_is_the_mean_of_its_window():
    assert Reading(0, 10.0, 20.0, 0.0).value(np.array([0.0, 100.0]), np.array([1.0, 0.0])) == pytest.approx((0.85, 0.15))
