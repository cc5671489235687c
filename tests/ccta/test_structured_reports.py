"""A report of ours read back: stenoses and segment names of one case come into another case of the same study, and into no other."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from scipy import ndimage

from ccta import editing
from ccta.anatomy.branch_names import tree_findings
from ccta.calcium_editing import correct, correct_by_report
from ccta.case import Case
from ccta.disease.edited_lesions import nearest_lesion
from ccta.edits import LesionEdit, NameEdit
from ccta.errors import BadInput
from ccta.findings import Acquisition
from ccta.model import Volume
from ccta.pipeline import STAGES
from ccta.reading.regions import filled
from ccta.reading.structured_reports import read_labels
from ccta.report.dicom_objects import write_objects
from ccta.report.dicom_places import label_outlines
from ccta.runner import run_stages, select
from ccta.settings import Settings
from tests.ccta.dicom_case import FRAME, source, write_dicom_case
from tests.conftest import run_ccta
from tests.viewer.small_case import AFFINE

WHO = {"by": "Dr Li", "at": "2026-01-02T03:04:05+00:00"}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Case:
    """As the analysis leaves it."""
    case = write_dicom_case(tmp_path_factory.mktemp("fresh") / "case")
    case.update_findings(tree=tree_findings(case.read_tree()), calcium_acquisition=Acquisition(kvp=120.0, contrast=False, series_uid="1.2.3"))
    case.write_volume("calcium_image", case.read_volume("calcium_labels"))
    measured(case)
    return case


def measured(case: Case) -> None:
    """What the corrections change first."""
    quiet = lambda name: lambda message, share=None: None  # noqa: E731
    editing.adopt(case, STAGES, Settings(), quiet)
    run_stages(case, select(STAGES, ("tree", "contours", "measure")), Settings(), quiet, resume=True)


@pytest.fixture(scope="module")
def read_by_hand(fresh, tmp_path_factory) -> Case:
    """One stenosis deleted, one regraded, one added, one segment renamed."""
    case = Case.open(shutil.copytree(fresh.root, tmp_path_factory.mktemp("hand") / "case"))
    lad, rca = case.findings().stenoses
    branches = case.read_tree().branches
    editing.record(case, LesionEdit(**WHO, center_mm=lad.center_mm, before_pct=lad.diameter_pct))
    editing.record(case, LesionEdit(**WHO, center_mm=rca.center_mm, before_pct=rca.diameter_pct, after_pct=72.0))
    editing.record(case, LesionEdit(**WHO, center_mm=tuple(branches[0].point_at(30.0)), length_mm=6.0))
    editing.record(case, NameEdit(**WHO, center_mm=tuple(branches[1].points_mm[60]), before_id=9, after_id=10))
    measured(case)
    return case


@pytest.fixture(scope="module")
def report(read_by_hand):
    return next(path for path in write_objects(read_by_hand) if path.stem == "sr_measurements")


@pytest.fixture
def copy(fresh, tmp_path) -> Case:
    return Case.open(shutil.copytree(fresh.root, tmp_path / "case"))


def graded(case: Case) -> list[tuple]:
    return [(one.segment, round(one.position_mm, 1), round(one.diameter_pct, 2)) for one in case.findings().stenoses]


def test_stenoses_and_names_of_a_report_come_into_a_fresh_case_and_can_be_undone(fresh, read_by_hand, report, copy, capsys):
    assert graded(copy) != graded(read_by_hand) and len(graded(read_by_hand)) == 2
    assert run_ccta("edits", copy.root, "--from", report, "--by", "Dr Wang") == 0
    assert "4 corrections made of" in capsys.readouterr().err
    measured(copy)
    assert graded(copy) == graded(read_by_hand)
    assert [one.id for one in copy.findings().tree.segments] == [one.id for one in read_by_hand.findings().tree.segments] == [2, 7, 10]
    assert {edit.by for edit in copy.edits()} == {"Dr Wang"}
    assert run_ccta("edits", copy.root, "--from", report) == 0 and "0 corrections made" in capsys.readouterr().err
    for _ in copy.edits():
        editing.undo(copy)
    measured(copy)
    assert graded(copy) == graded(fresh)


def test_the_report_of_the_case_itself_changes_nothing(fresh, copy, capsys):
    own = next(path for path in write_objects(copy) if path.stem == "sr_measurements")
    assert [one.site for one in read_labels(own).segments] == ["450960006", "91748002", "91750005"]
    for command in ("edits", "lesions"):
        capsys.readouterr()
        assert run_ccta(command, copy.root, "--from", own, "--json") == 0 and json.loads(capsys.readouterr().out.splitlines()[-1])["left_out"] == []
    assert copy.edits() == [] and copy.calcium_edits() == []


def test_the_calcium_list_of_a_report_comes_into_a_fresh_case(copy, fresh, tmp_path, capsys):
    read = Case.open(shutil.copytree(fresh.root, tmp_path / "read"))
    correct(read, 1, "not coronary", "Dr Li"), correct(read, 2, "LCx", "Dr Li")
    sr = next(path for path in write_objects(read) if path.stem == "sr_measurements")
    edits, left_out = correct_by_report(copy, sr, "Dr Wang")
    assert [(edit.before, edit.after) for edit in edits] == [("LAD", "not coronary"), ("RCA", "LCx")] and left_out == []
    ours, theirs = copy.findings().calcium, read.findings().calcium
    assert (ours.agatston, ours.vessels, ours.cac_drs) == (theirs.agatston, theirs.vessels, theirs.cac_drs)
    assert [(one.id, one.vessel) for one in ours.lesions] == [(2, "LCx")] and [one.id for one in ours.rejected] == [1]
    assert {edit.by for edit in copy.calcium_edits()} == {"Dr Wang"}
    assert run_ccta("lesions", copy.root, "1", "--from", sr) == 2 and "leave lesion" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"PatientID": "P-2"}, "another patient"),
        ({"StudyInstanceUID": "1.2.3"}, "another study"),
        ({"Manufacturer": "Somebody"}, "by Somebody"),
        ({"Modality": "CT"}, "not a structured report"),
    ],
)
def test_a_report_of_something_else_is_refused_in_a_sentence(copy, report, tmp_path, capsys, change, says):
    other = dcmread(report)
    for keyword, value in change.items():
        setattr(other, keyword, value)
    other.save_as(tmp_path / "other.dcm")
    for command in ("edits", "lesions"):
        assert run_ccta(command, copy.root, "--from", tmp_path / "other.dcm") == 2
        said = capsys.readouterr().err
        assert says in said and "P-1" not in said and said.count("\n") == 1
    assert copy.edits() == [] and copy.calcium_edits() == []


def test_a_case_with_another_frame_of_reference_or_without_dicom_is_refused(copy, report, capsys):
    moved = source()
    copy.write_source("source", moved.model_copy(update={"header": {**moved.header, "FrameOfReferenceUID": FRAME + ".1"}}))
    assert run_ccta("edits", copy.root, "--from", report) == 2 and "another frame of reference" in capsys.readouterr().err
    copy.path("source").unlink()
    assert run_ccta("edits", copy.root, "--from", report) == 2 and "not read from DICOM" in capsys.readouterr().err


def test_a_report_of_another_series_of_the_study_is_refused_even_if_it_lists_nothing(copy, report, tmp_path, capsys):
    """Another phase has the same frame of reference."""
    for item, command in (("source", "edits"), ("calcium_source", "lesions")):
        own = copy.read_source(item)
        copy.write_source(item, own.model_copy(update={"header": {**own.header, "SeriesInstanceUID": own["SeriesInstanceUID"] + ".1"}}))
        assert run_ccta(command, copy.root, "--from", report) == 2 and "another series" in capsys.readouterr().err
    with pytest.raises(BadInput, match="another series"):
        replace(read_labels(report), calcium=()).check_is_of(copy.read_source("calcium_source"), ())
    assert copy.edits() == [] and copy.calcium_edits() == []


def test_a_damaged_report_is_refused_wherever_it_was_cut(copy, report, tmp_path, capsys):
    """A list that is shorter than it was would delete what it lacks."""
    data, cut = report.read_bytes(), tmp_path / "cut.dcm"
    assert read_labels(report).calcium
    for share in np.linspace(0.01, 0.9999, 200):
        cut.write_bytes(data[: int(share * len(data))])
        with pytest.raises(BadInput):
            read_labels(cut)
    for command in ("edits", "lesions"):
        assert run_ccta(command, copy.root, "--from", cut) == 2 and "ends before its content does" in capsys.readouterr().err
    assert copy.edits() == [] and copy.calcium_edits() == []


@pytest.mark.parametrize("seed", range(5))
def test_outlines_filled_again_hold_just_the_pixels(seed):
    """Corners that touch, single pixels, a lesion at the border; holes apart."""
    labels = (np.random.default_rng(seed).random((24, 24, 6)) < 0.1).astype(np.int16)
    labels[3:6, 3:6, 2] = 2
    volume = Volume(labels, AFFINE)
    found = label_outlines(volume, {1, 2})
    for label in (1, 2):
        inside = filled([line.astype(np.float32).astype(float) for line in found[label]], volume)
        whole = np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(labels == label, 2, 0)], axis=2)
        assert np.array_equal(inside, whole) and (label == 1 or np.array_equal(whole, labels == 2))


def test_of_two_lesions_that_hold_a_place_the_nearer_is_meant(fresh):
    first = fresh.findings().stenoses[0]
    beside = first.model_copy(update={"center_mm": tuple(np.add(first.center_mm, (2.0, 0, 0)))})
    assert nearest_lesion([first, beside], beside.center_mm) == 1 and nearest_lesion([first, beside], first.center_mm) == 0


def test_a_report_without_places_says_so(copy, report, tmp_path, capsys):
    """As an earlier version wrote it: a score, and no lesion of it."""
    old = dcmread(report)
    for container in old.ContentSequence:
        if "ContentSequence" in container:
            container.ContentSequence = [
                one for one in container.ContentSequence if not any("Calcium" in str(i.get("TextValue", "")) for i in one.get("ContentSequence", []))
            ]
    old.save_as(tmp_path / "old.dcm")
    assert run_ccta("lesions", copy.root, "--from", tmp_path / "old.dcm") == 2 and "nothing of the places of calcium" in capsys.readouterr().err
    with pytest.raises(BadInput, match="does not exist"):
        read_labels(tmp_path / "none.dcm")
