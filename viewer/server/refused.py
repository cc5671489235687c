"""Instances that could not be kept, in the database that all processes of the server share: a study that lacks one is not to be taken for complete."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from viewer.server.headers import Header
from viewer.server.store import RefusedInstance, Store

log = logging.getLogger(__name__)
AGAIN_S = 2.0
"""After so long what could not be written down is tried again: well within the quiet time after which another process takes a study for complete."""


class Refused:
    """Until they come again, by whichever way, or are given up after `longest_s`. For many threads.

    What cannot be written down, because the database is away or its disk full, is kept in this process, which tries again by itself: it may
    never be asked, while another one does the asking.
    """

    def __init__(self, store: Store):
        self._store, self._lock = store, threading.Lock()
        self._unwritten: dict[tuple[str, str], float] = {}  # (study UID, instance UID) -> seconds since 1970
        self._again: threading.Timer | None = None

    def note(self, headers: Iterable[Header], now_s: float, longest_s: float) -> None:
        """Instances refused now; those that have been missing for too long are forgotten."""
        with self._lock:
            self._unwritten |= {(header.study_uid, header.sop_uid): now_s for header in headers}
        self._write(now_s - longest_s)

    def came(self, session: Session, header: Header) -> None:
        """An instance is there, as part of the transaction that says so."""
        with self._lock:
            self._unwritten.pop((header.study_uid, header.sop_uid), None)
        session.execute(delete(RefusedInstance).where(RefusedInstance.study_uid == header.study_uid, RefusedInstance.sop_uid == header.sop_uid))

    def studies(self, now_s: float, longest_s: float) -> set[str]:
        """Those of which an instance is missing."""
        if self._unwritten:
            self._write(now_s - longest_s)
        with self._store.session() as session:
            written = session.scalars(select(RefusedInstance.study_uid).where(RefusedInstance.at_s > now_s - longest_s).distinct())
            with self._lock:
                return {*written, *(study for (study, _), at_s in self._unwritten.items() if at_s > now_s - longest_s)}

    def _write(self, since_s: float) -> None:
        with self._lock:
            self._unwritten = {key: at_s for key, at_s in self._unwritten.items() if at_s > since_s}
            waiting = dict(self._unwritten)
        try:
            with self._store.writing() as session:
                session.execute(delete(RefusedInstance).where(RefusedInstance.at_s <= since_s))
                for (study_uid, sop_uid), at_s in sorted(waiting.items()):  # in one order, so that two processes do not wait for each other
                    _put(session, study_uid=study_uid, sop_uid=sop_uid, at_s=at_s)
        except DBAPIError as error:
            log.warning("%d refused instances cannot be written down yet (%s)", len(waiting), type(error.orig).__name__)
            if waiting:
                self._later(since_s + AGAIN_S)
            return
        with self._lock:
            self._unwritten = {key: at_s for key, at_s in self._unwritten.items() if waiting.get(key) != at_s}

    def _later(self, since_s: float) -> None:
        with self._lock:
            if self._again is None or self._again.finished.is_set() or self._again is threading.current_thread():
                self._again = threading.Timer(AGAIN_S, self._write, (since_s,))
                self._again.daemon = True
                self._again.start()


def _put(session: Session, **values) -> None:
    """A row, or its newer time where it is there."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = dialect.insert(RefusedInstance).values(**values)
    session.execute(row.on_conflict_do_update(index_elements=["study_uid", "sop_uid"], set_={"at_s": values["at_s"]}))
