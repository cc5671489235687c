"""What is to be analysed: complete studies become jobs; people cancel, hurry or repeat them. All in the database alone, so that any process may do it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ccta.errors import BadInput
from viewer.server.headers import CT_IMAGES
from viewer.server.intake import next_generation
from viewer.server.store import Instance, Job, Store, Study, StudyState

OPEN_JOBS = (StudyState.WAITING.value, StudyState.RUNNING.value)


def complete_studies(store: Store, quiet_s: float, now_s: float, incomplete: Collection[str] = ()) -> int:
    """Studies for which nothing came for the quiet time are ordered, but for those known to be incomplete (study UIDs); gives their number."""
    quiet = (Study.state == StudyState.RECEIVED.value, Study.last_instance_s <= now_s - quiet_s)
    with store.session() as session:
        ids = [number for number, uid in session.execute(select(Study.id, Study.study_uid).where(*quiet)) if uid not in incomplete]
    return sum(_complete(store, study_id, quiet) for study_id in ids)


def _complete(store: Store, study_id: int, quiet: tuple) -> bool:
    with store.writing() as session:
        study = session.scalar(select(Study).where(Study.id == study_id, *quiet).with_for_update())
        if study is None:
            return False  # a slice came in the meantime
        image = select(Instance.sop_uid).where(Instance.study_id == study_id, Instance.sop_class_uid.in_(CT_IMAGES)).limit(1)
        if session.scalar(image) is None:
            study.state, study.error = StudyState.FAILED.value, "no CT images came with this study"
            return False
        place(session, study)
        return True


def place(session: Session, study: Study, tries: int = 1, not_before_s: float = 0.0) -> Job:
    """A new job for the study as it is now."""
    number = session.scalar(select(func.coalesce(func.max(Job.number), 0)).where(Job.study_id == study.id, Job.generation == study.generation)) + 1
    job = Job(study_id=study.id, generation=study.generation, number=number, urgent=study.urgent, tries=tries, not_before_s=not_before_s)
    session.add(job)
    study.state, study.error = StudyState.WAITING.value, ""
    study.progress = study.progress if tries > 1 else ""
    return job


def set_urgent(store: Store, study_uid: str, urgent: bool) -> None:
    """Before or after the others. A job that waits is queued anew; one that runs goes on."""
    with store.writing() as session:
        study = _study(session, study_uid)
        changed, study.urgent = study.urgent != urgent, urgent
        if changed and study.state == StudyState.WAITING:
            waiting = session.scalar(select(Job).where(Job.study_id == study.id, Job.state == StudyState.WAITING.value))
            _drop_jobs(session, study)
            place(session, study, waiting.tries if waiting else 1, waiting.not_before_s if waiting else 0.0)


def cancel(store: Store, study_uid: str) -> None:
    """Stops a study that waits or runs (the worker notices within seconds), or whose slices still come. Late slices order it again."""
    with store.writing() as session:
        study = _study(session, study_uid)
        if study.state not in (StudyState.RECEIVED, *OPEN_JOBS):
            raise BadInput(f"the study is {study.state}; only one that is received, waiting or running can be cancelled")
        _drop_jobs(session, study)
        study.state, study.progress = StudyState.CANCELLED.value, ""


def run_again(store: Store, study_uid: str) -> None:
    """Analyses a finished, failed or cancelled study once more, in a new case; the earlier result is superseded when this one is done."""
    with store.writing() as session:
        study = _study(session, study_uid)
        if study.state in (StudyState.RECEIVED, *OPEN_JOBS):
            raise BadInput(f"the study is {study.state}; it will be analysed without another order")
        next_generation(session, study)
        place(session, study)


def _study(session: Session, study_uid: str) -> Study:
    study = session.scalar(select(Study).where(Study.study_uid == study_uid).with_for_update())
    if study is None:
        raise BadInput("there is no such study here")
    return study


def _drop_jobs(session: Session, study: Study) -> None:
    session.execute(update(Job).where(Job.study_id == study.id, Job.state.in_(OPEN_JOBS)).values(state=StudyState.CANCELLED.value))
