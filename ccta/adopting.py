"""The lists of a structured report of ours put in force in a case of the same study: its stenoses, segment names and calcium, as corrections by hand.

What the report lists and the case has at the same place takes the report's degree, name or artery; what the case lacks is added, what the report does not list
is deleted, or counts as not coronary. Every change is an ordinary correction, so that it shows in viewer and report, holds when a stage runs again, and can be
undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccta import editing
from ccta.anatomy.edited import nearest_place, nearest_plane, run_of, with_tree_edits
from ccta.case import Case
from ccta.edits import SAME_PLACE_MM, LesionEdit, NameEdit, added, applied
from ccta.errors import BadInput
from ccta.findings import Calcium, CalciumEdit, Stenosis
from ccta.model import SEGMENTS, CoronaryTree, CrossSections, Volume
from ccta.reading.structured_reports import SEGMENT_OF, VESSEL_OF, Placed, calcium_of, read_labels
from ccta.settings import Settings
from ccta.source_series import SourceSeries
from ccta.terms import BEFORE_THROAT, DIAMETER_STENOSIS, LESION_LENGTH

SAME_DEGREE_PCT = 0.05  # the report's numbers have four places
SAME_SHARE = 0.5  # of a calcium candidate within a lesion's outlines, and of these within candidates
TOO_DIFFERENT = "too different from what it overlaps"
LONG_MM = 8.0  # of a stenosis whose length the report does not say: as one added in the viewer


@dataclass(frozen=True)
class Adopted:
    """What was recorded, and one sentence for each entry of the report that found no place in the case."""

    edits: list
    left_out: list[str]


def adopt_report(case: Case, path: Path, by: str, settings: Settings) -> Adopted:
    """Records what makes the case's stenoses and segment names those of the report. BadInput for a report of another study, or without such lists."""
    from ccta.pipeline import STAGES, edited_lumen

    report = read_labels(path)
    report.check_is_of(_source(case, "source"), (*(report.stenoses or ()), *report.segments))
    if report.stenoses is None and not report.segments:
        raise BadInput(f"{path} has no list of stenoses and no named segment; give the report of a finished case")
    case.require("tree"), case.require("contours")
    editing.adopt(case, STAGES, settings, lambda name: lambda message, share=None: None)
    tree, _ = with_tree_edits(case.read_tree("tree_found"), applied(case.edits(), "tree"))
    named, left_out = _names(tree, report.segments, by)
    tree, _ = with_tree_edits(tree, named)
    edits = list(named)
    if report.stenoses is not None:
        sections, listed, _ = edited_lumen(tree, case.read_sections("contours_found"), case.edits(), settings)
        graded, lost = _stenoses(listed, report.stenoses, tree, sections, by)
        edits, left_out = [*edits, *graded], [*left_out, *lost]
    history = case.edits()
    for edit in edits:
        history = added(history, edit)
    if edits:
        case.write_edits(history)
    return Adopted(edits, left_out)


def adopt_calcium(case: Case, found: Calcium, path: Path, by: str) -> tuple[list[CalciumEdit], list[str]]:
    """(corrections that make the case's calcium list that of the report, a sentence for each lesion of it that the case has no candidate for)."""
    from ccta.disease.calcium_list import NOT_CORONARY, edit_of

    lesions = calcium_of(path, _source(case, "calcium_source"))
    labels = case.read_volume("calcium_labels")
    candidates = {entry.id: entry for entry in (*found.lesions, *found.rejected)}
    at, of, touched, left_out = editing.now(), {}, set(), []
    for lesion in lesions:
        inside, same = _candidates_in(lesion, labels, candidates)
        for candidate in same:
            if inside[candidate] > of.get(candidate, (0, ""))[0]:
                of[candidate] = inside[candidate], VESSEL_OF[lesion.site]
        if not same:
            touched |= inside.keys()  # neither listed nor left out: they stay as they are
            left_out.append(f"{lesion.name} is {TOO_DIFFERENT if inside else 'no candidate'} in this case's list")
    counts = {lesion.id: lesion.vessel for lesion in found.lesions}
    wanted = {candidate: of[candidate][1] if candidate in of else NOT_CORONARY for candidate in candidates if candidate in of or candidate not in touched}
    edits = [edit_of(found, number, after, by, at) for number, after in wanted.items() if after != counts.get(number, NOT_CORONARY)]
    return edits, left_out


def _candidates_in(lesion: Placed, labels: Volume, candidates: dict) -> tuple[dict[int, int], list[int]]:
    """(number of a candidate -> how many of its voxels lie in a lesion's outlines, those of them that are the lesion or a part of it).

    A candidate is, if at least half of it is inside: a rejected one may be large, as the wall of the aorta beside an ostium. None is, where together they are
    less than half of the lesion. For a lesion that is a point: the candidate nearest to it.
    """
    from ccta.disease.calcium_list import SAME_PLACE_MM as NEAR_MM
    from ccta.reading.regions import filled

    if len(lesion.outlines_mm[0]) > 1:
        held = labels.array[filled(lesion.outlines_mm, labels)]
        inside = {number: int((held == number).sum()) for number in np.unique(held).tolist() if number in candidates}
        same = [number for number, voxels in inside.items() if voxels >= SAME_SHARE * (labels.array == number).sum()]
        return inside, same if sum(inside[number] for number in same) >= SAME_SHARE * len(held) else []
    apart = {number: float(np.linalg.norm(np.subtract(entry.center_mm, lesion.center_mm))) for number, entry in candidates.items()}
    inside = {number: 1 for number, away in apart.items() if away == min(apart.values()) and away <= NEAR_MM}
    return inside, list(inside)


def _source(case: Case, item: str) -> SourceSeries:
    if not case.path(item).exists():
        absent = case.unavailable(item)
        raise BadInput(f"{case.root} was not read from DICOM{f' ({absent.reason})' if absent else ''}, so that nothing says which study a report belongs to")
    return case.read_source(item)


def _names(tree: CoronaryTree, segments: tuple[Placed, ...], by: str) -> tuple[list[NameEdit], list[str]]:
    """Edits after which more of the report's points have its names than before, and none that had its name has lost it.

    An edit renames a whole run of one name. What that cannot say, such as a border that lies elsewhere, is left out and stays as it is in the case.
    """
    edits: list[NameEdit] = []
    while (more := _renamings(tree, segments, by)) and _wrong(after := with_tree_edits(tree, more)[0], segments) < _wrong(tree, segments):
        tree, edits = after, [*edits, *more]
    left_out = []
    for one in segments:
        if (place := nearest_place(tree, one.center_mm)) is None:
            left_out.append(f"{one.name}: no artery is at its place in this case")
        elif int(tree.branches[place[0]].segment[place[1]]) != SEGMENT_OF[one.site]:
            left_out.append(f"{one.name}: the border of its segment lies elsewhere in this case, and stays")
    return edits, left_out


def _wrong(tree: CoronaryTree, segments: tuple[Placed, ...]) -> int:
    """How many of the report's points have another name in the tree, or no place."""
    places = [(nearest_place(tree, one.center_mm), SEGMENT_OF[one.site]) for one in segments]
    return sum(place is None or int(tree.branches[place[0]].segment[place[1]]) != wanted for place, wanted in places)


def _renamings(tree: CoronaryTree, segments: tuple[Placed, ...], by: str) -> list[NameEdit]:
    """An edit for each run that the report calls by one other name, in an order in which none of them renames more than its own run."""
    wanted: dict[tuple[int, int, int], list[Placed]] = {}
    for one in segments:
        if (place := nearest_place(tree, one.center_mm)) is not None:
            wanted.setdefault((place[0], *run_of(tree.branches[place[0]], place[1])), []).append(one)
    named = {run: ones[0] for run, ones in wanted.items() if len({one.site for one in ones}) == 1}
    pending = _without_losses(tree, {run: one for run, one in named.items() if _name_at(tree, run) != SEGMENT_OF[one.site]}, segments)
    edits: list[NameEdit] = []
    while pending:
        for run, one in pending.items():
            edit = NameEdit(**_said(one, by, _vessel(one)), center_mm=one.center_mm, before_id=_name_at(tree, run), after_id=SEGMENT_OF[one.site])
            after, _ = with_tree_edits(tree, [edit])
            if all(run_of(after.branches[other[0]], other[1]) == other[1:] for other in pending if other != run):
                break
        else:
            return edits  # two runs that would have to change their names at once
        tree, edits = after, [*edits, edit]
        del pending[run]
    return edits


def _without_losses(tree: CoronaryTree, pending: dict, segments: tuple[Placed, ...]) -> dict:
    """Without the renamings that would leave the tree without a segment that the report has, too."""
    listed = {SEGMENT_OF[one.site] for one in segments}
    before = set(np.concatenate([branch.segment for branch in tree]).tolist())
    while True:
        ids = [branch.segment.copy() for branch in tree]
        for (index, first, last), one in pending.items():
            ids[index][first : last + 1] = SEGMENT_OF[one.site]
        lost = (listed & before) - set(np.concatenate(ids).tolist())
        kept = {run: one for run, one in pending.items() if _name_at(tree, run) not in lost}
        if len(kept) == len(pending):
            return pending
        pending = kept


def _name_at(tree: CoronaryTree, run: tuple[int, int, int]) -> int:
    return int(tree.branches[run[0]].segment[run[1]])


def _stenoses(
    listed: list[Stenosis], reported: tuple[Placed, ...], tree: CoronaryTree, sections: list[CrossSections], by: str
) -> tuple[list[LesionEdit], list[str]]:
    """Deletions first, then additions, then degrees, so that each edit finds its own lesion."""
    from ccta.disease.edited_lesions import with_lesion_edits

    pairs, at = _paired(listed, reported, sections), editing.now()
    gone = [one for index, one in enumerate(listed) if index not in pairs.values()]
    edits = [
        LesionEdit(by=by, at=at, center_mm=one.center_mm, place=_place(SEGMENTS[one.segment][0]), vessel=one.vessel, before_pct=one.diameter_pct)
        for one in gone
    ]
    left_out = []
    for number, one in enumerate(reported):
        if number not in pairs:
            length_mm = one.numbers.get(LESION_LENGTH[0], LONG_MM)
            said = _said(one, by, _vessel(one))
            for center_mm in (_middle_mm(one, length_mm, sections), one.center_mm):  # at a branching the middle may be nearer to the other artery
                edit = LesionEdit(**said, center_mm=center_mm, length_mm=length_mm)
                made, _ = with_lesion_edits([], tree, sections, [edit])
                if made and _same_artery(made[0], one, sections):
                    edits.append(edit)
                    break
            else:
                left_out.append(f"{one.name}: no named artery is at its place in this case")
    after, _ = with_lesion_edits(listed, tree, sections, edits)
    for number, index in _paired(after, reported, sections).items():
        wanted, stands = reported[number].numbers.get(DIAMETER_STENOSIS[0]), after[index].diameter_pct
        if wanted is not None and abs(wanted - stands) > SAME_DEGREE_PCT:
            said = _said(reported[number], by, after[index].vessel)
            edits.append(LesionEdit(**said, center_mm=after[index].center_mm, before_pct=stands, after_pct=min(max(wanted, 0.0), 100.0)))
    return edits, left_out


def _middle_mm(one: Placed, length_mm: float, sections: list[CrossSections]) -> tuple[float, ...]:
    """The middle of a reported stenosis, which its place, its narrowest, need not be."""
    place = nearest_plane(sections, one.center_mm)
    if place is None:
        return one.center_mm
    own = sections[place[0]]
    at_mm = own.distance_mm[place[1]] + length_mm / 2 - one.numbers.get(BEFORE_THROAT[0], length_mm / 2)
    return tuple(float(np.interp(at_mm, own.distance_mm, own.center_mm[:, axis])) for axis in range(3))


def _paired(listed: list[Stenosis], reported: tuple[Placed, ...], sections: list[CrossSections]) -> dict[int, int]:
    """Number of a reported stenosis -> index of the listed one at its place in the same artery, each at most once, the nearest pairs first."""
    apart = [
        (float(np.linalg.norm(np.subtract(one.center_mm, theirs.center_mm))), number, index)
        for number, theirs in enumerate(reported)
        for index, one in enumerate(listed)
        if _same_artery(one, theirs, sections)
    ]
    pairs: dict[int, int] = {}
    for away, number, index in sorted(apart):
        if away <= SAME_PLACE_MM + listed[index].length_mm / 2 and number not in pairs and index not in pairs.values():
            pairs[number] = index
    return pairs


def _same_artery(one: Stenosis, theirs: Placed, sections: list[CrossSections]) -> bool:
    """Of one segment, or of the branch that the report's place lies on. Where two arteries part, lesions of both are near each other."""
    if (one.segment if one.segment in SEGMENTS else None, one.vessel) == (SEGMENT_OF.get(theirs.site), _vessel(theirs)):
        return True
    place = nearest_plane(sections, theirs.center_mm)
    return one.vessel == _vessel(theirs) if place is None else sections[place[0]].branch == one.branch


def _said(one: Placed, by: str, vessel: str) -> dict:
    segment = SEGMENT_OF.get(one.site)
    return {"by": by, "at": editing.now(), "place": _place(SEGMENTS[segment][0] if segment else vessel), "vessel": vessel}


def _place(name: str) -> str:
    """A place in words, in any language: the report's kind tells where it comes from."""
    return f"{name} (SR)"


def _vessel(one: Placed) -> str:
    segment = SEGMENT_OF.get(one.site)
    return SEGMENTS[segment][1] if segment else VESSEL_OF.get(one.site, "")
