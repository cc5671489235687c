"""The DICOM objects of a case, written into its folder `dicom`: segmentations, measurements (SR), the report (PDF), key pictures and their selection.

Each is tied to the source study and has UIDs that follow from its content: what has not changed keeps its file and its instance UID, so that a PACS
that gets it twice has it once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from ccta.case import Case
from ccta.errors import BadInput, StorageFailed
from ccta.findings import Findings
from ccta.model import CORONARY_LABELS, PLAQUE_LABELS, CrossSections
from ccta.reader_report import SignedVersion
from ccta.report import signing
from ccta.report.blocks import ReportContent
from ccta.report.dicom_documents import captures, encapsulated_pdf, key_objects
from ccta.report.dicom_origin import Origin
from ccta.report.dicom_seg import HEART_SEGMENTS, LUMEN_SEGMENT, calcium_segments, plaque_segments, segmentation
from ccta.report.dicom_sr import report_sr
from ccta.storage import atomic_path

MAIN_PICTURES = ("ffr_tree", "pullback", "cross")
"""Of the report, beside the straightened vessels: sent as Secondary Captures."""


def write_objects(case: Case) -> list[Path]:
    """All objects of the case as it stands, in CASE/dicom, and nothing else there. Signed where its report is. BadInput for a case not read from DICOM."""
    if case.unavailable("source") or not (case.path("source").exists() or case.path("calcium_source").exists()):
        raise BadInput(_no_source(case))
    folder = case.path("dicom")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{folder} cannot be made ({error.strerror}); free some space or choose another place") from error
    written = [_stored(folder / f"{name}.dcm", dataset) for name, dataset in _objects(case)]
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


def _objects(case: Case) -> Iterator[tuple[str, Dataset]]:
    """(file name, object) of everything that the case has."""
    findings, signed = case.findings(), signing.signed_as(case)
    at = signing.report_time(case)
    main = Origin(case.read_source("source" if case.path("source").exists() else "calcium_source"), at)
    yield from _segmentations(case, findings, at)
    sections = case.read_sections() if case.path("contours").exists() else []
    yield "sr_measurements", report_sr(main, findings, outlines(findings, sections), signed)
    yield from _documents(case, main, signed)


def _segmentations(case: Case, findings: Findings, at: datetime) -> Iterator[tuple[str, Dataset]]:
    made = []
    if case.path("source").exists():
        origin = Origin(case.read_source(), at)
        if case.path("heart").exists():
            made.append(("seg_heart", segmentation(origin, "heart", 1, case.read_volume("heart"), HEART_SEGMENTS)))
        if case.path("coronary").exists():
            made.append(("seg_coronary", segmentation(origin, "coronary arteries", 2, *_coronary(case))))
    if case.path("calcium_source").exists() and case.path("calcium_labels").exists() and findings.calcium:
        vessels = {lesion.id: lesion.vessel for lesion in findings.calcium.lesions}
        origin = Origin(case.read_source("calcium_source"), at)
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


def outlines(findings: Findings, sections: list[CrossSections]) -> dict[int, np.ndarray]:
    """Index of a stenosis -> (N, 3) lumen contour of the plane next to its minimal lumen, mm."""
    found = {}
    for index, one in enumerate(findings.stenoses or ()):
        own = next((s for s in sections if s.branch == one.branch and len(s)), None)
        if own is not None:
            plane = int(np.abs(own.distance_mm - one.position_mm).argmin())
            angle = 2 * np.pi * np.arange(own.lumen_radius_mm.shape[1]) / own.lumen_radius_mm.shape[1]
            ring = np.cos(angle)[:, None] * own.axis_u[plane] + np.sin(angle)[:, None] * own.axis_v[plane]
            found[index] = own.center_mm[plane] + own.lumen_radius_mm[plane][:, None] * ring
    return found


def _documents(case: Case, origin: Origin, signed: SignedVersion | None) -> Iterator[tuple[str, Dataset]]:
    """The report, addenda to the signed one, pictures, and their selection."""
    if not case.path("report_pdf").exists() or not case.path("report_content").exists():
        return
    folder = signing.version_folder(case, signed.number) if signed else None
    text = (folder / signing.CONTENT if folder else case.path("report_content")).read_text()
    title = f"Coronary CT report, signed, version {signed.number}" if signed else "Coronary CT report, draft"
    yield "pdf_report", encapsulated_pdf(origin, 1, title, case.path("report_pdf").read_bytes(), text.encode())
    for version in case.reader().versions:
        if signed and version.kind == "addendum" and version.amends == signed.number:
            own = signing.version_folder(case, version.number)
            words = f"Addendum to the coronary CT report, version {version.number}"
            yield (
                f"pdf_addendum_{version.number}",
                encapsulated_pdf(origin, version.number, words, (own / signing.PDF).read_bytes(), (own / signing.CONTENT).read_bytes()),
            )
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
