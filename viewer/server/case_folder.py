"""`ccta serve FOLDER`: every case directory in a folder stands on the worklist, without a PACS and without being copied."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, select

from ccta.case import Case
from ccta.errors import CctaError
from viewer.server.store import Store, Study, StudyState
from viewer.server.summary import summary_of

log = logging.getLogger(__name__)

SOURCE = "case folder"
DAMAGED = "This case is damaged; the reason stands in the server's log."


class CaseFolder:
    """Keeps the database in step with a folder: case directories in it, and one level below."""

    def __init__(self, folder: Path, store: Store, data_folder: Path):
        self._folder, self._store, self._data = Path(folder).resolve(), store, Path(data_folder).resolve()
        self._seen: dict[Path, tuple] = {}

    def sync(self) -> None:
        """Takes in new and changed cases, and those that are gone leave the list; nothing in the folder is touched."""
        there = {record.parent: _changed(record.parent) for depth in ("case.json", "*/case.json", "*/*/case.json") for record in self._folder.glob(depth)}
        there = {root: state for root, state in there.items() if self._data not in (root, *root.parents)}
        changed, gone = [root for root, state in there.items() if self._seen.get(root) != state], self._seen.keys() - there.keys()
        if changed or gone or not self._seen:
            with self._store.writing() as db:
                known = {row.study_uid: row for row in db.scalars(select(Study).where(Study.source == SOURCE))}
                for root in changed:
                    values = self._values(root)
                    row = known.get(values["study_uid"]) or Study(source=SOURCE)
                    for name, value in values.items():
                        setattr(row, name, value)
                    db.add(row)
                left = {self._uid(root) for root in there}
                db.execute(delete(Study).where(Study.source == SOURCE, Study.study_uid.not_in(left)))
        self._seen = there

    def _uid(self, root: Path) -> str:
        return "folder-" + hashlib.sha256(root.relative_to(self._folder).as_posix().encode()).hexdigest()[:40]

    def _values(self, root: Path) -> dict:
        """The columns of one case's line. The study's own UID may also come by DICOM, so that the line is known by its folder."""
        values = {"study_uid": self._uid(root), "description": root.name[:64], "case_path": os.path.relpath(root, self._data), "state": StudyState.DONE.value}
        try:
            case = Case.open(root)
            findings, stages = case.findings(), case.record()["stages"].values()
            finished = max((datetime.fromisoformat(stage["finished"]).timestamp() for stage in stages), default=(root / "case.json").stat().st_mtime)
        except (CctaError, KeyError, ValueError, AttributeError, TypeError, json.JSONDecodeError):
            log.warning("the case %s cannot be read", root, exc_info=True)
            return {**values, "state": StudyState.FAILED.value, "error": DAMAGED, "received_s": (root / "case.json").stat().st_mtime}
        patient = findings.patient
        values |= {"patient_name": patient.name[:324], "patient_id": patient.id[:64], "sex": patient.sex, "accession": patient.accession_number[:64]}
        values |= {
            "study_date": patient.study_date.replace("-", "")[:8],
            "description": " · ".join(filter(None, (patient.study_description[:40], root.name)))[:64],
            "received_s": finished,
            "error": "",
        }
        return values | vars(summary_of(findings))


def _changed(root: Path) -> tuple[float, ...]:
    """What tells that a case has changed."""
    return tuple(path.stat().st_mtime if (path := root / name).exists() else 0.0 for name in ("case.json", "findings.json"))
