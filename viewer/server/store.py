"""The server's database: studies, instances, jobs and deliveries, in SQLite (WAL) or PostgreSQL. Tables change by migrations only.

Other modules add tables of their own on `Base`, each with a migration after the last one here. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import BigInteger, Boolean, Connection, Engine, Float, ForeignKey, Integer, String, Text, UniqueConstraint, create_engine, event, false, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from ccta.errors import BadSettings, StorageFailed

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_220_550
"""Number of PostgreSQL's advisory lock under which one process at a time brings the tables up to date."""
BUSY_S = 60.0
"""SQLite has one writer; the others wait for it so long."""
NOTES_FOLDER = "rejections"
"""Of the data folder: notes that reject what a PACS was sent. Not in the cases, whose objects are those that hold."""


class Base(DeclarativeBase):
    """Every table of the server."""


class StudyState(StrEnum):
    """Where a study stands. RECEIVED: slices may still come. WAITING: complete, for a worker."""

    RECEIVED = "received"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """Where a result object stands. SENT: accepted by the PACS, not yet seen there. LOST: the PACS does not commit to it, whatever it shows; to be sent again.
    THERE: the PACS was asked and has it, or committed to it."""

    PENDING = "pending"
    SENT = "sent"
    LOST = "lost"
    THERE = "there"


class Study(Base):
    """One study. `generation` grows when late slices reopen it, or it is run again; a result of an earlier generation is superseded."""

    __tablename__ = "studies"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_uid: Mapped[str] = mapped_column(String(64), unique=True)
    patient_id: Mapped[str] = mapped_column(String(64), default="", index=True)
    patient_name: Mapped[str] = mapped_column(String(324), default="")
    """As in DICOM: up to three component groups separated by =."""
    birth_date: Mapped[str] = mapped_column(String(8), default="")
    sex: Mapped[str] = mapped_column(String(16), default="")
    accession: Mapped[str] = mapped_column(String(64), default="", index=True)
    description: Mapped[str] = mapped_column(String(64), default="")
    study_date: Mapped[str] = mapped_column(String(8), default="", index=True)
    study_time: Mapped[str] = mapped_column(String(16), default="")
    source: Mapped[str] = mapped_column(String(128), default="")
    """Who sent it: a calling AE title, `folder`, `upload`, or a PACS's name."""
    state: Mapped[str] = mapped_column(String(16), default=StudyState.RECEIVED.value, index=True)
    urgent: Mapped[bool] = mapped_column(Boolean, default=False)
    generation: Mapped[int] = mapped_column(Integer, default=1)
    instances: Mapped[int] = mapped_column(Integer, default=0)
    received_s: Mapped[float] = mapped_column(Float, default=0.0)
    last_instance_s: Mapped[float] = mapped_column(Float, default=0.0)
    started_s: Mapped[float | None] = mapped_column(Float)
    finished_s: Mapped[float | None] = mapped_column(Float)
    progress: Mapped[str] = mapped_column(String(200), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    """One sentence; empty where nothing is wrong."""
    case_path: Mapped[str] = mapped_column(Text, default="")
    """The case of the newest finished analysis, relative to the data folder."""
    objects_s: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")
    """When the DICOM objects of that case were made last; 0: the case was not made here."""
    image_quality: Mapped[str] = mapped_column(String(100), default="")
    cad_rads: Mapped[str] = mapped_column(String(100), default="")
    lowest_ffr: Mapped[float | None] = mapped_column(Float)


class Instance(Base):
    """One DICOM file, exactly once by its SOP instance UID. path: relative to the data folder."""

    __tablename__ = "instances"
    sop_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    series_uid: Mapped[str] = mapped_column(String(64), index=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    modality: Mapped[str] = mapped_column(String(16), default="")
    path: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    received_s: Mapped[float] = mapped_column(Float)


class RefusedInstance(Base):
    """One instance that could not be kept for want of room or database, and has not come again."""

    __tablename__ = "refused_instances"
    study_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    sop_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    at_s: Mapped[float] = mapped_column(Float)


class Job(Base):
    """One order to analyse a study, and how it went. The queue's own tables know who runs it."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int] = mapped_column(Integer)
    number: Mapped[int] = mapped_column(Integer, default=1)
    """Grows when the same generation is queued again, for example with another urgency."""
    state: Mapped[str] = mapped_column(String(16), default=StudyState.WAITING.value, index=True)
    urgent: Mapped[bool] = mapped_column(Boolean, default=False)
    tries: Mapped[int] = mapped_column(Integer, default=1)
    """How many tries this one makes; each try after a crash is a job of its own."""
    not_before_s: Mapped[float] = mapped_column(Float, default=0.0)
    queued_s: Mapped[float | None] = mapped_column(Float)
    """When the queue was given the job; None: not yet."""
    started_s: Mapped[float | None] = mapped_column(Float)
    finished_s: Mapped[float | None] = mapped_column(Float)
    error: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (UniqueConstraint("study_id", "generation", "number"),)


class Delivery(Base):
    """One result object for one PACS, exactly once by its SOP instance UID."""

    __tablename__ = "deliveries"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int] = mapped_column(Integer)
    sop_uid: Mapped[str] = mapped_column(String(64), index=True)
    series_uid: Mapped[str] = mapped_column(String(64))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    destination: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default=DeliveryState.PENDING.value, index=True)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    next_try_s: Mapped[float] = mapped_column(Float, default=0.0)
    there_s: Mapped[float | None] = mapped_column(Float)
    transaction_uid: Mapped[str] = mapped_column(String(64), default="", server_default="", index=True)
    """Of the storage commitment that the PACS was asked for last; empty: none."""
    draft: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Of a report that may still be signed, and then has other objects."""
    error: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (UniqueConstraint("sop_uid", "destination"),)


@dataclass(frozen=True)
class Store:
    """An open database. `session()` reads; `writing()` commits at the end, or rolls back."""

    engine: Engine
    session: sessionmaker[Session]

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that takes SQLite's write lock at its beginning: two readers that both turn writers would refuse each other."""
        with self.session.begin() as session:
            session.connection(execution_options={"writes": True})
            yield session

    def close(self) -> None:
        self.engine.dispose()


def open_store(url: str) -> Store:
    """The database at a SQLAlchemy URL, its tables brought up to date. BadSettings or StorageFailed in one sentence where it cannot be had."""
    engine = make_engine(url)
    try:
        with engine.connect().execution_options(writes=True) as connection:
            upgrade(connection)
    except OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise StorageFailed(f"the database {engine.url.render_as_string()} cannot be used ({reason}); see that it runs and that `database` is right") from error
    return Store(engine, sessionmaker(engine, expire_on_commit=False))


def make_engine(url: str) -> Engine:
    """An engine for SQLite (made durable and patient) or PostgreSQL."""
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
            raise BadSettings(f"the database may be SQLite or PostgreSQL, got {parsed.drivername}")
        if parsed.drivername == "sqlite":
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, connect_args={"timeout": BUSY_S})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    except (ArgumentError, NoSuchModuleError) as error:
        raise BadSettings("`database` is not a SQLAlchemy URL; for example postgresql+psycopg://ccta@localhost/ccta") from error
    except OSError as error:
        raise StorageFailed(f"the folder of the database cannot be made ({error.strerror}); choose another") from error


def _prepare_sqlite(connection, _record) -> None:
    """WAL lets readers go on while one writes; FULL keeps a commit through a power cut; the driver begins no transactions by itself."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_S * 1000:.0f}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def migration_settings(connection: Connection) -> Config:
    """Alembic's settings for our migrations on this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Runs the migrations that are missing, one process at a time, all or none."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    command.upgrade(migration_settings(connection), "head")
    connection.commit()
