"""Signed reports: what the worklist shows of them, and their DICOM objects to the PACS. All read from the case, which may be signed on the worklist, in the
viewer or by `ccta sign`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from sqlalchemy import delete, select, update

from ccta.case import Case
from ccta.errors import CctaError
from ccta.reader_report import SignedVersion
from viewer.server.rejections import rejected_drafts
from viewer.server.results import ResultObject, order_deliveries, result_objects
from viewer.server.settings import ServerSettings
from viewer.server.store import NOTES_FOLDER, Delivery, DeliveryState, Store, Study, StudyState
from viewer.server.work import ended_well, export_objects, has_room, sentence_of

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


@dataclass(frozen=True)
class SignedReports:
    """Makes the DICOM objects of reports that were signed since they were made last, and orders their delivery. clock: seconds since 1970.

    failed: study -> (how often in a row it could not be done, when it is tried again); forgotten with the process, which then tries at once.
    """

    store: Store
    settings: ServerSettings
    clock: Callable[[], float] = time.time
    failed: dict[int, tuple[int, float]] = field(default_factory=dict)

    def round(self) -> int:
        """One look at all that is done; gives the number of studies whose objects were made. What is wrong with one study stays with it."""
        wanted = select(Study.id, Study.case_path, Study.objects_s).where(Study.state == StudyState.DONE.value, Study.case_path != "", Study.objects_s > 0)
        with self.store.session() as session:
            studies = session.execute(wanted).all()
        return sum(self._look(*study) for study in studies if self.failed.get(study.id, (0, 0.0))[1] <= self.clock())

    def _look(self, study_id: int, case_path: str, objects_s: float) -> bool:
        root = self.settings.data_folder / case_path
        try:
            written_s = Case(root).path("reader").stat().st_mtime
            if written_s <= objects_s or signature_of(root) is None or not has_room(self.settings):
                return False
        except OSError:
            return False  # nothing was signed, or the case cannot be read now
        try:
            ended = export_objects(self.settings, root, lambda line: True)
            reason = "" if ended_well(ended) else sentence_of(self.settings, ended)
            objects = [] if reason else result_objects(root)
            if not reason:
                objects += rejected_drafts(self.store, self.settings, study_id, root, objects)
        except (CctaError, OSError) as error:
            reason, objects = str(error).replace(str(self.settings.data_folder), "DATA"), []
        return self._note(study_id, case_path, written_s, objects, reason)

    def _note(self, study_id: int, case_path: str, written_s: float, objects: list[ResultObject], reason: str) -> bool:
        """reason: why there are no objects, "" where they are made."""
        with self.store.writing() as session:
            study = session.scalar(select(Study).where(Study.id == study_id).with_for_update())
            if study.case_path != case_path or study.state != StudyState.DONE:
                return False  # analysed again meanwhile
            study.error = f"the signed report is not sent yet: {reason}" if reason else ""
            if not reason:
                superseded = (
                    Delivery.study_id == study_id,
                    Delivery.state != DeliveryState.THERE.value,
                    Delivery.sop_uid.not_in([one.sop_uid for one in objects]),
                    Delivery.path.not_like(f"{NOTES_FOLDER}/%"),
                )
                session.execute(delete(Delivery).where(*superseded))  # their files are gone, or hold the signed objects now
                session.execute(update(Delivery).where(Delivery.study_id == study_id).values(draft=False))  # signed with the rest, or rejected
                order_deliveries(session, self.settings, study, objects)
                study.objects_s = written_s
        if reason:
            tries = self.failed.get(study_id, (0, 0.0))[0] + 1
            self.failed[study_id] = tries, self.clock() + self.settings.out.wait_s(tries)
            log.warning("the signed report of %s cannot be made into DICOM objects: %s", case_path, reason)
        else:
            self.failed.pop(study_id, None)
        return not reason
