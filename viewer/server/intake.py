"""Instances in, by whichever way they come: written as received, durably, exactly once by SOP instance UID; then counted in the database.

A file is on disk for good before the database knows it, so that after a death of the server `reindex` finds what is missing in the database; a sender that got
no answer sends again, which changes nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ccta.errors import BadInput, StorageFailed
from viewer.server.headers import Header, header_of
from viewer.server.refused import Refused
from viewer.server.settings import ServerSettings
from viewer.server.store import NOTES_FOLDER, Delivery, DeliveryState, Instance, Job, Store, Study, StudyState

STUDIES = "studies"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MB = 1_000_000


class OutOfRoom(StorageFailed):
    """There is no room for what came; the sender may try again later."""


class TooLarge(BadInput):
    """One instance is larger than `intake.largest_mb`."""


class OtherContent(BadInput):
    """An instance of this UID with other content is there already."""


@dataclass(frozen=True)
class Intake:
    """Where instances go. clock: seconds since 1970."""

    store: Store
    settings: ServerSettings
    clock: Callable[[], float] = time.time

    @cached_property
    def refused(self) -> Refused:
        return Refused(self.store)

    def take(self, data: bytes, source: str) -> Header:
        """Keeps one DICOM file (as bytes, with its file meta header). Errors: BadInput and its kinds, OutOfRoom, StorageFailed."""
        if len(data) > self.settings.intake.largest_mb * MB:
            raise TooLarge(f"the instance has {len(data) / MB:.0f} MB; intake.largest_mb allows {self.settings.intake.largest_mb:.0f}")
        header = header_of(data)
        if self._is_ours(header):
            return header  # a PACS that routes our own results back to us
        try:
            self._check_room(len(data))
            self._keep(self.path_of(header), data)
            self._index(header, len(data), source)
        except (StorageFailed, DBAPIError):
            self._miss([header])
            raise
        return header

    def miss(self, files: Iterable[bytes]) -> None:
        """DICOM files that were not even tried because one before them was refused: their studies wait for them, too. What is no DICOM is left out."""
        headers = []
        for data in files:
            with contextlib.suppress(BadInput):
                headers.append(header_of(data))
        self._miss([header for header in headers if not self._is_here(header)])

    def _miss(self, headers: list[Header]) -> None:
        self.refused.note(headers, self.clock(), self.settings.intake.refused_wait_s)

    def _is_here(self, header: Header) -> bool:
        """False also while the database is away: what is here after all is forgotten again when it comes, or after a time."""
        try:
            with self.store.session() as session:
                return session.get(Instance, header.sop_uid) is not None
        except DBAPIError:
            return False

    def incomplete(self) -> set[str]:
        """The studies of which an instance was refused and has not come again, for `intake.refused_wait_s` at most: not to be taken for complete."""
        return self.refused.studies(self.clock(), self.settings.intake.refused_wait_s)

    def path_of(self, header: Header) -> Path:
        return self.settings.data_folder / STUDIES / header.study_uid / header.series_uid / f"{header.sop_uid}.dcm"

    def reindex(self) -> int:
        """Brings files into the database that a dying server had written but not counted; gives their number. Removes half-written ones."""
        root = self.settings.data_folder / STUDIES
        with self.store.session() as session:
            known = set(session.scalars(select(Instance.sop_uid)))
        missing = [path for path in root.glob("*/*/*.dcm") if path.stem not in known]
        for path in missing:
            data = path.read_bytes()
            header = header_of(data)
            self._index(header, len(data), "found on disk")
        for left in (self.settings.data_folder / "incoming").glob("*"):
            if time.time() - left.stat().st_mtime > 3600:  # another process may be writing it
                left.unlink(missing_ok=True)
        return len(missing)

    def _is_ours(self, header: Header) -> bool:
        if header.is_image:
            return False
        with self.store.session() as session:
            return session.scalar(select(Delivery.id).where(Delivery.sop_uid == header.sop_uid)) is not None

    def _check_room(self, size: int) -> None:
        try:
            self.settings.data_folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.settings.data_folder).free
        except OSError as error:
            raise StorageFailed(f"the data folder cannot be used ({error.strerror})") from error
        if free < size + self.settings.intake.keep_free_mb * MB:
            raise OutOfRoom(f"the data folder's disk has {free / MB:.0f} MB free; intake.keep_free_mb asks for {self.settings.intake.keep_free_mb:.0f}")

    def _keep(self, path: Path, data: bytes) -> None:
        """The file under its name, all of it or nothing; OtherContent where another one has the name."""
        try:
            if not path.parent.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                for folder in (path.parents[1], path.parents[2]):
                    _sync_folder(folder)
            written = not path.exists() and self._write(path, data)
            if not written and path.read_bytes() != data:
                raise OtherContent("an instance with this UID and other content is here already; it is kept")
        except OSError as error:
            kind = OutOfRoom if error.errno in NO_ROOM else StorageFailed
            raise kind(f"an instance could not be written ({error.strerror})") from error

    def _write(self, path: Path, data: bytes) -> bool:
        """True if the file was written, False if another sender was faster."""
        incoming = self.settings.data_folder / "incoming"
        incoming.mkdir(exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=incoming)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)  # unlike a rename it never replaces what another sender has just put there
            except FileExistsError:
                return False
            _sync_folder(path.parent)
            return True
        finally:
            os.unlink(temporary)

    def _index(self, header: Header, size: int, source: str) -> None:
        path = self.path_of(header)
        instance = {
            "sop_uid": header.sop_uid,
            "series_uid": header.series_uid,
            "sop_class_uid": header.sop_class_uid,
            "modality": header.modality,
            "path": path.relative_to(self.settings.data_folder).as_posix(),
            "size_bytes": size,
            "received_s": self.clock(),
        }
        with self.store.writing() as session:
            self.refused.came(session, header)
            study = _study_of(session, header, source, self.clock())
            if insert_missing(session, Instance, study_id=study.id, **instance):
                _count(session, study, header, self.clock())
                return
            stored = session.scalar(select(Instance.path).where(Instance.sop_uid == header.sop_uid))
        if stored != instance["path"]:
            path.unlink(missing_ok=True)
            raise OtherContent("an instance with this UID is here already, in another study or series; it is kept")


def insert_missing(session: Session, table, **values) -> bool:
    """Inserts a row unless one with the same key is there; True if it was inserted."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    key = next(iter(table.__table__.primary_key))
    return session.execute(dialect.insert(table).values(**values).on_conflict_do_nothing().returning(key)).first() is not None


def _study_of(session: Session, header: Header, source: str, now_s: float) -> Study:
    """The study's row, locked until the end of the transaction; made where it is missing."""
    wanted = select(Study).where(Study.study_uid == header.study_uid).with_for_update()
    study = session.scalar(wanted)
    if study is None:
        insert_missing(session, Study, study_uid=header.study_uid, source=source[:128], received_s=now_s, last_instance_s=now_s, **_defaults(), **header.study)
        study = session.scalar(wanted)
    return study


def _defaults() -> dict:
    """The columns' defaults: an insert outside of the session's unit of work does not fill all of them."""
    texts = dict.fromkeys(("progress", "error", "case_path", "image_quality", "cad_rads"), "")
    return {"state": StudyState.RECEIVED.value, "urgent": False, "generation": 1, "instances": 0, "objects_s": 0.0, **texts}


def _count(session: Session, study: Study, header: Header, now_s: float) -> None:
    """A new instance of a study. A late image reopens it."""
    study.instances += 1
    if not header.is_image:
        return
    study.last_instance_s = now_s
    if study.state != StudyState.RECEIVED:
        next_generation(session, study)
        study.state, study.progress = StudyState.RECEIVED.value, "late images came; the study is analysed again"


def next_generation(session: Session, study: Study) -> None:
    """Supersedes what was ordered or found: running and waiting jobs stop, unsent results are not sent; notes that reject drafts are."""
    session.execute(update(Job).where(Job.study_id == study.id, Job.state.in_(["waiting", "running"])).values(state=StudyState.CANCELLED.value))
    unsent = (Delivery.study_id == study.id, Delivery.state == DeliveryState.PENDING.value, Delivery.tries == 0)
    session.execute(delete(Delivery).where(*unsent, Delivery.path.not_like(f"{NOTES_FOLDER}/%")))  # a note is on what the PACS has
    study.generation += 1
    study.error = ""


def _sync_folder(folder: Path) -> None:
    """Makes new names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
