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
LONG_MM = 8.0  # of a stenosis whose length the report does not say: as one added in the viewer


@dataclass(frozen=True)
class Adopted:
    """What was recorded, and one sentence for each entry of the report that found no place in the case."""

    edits: list
    left_out: list[str]


def adopt_report(case: Case, path: Path, by: str, settings: Settings) -> Adopted:
    """Records what makes the case's stenoses and segment names those of the report. BadInput for a report of another study, or without such lists."""
    from ccta.anatomy.edited import with_tree_edits
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
    at, of, seen = editing.now(), {}, set()
    for number, lesion in enumerate(lesions):
        for candidate, voxels in _candidates_in(lesion, labels, candidates).items():
            seen.add(number)
            if voxels > of.get(candidate, (0, ""))[0]:
                of[candidate] = voxels, VESSEL_OF[lesion.site]
    counts = {lesion.id: lesion.vessel for lesion in found.lesions}
    wanted = {candidate: of[candidate][1] if candidate in of else NOT_CORONARY for candidate in candidates}
    edits = [edit_of(found, number, after, by, at) for number, after in wanted.items() if after != counts.get(number, NOT_CORONARY)]
    return edits, [f"{one.name} is no candidate in this case's list" for number, one in enumerate(lesions) if number not in seen]


def _candidates_in(lesion: Placed, labels: Volume, candidates: dict) -> dict[int, int]:
    """Number of a candidate -> how many of its voxels lie in a lesion's outlines; for a lesion that is a point, the candidate nearest to it."""
    from ccta.disease.calcium_list import SAME_PLACE_MM as NEAR_MM
    from ccta.reading.regions import filled

    if len(lesion.outlines_mm[0]) > 1:
        inside = labels.array[filled(lesion.outlines_mm, labels)]
        return {number: int((inside == number).sum()) for number in np.unique(inside).tolist() if number in candidates}
    apart = {number: float(np.linalg.norm(np.subtract(entry.center_mm, lesion.center_mm))) for number, entry in candidates.items()}
    return {number: 1 for number, away in apart.items() if away == min(apart.values()) and away <= NEAR_MM}


def _source(case: Case, item: str) -> SourceSeries:
    if not case.path(item).exists():
        absent = case.unavailable(item)
        raise BadInput(f"{case.root} was not read from DICOM{f' ({absent.reason})' if absent else ''}, so that nothing says which study a report belongs to")
    return case.read_source(item)


def _names(tree: CoronaryTree, segments: tuple[Placed, ...], by: str) -> tuple[list[NameEdit], list[str]]:
    from ccta.anatomy.edited import nearest_place

    edits, left_out = [], []
    for one in segments:
        place, wanted = nearest_place(tree, one.center_mm), SEGMENT_OF[one.site]
        if place is None:
            left_out.append(f"{one.name}: no artery is at its place in this case")
        elif (before := int(tree.branches[place[0]].segment[place[1]])) != wanted:
            edits.append(NameEdit(**_said(one, by, SEGMENTS[wanted][1]), center_mm=one.center_mm, before_id=before, after_id=wanted))
    return edits, left_out


def _stenoses(
    listed: list[Stenosis], reported: tuple[Placed, ...], tree: CoronaryTree, sections: list[CrossSections], by: str
) -> tuple[list[LesionEdit], list[str]]:
    """Deletions first, then additions, then degrees, so that each edit finds its own lesion."""
    from ccta.disease.edited_lesions import with_lesion_edits

    pairs, at = _paired(listed, reported), editing.now()
    gone = [one for index, one in enumerate(listed) if index not in pairs.values()]
    edits = [
        LesionEdit(by=by, at=at, center_mm=one.center_mm, place=_place(SEGMENTS[one.segment][0]), vessel=one.vessel, before_pct=one.diameter_pct)
        for one in gone
    ]
    left_out = []
    for number, one in enumerate(reported):
        if number not in pairs:
            length_mm = one.numbers.get(LESION_LENGTH[0], LONG_MM)
            edit = LesionEdit(**_said(one, by, _vessel(one)), center_mm=_middle_mm(one, length_mm, sections), length_mm=length_mm)
            _, lost = with_lesion_edits([], tree, sections, [edit])
            edits, left_out = ([*edits, edit], left_out) if not lost else (edits, [*left_out, f"{one.name}: no named artery is at its place in this case"])
    after, _ = with_lesion_edits(listed, tree, sections, edits)
    for number, index in _paired(after, reported).items():
        wanted, stands = reported[number].numbers.get(DIAMETER_STENOSIS[0]), after[index].diameter_pct
        if wanted is not None and abs(wanted - stands) > SAME_DEGREE_PCT:
            said = _said(reported[number], by, after[index].vessel)
            edits.append(LesionEdit(**said, center_mm=after[index].center_mm, before_pct=stands, after_pct=min(max(wanted, 0.0), 100.0)))
    return edits, left_out


def _middle_mm(one: Placed, length_mm: float, sections: list[CrossSections]) -> tuple[float, ...]:
    """The middle of a reported stenosis, which its place, its narrowest, need not be."""
    from ccta.anatomy.edited import nearest_plane

    place = nearest_plane(sections, one.center_mm)
    if place is None:
        return one.center_mm
    own = sections[place[0]]
    at_mm = own.distance_mm[place[1]] + length_mm / 2 - one.numbers.get(BEFORE_THROAT[0], length_mm / 2)
    return tuple(float(np.interp(at_mm, own.distance_mm, own.center_mm[:, axis])) for axis in range(3))


def _paired(listed: list[Stenosis], reported: tuple[Placed, ...]) -> dict[int, int]:
    """Number of a reported stenosis -> index of the listed one at its place, each at most once, the nearest pairs first."""
    apart = [
        (float(np.linalg.norm(np.subtract(one.center_mm, theirs.center_mm))), number, index)
        for number, theirs in enumerate(reported)
        for index, one in enumerate(listed)
    ]
    pairs: dict[int, int] = {}
    for away, number, index in sorted(apart):
        if away <= SAME_PLACE_MM + listed[index].length_mm / 2 and number not in pairs and index not in pairs.values():
            pairs[number] = index
    return pairs


def _said(one: Placed, by: str, vessel: str) -> dict:
    segment = SEGMENT_OF.get(one.site)
    return {"by": by, "at": editing.now(), "place": _place(SEGMENTS[segment][0] if segment else vessel), "vessel": vessel}


def _place(name: str) -> str:
    """A place in words, in any language: the report's kind tells where it comes from."""
    return f"{name} (SR)"


def _vessel(one: Placed) -> str:
    segment = SEGMENT_OF.get(one.site)
    return SEGMENTS[segment][1] if segment else VESSEL_OF.get(one.site, "")
