"""What clicks mean, without a browser: every view's state follows one click."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccta.errors import BadInput
from tests.ccta.example_findings import refused_findings
from tests.viewer.small_case import HALF_LENGTH_MM, LESIONS, small_study
from viewer.app import logic
from viewer.app.charts import chart
from viewer.app.measuring import measured
from viewer.app.pictures import cpr_picture, cross_picture, slice_picture, stack_picture
from viewer.app.planes import AXES, bounds_mm, plane_through
from viewer.app.state import FIELDS_MM, ReadingState
from viewer.app.study import Study
from viewer.app.tables import grade, headline, lesion_rows, notes, planned_rows
from viewer.app.words import said

STUDY = small_study()
FRACTION = st.floats(0.0, 1.0)
SAY = said("en")


def test_the_page_opens_at_the_worst_lesion():
    state = logic.opened(STUDY)
    branch, _, at_mm, _, _ = LESIONS[0]
    assert (state.branch, state.distance_mm, state.lesion) == (branch, at_mm, 0)
    np.testing.assert_allclose(state.position_mm, STUDY.branch(branch).point_at(at_mm))


def test_a_lesion_moves_position_curve_and_cross_section():
    state = logic.opened(STUDY)
    before = dataclasses.replace(state)
    logic.on_lesion(state, STUDY, 1)
    assert (state.branch, state.lesion, state.distance_mm) == (2, 1, LESIONS[1][2])
    assert np.linalg.norm(np.subtract(state.position_mm, before.position_mm)) > 5
    assert logic.place_facts(state, STUDY) == ["RCA", "20 mm", "Ø 1.9 mm", "FFR 0.96"]
    assert chart(STUDY, state.branch)["ffr"] != chart(STUDY, before.branch)["ffr"]
    assert cross_picture(STUDY, state) != cross_picture(STUDY, before)


@pytest.mark.parametrize("name", AXES)
def test_a_click_into_a_slice_near_a_vessel_follows_it(name):
    state = ReadingState()
    logic.on_lesion(state, STUDY, 0)
    plane = plane_through(STUDY.volume, name, state.position_mm)
    logic.on_slice(state, STUDY, name, *plane.fraction(state.position_mm))
    assert state.branch == 0
    assert state.distance_mm == pytest.approx(LESIONS[0][2], abs=0.5)


def test_a_click_far_from_every_vessel_moves_only_the_cross_hair():
    state = logic.opened(STUDY)
    logic.on_slice(state, STUDY, "axial", 0.02, 0.02)
    low, _ = bounds_mm(STUDY.volume)
    assert np.subtract(state.position_mm, low)[:2].max() < 2
    assert (state.branch, state.distance_mm) == (0, LESIONS[0][2])


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(AXES)), x=FRACTION, y=FRACTION, field=st.sampled_from(sorted(FIELDS_MM.values())), at=st.tuples(FRACTION, FRACTION, FRACTION)
)
def test_click_to_position_to_fraction_is_a_round_trip(name, x, y, field, at):
    low, high = bounds_mm(STUDY.volume)
    plane = plane_through(STUDY.volume, name, low + np.array(at) * (high - low), field)
    np.testing.assert_allclose(plane.fraction(plane.position_mm(x, y)), (x, y), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(branch=st.integers(0, 2), fraction=FRACTION)
def test_the_curve_and_the_tree_agree_on_a_place(branch, fraction):
    state = ReadingState(branch=branch)
    logic.on_fraction(state, STUDY, fraction)
    found, distance_mm, apart_mm = logic.nearest_on_tree(STUDY, state.position_mm)
    assert apart_mm < 0.6  # half the distance of two centerline points
    assert found != branch or distance_mm == pytest.approx(state.distance_mm, abs=0.6)


def test_the_wheel_steps_through_the_image_and_stops_at_its_end():
    state = logic.opened(STUDY)
    z_mm = state.position_mm[2]
    logic.on_scroll(state, STUDY, "axial", 1)
    assert state.position_mm[2] == pytest.approx(z_mm + 0.5)
    logic.on_scroll(state, STUDY, "axial", 10_000)
    assert state.position_mm[2] == bounds_mm(STUDY.volume)[1][2]


def test_head_is_up_and_the_patients_right_is_on_the_left():
    low, high = bounds_mm(STUDY.volume)
    middle = (low + high) / 2
    for name in ("coronal", "sagittal"):
        assert plane_through(STUDY.volume, name, middle).position_mm(0.5, 0)[2] == high[2]
    for name in ("axial", "coronal"):
        assert plane_through(STUDY.volume, name, middle).position_mm(0, 0.5)[0] == low[0]
    assert plane_through(STUDY.volume, "axial", middle).position_mm(0.5, 0)[1] == low[1]


@pytest.mark.parametrize("place", [[1, 2], [1, 2, float("nan")], "abc", None])
def test_a_place_that_is_none_is_refused(place):
    with pytest.raises((ValueError, TypeError)):
        logic.on_position(logic.opened(STUDY), STUDY, place)


def test_a_refused_case_shows_its_reasons():
    study = Study(STUDY.volume, refused_findings(), type(STUDY.tree)(()))
    state = logic.opened(study)
    assert (state.branch, logic.place_facts(state, study)) == (-1, [])
    logic.on_slice(state, study, "axial", 0.3, 0.4)
    logic.on_fraction(state, study, 0.5)
    logic.on_hover(state, study, 0.5)
    logic.on_step(state, study, 3)
    logic.on_tightest(state, study)
    assert cross_picture(study, state) == ("", []) == cpr_picture(study, state) == stack_picture(study, state)
    assert chart(study, state.branch)["ffr"] == ""
    assert slice_picture(study, state, plane_through(study.volume, "coronal", state.position_mm)).startswith("data:image/jpeg")
    facts = headline(study.findings, SAY)
    assert [known for _, _, known in facts] == [False] * 4
    assert "contrast image is not scored" in facts[1][1]
    assert any("too large for coronary arteries" in text for _, text in notes(study.findings, SAY))
    assert lesion_rows(study, SAY) == []


def test_ffr_is_graded_at_the_published_limits():
    assert [grade(ffr) for ffr in (0.75, 0.76, 0.80, 0.81)] == ["positive", "grey", "grey", "negative"]
    assert [row["grade"] for row in lesion_rows(STUDY, SAY)] == ["grey", "negative"]


def test_a_planned_stent_lifts_the_curve_behind_it_and_goes_again():
    state = logic.opened(STUDY)
    plain = chart(STUDY, 0, state.stents)
    assert plain["planned"] == "" and [row["after"] for row in planned_rows(STUDY, state.stents)] == ["", ""]
    logic.on_stent(state, STUDY, 0)
    (stent,) = state.stents
    assert (stent.from_mm, stent.to_mm) == (LESIONS[0][2] - HALF_LENGTH_MM, LESIONS[0][2] + HALF_LENGTH_MM) and state.lesion == 0
    after = STUDY.planned(state.stents)[1].branches[0]
    before = STUDY.pullback.branches[0]
    gain = np.interp(before.distance_mm, after.distance_mm, after.ffr) - np.array(before.ffr)
    assert gain[-1] > 0.02 and gain.max() <= 1 - before.ffr[-1] and max(after.ffr) <= 1.0
    assert chart(STUDY, 0, state.stents)["planned"] and chart(STUDY, 0, state.stents)["ffr"] == plain["ffr"]
    assert planned_rows(STUDY, state.stents)[0]["stent"] and not planned_rows(STUDY, state.stents)[1]["stent"]
    logic.on_stent(state, STUDY, 0)
    assert state.stents == ()


def test_a_written_stent_is_planned_or_refused_in_words():
    state = logic.opened(STUDY)
    logic.on_plan(state, STUDY, "mRCA:10-30:3.5")
    assert state.branch == 2 and state.distance_mm == pytest.approx(20.0)
    with pytest.raises(BadInput, match="no coronary segment"):
        logic.on_plan(state, STUDY, "aorta")
    assert len(state.stents) == 1
    logic.on_plan(state, STUDY, " ")
    assert state.stents == ()


def test_without_flow_nothing_can_be_planned():
    assert planned_rows(dataclasses.replace(STUDY, pullback=None), ()) == []


def test_the_cross_section_follows_the_pointer_and_nothing_else_does():
    state = logic.opened(STUDY)
    at, place = state.distance_mm, state.position_mm
    here = cross_picture(STUDY, state)
    logic.on_hover(state, STUDY, 0.9)
    length_mm = STUDY.branch(0).length_mm
    assert state.cross_mm == pytest.approx(0.9 * length_mm) and (state.distance_mm, state.position_mm) == (at, place)
    assert cross_picture(STUDY, state) != here and logic.place_facts(state, STUDY)[1] == f"{0.9 * length_mm:.0f} mm"
    logic.on_hover(state, STUDY, -1)
    assert cross_picture(STUDY, state) == here


def test_steps_along_the_vessel_and_back_to_the_tightest_place():
    state = logic.opened(STUDY)
    logic.on_step(state, STUDY, 10)
    assert state.distance_mm == pytest.approx(LESIONS[0][2] + 5.0, abs=0.01) and state.lesion == -1
    logic.on_step(state, STUDY, -4)
    assert state.lesion == 0, "the row of the stenosis in which the place lies is chosen"
    logic.on_tightest(state, STUDY)
    assert (state.distance_mm, state.lesion) == (LESIONS[0][2], 0)
    logic.on_step(state, STUDY, -10_000)
    assert state.distance_mm == 0.0
    logic.on_next_lesion(state, STUDY, 1)
    logic.on_next_lesion(state, STUDY, 1)
    assert state.branch == LESIONS[1][0]


def test_the_stack_shows_the_minimal_lumen_in_the_middle():
    state = logic.opened(STUDY)
    image, tiles = stack_picture(STUDY, state)
    assert image.startswith("data:image/jpeg") and len(tiles) == 7 and tiles[3]["mld"] and not tiles[0]["mld"]
    assert [tile["mm"] for tile in tiles] == pytest.approx([LESIONS[0][2] + d for d in (-6, -4, -2, 0, 2, 4, 6)], abs=0.1)
    logic.on_fraction(state, STUDY, tiles[5]["fraction"])
    assert state.distance_mm == pytest.approx(tiles[5]["mm"], abs=0.1)


@pytest.mark.parametrize("name, axes", [("axial", (0, 1)), ("coronal", (0, 2)), ("sagittal", (1, 2))])
def test_the_ruler_measures_patient_millimetres(name, axes):
    state = logic.opened(STUDY)
    size = np.ptp(bounds_mm(STUDY.volume), axis=0)
    length_mm = lambda *ends: float(measured(STUDY, state, "length", name, ends).text.split()[0])  # noqa: E731
    assert length_mm((0.25, 0.5), (0.75, 0.5)) == pytest.approx(size[axes[0]] / 2, abs=0.05)
    assert length_mm((0.5, 0.0), (0.5, 1.0)) == pytest.approx(size[axes[1]], abs=0.05)
    state.field_mm = 30.0
    assert length_mm((0.0, 0.0), (0.3, 0.4)) == pytest.approx(15.0)


def test_a_window_is_dragged_within_bounds():
    state = logic.opened(STUDY)
    logic.on_window_drag(state, STUDY, 200, -100)
    assert (state.width_hu, state.level_hu) == (1000, 200)
    logic.on_window_drag(state, STUDY, -1e9, 1e9)
    assert state.width_hu > 0 and np.isfinite(state.level_hu)
    with pytest.raises(ValueError):
        logic.on_window_drag(state, STUDY, float("nan"), 0)


ACTIONS = st.one_of(
    st.tuples(st.just("on_slice"), st.sampled_from(sorted(AXES)), FRACTION, FRACTION),
    st.tuples(st.just("on_fraction"), FRACTION), st.tuples(st.just("on_hover"), st.floats(-1, 1)), st.tuples(st.just("on_step"), st.integers(-50, 50)),
    st.tuples(st.just("on_lesion"), st.integers(0, 1)), st.tuples(st.just("on_branch"), st.integers(0, 2)), st.tuples(st.just("on_turn"), st.floats(-360, 360)),
    st.tuples(st.just("on_scroll"), st.sampled_from(sorted(AXES)), st.integers(-5, 5)), st.tuples(st.just("on_mode"), st.sampled_from(["drop", "x"])),
    st.tuples(st.just("on_next_lesion"), st.integers(-1, 1)), st.tuples(st.just("on_tightest")), st.tuples(st.just("on_escape")),
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(events=st.lists(ACTIONS, min_size=5, max_size=40))
def test_whatever_is_clicked_the_state_stays_one_place(events):
    state = logic.opened(STUDY)
    for name, *values in events:
        getattr(logic, name)(state, STUDY, *values)
        assert 0 <= state.branch < 3 and 0 <= state.distance_mm <= STUDY.branch(state.branch).length_mm and np.isfinite(state.position_mm).all()
        assert state.lesion == -1 or STUDY.stenoses[state.lesion].branch == state.branch
    assert cross_picture(STUDY, state)[0] and cpr_picture(STUDY, state)[0]
