"""The audit log: who did what with which study, when, from where, with which outcome (the questions of IHE ATNA and DICOM PS3.15 A.5). Only ever appended to.

Each entry holds the hash of the one before it, so that a changed, inserted or missing entry is found; triggers of the database refuse UPDATE and DELETE.
Entries cut off at the end are found only beside a last hash that was kept elsewhere: `ccta user audit` prints it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Connection, Integer, String, event, select, text
from sqlalchemy.orm import Mapped, mapped_column

from viewer.server.store import Base, Store

FIRST = "0" * 64
LOCK = 7_220_551
"""Number of PostgreSQL's advisory lock under which entries are appended one after another."""


class Action(StrEnum):
    """What was done."""

    LOGIN = "login"
    LOGOUT = "logout"
    LIST = "list"
    VIEW = "view"
    OPEN = "open"
    CLOSE = "close"
    CHANGE = "change"
    SIGN = "sign"
    EXPORT = "export"
    IMPORT = "import"
    DELETE_ATTEMPT = "delete-attempt"
    REFUSED = "refused"


class AuditEntry(Base):
    """One line of the log. at: ISO 8601, UTC. study: the server's number of the study, or ""."""

    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[str] = mapped_column(String(32))
    who: Mapped[str] = mapped_column(String(32))
    origin: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(20))
    study: Mapped[str] = mapped_column(String(80))
    outcome: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(String(300))
    previous: Mapped[str] = mapped_column(String(64), unique=True)
    hash: Mapped[str] = mapped_column(String(64))


FIELDS = ("at", "who", "origin", "action", "study", "outcome", "detail")


@dataclass(frozen=True)
class Verdict:
    """Of the whole log: how many entries, the first broken one (0: none), the last hash."""

    entries: int
    broken_at: int
    last_hash: str


def entry_hash(previous: str, values: dict[str, str]) -> str:
    """SHA-256 over the hash before and the entry's fields as canonical JSON."""
    return hashlib.sha256((previous + json.dumps([values[name] for name in FIELDS], ensure_ascii=False)).encode()).hexdigest()


class Audit:
    """Writes and reads the log."""

    def __init__(self, store: Store):
        self._store = store

    def note(self, who: str, origin: str, action: Action, study: str = "", outcome: str = "done", detail: str = "") -> None:
        """Appends an entry. Raises what the database raises: what cannot be noted must not be done."""
        values = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "who": who[:32],
            "origin": origin[:64],
            "action": str(action),
            "study": study[:80],
        }
        values |= {"outcome": outcome[:20], "detail": _plain(detail)[:300]}
        with self._store.writing() as db:  # on SQLite this is the one writer; PostgreSQL needs a lock across reading and writing
            if db.get_bind().dialect.name == "postgresql":
                db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            previous = db.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)) or FIRST
            db.add(AuditEntry(**values, previous=previous, hash=entry_hash(previous, values)))

    def entries(self, limit: int = 100, before: int | None = None, study: str = "", who: str = "") -> list[dict]:
        """The newest entries first, those before entry `before`."""
        query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
        for wanted, column in ((study, AuditEntry.study), (who, AuditEntry.who)):
            query = query.where(column == wanted) if wanted else query
        query = query.where(AuditEntry.id < before) if before else query
        with self._store.session() as db:
            return [{"id": row.id, **{name: getattr(row, name) for name in FIELDS}} for row in db.scalars(query)]

    def verified(self) -> Verdict:
        """Walks the whole chain."""
        previous, count = FIRST, 0
        with self._store.session() as db:
            for row in db.scalars(select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=1000)):
                count += 1
                if row.previous != previous or row.hash != entry_hash(previous, {name: getattr(row, name) for name in FIELDS}):
                    return Verdict(count, row.id, previous)
                previous = row.hash
        return Verdict(count, 0, previous)


def _plain(sentence: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in sentence)


REFUSAL = "the audit log is append-only"
SQLITE_TRIGGERS = [
    *(f"CREATE TRIGGER audit_log_no_{what.lower()} BEFORE {what} ON audit_log BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END" for what in ("UPDATE", "DELETE")),
    # INSERT OR REPLACE removes the old row without the trigger above
    "CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id OR previous = NEW.previous) "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
]
POSTGRESQL_TRIGGERS = [
    f"CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$",
    "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_append_only()",
    "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()",
]


def add_triggers(_, connection: Connection, **__) -> None:
    """Makes the log append-only in the database itself, wherever its table is made."""
    for statement in POSTGRESQL_TRIGGERS if connection.dialect.name == "postgresql" else SQLITE_TRIGGERS:
        connection.exec_driver_sql(statement)


event.listen(AuditEntry.__table__, "after_create", add_triggers)
