"""Drawing on the cross-section and the edits that come of it, without a browser."""

import dataclasses
import re

import numpy as np
import pytest

from ccta.edits import added
from ccta.errors import BadInput
from tests.viewer.small_case import LESIONS, small_study
from viewer.app import editor, logic
from viewer.app.pictures import contours_of, cross_half_mm
from viewer.app.preview import previewed
from viewer.app.state import HANDLES, ReadingState
from viewer.app.study import Study
from viewer.app.tables import corrections, lesion_rows
from viewer.app.words import NotPossible, said

SMALL = small_study()
STUDY = dataclasses.replace(SMALL, found=SMALL.sections, tree_found=SMALL.tree, measured=tuple(SMALL.stenoses))
SAY = said("en")


def drawing(contour="lumen") -> ReadingState:
    state = logic.opened(STUDY)
    editor.begin(state, STUDY, contour)
    return state


def test_a_handle_moves_its_side_of_the_contour_and_passes_through_the_pointer():
    state = drawing()
    section, before = STUDY.section(0), STUDY.section(0).lumen_radius_mm[state.draft.plane]
    editor.drag(state, STUDY, 0, 1.5, 0.0)
    after = editor.drawn_radius_mm(state.draft, section)
    assert after[0] == pytest.approx(1.5) and editor.handle_places(state.draft, section)[0] == pytest.approx([1.5, 0.0])
    changed = np.flatnonzero(np.abs(after - before) > 1e-9)
    reach = len(before) / HANDLES
    assert all(min(k, len(before) - k) < reach for k in changed)
    assert contours_of(STUDY, state, state.draft.plane, 6.0)[0] != contours_of(STUDY, logic.opened(STUDY), state.draft.plane, 6.0)[0]


def test_equal_pulls_at_all_handles_move_the_contour_as_a_whole():
    state = drawing()
    before = editor.radii_of(state.draft, STUDY.section(0))
    for k in range(HANDLES):
        angle = 2 * np.pi * k / HANDLES
        editor.drag(state, STUDY, k, (before[0] + 0.5) * np.cos(angle), (before[0] + 0.5) * np.sin(angle))
    np.testing.assert_allclose(editor.drawn_radius_mm(state.draft, STUDY.section(0)), before + 0.5, atol=1e-6)


def test_the_picture_comes_nearer_while_drawing_and_does_not_jump():
    state = drawing()
    half = cross_half_mm(STUDY, state)
    assert half < cross_half_mm(STUDY, logic.opened(STUDY))
    editor.drag(state, STUDY, 0, 4.0, 0)
    assert cross_half_mm(STUDY, state) == half
    logic.on_hover(state, STUDY, 0.9)
    assert state.cross_mm == state.distance_mm, "the pointer does not take the picture away from who draws"


def test_what_cannot_be_drawn_is_said():
    state = logic.opened(STUDY)
    with pytest.raises(BadInput, match="choose lumen or wall"):
        editor.drag(state, STUDY, 0, 1, 1)
    with pytest.raises(BadInput, match="nothing was drawn"):
        editor.contour_edit(drawing(), STUDY, "Dr Li")
    with pytest.raises(ValueError, match="finite"):
        editor.drag(drawing(), STUDY, 0, float("nan"), 1)
    with pytest.raises(BadInput, match="no contour"):
        editor.begin(state, dataclasses.replace(STUDY, sections=()), "lumen")
    state = drawing()
    editor.drag(state, STUDY, 0, 2, 0)
    with pytest.raises(BadInput, match="needs the name"):
        editor.contour_edit(state, STUDY, "  ")
    editor.begin(state, STUDY, "lumen")
    assert state.draft is None


def test_a_drawn_contour_changes_stenosis_and_ffr_at_once_and_undoing_gives_them_back():
    state = drawing()
    for k in range(HANDLES):
        angle = 2 * np.pi * k / HANDLES
        editor.drag(state, STUDY, k, 1.3 * np.cos(angle), 1.3 * np.sin(angle))
    edit = editor.contour_edit(state, STUDY, "Dr Li")
    assert state.draft is None and edit.place == f"LAD {LESIONS[0][2]:.0f} mm" and edit.vessel == "LAD"
    plain, shown = previewed(STUDY, []), previewed(STUDY, added([], edit))
    first = lambda study: max((s for s in study.stenoses if s.branch == 0), key=lambda s: s.diameter_pct)  # noqa: E731
    assert first(shown).diameter_pct < first(plain).diameter_pct - 5 and first(shown).plaque_type == "mixed"
    ffr = [study.findings.ffr.lesions[study.stenoses.index(first(study))].ffr for study in (plain, shown)]
    assert ffr[1] > ffr[0] + 0.005 and shown.findings.cad_rads
    rows = lesion_rows(shown, SAY)
    assert [("†" in row["stenosis"]) for row in rows] == [s.branch == 0 for s in shown.stenoses] and "†" not in str(lesion_rows(plain, SAY))
    (row,) = corrections(shown, SAY)
    assert (row["who"], row["what"], row["state"]) == ("Dr Li", "lumen contour", "applied") and re.fullmatch(r"[\d.]+ → [\d.]+ mm²", row["change"])
    assert corrections(shown, said("zh"))[0]["what"] == "管腔轮廓"


def test_reasons_and_corrections_are_said_in_the_pages_language():
    with pytest.raises(NotPossible) as reason:
        editor.lesion_edit(logic.opened(STUDY), STUDY, "regrade", "Dr Li", "much")
    assert "got much" in str(reason.value) and reason.value.said(said("zh")).endswith("much") and "百分数" in reason.value.said(said("zh"))
    state = logic.opened(STUDY)
    edits = [editor.name_edit(state, STUDY, 8, "Dr Li"), editor.point_edit(state, STUDY, np.add(state.position_mm, 1.0), "Dr Li")]
    edits += [editor.lesion_edit(state, STUDY, action, "Dr Li", "70") for action in ("regrade", "delete", "add")]
    rows = corrections(dataclasses.replace(STUDY, history=tuple(edits)), said("zh"))
    assert [row["change"] for row in rows] == ["8 mm", "60 %", "60 % → 70 %", "1.7 mm", "mLAD → dLAD"]
    assert all(re.search("[一-鿿]", row["what"]) and re.search("[一-鿿]", row["shown"]) for row in rows)


def test_renaming_moving_and_lesions():
    state = logic.opened(STUDY)
    renamed = previewed(STUDY, [editor.name_edit(state, STUDY, 8, "Dr Li")])
    assert set(renamed.tree.branches[0].segment) == {8}
    with pytest.raises(BadInput, match="another name"):
        editor.name_edit(state, STUDY, 7, "Dr Li")
    shift = np.array([0.0, 1.0, 0.5])
    moved = previewed(STUDY, [editor.point_edit(state, STUDY, np.array(state.position_mm) + shift, "Dr Li")])
    assert logic.nearest_on_tree(moved, np.array(state.position_mm) + shift)[2] < 0.35
    with pytest.raises(BadInput, match="within 11 mm"):
        editor.point_edit(state, STUDY, (0.0, 0.0, 0.0), "Dr Li")
    editor_delete = editor.lesion_edit(state, STUDY, "delete", "Dr Li")
    gone = previewed(STUDY, [editor_delete])
    assert all(s.branch != 0 for s in gone.stenoses)
    assert "mixed" in {s.plaque_type for s in previewed(gone, []).stenoses if s.branch == 0}, "undoing gives the plaque back too"
    graded = previewed(STUDY, [editor.lesion_edit(state, STUDY, "regrade", "Dr Li", "72,5 %")])
    assert [s.diameter_pct for s in graded.stenoses if s.branch == 0] == [72.5]
    for text in ("", "much", "101", "nan"):
        with pytest.raises(BadInput, match="0 to 100"):
            editor.lesion_edit(state, STUDY, "regrade", "Dr Li", text)
    logic.on_branch(state, STUDY, 1)
    with pytest.raises(BadInput, match="choose a stenosis"):
        editor.lesion_edit(state, STUDY, "delete", "Dr Li")
    logic.on_fraction(state, STUDY, 0.5)
    more = previewed(STUDY, [editor.lesion_edit(state, STUDY, "add", "Dr Li")])
    assert 1 in {s.branch for s in more.stenoses}


def test_without_contours_or_flow_the_preview_still_stands():
    bare = dataclasses.replace(STUDY, pullback=None)
    assert previewed(bare, []).pullback is None
    state = logic.opened(STUDY)
    nothing = Study(STUDY.volume, STUDY.findings, STUDY.tree)
    with pytest.raises(BadInput, match="no contour"):
        editor.lesion_edit(state, nothing, "add", "Dr Li")
