"""Hand edits: the record, what each does to tree, contours and stenoses, and that they outlive the stages."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccta import editing
from ccta.anatomy.edited import FADE_MM, JOIN_MM, passage_weights, polar_radius_mm, with_contour_edits, with_tree_edits
from ccta.case import Case
from ccta.disease.edited_lesions import nearest_lesion, with_lesion_edits
from ccta.edits import ContourEdit, LesionEdit, NameEdit, PointEdit, added, applied, redone, undone
from ccta.errors import BadInput, MissingStage
from ccta.model import Unavailable
from ccta.pipeline import STAGES, edited_lumen
from ccta.report.content import build
from ccta.report.hand_edits import marks_of
from ccta.runner import is_current
from ccta.settings import Settings
from tests.conftest import run_ccta
from tests.viewer.small_case import LESIONS, small_study, write_small_case

STUDY = small_study()
TREE, SECTIONS = STUDY.tree, list(STUDY.sections)
WHO = {"by": "Dr Li", "at": "2026-01-02T03:04:05+00:00"}


def circle(section, plane: int, radius_mm: float) -> list[tuple]:
    return [tuple(p) for p in section.contour_mm(plane, np.full(section.lumen_radius_mm.shape[1], radius_mm))]


def drawn(branch: int, plane: int, radius_mm: float, contour="lumen", **more) -> ContourEdit:
    own = SECTIONS[branch]
    before = own.lumen_radius_mm if contour == "lumen" else own.wall_radius_mm
    points = {"before_mm": [tuple(p) for p in own.contour_mm(plane, before[plane])], "after_mm": circle(own, plane, radius_mm)}
    return ContourEdit(**WHO, center_mm=tuple(own.center_mm[plane]), contour=contour, **points, **more)


def test_history_undo_redo_and_what_was_replaced_stays_on_record():
    first, second, third = (NameEdit(**WHO, center_mm=(0, 0, k), before_id=6, after_id=7) for k in range(3))
    history = added(added([], first), second)
    back = undone(history)
    assert [e.state for e in back] == ["applied", "undone"] and applied(back) == [first]
    assert redone(back) == history
    twice = undone(back)
    assert redone(twice) == back, "redo begins with the edit that was undone last"
    other = added(back, third)
    assert [e.state for e in other] == ["applied", "replaced", "applied"]
    with pytest.raises(BadInput, match="nothing to redo"):
        redone(other)
    with pytest.raises(BadInput, match="nothing to undo"):
        undone(twice)
    with pytest.raises(BadInput, match="name"):
        added([], first.model_copy(update={"by": " "}))


def test_edits_go_to_disk_and_back_and_each_stage_sees_its_own(tmp_path):
    case = Case.create(tmp_path / "case")
    assert case.edits() == [] and case.digest("edits.tree") == "" == case.digest("edits.measure")
    edits = [drawn(0, 20, 1.0), PointEdit(**WHO, center_mm=(1, 2, 3), after_mm=(1, 2, 4)), LesionEdit(**WHO, center_mm=(0, 0, 0), before_pct=60)]
    for edit in edits:
        editing.record(case, edit)
    assert case.edits() == edits and [e.kind for e in applied(edits, "measure")] == ["contour", "lesion"]
    tree, measure = case.digest("edits.tree"), case.digest("edits.measure")
    editing.undo(case)
    assert case.digest("edits.tree") == tree and case.digest("edits.measure") != measure
    case.path("edits").write_text('[{"kind": "contour"}]')
    with pytest.raises(BadInput, match="no list of corrections"):
        case.edits()


def test_a_drawn_contour_is_there_and_fades_and_undoing_it_leaves_nothing():
    own, plane = SECTIONS[0], 32
    (edited, *rest), lost = with_contour_edits(SECTIONS, [drawn(0, plane, 1.4)])
    assert lost == [] and rest == SECTIONS[1:]
    np.testing.assert_allclose(edited.lumen_radius_mm[plane], 1.4, atol=0.01)
    far = np.abs(own.distance_mm - own.distance_mm[plane]) >= FADE_MM
    assert np.array_equal(edited.lumen_radius_mm[far], own.lumen_radius_mm[far])
    change = (edited.lumen_radius_mm - own.lumen_radius_mm).mean(axis=1)
    assert (np.diff(change[plane : plane + 5]) < 0).all() and (edited.wall_radius_mm >= edited.lumen_radius_mm).all()
    assert with_contour_edits(SECTIONS, [])[0] == SECTIONS


def test_between_two_drawn_contours_the_change_goes_over():
    first, last = 20, 34
    (edited, *_), _ = with_contour_edits(SECTIONS, [drawn(0, first, 2.0), drawn(0, last, 1.2)])
    change = (edited.lumen_radius_mm - SECTIONS[0].lumen_radius_mm).mean(axis=1)
    between = change[first : last + 1]
    ends = sorted((change[first], change[last]))
    assert (between >= ends[0] - 1e-9).all() and (between <= ends[1] + 1e-9).all() and np.abs(np.diff(between)).max() < 0.25 * abs(ends[1] - ends[0])


@given(drawn_mm=st.lists(st.integers(0, 160), min_size=1, max_size=6, unique=True))
def test_shares_are_shares(drawn_mm):
    at = np.sort(np.array(drawn_mm, float)) / 4
    weight = passage_weights(np.arange(0, 40.25, 0.25), at)
    assert (weight >= 0).all() and (weight.sum(axis=1) <= 1 + 1e-9).all()
    np.testing.assert_allclose(weight[(at * 4).astype(int)], np.eye(len(at)), atol=1e-9)
    assert JOIN_MM > FADE_MM


def test_a_wall_drawn_inside_the_lumen_takes_the_lumen_along():
    (edited, *_), _ = with_contour_edits(SECTIONS, [drawn(0, 5, 0.8, "wall")])
    assert (edited.wall_radius_mm >= edited.lumen_radius_mm - 1e-9).all()
    np.testing.assert_allclose(edited.lumen_radius_mm[5], 0.8, atol=0.01)


def test_the_contour_drawn_last_moves_the_other():
    wide, tight = drawn(0, 5, 3.0), drawn(0, 5, 2.5, "wall")
    for edits, radius in (([wide, tight], 2.5), ([tight, wide], 3.0)):
        edited = with_contour_edits(SECTIONS, edits)[0][0]
        np.testing.assert_allclose(edited.lumen_radius_mm[5], radius, atol=0.01)
        np.testing.assert_allclose(edited.wall_radius_mm[5], radius, atol=0.01)


def test_polar_radii_of_a_square_and_of_another_frame():
    own = SECTIONS[0]
    square = own.center_mm[3] + np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) @ np.stack([own.axis_u[3], own.axis_v[3]])
    radius = polar_radius_mm(own, 3, square)
    assert radius[0] == pytest.approx(1.0) and radius.max() <= np.sqrt(2) + 1e-9
    turned = dataclasses.replace(own, axis_u=own.axis_v, axis_v=-own.axis_u)
    np.testing.assert_allclose(polar_radius_mm(turned, 3, circle(own, 3, 1.3)), 1.3, atol=0.01)


def test_an_edit_far_from_every_vessel_is_told_as_lost():
    lost_contour = drawn(0, 5, 1.0).model_copy(update={"center_mm": (500.0, 0, 0)})
    assert with_contour_edits(SECTIONS, [lost_contour]) == (SECTIONS, [lost_contour])
    point = PointEdit(**WHO, center_mm=(500, 0, 0), after_mm=(501, 0, 0))
    assert with_tree_edits(TREE, [point]) == (TREE, [point])


def test_renaming_a_segment_renames_its_run_and_a_branch_of_that_name():
    diagonal = TREE.branches[1]
    renamed, lost = with_tree_edits(TREE, [NameEdit(**WHO, center_mm=tuple(diagonal.points_mm[60]), before_id=9, after_id=10)])
    assert not lost and set(renamed.branches[1].segment) == {10} and renamed.branches[1].name == "D2" and renamed.branches[0] is TREE.branches[0]
    renamed, _ = with_tree_edits(TREE, [NameEdit(**WHO, center_mm=tuple(TREE.branches[0].points_mm[60]), before_id=7, after_id=8)])
    assert renamed.branches[0].name == "LAD" and set(renamed.branches[0].segment) == {8}
    with pytest.raises(ValueError, match="segments are numbered"):
        NameEdit(**WHO, center_mm=(0, 0, 0), before_id=7, after_id=99)


def test_a_moved_point_takes_its_neighbours_and_the_side_branch_along():
    lad = TREE.branches[0]
    at = tuple(lad.points_mm[40])
    moved, _ = with_tree_edits(TREE, [PointEdit(**WHO, center_mm=at, after_mm=tuple(np.add(at, (0, 0, 1.5))))])
    new = moved.branches[0]
    np.testing.assert_allclose(new.points_mm[40], np.add(at, (0, 0, 1.5)))
    assert np.array_equal(new.points_mm[[0, -1]], lad.points_mm[[0, -1]])
    assert np.linalg.norm(np.diff(new.points_mm, axis=0), axis=1).max() < 1.5
    child = moved.branches[1]
    np.testing.assert_allclose(child.points_mm[0], new.point_at(child.parent_distance_mm), atol=1e-6)
    assert np.array_equal(child.points_mm[-1], TREE.branches[1].points_mm[-1])


def test_lesions_are_deleted_regraded_and_added():
    listed = STUDY.stenoses
    place = listed[0].center_mm
    gone, _ = with_lesion_edits(listed, TREE, SECTIONS, [LesionEdit(**WHO, center_mm=place, before_pct=60)])
    assert [s.branch for s in gone] == [2]
    graded, _ = with_lesion_edits(listed, TREE, SECTIONS, [LesionEdit(**WHO, center_mm=place, before_pct=60, after_pct=80)])
    assert graded[0].diameter_pct == 80 and graded[0].mld_mm == pytest.approx(0.2 * listed[0].reference_diameter_mm)
    assert graded[0].area_pct == pytest.approx(96) and isinstance(graded[0].diameter_pct_interval, Unavailable)
    on, _, at_mm, percent, _ = LESIONS[0]
    anew, lost = with_lesion_edits(gone, TREE, SECTIONS, [LesionEdit(**WHO, center_mm=tuple(TREE.branches[on].point_at(at_mm)), length_mm=8.0)])
    assert not lost and [s.branch for s in anew] == [0, 2]
    assert anew[0].diameter_pct == pytest.approx(percent, abs=5) and anew[0].position_mm == pytest.approx(at_mm, abs=0.5)
    assert nearest_lesion(listed, (900, 0, 0)) is None
    with pytest.raises(ValueError):
        LesionEdit(**WHO, center_mm=place, after_pct=130)


def test_a_wider_lumen_lowers_the_stenosis_found_in_it():
    plane = int(np.argmin(np.abs(SECTIONS[0].distance_mm - LESIONS[0][2])))
    before = edited_lumen(TREE, SECTIONS, [], Settings())[1]
    after = edited_lumen(TREE, SECTIONS, [drawn(0, plane, 1.2)], Settings())[1]
    worst = lambda found: max((s.diameter_pct for s in found if s.branch == 0), default=0)  # noqa: E731
    assert worst(before) > 50 and worst(after) < worst(before) - 8


def test_edits_outlive_the_stages_and_undoing_gives_back_what_the_image_gave(tmp_path, capsys):
    write_small_case(tmp_path / "case")
    case, stages, settings = Case.open(tmp_path / "case"), STAGES, Settings()
    quiet = lambda name: lambda message, share=None: None  # noqa: E731
    editing.adopt(case, stages, settings, quiet)
    place = case.findings().stenoses[1].center_mm
    editing.record(case, LesionEdit(**WHO, center_mm=place, before_pct=35, after_pct=77, place="RCA 20 mm", vessel="RCA"))
    assert run_ccta("measure", case.root) == 0
    assert [s.diameter_pct for s in case.findings().stenoses if s.branch == 2] == [77]
    measure = next(stage for stage in stages if stage.name == "measure")
    assert is_current(case, measure, settings)
    assert run_ccta("report", case.root) == 0
    html = case.path("report_html").read_text()
    assert "77 †" in html and "Corrections by hand" in html and "Dr Li" in html and "stenosis regraded" in html
    assert run_ccta("edits", case.root, "--undo") == 0
    assert "RCA 20 mm" in capsys.readouterr().out and not is_current(case, measure, settings)
    assert run_ccta("measure", case.root) == 0
    assert 77 not in [s.diameter_pct for s in case.findings().stenoses]
    assert run_ccta("edits", case.root, "--undo", "--redo") == 2


def test_renaming_leaves_the_contours_current_and_moving_does_not(tmp_path):
    write_small_case(tmp_path / "case")
    case, settings = Case.open(tmp_path / "case"), Settings()
    editing.adopt(case, STAGES, settings, lambda name: lambda message, share=None: None)
    contours = next(stage for stage in STAGES if stage.name == "contours")
    assert is_current(case, contours, settings)
    tree = case.read_tree()
    case.write_tree(with_tree_edits(tree, [NameEdit(**WHO, center_mm=tuple(tree.branches[1].points_mm[60]), before_id=9, after_id=10)])[0])
    assert case.read_tree().branches[1].name == "D2" and is_current(case, contours, settings)
    at = tuple(tree.branches[0].points_mm[60])
    case.write_tree(with_tree_edits(tree, [PointEdit(**WHO, center_mm=at, after_mm=tuple(np.add(at, 1.0)))])[0])
    assert not is_current(case, contours, settings)
    case.path("tree").unlink()
    with pytest.raises(MissingStage):
        editing.run_stages(case, [contours], settings, lambda name: lambda message, share=None: None)


def test_the_report_marks_what_rests_on_which_edit():
    first, second = STUDY.stenoses
    graded = LesionEdit(**WHO, center_mm=second.center_mm, before_pct=35, after_pct=70, vessel="RCA")
    named = NameEdit(**WHO, center_mm=(900, 0, 0), before_id=6, after_id=first.segment, vessel="LAD")
    marks = marks_of(STUDY.findings, [drawn(0, int(np.argmin(np.abs(SECTIONS[0].distance_mm - first.position_mm))), 1.2, vessel="LAD"), graded, named])
    assert (marks.lesions, marks.shapes, marks.segments, marks.vessels) == ({0, 1}, {0}, {first.segment}, {"LAD"})
    assert marks_of(STUDY.findings, undone([graded])).lesions == frozenset()
    sections = {s.title: s for s in build(STUDY.findings, edits=[graded]).sections}
    rows = [[cell.text for cell in row] for row in sections["Stenoses"].tables[0].rows]
    assert ["†" in text for text in rows[1]] == [False, True, True, True, True, False, False, False] and "†" not in str(rows[0])


def test_a_report_without_edits_says_nothing_of_hands():
    plain = build(STUDY.findings)
    assert not [s for s in plain.sections if s.title == "Corrections by hand"] and "†" not in str(plain.as_dict())
