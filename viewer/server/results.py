"""What a finished case gives to the worklist, and which DICOM objects of it go to which PACS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from sqlalchemy.orm import Session

from ccta.case import Case
from ccta.errors import BadInput, CctaError
from viewer.server.intake import insert_missing
from viewer.server.settings import ServerSettings
from viewer.server.store import Delivery, DeliveryState, Study
from viewer.server.summary import Summary, summary_of

UIDS = ("StudyInstanceUID", "SOPInstanceUID", "SeriesInstanceUID", "SOPClassUID")
"""In the order of ResultObject's fields."""


@dataclass(frozen=True)
class ResultObject:
    """One DICOM file to be sent."""

    path: Path
    study_uid: str
    sop_uid: str
    series_uid: str
    sop_class_uid: str


def summary_at(root: Path) -> Summary:
    """The summary of a case's folder; empty where it is none (another analysis program may write what it likes)."""
    try:
        return summary_of(Case.open(root).findings())
    except CctaError:
        return Summary()


def result_objects(root: Path) -> list[ResultObject]:
    """The DICOM files of the case, in the order of their names."""
    return objects_of(sorted((root / "dicom").glob("*.dcm")))


def objects_of(paths: Sequence[Path]) -> list[ResultObject]:
    """DICOM files with their UIDs. BadInput for one that is none."""
    found = []
    for path in paths:
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(UIDS))
            found.append(ResultObject(path, *(str(dataset[name].value) for name in UIDS)))
        except Exception as error:  # pydicom raises a dozen types for what is no DICOM file
            raise BadInput(f"{path} is no DICOM file, or it is damaged; nothing was sent") from error
    return found


def destination_of(settings: ServerSettings, study: Study) -> str:
    """The study's own PACS where it is one of [pacs], else out.destination; empty: results are not sent."""
    own = [name for name, pacs in settings.pacs.items() if study.source in (name, pacs.ae_title)]
    return next(iter(own), settings.out.destination) if settings.out.destination else ""


def may_be_signed(root: Path) -> bool:
    """Whether a case has a report that a reader may sign; what another analysis program left has none."""
    return Case(root).path("report_content").exists()


def order_deliveries(session: Session, settings: ServerSettings, study: Study, objects: Sequence[ResultObject], draft: bool = False) -> None:
    """Every result object is to be sent once. Part of the transaction that ends the job, so that a study is never done without them.

    draft: of a report that is not signed yet; with `out.hold_drafts` they wait for the signature.
    """
    destination = "" if draft and settings.out.hold_drafts else destination_of(settings, study)
    for item in objects if destination else ():
        insert_missing(
            session,
            Delivery,
            study_id=study.id,
            generation=study.generation,
            sop_uid=item.sop_uid,
            series_uid=item.series_uid,
            sop_class_uid=item.sop_class_uid,
            path=item.path.relative_to(settings.data_folder).as_posix(),
            destination=destination,
            state=DeliveryState.PENDING.value,
            tries=0,
            next_try_s=0.0,
            transaction_uid="",
            error="",
            draft=draft,
        )
