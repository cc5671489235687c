"""Drafts that a PACS was sent and a signed report takes the place of: a rejection note (IHE Imaging Object Change Management), where it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from ccta.case import Case
from ccta.storage import atomic_path
from viewer.server.results import ResultObject, objects_of
from viewer.server.settings import ServerSettings
from viewer.server.store import NOTES_FOLDER, Delivery, Store


def rejected_drafts(store: Store, settings: ServerSettings, study_id: int, root: Path, signed: Sequence[ResultObject]) -> list[ResultObject]:
    """The note on the study's draft objects that the signed ones take the place of; [] where there are none, or none is wanted.

    One that was never sent may be among them, since it may be on its way just now: a note may name what a PACS does not have.
    """
    if not settings.out.reject_drafts_as:
        return []
    draft = (Delivery.study_id == study_id, Delivery.draft, Delivery.sop_uid.not_in([one.sop_uid for one in signed]))
    wanted = select(Delivery.sop_class_uid, Delivery.series_uid, Delivery.sop_uid).where(*draft).order_by(Delivery.sop_uid)
    with store.session() as session:
        drafts = [tuple(row) for row in session.execute(wanted)]
    return objects_of([_written(settings, Case(root), drafts)]) if drafts else []


def _written(settings: ServerSettings, case: Case, drafts: list[tuple[str, str, str]]) -> Path:
    """The note as a file; the same drafts give the same instance."""
    from ccta.report import signing  # loads the typesetter
    from ccta.report.dicom_documents import rejection_note
    from ccta.report.dicom_origin import Origin

    source = case.read_source("source" if case.path("source").exists() else "calcium_source")
    note = rejection_note(Origin(source, signing.report_time(case)), drafts, settings.out.reject_drafts_as)
    path = settings.data_folder / NOTES_FOLDER / note.StudyInstanceUID / f"{note.SOPInstanceUID}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        note.save_as(temporary, enforce_file_format=True)
    return path
