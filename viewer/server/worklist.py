"""The worklist: one line for each study of the database, filtered, sorted and paged there, so that it is as quick with ten thousand studies as with ten.

Who signed is read from the cases of one page alone: a signature is given in the viewer and by the command line too, and a correction makes a draft again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Select, case, func, or_, select

from viewer.server.signatures import signature_of
from viewer.server.store import Store, Study, StudyState

STATUSES = tuple(state.value for state in StudyState)
SORTS = ("urgent", "received", "patient", "study_date", "cad_rads", "ffr", "status")
FFR_POSITIVE = 0.75
"""At and below it a lesion limits flow with certainty (the grey zone is 0.75-0.80)."""
SEVERE = ("4A", "4B", "5")
"""CAD-RADS categories that a report asks to act on."""


@dataclass(frozen=True)
class Entry:
    """One line. id: the study's name in addresses, which tells nothing. root: its case directory, never shown; None before there is one.

    urgent: asked for, or severe by CAD-RADS or FFR. status: as in StudyState. signed_by: who signed the report as it is now; empty for a draft.
    Times are ISO 8601, UTC.
    """

    id: str
    status: str
    patient_name: str = ""
    patient_id: str = ""
    study_date: str = ""
    description: str = ""
    accession_number: str = ""
    received: str = ""
    progress: str = ""
    quality: str = ""
    cad_rads: str = ""
    lowest_ffr: float | None = None
    urgent: bool = False
    asked_urgent: bool = False
    problem: str = ""
    images: int = 0
    signed_by: str = ""
    signed_at: str = ""
    root: Path | None = field(default=None, repr=False)

    def public(self) -> dict:
        """What the API tells."""
        return {name: value for name, value in vars(self).items() if name != "root"}


@dataclass(frozen=True)
class Query:
    """text: in name, number, accession number or description. size: lines of a page."""

    text: str = ""
    status: str = ""
    urgent: bool = False
    sort: str = "urgent"
    page: int = 1
    size: int = 50


class Worklist:
    """Reads the studies. data_folder: what their case paths count from."""

    def __init__(self, store: Store, data_folder: Path):
        self._store, self._data = store, Path(data_folder)

    def page(self, query: Query) -> tuple[list[Entry], int]:
        """The lines of the query's page, and how many there are on all pages."""
        chosen = _filtered(select(Study), query)
        with self._store.session() as db:
            total = db.scalar(_filtered(select(func.count()).select_from(Study), query))
            rows = db.scalars(chosen.order_by(*_order(query.sort)).offset((query.page - 1) * query.size).limit(query.size))
            return [self._entry(row) for row in rows], total

    def get(self, number: str) -> Entry | None:
        """The study of this name, None where there is none."""
        if not number.isdecimal() or len(number) > 9:
            return None
        with self._store.session() as db:
            row = db.get(Study, int(number))
            return self._entry(row) if row else None

    def _entry(self, row: Study) -> Entry:
        root = self._data / row.case_path if row.case_path else None
        signature = signature_of(root) if root and row.state == StudyState.DONE else None
        received = datetime.fromtimestamp(row.received_s, UTC).isoformat(timespec="seconds") if row.received_s else ""
        return Entry(
            str(row.id), row.state, row.patient_name, row.patient_id, row.study_date, row.description, row.accession, received, row.progress,
            row.image_quality, row.cad_rads, row.lowest_ffr, row.urgent or is_severe(row.cad_rads, row.lowest_ffr), row.urgent, row.error, row.instances,
            *((signature.by, signature.at) if signature else ("", "")), root,
        )  # fmt: skip


def is_severe(cad_rads: str, lowest_ffr: float | None) -> bool:
    """CAD-RADS 4A and more, or an FFR of 0.75 and less."""
    return cad_rads.startswith(SEVERE) or (lowest_ffr is not None and lowest_ffr <= FFR_POSITIVE)


def _severe() -> ColumnElement[bool]:
    """`is_severe` in the database."""
    return or_(*(Study.cad_rads.startswith(category) for category in SEVERE), func.coalesce(Study.lowest_ffr, 1.0) <= FFR_POSITIVE)


def _filtered(statement: Select, query: Query) -> Select:
    words = query.text.split()
    for word in words:  # each in one of the columns; DICOM separates names by ^
        columns = (Study.patient_name, Study.patient_id, Study.accession, Study.description)
        statement = statement.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    if query.status:
        statement = statement.where(Study.state == query.status)
    return statement.where(or_(Study.urgent, _severe())) if query.urgent else statement


def _order(sort: str) -> list[ColumnElement]:
    """Urgent first: what was asked for, then severe findings, the lowest FFR first among those. Everything else ends with what came last."""
    severe = _severe()
    number = {state: index for index, state in enumerate(STATUSES)}
    orders = {
        "urgent": [case((Study.urgent, 0), else_=1), case((severe, 0), else_=1), case((severe, func.coalesce(Study.lowest_ffr, 1.0)), else_=1.0)],
        "received": [],
        "patient": [func.lower(Study.patient_name)],
        "study_date": [Study.study_date.desc()],
        "cad_rads": [Study.cad_rads.desc()],
        "ffr": [func.coalesce(Study.lowest_ffr, 2.0)],
        "status": [case(number, value=Study.state)],
    }
    return [*orders[sort], Study.received_s.desc(), Study.id.desc()]
