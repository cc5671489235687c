"""Signed reports: what the worklist shows of them, and their DICOM objects to the PACS. All read from the case, which may be signed on the worklist, in the
viewer or by `ccta sign`."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from sqlalchemy import select

from ccta.case import Case
from ccta.errors import CctaError
from ccta.reader_report import SignedVersion
from viewer.server.results import order_deliveries, result_objects
from viewer.server.settings import ServerSettings
from viewer.server.store import Store, Study, StudyState
from viewer.server.work import export_objects, has_room

log = logging.getLogger(__name__)
ITEMS = ("report_html", "report_pdf", "findings")
"""What has to be as it was signed."""
LOOK_S = 15.0
"""How often the node looks for reports that were signed."""


def signature_of(root: Path) -> SignedVersion | None:
    """The signed version that a case's report is, None for a draft. Costs four looks at the disk where nothing has changed."""
    case = Case(root)
    try:
        stamps = tuple((seen.st_mtime_ns, seen.st_size) for seen in (case.path(item).stat() for item in ("reader", *ITEMS)))
    except OSError:
        return None  # nothing was signed, or there is no report
    return _read(root, stamps)


@lru_cache(maxsize=4096)
def _read(root: Path, stamps: tuple) -> SignedVersion | None:
    from ccta.report import signing  # loads the typesetter

    try:
        return signing.signed_as(Case(root))
    except CctaError:
        return None


def why_not_signed(root: Path | None, status: str) -> str:
    """The word (`words.py`) for why a report cannot be signed, "" where it can. status: the study's."""
    from ccta.report import signing  # loads the typesetter

    if root is None:
        return "not_analysed"
    if status != StudyState.DONE:
        return "not_done"
    try:
        reason = signing.why_not(Case(root))
    except CctaError:
        return "draft_stale"
    return {"signed": "signed_already"}.get(reason.kind, "draft_stale") if reason else ""


def send_signed(store: Store, settings: ServerSettings) -> int:
    """Makes the DICOM objects of reports that were signed since they were made last, and orders their delivery; gives the number of such studies."""
    wanted = select(Study.id, Study.case_path, Study.objects_s).where(Study.state == StudyState.DONE.value, Study.case_path != "", Study.objects_s > 0)
    with store.session() as session:
        studies = session.execute(wanted).all()
    return sum(_send(store, settings, *study) for study in studies)


def _send(store: Store, settings: ServerSettings, study_id: int, case_path: str, objects_s: float) -> bool:
    root = settings.data_folder / case_path
    try:
        written_s = Case(root).path("reader").stat().st_mtime
    except OSError:
        return False
    if written_s <= objects_s or signature_of(root) is None or not has_room(settings):
        return False
    ended = export_objects(settings, root, lambda line: True)
    if ended.code:
        log.warning("the signed report of %s cannot be made into DICOM objects: %s", case_path, ended.last)
    with store.writing() as session:
        study = session.scalar(select(Study).where(Study.id == study_id).with_for_update())
        if study.case_path != case_path or study.state != StudyState.DONE:
            return False  # analysed again meanwhile
        if not ended.code:
            order_deliveries(session, settings, study, result_objects(root))
        study.objects_s = written_s
    return not ended.code
