"""Stents on a small left tree with one 60 % stenosis at 54-66 mm of the LAD."""

import numpy as np
import pytest

from ccta.errors import BadInput
from ccta.model import CrossSections
from ccta.settings import FlowSettings
from cfd.pipeline import Anatomy, flow_problem
from cfd.planner import Stent, changes, planned, stent_of, stented, stented_sections
from tests.cfd.trees import left_tree, stenosis

LESIONS = [stenosis(diameter_pct=60.0)]


@pytest.fixture(scope="module")
def problem():
    return flow_problem(Anatomy(left_tree(0.6), stenoses=LESIONS), FlowSettings())


def test_a_stent_over_the_lesion_gives_the_flow_of_a_healthy_tree(problem):
    stent = stent_of("mLAD", problem, LESIONS)
    assert (stent.from_mm, stent.to_mm) == (54.0, 66.0) and stent.diameter_mm == pytest.approx((3.2, 3.2), abs=0.05)
    found, after = planned(problem, [stent], LESIONS)
    healthy = flow_problem(Anatomy(left_tree(0.0)), FlowSettings())
    _, well = planned(healthy, [], [])
    by_place = {one.place: one for one in found}
    lesion = by_place["behind mLAD, 60 mm"]
    assert lesion.after - lesion.before > 0.08 and by_place["LAD"].after == lesion.after
    assert after.branches[0].ffr[-1] == pytest.approx(well.branches[0].ffr[-1], abs=0.01)
    assert abs(by_place["RCA"].after - by_place["RCA"].before) < 1e-9  # the other side does not know


def test_more_flow_through_the_stent_lowers_what_is_before_it(problem):
    """The left main carries the flow that the lesion held back, so that its own loss grows."""
    found, _ = planned(problem, [stent_of("mLAD", problem, LESIONS)], LESIONS)
    left_main = next(one for one in found if one.place == "LM")
    assert left_main.after < left_main.before


def test_a_stent_that_is_too_small_helps_little_and_none_narrows(problem):
    small, wide = (planned(problem, [stent_of(f"7:54-66:{mm}", problem, LESIONS)], LESIONS)[0][1].after for mm in (2.0, 3.5))
    assert small < wide
    profile = stented(problem, [Stent(0, 20.0, 30.0, (2.0, 2.0))]).profiles[0]
    np.testing.assert_allclose(profile.area_m2, problem.profiles[0].area_m2, rtol=1e-12)


def test_the_opened_lumen_runs_out_into_the_native_one(problem):
    distance = np.linspace(0, 10, 101)
    opened = Stent(0, 4.0, 6.0, (3.0, 3.0)).opened_mm(distance, np.full(101, 1.0))
    assert opened[40:61] == pytest.approx(3.0) and opened[:30] == pytest.approx(1.0) and np.abs(np.diff(opened)).max() < 0.21


def test_contours_open_as_the_profile_does(problem):
    m, a = 5, 16
    axes = {name: np.tile(axis, (m, 1)) for name, axis in zip(("axis_u", "axis_v", "normal"), np.eye(3), strict=True)}
    radii = {"lumen_radius_mm": np.full((m, a), 0.8), "wall_radius_mm": np.full((m, a), 1.2), "lumen_sd_mm": np.full(m, 0.1)}
    native = CrossSections(0, np.arange(50.0, 70.0, 4.0), np.zeros((m, 3)), **axes, **radii, reliable=np.ones(m, bool))
    (opened,) = stented_sections([native], [Stent(0, 54.0, 66.0, (3.2, 3.0))])
    assert opened.lumen_diameter_mm[1:-1].min() >= 3.0 and opened.lumen_diameter_mm[0] == pytest.approx(native.lumen_diameter_mm[0])
    assert (opened.wall_radius_mm >= opened.lumen_radius_mm).all()


@pytest.mark.parametrize(
    "text, said",
    [
        ("mLAD:38-52:3.0:1", "a stent is given as"),
        ("aorta:3-5", "no coronary segment"),
        ("19", "no coronary segment"),
        ("dRCA", "was not found in this tree"),
        ("pLCx", "has no stenosis"),
        ("mLAD:90-120", "does not lie within"),
        ("mLAD:60-60", "does not lie within"),
        ("mLAD:2-10", "does not touch"),
        ("mLAD:54-66:1.0", "diameter of 2 to 6 mm"),
    ],
)
def test_what_is_no_stent_is_said_in_one_sentence(problem, text, said):
    with pytest.raises(BadInput, match=said) as error:
        stent_of(text, problem, LESIONS)
    assert "\n" not in str(error.value)


def test_changes_of_nothing_are_nothing(problem):
    _, after = planned(problem, [], LESIONS)
    assert all(one.before == one.after for one in changes(problem.tree, after, after, LESIONS) if isinstance(one.before, float))
