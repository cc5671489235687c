"""The view as a reader left it: written, restored, brought in line with a changed study, reset."""

import dataclasses
import json

import numpy as np
import pytest

from ccta.case import Case
from ccta.errors import StorageFailed
from ccta.views import keep_view, view_of
from tests.viewer.small_case import LESIONS, small_study
from viewer.app import logic, tools
from viewer.app.editor import begin
from viewer.app.view_state import kept, reset, restored

STUDY = small_study()
CHOICES = {"window": "bone", "field": "60 mm", "colour_by": "stenosis", "language": "zh", "tab": "measures", "problem": "no"}


def worked_on():
    """A state in which everything was touched."""
    state = logic.opened(STUDY)
    logic.on_stent(state, STUDY, 0)
    logic.on_mode(state, STUDY, "drop")
    for fraction in (0.1, 0.7):
        logic.on_fraction(state, STUDY, fraction)
        tools.on_place(state, STUDY)
    logic.on_mode(state, STUDY, "ellipse")
    tools.on_stroke(state, STUDY, "axial", ((0.4, 0.4), (0.6, 0.5)), True)
    logic.on_mode(state, STUDY, "length")
    tools.on_stroke(state, STUDY, "cpr", ((0.2, 0.5), (0.6, 0.5)), True)
    logic.on_turn(state, STUDY, 33.0)
    logic.on_field(state, STUDY, "60 mm")
    logic.on_window_drag(state, STUDY, 55.0, -20.0)
    return state


def test_what_was_kept_comes_back_and_nothing_that_was_half_done():
    state = worked_on()
    found, choices = restored(STUDY, json.loads(json.dumps(kept(state, CHOICES))))
    assert found == dataclasses.replace(state, mode="") and choices == {k: v for k, v in CHOICES.items() if k != "problem"}
    assert len(found.tools.measures) == 2 and len(found.tools.places) == 2 and found.stents == state.stents
    begin(state, STUDY, "lumen")
    tools.on_stroke(state, STUDY, "axial", ((0.4, 0.4), (0.6, 0.5)), False)
    again, _ = restored(STUDY, kept(state, {}))
    assert again.draft is None and again.tools.pending is None and again.mode == ""


def test_a_view_of_another_tree_or_none_at_all_is_left():
    view = kept(worked_on(), {})
    smaller = dataclasses.replace(STUDY, tree=type(STUDY.tree)(STUDY.tree.branches[:1]), sections=STUDY.sections[:1])
    assert restored(smaller, view)[0].branch == 0
    logic_branch = {**view, "reading": {**view["reading"], "branch": 2}}
    assert restored(smaller, logic_branch) is None
    beyond = {**view, "reading": {**view["reading"], "distance_mm": 1e6}}
    assert restored(STUDY, beyond)[0].distance_mm == STUDY.branch(0).length_mm
    nowhere = {**view, "reading": {**view["reading"], "position_mm": [float("nan"), 0, 0]}}
    for bad in (None, {}, {"reading": 3}, {"reading": {"branch": "x"}}, nowhere):
        assert restored(STUDY, bad) is None


def test_reset_goes_to_the_worst_lesion_and_keeps_what_was_measured():
    state = worked_on()
    fresh = reset(STUDY, state)
    assert (fresh.branch, fresh.distance_mm, fresh.stents) == (0, LESIONS[0][2], ()) and fresh.tools.measures == state.tools.measures
    np.testing.assert_allclose([fresh.level_hu, fresh.width_hu, fresh.field_mm], [300, 800, 0])


def test_each_reader_has_a_view_of_his_own(tmp_path):
    case = Case.create(tmp_path / "case")
    assert view_of(case, "Dr Li") is None
    keep_view(case, "Dr Li", {"reading": 1})
    keep_view(case, "Dr ../Wang", {"reading": 2})
    keep_view(case, "  ", {"reading": 3})
    assert (view_of(case, " Dr Li"), view_of(case, "Dr ../Wang"), view_of(case, "")) == ({"reading": 1}, {"reading": 2}, None)
    assert len(list(case.path("views").iterdir())) == 2 and case.path("views").parent == case.root
    for path in case.path("views").iterdir():
        path.write_text("{")
    assert view_of(case, "Dr Li") is None


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    case = Case.create(tmp_path / "case")
    case.path("views").write_text("a file in the way")
    with pytest.raises(StorageFailed, match="views"):
        keep_view(case, "Dr Li", {})
