"""Stenoses on exact contours: degree, place, and what must not be called one."""

from dataclasses import replace

import numpy as np
import pytest

from ccta.disease.stenosis import find_stenoses, reference_profile
from ccta.model import CoronaryTree
from ccta.settings import MeasureSettings
from tests.ccta.tubes import Branch, Tube, arc_points, true_sections


def measured(tube, noise_mm=0.03, change=None):
    """Stenoses of a tube's own contours with a little noise; `change` edits the sections."""
    s = np.arange(0, tube.length_mm + 1e-6, 0.5)
    branch = Branch(arc_points(s), tube.healthy(s), segment=np.full(len(s), 7), name="LAD")
    section = true_sections(tube, branch)
    grain = np.random.default_rng(3).normal(0, noise_mm, (len(section), 1))
    section = replace(section, lumen_radius_mm=np.maximum(section.lumen_radius_mm + grain, 0.02))
    section = change(section) if change else section
    tree = CoronaryTree((branch,))
    return find_stenoses(tree, [section], MeasureSettings()), reference_profile(tree, [section], 0)


@pytest.mark.parametrize("percent", [30, 50, 70, 90])
def test_degree_and_place(percent):
    (lesion,), _ = measured(Tube(lesions=((22, 10, percent, 60, 0),)))
    assert lesion.diameter_pct == pytest.approx(percent, abs=5)
    assert lesion.area_pct == pytest.approx(100 * (1 - (1 - lesion.diameter_pct / 100) ** 2), abs=0.5)
    assert lesion.position_mm == pytest.approx(22, abs=1)
    assert lesion.entry_mm < 20.5 < 23.5 < lesion.exit_mm
    assert (lesion.segment, lesion.vessel) == (7, "LAD")
    assert lesion.diameter_pct_interval[0] < percent < lesion.diameter_pct_interval[1]


@pytest.mark.parametrize("healthy_mm", [(1.5, 1.5), (2.2, 1.2), (1.0, 0.8)])
def test_taper_is_no_stenosis(healthy_mm):
    lesions, reference_mm = measured(Tube(healthy_mm=healthy_mm))
    assert lesions == []
    assert reference_mm[[0, -1]] == pytest.approx(2 * np.array(healthy_mm), rel=0.08)


def test_long_lesion_does_not_drag_the_reference_down():
    (lesion,), _ = measured(Tube(healthy_mm=(1.8, 1.3), lesions=((20, 24, 60, 60, 0),)))
    assert lesion.diameter_pct == pytest.approx(60, abs=6)


def test_two_lesions_stay_two():
    lesions, _ = measured(Tube(lesions=((12, 8, 40, 60, 0), (21, 8, 60, 60, 0))))
    assert [round(lesion.position_mm) for lesion in lesions] == [12, 21]


def test_small_vessel_is_not_graded():
    assert measured(Tube(healthy_mm=(0.65, 0.65), lesions=((20, 8, 60, 60, 0),)), 0.01)[0] == []


def test_lumen_that_cannot_be_seen_is_an_occlusion():
    (lesion,), _ = measured(Tube(lesions=((20, 14, 99, 60, 0),)), 0.0)
    assert (lesion.diameter_pct, lesion.mld_mm, lesion.area_pct) == (100, 0, 100)


def test_untrusted_contours_give_no_finding():
    def untrusted(section):
        return replace(section, reliable=abs(section.distance_mm - 20) > 6)

    assert measured(Tube(lesions=((20, 8, 60, 60, 0),)), change=untrusted)[0] == []


def test_unnamed_vessel_is_skipped():
    tube = Tube(lesions=((20, 8, 60, 60, 0),))
    s = np.arange(0, 40.1, 0.5)
    branch = Branch(arc_points(s), tube.healthy(s))
    assert find_stenoses(CoronaryTree((branch,)), [true_sections(tube, branch)], MeasureSettings()) == []
