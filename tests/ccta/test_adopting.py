"""What a report of ours changes in a case whose arteries, names or calcium are not quite those of the report: the same artery, or nothing and a sentence."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ccta import adopting, terms
from ccta.anatomy.edited import with_tree_edits
from ccta.disease.edited_lesions import with_lesion_edits
from ccta.findings import Calcium, RejectedCalcium
from ccta.model import CoronaryTree, Volume
from ccta.reading.structured_reports import Placed
from ccta.report.dicom_places import label_outlines, segment_points
from tests.viewer import small_case

POINTS = np.arange(121)


def test_a_stenosis_of_the_side_branch_is_not_one_of_the_parent_near_it():
    tree = small_case.tree()
    sections = [small_case.sections(index, branch) for index, branch in enumerate(tree)]
    at_mm, d1 = tree.branches[1].parent_distance_mm + 1.0, sections[1]
    listed = (
        small_case.findings(tree)
        .stenoses[0]
        .model_copy(update={"center_mm": tuple(tree.branches[0].point_at(at_mm)), "position_mm": at_mm, "diameter_pct": 80.0})
    )
    center = d1.center_mm[int(np.abs(d1.distance_mm - 5.0).argmin())]
    reported = Placed("Stenosis 1 D1", terms.SEGMENTS[9][0], (center[None],), {terms.DIAMETER_STENOSIS[0]: 30.0, terms.LESION_LENGTH[0]: 8.0}, "f")
    edits, left_out = adopting._stenoses([listed], (reported,), tree, sections, "Dr Li")
    assert [edit.action for edit in edits] == ["deleted", "added", "regraded"] and left_out == []
    (after,), _ = with_lesion_edits([listed], tree, sections, edits)
    assert (after.branch, after.segment, after.diameter_pct) == (1, 9, 30.0)
    assert adopting._stenoses([after], (reported,), tree, sections, "Dr Li") == ([], [])


def lad(first: int, *rest: tuple[int, int]) -> CoronaryTree:
    """The small case's tree; the LAD's names: `first`, then each from a point on."""
    tree, ids = small_case.tree(), np.full(len(POINTS), first)
    for start, segment in rest:
        ids[start:] = segment
    return replace(tree, branches=(replace(tree.branches[0], segment=ids), *tree.branches[1:]))


def points_of(tree: CoronaryTree) -> tuple[Placed, ...]:
    return tuple(Placed(f"Segment {s}", terms.SEGMENTS[s][0], (point[None],), {}, "f") for s, point in segment_points(tree).items())


def names(tree: CoronaryTree) -> list[int]:
    return list(dict.fromkeys(tree.branches[0].segment.tolist()))


@pytest.mark.parametrize(
    ("ours", "theirs", "after", "missing"),
    [
        (lad(7), lad(6, (50, 7)), [7], ["Segment 6"]),
        (lad(6, (70, 7), (100, 8)), lad(6, (20, 7), (80, 8)), [6, 7, 8], ["Segment 7"]),
        (lad(6, (31, 7), (110, 8)), lad(6, (30, 7), (60, 8)), [6, 7, 8], ["Segment 8"]),
        (lad(6, (10, 7), (20, 8)), lad(6, (50, 7)), [6, 7, 8], ["Segment 6", "Segment 7"]),
        (lad(6, (60, 7)), lad(7, (60, 6)), [6, 7], ["Segment 7", "Segment 6"]),  # neither can be renamed first
        (lad(6, (60, 7)), lad(7, (60, 8)), [7, 8], []),  # the second first
        (lad(6, (40, 7), (80, 8)), lad(6, (40, 7)), [6, 7], []),
    ],
)  # fmt: skip
def test_names_come_over_or_a_sentence_says_which_do_not(ours, theirs, after, missing):
    edits, left_out = adopting._names(ours, points_of(theirs), "Dr Li")
    named, lost = with_tree_edits(ours, edits)
    assert names(named) == after and lost == [] and [said.split(":")[0] for said in left_out] == missing
    assert adopting._names(named, points_of(theirs), "Dr Li") == ([], left_out)


@pytest.mark.parametrize(("drawn", "becomes"), [(np.s_[59:61, 30:32, 5], None), (np.s_[10:60, 10:60, 3:7], "LM"), (np.s_[:, :, 2:8], None)])
def test_a_calcium_candidate_is_a_reported_lesion_only_if_each_is_mostly_the_other(monkeypatch, drawn, becomes):
    """The wall of the aorta touched by two pixels; most of a candidate; a lesion that is larger by far."""
    labels, lesion = np.zeros((80, 80, 10), np.int16), np.zeros((80, 80, 10), np.int16)
    labels[10:60, 10:60, 2:8], lesion[drawn] = 1, 1
    volume = Volume(labels, np.diag([0.4, 0.4, 3, 1]))
    outlines = label_outlines(volume.with_array(lesion), {1})[1]
    spot = {"agatston": 3000.0, "volume_mm3": 7000.0, "mass_mg": 900.0, "peak_hu": 900.0, "center_mm": (14.0, 14.0, 15.0), "vessel": "LM"}
    rejected = [RejectedCalcium(id=1, reason="aortic wall", **spot)]
    found = Calcium(agatston=0, volume_mm3=0, mass_mg=0, vessels=dict.fromkeys(("LM", "LAD", "LCx", "RCA"), 0.0), lesions=[], rejected=rejected, cac_drs="A0")
    monkeypatch.setattr(adopting, "calcium_of", lambda path, source: (Placed("Calcium 1 LM", terms.VESSELS["LM"][0], tuple(outlines), {}, "f"),))
    monkeypatch.setattr(adopting, "_source", lambda case, item: None)
    edits, left_out = adopting.adopt_calcium(SimpleNamespace(read_volume=lambda item: volume), found, "sr.dcm", "Dr Li")
    assert [edit.after for edit in edits] == ([becomes] if becomes else [])
    assert left_out == ([] if becomes else ["Calcium 1 LM is too different from what it overlaps in this case's list"])
