"""Structured reports (SR after TID 1500): the numbers of any program's, and, of one of ours, which lesions and segments are where.

What is read back is what a person decided about: which stenoses there are and how narrow they are, what the segments are called, and which calcium is of
which artery. It holds for a case of the same patient, study and frame of reference, and for no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from ccta import terms
from ccta.errors import BadInput
from ccta.source_series import SourceSeries

GROUP, IDENTIFIER, FINDING, SITE = "125007", "112039", "121071", "363698007"
"""Codes of the concepts: measurement group, tracking identifier, finding, finding site."""
UNDEFINED = 0xFFFFFFFF
"""Length of a sequence that ends with an item of its own (PS3.5, 7.5.1); pydicom misses that item by itself."""
VESSEL_OF = {value: vessel for vessel, (value, _) in terms.VESSELS.items()}
SEGMENT_OF = {value: segment for segment, (value, _) in terms.SEGMENTS.items()}
EVIDENCE = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
SAME_STUDY = (("PatientID", "patient"), ("StudyInstanceUID", "study"))


@dataclass(frozen=True, eq=False)
class Placed:
    """One measurement group with a place. site: SNOMED CT code of its artery. outlines_mm: (N, 3) each, a point alone where N is 1.

    numbers: code of the concept -> value. frame: UID of the frame of reference.
    """

    name: str
    site: str
    outlines_mm: tuple[np.ndarray, ...]
    numbers: dict[str, float]
    frame: str

    @property
    def center_mm(self) -> tuple[float, float, float]:
        """The mean of its corners."""
        corners = [line[:-1] if len(line) > 1 else line for line in self.outlines_mm]
        return tuple(float(value) for value in np.concatenate(corners).mean(axis=0))


@dataclass(frozen=True, eq=False)
class LabelReport:
    """The lesions and segments of a report of ours. series: the UIDs of those that it was made of.

    None where the case that it was made of had no such list, or it was made before places were written.
    """

    path: Path
    header: dict[str, str]
    series: frozenset[str]
    stenoses: tuple[Placed, ...] | None
    segments: tuple[Placed, ...]
    calcium: tuple[Placed, ...] | None

    def check_is_of(self, source: SourceSeries, placed: tuple[Placed, ...]) -> None:
        """BadInput unless the report was made of the series, among others, and these places are in its frame of reference."""
        for keyword, word in SAME_STUDY:
            if self.header[keyword] != source[keyword]:
                raise BadInput(f"{self.path} is a report of another {word} than this image; give one of the same study")
        if source["SeriesInstanceUID"] not in self.series:
            raise BadInput(f"{self.path} was made of another series of this study, such as another phase; give the report of this series")
        if any(one.frame != source["FrameOfReferenceUID"] for one in placed):
            raise BadInput(f"{self.path} has its places in another frame of reference than this image; it was made of another series")


def measurements_of(path: Path) -> dict[str, dict[str, float]]:
    """Tracking identifier of each measurement group -> {meaning of the concept: value}. BadInput for a file that is no such report."""
    report = _opened(path)
    groups = {}
    for group in _found(report, GROUP):
        name = next((str(item.TextValue) for item in group.ContentSequence if _code(item) == IDENTIFIER), f"group {len(groups) + 1}")
        groups[name] = {item.ConceptNameCodeSequence[0].CodeMeaning: float(item.MeasuredValueSequence[0].NumericValue) for item in _numbers(group)}
    return groups


def is_report(path: Path) -> bool:
    """Whether a DICOM file is a structured report; False for what cannot be read."""
    try:
        return dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).get("Modality") == "SR"
    except Exception:  # pydicom raises what it meets in a damaged file
        return False


def read_labels(path: Path) -> LabelReport:
    """The lesions and segments of a report that this program made. BadInput for another program's, and for a damaged one."""
    report = _opened(path)
    maker = str(report.get("Manufacturer") or "another program")
    if maker != terms.MAKER:
        raise BadInput(f"{path} is a structured report by {maker}, whose lesions are not known here; give one that `ccta export` made, or a segmentation (SEG)")
    try:
        groups = _found(report, GROUP)
        placed = [(_term(group, FINDING), one) for group in groups if (one := _placed(group)) is not None]
        scores = [_values(group).get(terms.CALCIUM_SCORE[0]) for group in groups if _name(group) == "Patient"]
        series = frozenset(str(one.SeriesInstanceUID) for name in EVIDENCE for study in report.get(name) or () for one in study.ReferencedSeriesSequence)
        graded = any(_name(group).startswith("Segment") and terms.DIAMETER_STENOSIS[0] in _values(group) for group in groups)
    except Exception as error:  # a damaged report brings many types
        raise _damaged(path, error) from error
    stenoses, calcium = (tuple(one for finding, one in placed if finding == term[0]) for term in (terms.STENOSIS, terms.CALCIFICATION))
    unplaced = scores and scores[0] and not calcium  # of a version that did not write the places of calcium
    return LabelReport(
        Path(path), {keyword: str(report.get(keyword, "")) for keyword, _ in SAME_STUDY}, series, stenoses if stenoses or graded else None,
        tuple(one for finding, one in placed if not finding and one.site in SEGMENT_OF),
        None if unplaced or not (scores and scores[0] is not None) else calcium,
    )  # fmt: skip


def calcium_of(path: Path, source: SourceSeries) -> tuple[Placed, ...]:
    """The calcium lesions of a report, each of a known artery, after `check_is_of`. BadInput where it lists none."""
    report = read_labels(path)
    report.check_is_of(source, report.calcium or ())
    if report.calcium is None:
        raise BadInput(f"{path} says nothing of the places of calcium; export it again with `ccta export CASE OUT --dicom`, or give the segmentation (SEG)")
    unknown = [one.name for one in report.calcium if one.site not in VESSEL_OF]
    if unknown:
        raise BadInput(f"{path} gives {unknown[0]} to no artery that is known here; export it again")
    return report.calcium


def _opened(path: Path) -> Dataset:
    if not Path(path).is_file():
        raise BadInput(f"{path} does not exist; give a DICOM structured report (SR)")
    try:
        report = dcmread(path)
    except Exception as error:  # pydicom raises what it meets in a damaged file
        raise _damaged(path, error) from error
    if report.get("Modality") != "SR":
        raise BadInput(f"{path} is DICOM of modality {report.get('Modality', 'unknown')}, not a structured report")
    content = report.get_item("ContentSequence") if "ContentSequence" in report else None
    if content is None or (content.is_raw and content.length not in (UNDEFINED, len(content.value or b""))):
        raise _damaged(path, ValueError("it ends before its content does"))  # pydicom reads what is there, as if the list were shorter
    return report


def _damaged(path: Path, error: Exception) -> BadInput:
    return BadInput(f"{path} cannot be read as a DICOM report ({' '.join(str(error).split())[:150]}); export it again")


def _placed(group: Dataset) -> Placed | None:
    """A group with its place; None for one without."""
    places = [item for item in group.ContentSequence if item.ValueType == "SCOORD3D"]
    if not places:
        return None
    outlines = tuple(np.array(item.GraphicData, float).reshape(-1, 3) for item in places)
    if not all(len(line) and np.isfinite(line).all() for line in outlines):
        raise ValueError("a place has no finite coordinates")
    return Placed(_name(group), _term(group, SITE), outlines, _values(group), str(places[0].ReferencedFrameOfReferenceUID))


def _name(group: Dataset) -> str:
    return next((str(item.TextValue) for item in group.ContentSequence if _code(item) == IDENTIFIER), "")


def _term(group: Dataset, concept: str) -> str:
    """The code of a group's coded item, '' where it has none."""
    return next((str(item.ConceptCodeSequence[0].CodeValue) for item in group.ContentSequence if item.ValueType == "CODE" and _code(item) == concept), "")


def _values(group: Dataset) -> dict[str, float]:
    return {_code(item): float(item.MeasuredValueSequence[0].NumericValue) for item in _numbers(group)}


def _numbers(group: Dataset) -> list[Dataset]:
    return [item for item in group.ContentSequence if item.ValueType == "NUM" and item.get("MeasuredValueSequence")]


def _found(item: Dataset, code: str) -> list[Dataset]:
    """All content items of a concept below `item`."""
    below = item.get("ContentSequence") or []
    return [found for child in below for found in ([child] if _code(child) == code else _found(child, code))]


def _code(item: Dataset) -> str:
    concept = item.get("ConceptNameCodeSequence")
    return str(concept[0].get("CodeValue", "")) if concept else ""
