"""The DICOM objects of a case, written into its folder `dicom`: segmentations, measurements (SR), the report (PDF), key pictures and their selection.

Each is tied to the source study and has UIDs that follow from its content: what has not changed keeps its file and its instance UID, so that a PACS
that gets it twice has it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from ccta.case import Case
from ccta.errors import BadInput, StorageFailed
from ccta.findings import Findings
from ccta.model import CORONARY_LABELS, PLAQUE_LABELS
from ccta.reader_report import SignedVersion
from ccta.report import signing
from ccta.report.blocks import ReportContent
from ccta.report.dicom_documents import captures, encapsulated_pdf, key_objects
from ccta.report.dicom_origin import Origin
from ccta.report.dicom_places import places_of
from ccta.report.dicom_seg import HEART_SEGMENTS, LUMEN_SEGMENT, calcium_segments, plaque_segments, segmentation
from ccta.report.dicom_sr import Amended, earlier_uid, report_sr
from ccta.storage import atomic_path

MAIN_PICTURES = ("ffr_tree", "pullback", "cross")
"""Of the report, beside the straightened vessels: sent as Secondary Captures."""


def write_objects(case: Case, rejected: frozenset[str] = frozenset()) -> list[Path]:
    """All objects of the case as it stands, in CASE/dicom, and nothing else there. Signed where its report is. BadInput for a case not read from DICOM.

    rejected: instance UIDs that a PACS was told to hide; the same content has another one then.
    """
    if case.unavailable("source") or not (case.path("source").exists() or case.path("calcium_source").exists()):
        raise BadInput(_no_source(case))
    folder = case.path("dicom")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{folder} cannot be made ({error.strerror}); free some space or choose another place") from error
    written = [_stored(folder / f"{name}.dcm", dataset) for name, dataset in _objects(case, rejected)]
    for old in set(folder.glob("*.dcm")) - set(written):
        old.unlink()
    return written


def _no_source(case: Case) -> str:
    absent = case.unavailable("source")
    because = absent.reason if absent else "it was read by a version that did not keep the instances of its study"
    return f"{case.root} cannot be written as DICOM objects: {because}; read a DICOM study with `ccta analyse STUDY {case.root}`"


def _stored(path: Path, dataset: Dataset) -> Path:
    """Writes an object unless the same instance is there already."""
    if path.exists() and _instance(path) == dataset.SOPInstanceUID:
        return path
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return path


def _instance(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"], force=True).get("SOPInstanceUID", ""))


def _objects(case: Case, rejected: frozenset[str]) -> Iterator[tuple[str, Dataset]]:
    """(file name, object) of everything that the case has."""
    findings, signed = case.findings(), signing.signed_as(case)
    at = signing.report_time(case)
    main = Origin(case.read_source("source" if case.path("source").exists() else "calcium_source"), at, rejected)
    yield from _segmentations(case, findings, main)
    places = places_of(case, findings)
    report = (signed and _sent_earlier(case, earlier_uid(main, findings, places, signed))) or report_sr(main, findings, places, signed)
    yield "sr_measurements", report
    if signed:
        yield from _addenda(case, main, signed, lambda origin, amended: report_sr(origin, findings, places, signed, amended), report)
    yield from _documents(case, main, signed)


def _sent_earlier(case: Case, uid: str) -> Dataset | None:
    """The SR of this signed version as an earlier version of the software made it: a second one would be another signed report."""
    path = case.path("dicom") / "sr_measurements.dcm"
    return dcmread(path) if path.exists() and _instance(path) == uid else None


def _addenda(case: Case, main: Origin, signed: SignedVersion, sr_of: Callable[[Origin, Amended], Dataset], previous: Dataset) -> Iterator:
    """Of each addendum to the signed report: its PDF, and the SR that follows `previous`, which holds all addenda so far."""
    addenda = [one for one in case.reader().versions if one.kind == "addendum" and one.amends == signed.number]
    for count, version in enumerate(addenda, 1):
        origin = replace(main, at=datetime.fromisoformat(version.at).astimezone())
        folder, words = signing.version_folder(case, version.number), f"Addendum to the coronary CT report, version {version.number}"
        yield (
            f"pdf_addendum_{version.number}",
            encapsulated_pdf(origin, version.number, words, (folder / signing.PDF).read_bytes(), (folder / signing.CONTENT).read_bytes()),
        )
        previous = sr_of(origin, Amended(previous, tuple(addenda[:count])))
        yield f"sr_addendum_{version.number}", previous


def _segmentations(case: Case, findings: Findings, main: Origin) -> Iterator[tuple[str, Dataset]]:
    made = []
    if case.path("source").exists():
        origin = replace(main, source=case.read_source())
        if case.path("heart").exists():
            made.append(("seg_heart", segmentation(origin, "heart", 1, case.read_volume("heart"), HEART_SEGMENTS)))
        if case.path("coronary").exists():
            made.append(("seg_coronary", segmentation(origin, "coronary arteries", 2, *_coronary(case))))
    if case.path("calcium_source").exists() and case.path("calcium_labels").exists() and findings.calcium:
        vessels = {lesion.id: lesion.vessel for lesion in findings.calcium.lesions}
        origin = replace(main, source=case.read_source("calcium_source"))
        made.append(("seg_calcium", segmentation(origin, "calcium", 3, case.read_volume("calcium_labels"), calcium_segments(vessels))))
    yield from ((name, dataset) for name, dataset in made if dataset is not None)


def _coronary(case: Case):
    """Lumen, and plaque by class where it was measured, else its calcified part as the segmentation saw it: (labels, segments)."""
    coronary = case.read_volume("coronary")
    if not case.path("plaque").exists():
        return coronary, (LUMEN_SEGMENT, *plaque_segments({"calcified": CORONARY_LABELS["calcified"]}))
    shifted = {name: value + 1 for name, value in PLAQUE_LABELS.items()}
    plaque = case.read_volume("plaque").array
    labels = np.where(plaque > 0, plaque + 1, coronary.array == CORONARY_LABELS["lumen"]).astype(np.uint8)
    return coronary.with_array(labels), (LUMEN_SEGMENT, *plaque_segments(shifted))


def _documents(case: Case, origin: Origin, signed: SignedVersion | None) -> Iterator[tuple[str, Dataset]]:
    """The report, pictures, and their selection."""
    if not case.path("report_pdf").exists() or not case.path("report_content").exists():
        return
    folder = signing.version_folder(case, signed.number) if signed else None
    text = (folder / signing.CONTENT if folder else case.path("report_content")).read_text()
    title = f"Coronary CT report, signed, version {signed.number}" if signed else "Coronary CT report, draft"
    yield "pdf_report", encapsulated_pdf(origin, 1, title, case.path("report_pdf").read_bytes(), text.encode())
    images = captures(origin, _pictures(ReportContent.from_json(text), case))
    yield from ((f"sc_{index}", image) for index, image in enumerate(images, 1))
    shown = [*images, *_lesion_slices(case, origin)]
    if shown:
        yield "ko_key_objects", key_objects(origin, shown, "Key pictures of the report, and the slices of its stenoses")


def _pictures(content: ReportContent, case: Case) -> list[tuple[str, bytes]]:
    """(caption, PNG): the reader's first, then the report's main ones."""
    captions = {p.key: p.caption for p in (*content.cover, *(p for section in content.sections for p in section.pictures))}
    own = [one.file for one in case.reader().pictures]
    chosen = [*own, *(key for key in content.pictures if key in MAIN_PICTURES or key.startswith("cpr_"))]
    return [(captions.get(key, key), content.pictures[key]) for key in chosen if key in content.pictures]


def _lesion_slices(case: Case, origin: Origin) -> list[Dataset]:
    """The source slice through each stenosis, once each."""
    if not case.path("source").exists():
        return []
    positions = np.array([one.position_mm for one in origin.source.slices])
    normal = np.cross(*np.array(origin.source.orientation))
    along = positions @ normal
    indices = {int(np.abs(along - np.array(one.center_mm) @ normal).argmin()) for one in case.findings().stenoses or ()}
    return [origin.datasets[index] for index in sorted(indices)]
