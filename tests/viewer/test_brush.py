"""The brush on the contours, passages between drawn planes, and the calcium list, without a browser."""

import dataclasses

import numpy as np
import pytest

from ccta.case import Case
from ccta.edits import added
from ccta.findings import Calcium, CalciumLesion, RejectedCalcium
from tests.viewer.small_case import LESIONS, small_study
from viewer.app import brush, editor, logic
from viewer.app.calcium_table import calcium_corrections, calcium_line, calcium_rows, on_calcium, wanted
from viewer.app.preview import previewed
from viewer.app.tool_state import BRUSHES_MM
from viewer.app.words import NotPossible, said

SMALL = small_study()
STUDY = dataclasses.replace(SMALL, found=SMALL.sections, tree_found=SMALL.tree, measured=tuple(SMALL.stenoses))
SAY = said("en")
CIRCLE = np.full(36, 2.0)


def area(radius) -> float:
    return float(np.sum(radius * np.roll(radius, -1)) * np.sin(2 * np.pi / len(radius)) / 2)


def test_a_push_from_inside_widens_to_the_far_edge_of_the_circle_and_from_outside_narrows_to_its_near_edge():
    wider = brush.pushed(CIRCLE, (1.0, 0.0), (2.5, 0.0), 0.5)
    assert wider[0] == pytest.approx(3.0) and wider[18] == 2.0 and (wider >= 2.0).all()
    narrower = brush.pushed(CIRCLE, (3.0, 0.0), (1.5, 0.0), 0.5)
    assert narrower[0] == pytest.approx(1.0) and narrower[18] == 2.0 and (narrower <= 2.0).all()
    assert brush.pushed(CIRCLE, (0.0, 3.5), (0.0, 3.0), 0.5).tolist() == CIRCLE.tolist(), "a circle that touches nothing changes nothing"


def test_a_fast_stroke_leaves_no_gap():
    steps = CIRCLE
    for k in range(20):
        steps = brush.pushed(steps, (0.5, 1.4 - 0.14 * k), (0.5, 1.4 - 0.14 * (k + 1)), 1.2)
    np.testing.assert_allclose(brush.pushed(CIRCLE, (0.5, 1.4), (0.5, -1.4), 1.2), steps, atol=0.06)


def drawing():
    state = logic.opened(STUDY)
    brush.on_brush(state, STUDY)
    return state


def test_what_the_brush_did_is_kept_with_pulled_points_and_becomes_an_edit():
    state = drawing()
    assert state.draft.contour == "lumen" and state.mode == "brush"
    section = STUDY.section(0)
    before = editor.drawn_radius_mm(state.draft, section)
    brush.on_push(state, STUDY, (0.0, 0.0), (1.2, 0.0))
    pushed = editor.drawn_radius_mm(state.draft, section)
    assert pushed[0] == pytest.approx(1.2 + BRUSHES_MM[1]) and area(pushed) > area(before)
    editor.drag(state, STUDY, 4, -1.5, 0.0)
    after = editor.drawn_radius_mm(state.draft, section)
    assert after[0] == pytest.approx(pushed[0]) and after[18] == pytest.approx(1.5)
    brush.on_push(state, STUDY, (0.0, 0.0), (0.0, 1.0))
    assert editor.drawn_radius_mm(state.draft, section)[18] == pytest.approx(1.5)
    edit = editor.contour_edit(state, STUDY, "Dr Li")
    assert state.draft is None and state.mode == "" and len(edit.after_mm) == len(before)
    shown = previewed(STUDY, added([], edit))
    assert max(s.diameter_pct for s in shown.stenoses if s.branch == 0) < LESIONS[0][3] - 5


def test_the_brush_says_what_is_missing_and_has_sizes():
    state = drawing()
    for _ in range(9):
        brush.on_brush_size(state, STUDY, 1)
    assert state.tools.brush_mm == max(BRUSHES_MM)
    brush.on_brush_size(state, STUDY, -1)
    assert state.tools.brush_mm == sorted(BRUSHES_MM)[-2]
    with pytest.raises(ValueError, match="finite"):
        brush.on_push(state, STUDY, (0.0, 0.0), (float("nan"), 0.0))
    logic.on_step(state, STUDY, 3)
    assert state.mode == "" and state.draft is None
    with pytest.raises(NotPossible, match="choose lumen or wall"):
        brush.on_push(state, STUDY, (0.0, 0.0), (1.0, 0.0))
    with pytest.raises(NotPossible, match="no contour"):
        brush.on_brush(state, dataclasses.replace(STUDY, sections=()))


def test_between_two_corrected_planes_the_contour_goes_over_from_one_to_the_other():
    """Corrections 6 mm apart: the planes between them follow both; half way each counts half."""
    history = []
    state = logic.opened(STUDY)
    for at_mm, more_mm in ((20.0, 0.4), (26.0, 0.8)):
        logic.on_distance(state, STUDY, at_mm)
        editor.begin(state, STUDY, "lumen")
        for k in range(8):
            angle = np.pi * k / 4
            radius = float(editor.handle_radii_mm(editor.radii_of(state.draft, STUDY.section(0)))[k]) + more_mm
            editor.drag(state, STUDY, k, radius * np.cos(angle), radius * np.sin(angle))
        history = added(history, editor.contour_edit(state, STUDY, "Dr Li"))
    section, shown = STUDY.section(0), previewed(STUDY, history).section(0)
    change = (shown.lumen_radius_mm - section.lumen_radius_mm).mean(axis=1)
    at = lambda mm: change[int(np.argmin(np.abs(section.distance_mm - mm)))]  # noqa: E731
    assert at(20.0) == pytest.approx(0.4, abs=0.01) and at(26.0) == pytest.approx(0.8, abs=0.01) and at(23.0) == pytest.approx(0.6, abs=0.02)
    assert at(17.0) == pytest.approx(0.0, abs=1e-9) and np.all(np.diff(change[(section.distance_mm > 20) & (section.distance_mm < 26)]) >= -1e-9)


def with_calcium():
    shared = {"volume_mm3": 30.0, "mass_mg": 6.0, "peak_hu": 420.0}
    lesion = CalciumLesion(vessel="LAD", agatston=80.0, center_mm=(1.0, -130.0, 80.0), id=1, **shared)
    spot = RejectedCalcium(agatston=20.0, center_mm=(5.0, -125.0, 78.0), reason="aortic wall", id=2, vessel="RCA", **shared)
    calcium = Calcium(
        agatston=80.0, volume_mm3=30.0, mass_mg=6.0, vessels={"LM": 0, "LAD": 80.0, "LCx": 0, "RCA": 0}, lesions=[lesion], rejected=[spot], cac_drs="A1/N1"
    )  # fmt: skip
    return dataclasses.replace(STUDY, findings=STUDY.findings.model_copy(update={"calcium": calcium}))


def test_the_calcium_list_shows_what_counts_and_what_does_not():
    study = with_calcium()
    rows = calcium_rows(study, SAY)
    assert [(row["id"], row["counts_as"], row["accept_as"]) for row in rows] == [(1, "LAD", ""), (2, "", "RCA")] and rows[1]["why"] == "aortic wall"
    assert calcium_line(study, SAY) == "Agatston score 80 · A1/N1 · LAD 80" and calcium_rows(STUDY, SAY) == []
    assert "contrast image is not scored" in calcium_line(STUDY, SAY)
    state = logic.opened(study)
    on_calcium(state, study, 2)
    assert state.position_mm == (5.0, -125.0, 78.0)


def test_what_a_reader_may_say_of_a_lesion():
    study = with_calcium()
    assert wanted(study, 1, "LCx", "Dr Li") == "LCx" and wanted(study, 1, "", "Dr Li") == "not coronary" and wanted(study, 2, "RCA", "Dr Li") == "RCA"
    for lesion, counts_as in ((1, "LAD"), (2, ""), (1, "aorta")):
        with pytest.raises(NotPossible, match="counts as that already"):
            wanted(study, lesion, counts_as, "Dr Li")
    with pytest.raises(NotPossible, match="needs the name"):
        wanted(study, 1, "LCx", " ")
    with pytest.raises(NotPossible, match="was not scored"):
        wanted(STUDY, 1, "LCx", "Dr Li")


def test_a_corrected_lesion_is_recorded_scored_again_and_listed(phantom_case, tmp_path):
    import shutil

    from ccta.calcium_editing import correct
    from viewer.app.study import load_study

    root = shutil.copytree(phantom_case, tmp_path / "case")
    study = load_study(root)
    first = study.findings.calcium.lesions[0]
    after = correct(Case.open(root), first.id, "not coronary", "Dr Li")
    assert after.agatston == pytest.approx(study.findings.calcium.agatston - first.agatston)
    changed = load_study(root, study.volume)
    (row,) = calcium_corrections(changed, said("zh"))
    assert (row["who"], row["what"], row["change"]) == ("Dr Li", "钙化", f"{first.vessel} → 非冠状动脉")
    (edit,) = Case.open(root).calcium_edits()
    assert (edit.by, edit.before, edit.after) == ("Dr Li", first.vessel, "not coronary") and edit.at
