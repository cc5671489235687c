"""Measurements, HU and FFR under the pointer and the FFR drop, without a browser."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccta.model import Volume
from tests.viewer.small_case import LESIONS, small_study
from viewer.app import logic, tools
from viewer.app.ffr_band import band_of, downstream_mm, drop_between
from viewer.app.marks import all_marks, drop_shown, marks, measure_rows
from viewer.app.measuring import crosses_itself, hu_at, measured
from viewer.app.pictures import cross_half_mm
from viewer.app.planes import AXES, bounds_mm
from viewer.app.state import ReadingState
from viewer.app.surfaces import MEASURED, surface_of
from viewer.app.tool_state import TreePlace
from viewer.app.tree_pointer import nearest_drawn, seen_at
from viewer.app.words import NotPossible, said

STUDY = small_study()
SAY = said("en")
SQUARE = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))


def drawing(mode: str) -> ReadingState:
    state = logic.opened(STUDY)
    logic.on_mode(state, STUDY, mode)
    return state


def click(state, view, *places) -> None:
    for x, y in places:
        tools.on_corner(state, STUDY, view, x, y)


def texts(state) -> list[str]:
    return [one.text for one in state.tools.measures]


@pytest.mark.parametrize("view", MEASURED)
def test_places_and_fractions_of_every_picture_are_inverse(view):
    state = logic.opened(STUDY)
    state.cpr_angle_deg = 40.0
    surface = surface_of(STUDY, state, view)
    for place in ((0.1, 0.2), (0.7, 0.9), (0.5, 0.5)):
        if view == "cpr":
            assert surface.fraction_of_flat(*surface.flat_mm(*place)) == pytest.approx(place)
        else:
            assert surface.fraction(surface.position_mm(*place)) == pytest.approx(place)


def test_a_right_angle_and_a_length_in_the_cross_section():
    state = drawing("angle")
    click(state, "cross", (0.3, 0.5), (0.5, 0.5))
    assert state.tools.measures == () and len(state.tools.pending.corners) == 2
    tools.on_corner_to(state, STUDY, "cross", 0.5, 0.9)
    assert marks(STUDY, state, "cross")[0]["text"] == "90°"
    click(state, "cross", (0.5, 0.2))
    assert texts(state) == ["90°"] and state.tools.pending is None
    logic.on_mode(state, STUDY, "length")
    tools.on_stroke(state, STUDY, "cross", ((0.5, 0.25), (0.5, 0.75)), False)
    assert marks(STUDY, state, "cross")[-1]["i"] == -1 and len(state.tools.measures) == 1
    tools.on_stroke(state, STUDY, "cross", ((0.5, 0.25), (0.5, 0.75)), True)
    assert texts(state)[1] == f"{cross_half_mm(STUDY, state):.1f} mm"
    tools.on_stroke(state, STUDY, "cross", ((0.5, 0.25), (0.5, 0.25)), True)
    assert len(state.tools.measures) == 2, "a click measures nothing"


def test_an_area_holds_what_a_reader_expects_of_it():
    """A ramp of 1 HU per mm to the left: mean and range of a square follow by hand; its deviation is that of a uniform spread, width / sqrt(12)."""
    low, high = bounds_mm(STUDY.volume)
    x = STUDY.volume.affine[0, 3] + STUDY.volume.affine[0, 0] * np.arange(STUDY.volume.array.shape[0])
    ramp = np.broadcast_to((10 * x)[:, None, None], STUDY.volume.array.shape).round().astype(np.int16)
    study = dataclasses.replace(STUDY, volume=Volume(np.ascontiguousarray(ramp), STUDY.volume.affine))
    state = logic.opened(study)
    one = measured(study, state, "polygon", "axial", SQUARE)
    size = (high - low)[:2] / 5
    middle = 10 * (low[0] + high[0]) / 2
    area, spread = one.text.split(" · ")
    assert float(area.split()[0]) == pytest.approx(size[0] * size[1], abs=0.06)
    mean, _, deviation = spread.split(" HU")[0].replace("−", "-").split()
    assert float(mean) == pytest.approx(middle, abs=0.6) and float(deviation) == pytest.approx(10 * size[0] / np.sqrt(12), abs=1.0)
    ellipse = measured(study, state, "ellipse", "axial", ((0.4, 0.4), (0.6, 0.6)))
    assert float(ellipse.text.split()[0]) == pytest.approx(np.pi / 4 * size[0] * size[1], abs=0.06)


def test_an_outline_closes_at_its_first_corner_by_double_click_or_not_at_all():
    state = drawing("polygon")
    click(state, "axial", *SQUARE[:2])
    with pytest.raises(NotPossible, match="three corners"):
        tools.on_close(state, STUDY)
    click(state, "axial", *SQUARE[2:], (0.405, 0.405))
    assert len(state.tools.measures) == 1
    click(state, "axial", *SQUARE)
    tools.on_close(state, STUDY)
    assert texts(state)[0] == texts(state)[1]
    click(state, "axial", (0.4, 0.4), (0.6, 0.6), (0.6, 0.4), (0.4, 0.6))
    with pytest.raises(NotPossible, match="crosses itself"):
        tools.on_close(state, STUDY)
    assert state.tools.pending is None and len(state.tools.measures) == 2
    assert crosses_itself(np.array([(0, 0), (1, 1), (1, 0), (0, 1)])) and not crosses_itself(np.array(SQUARE))


def test_in_the_curved_vessel_a_line_is_as_long_as_on_the_surface():
    state = drawing("length")
    state.views = dataclasses.replace(state.views, curved=True)
    state.cpr_angle_deg = 70.0
    surface = surface_of(STUDY, state, "cpr")
    ends = ((0.1, 0.45), (0.45, 0.6))
    along = np.stack([np.linspace(*pair, 400) for pair in zip(*ends, strict=True)], axis=1)
    way = np.linalg.norm(np.diff([surface.position_mm(*place) for place in along], axis=0), axis=1).sum()
    tools.on_stroke(state, STUDY, "cpr", ends, True)
    (one,) = state.tools.measures
    assert float(one.text.split()[0]) == pytest.approx(way, abs=0.15) and one.curved
    assert surface.fraction_of_flat(*surface.flat_mm(0.3, 0.7)) == pytest.approx((0.3, 0.7))
    assert len(marks(STUDY, state, "cpr")) == 1 and measure_rows(state, SAY)[0][0] == "length, curved vessel"
    state.views = dataclasses.replace(state.views, curved=False)
    assert marks(STUDY, state, "cpr") == []
    tools.on_measure(state, STUDY, 0)
    assert state.views.curved and 0 < state.distance_mm < 0.3 * STUDY.branch(state.branch).length_mm
    with pytest.raises(NotPossible, match="nothing can be measured"):
        tools.on_stroke(state, STUDY, "cpr", ((0.5, 0.5), (1.4, 0.5)), True)
    assert hu_at(STUDY, surface, 0.2, 0.5) is not None and hu_at(STUDY, surface, 1.4, 0.5) is None


def test_along_the_straightened_vessel_lengths_are_the_centerlines_and_nothing_else_is_measured():
    state = drawing("length")
    length_mm = STUDY.branch(0).length_mm
    tools.on_stroke(state, STUDY, "cpr", ((0.2, 0.5), (0.6, 0.52)), True)
    assert float(texts(state)[0].split()[0]) == pytest.approx(0.4 * surface_of(STUDY, state, "cpr").length_mm, abs=0.06)
    assert abs(surface_of(STUDY, state, "cpr").length_mm - length_mm) < 0.5
    tools.on_stroke(state, STUDY, "cpr", ((0.3, 0.4), (0.31, 0.6)), True)
    assert float(texts(state)[1].split()[0]) == pytest.approx(0.4 * STUDY.straight(0)[0].half_width_mm, abs=0.06)
    shown = lambda: [mark["i"] for mark in marks(STUDY, state, "cpr")]  # noqa: E731
    assert shown() == [0, 1] and marks(STUDY, state, "axial") == []
    state.cpr_angle_deg = 90.0
    assert shown() == [0], "a length across belongs to the angle at which it was drawn"
    tools.on_measure(state, STUDY, 1)
    assert state.cpr_angle_deg == 0.0 and shown() == [0, 1]
    for kind, corners in (("angle", SQUARE[:3]), ("polygon", SQUARE), ("ellipse", SQUARE[::2])):
        with pytest.raises(NotPossible, match="straightened"):
            measured(STUDY, state, kind, "cpr", corners)


def test_a_measurement_is_drawn_in_its_plane_listed_found_again_and_deleted():
    state = drawing("ellipse")
    tools.on_stroke(state, STUDY, "axial", SQUARE[::2], True)
    tools.on_stroke(state, STUDY, "cross", SQUARE[::2], True)
    assert [len(all_marks(STUDY, state)[f"marks_{view}"]) for view in ("axial", "cross")] == [1, 1]
    assert [row[0] for row in measure_rows(state, SAY)] == ["ellipse, axial", "ellipse, cross-section"]
    logic.on_scroll(state, STUDY, "axial", 8)
    assert marks(STUDY, state, "axial") == []
    tools.on_measure(state, STUDY, 0)
    assert len(marks(STUDY, state, "axial")) == 1
    tools.on_forget(state, STUDY, 0)
    assert len(state.tools.measures) == 1 and marks(STUDY, state, "axial") == []
    tools.on_forget(state, STUDY, -1)
    tools.on_forget(state, STUDY, -1)
    assert state.tools.measures == ()


def test_hu_under_the_pointer_is_the_voxels():
    state = logic.opened(STUDY)
    plane = surface_of(STUDY, state, "axial")
    index = np.array([20, 30, round((state.position_mm[2] - STUDY.volume.affine[2, 3]) / 0.5)])
    exact = dataclasses.replace(plane, origin_mm=np.array([*plane.origin_mm[:2], STUDY.volume.affine[2, 3] + 0.5 * index[2]]))
    place = (STUDY.volume.affine @ [*index, 1])[:3]
    assert hu_at(STUDY, exact, *exact.fraction(place)) == pytest.approx(STUDY.volume.array[tuple(index)], abs=0.01)
    assert hu_at(STUDY, plane, 3.0, 0.5) is None
    assert tools.place_under(STUDY, state, "axial", *plane.fraction(state.position_mm)).branch == 0
    assert tools.place_under(STUDY, state, "axial", 0.01, 0.01) is None


def test_the_ffr_drop_runs_with_the_blood_and_through_branches():
    one, other = TreePlace(0, 5.0), TreePlace(0, 28.0)
    drop, back = drop_between(STUDY, one, other), drop_between(STUDY, other, one)
    assert drop == back and drop.distance_mm == pytest.approx(23.0)
    assert drop.delta == pytest.approx(STUDY.ffr_at(0, 5.0) - STUDY.ffr_at(0, 28.0)) and drop.delta > 0.15
    assert drop.pressure_mmhg == pytest.approx(drop.delta * STUDY.pullback.pa_mmhg) and "mmHg" in drop.text
    takeoff_mm = STUDY.branch(1).parent_distance_mm
    assert downstream_mm(STUDY, one, TreePlace(1, 3.0)) == pytest.approx(takeoff_mm - 5.0 + 3.0)
    assert downstream_mm(STUDY, TreePlace(0, takeoff_mm + 1), TreePlace(1, 3.0)) is None
    for pair in ((TreePlace(0, 5.0), TreePlace(2, 5.0)), (TreePlace(0, takeoff_mm + 1), TreePlace(1, 3.0))):
        with pytest.raises(NotPossible, match="no blood runs"):
            drop_between(STUDY, *pair)
    with pytest.raises(NotPossible, match="not solved"):
        drop_between(dataclasses.replace(STUDY, pullback=None), one, other)


def test_two_clicks_take_the_drop_and_a_third_begins_anew():
    state = drawing("drop")
    for fraction in (0.8, 0.2):
        logic.on_fraction(state, STUDY, fraction)
        tools.on_place(state, STUDY)
    shown = drop_shown(STUDY, state, SAY)
    assert shown["x"] == pytest.approx([20, 80]) and shown["letters"] == ["A", "B"] and shown["text"].startswith("ΔFFR 0.")
    logic.on_branch(state, STUDY, 2)
    tools.on_place(state, STUDY)
    assert len(state.tools.places) == 1 and drop_shown(STUDY, state, SAY)["text"] == ""
    logic.on_branch(state, STUDY, 0)
    tools.on_place(state, STUDY)
    assert "没有血流通路" in drop_shown(STUDY, state, said("zh"))["why"]
    logic.on_escape(state, STUDY)
    assert state.tools.places == () and state.mode == ""


def test_ffr_has_an_interval_along_the_whole_tree():
    band = band_of(STUDY)
    for branch, _, at_mm, _, _ in LESIONS:
        before, behind = (band.around(branch, mm, STUDY.ffr_at(branch, mm)) for mm in (2.0, at_mm + 8))
        assert before[0] <= STUDY.ffr_at(branch, 2.0) <= before[1] and behind[1] - behind[0] > before[1] - before[0]
    assert band_of(dataclasses.replace(STUDY, pullback=None)).around(0, 1.0, 0.9) is None


CAMERA = {"position": (0.0, -300.0, 90.0), "focalPoint": (0.0, -130.0, 80.0), "viewUp": (0.0, 0.0, 1.0), "viewAngle": 30.0}


@settings(max_examples=30, deadline=None)
@given(branch=st.integers(0, 2), share=st.floats(0.05, 0.95), aspect=st.floats(0.5, 2.5))
def test_the_pointer_on_the_drawn_tree_is_on_the_vessel(branch, share, aspect):
    point = STUDY.branch(branch).point_at(share * STUDY.branch(branch).length_mm)
    (place,), _ = seen_at(point[None], CAMERA, aspect)
    found = nearest_drawn(STUDY, CAMERA, tuple(place), aspect)
    seen, _ = seen_at(STUDY.branch(found.branch).point_at(found.distance_mm)[None], CAMERA, aspect)
    assert np.abs(seen[0] - place).max() < 0.04 and nearest_drawn(STUDY, CAMERA, (-1.0, -1.0), aspect) is None


def test_the_middle_of_the_picture_is_the_cameras_focus():
    places, depth = seen_at(np.array([CAMERA["focalPoint"]]), CAMERA, 1.3)
    assert places[0] == pytest.approx([0.5, 0.5]) and depth[0] == pytest.approx(np.hypot(170, 10))
    higher, _ = seen_at(np.array([[0.0, -130.0, 90.0]]), CAMERA, 1.3)
    assert higher[0][1] < 0.5, "head is up"


def test_without_a_vessel_nothing_is_measured_along_it():
    study = dataclasses.replace(STUDY, tree=type(STUDY.tree)(()), sections=(), pullback=None)
    state = ReadingState(position_mm=(0.0, -130.0, 80.0), mode="length")
    assert surface_of(study, state, "cpr") is None and surface_of(study, state, "cross") is None and set(AXES) < set(MEASURED)
    with pytest.raises(NotPossible, match="nothing can be measured"):
        tools.on_stroke(state, study, "cross", ((0, 0), (1, 1)), True)
    tools.on_place(state, study)
    assert tools.place_under(study, state, "curve", 0.5, 0.5) is None and drop_shown(study, state, SAY)["text"] == ""
