"""One job from its order to its result: runs the analysis on a leash, then writes what the worklist shows and what is to be sent, in one transaction."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ccta.errors import StorageFailed
from viewer.server.child import Ended, run_bound
from viewer.server.intake import MB, STUDIES
from viewer.server.orders import place
from viewer.server.results import may_be_signed, order_deliveries, result_objects, summary_at
from viewer.server.settings import ServerSettings
from viewer.server.store import NOTES_FOLDER, Job, Store, Study, StudyState
from viewer.server.summary import Summary

log = logging.getLogger(__name__)
BAD_INPUT = 2
"""`ccta`'s exit code for what another try would not change."""
CASES = "cases"
CCTA = (sys.executable, "-m", "ccta.cli.main")


@dataclass(frozen=True)
class Task:
    """What a job's process needs to know. Paths are relative to the data folder."""

    job_id: int
    study_uid: str
    study_path: str
    case_path: str


def run_job(store: Store, settings: ServerSettings, job_id: int) -> None:
    """Does a job, or nothing where it was cancelled, superseded or done before. Waits for a database that is away."""
    task = patiently(lambda: _begin(store, job_id))
    if task is None:
        return
    try:
        ended = _analyse(store, settings, task)
        made = Ended(0, "")
        if ended_well(ended) and not settings.analysis.command:
            made = export_objects(settings, settings.data_folder / task.case_path, lambda line: _go_on(store, task, _shown(settings, line)))
    except OSError as error:
        ended = made = Ended(1, f"the analysis could not be started ({error.strerror})")
    if not (ended.stopped or made.stopped):
        patiently(lambda: _finish(store, settings, task, ended, "" if ended_well(made) else sentence_of(settings, made)))


def patiently[T](action: Callable[[], T], longest_s: float = 30.0) -> T:
    """Does something with the database, again and again while the database is away."""
    wait_s = 0.5
    while True:
        try:
            return action()
        except (DBAPIError, StorageFailed) as error:
            log.warning("the database does not answer (%s); trying again in %.1f s", type(getattr(error, "orig", error)).__name__, wait_s)
        time.sleep(wait_s)
        wait_s = min(2 * wait_s, longest_s)


def _begin(store: Store, job_id: int) -> Task | None:
    with store.writing() as session:
        job, study = _locked(session, job_id)
        if job.state not in (StudyState.WAITING, StudyState.RUNNING) or job.generation != study.generation:
            return None
        job.started_s = study.started_s = time.time()
        job.state = study.state = StudyState.RUNNING.value
        study.finished_s, study.progress, study.error = None, "", ""
        return Task(job_id, study.study_uid, f"{STUDIES}/{study.study_uid}", f"{CASES}/{study.study_uid}/{study.generation}")


def _locked(session: Session, job_id: int) -> tuple[Job, Study]:
    """Job and study; the study's row is locked first, as everywhere, so that nobody waits in a circle."""
    study_id = session.scalar(select(Job.study_id).where(Job.id == job_id))
    study = session.scalar(select(Study).where(Study.id == study_id).with_for_update())
    return session.scalar(select(Job).where(Job.id == job_id).with_for_update()), study


def _analyse(store: Store, settings: ServerSettings, task: Task) -> Ended:
    source, case = settings.data_folder / task.study_path, settings.data_folder / task.case_path
    rules = settings.analysis
    command = [*rules.command, str(source), str(case)]
    if not rules.command:
        command = [*CCTA, "analyse", str(source), str(case), "--resume", *rules.options]
    return run_bound(command, case, 60 * rules.limit_minutes, rules.memory_mb, lambda line: _go_on(store, task, _shown(settings, line)))


def export_objects(settings: ServerSettings, case: Path, go_on: Callable[[str], bool]) -> Ended:
    """Makes the DICOM objects of a finished case, in its own folder. go_on: as in `run_bound`."""
    notes = settings.data_folder / NOTES_FOLDER / case.parent.name
    command = [*CCTA, "export", str(case), str(case / "dicom"), "--dicom", "--rejected", str(notes)]
    return run_bound(command, case, 60 * settings.analysis.limit_minutes, settings.analysis.memory_mb, go_on)


def ended_well(ended: Ended) -> bool:
    """Whether a command did what it was to do."""
    return ended.code == 0 and not ended.late


def _go_on(store: Store, task: Task, line: str) -> bool:
    """Notes the progress; False when the job was cancelled or superseded. A database that is away stops nothing."""
    try:
        with store.session() as session:
            state, shown = session.execute(select(Job.state, Study.progress).join(Study, Study.id == Job.study_id).where(Job.id == task.job_id)).one()
        if state == StudyState.RUNNING and line[:200] != shown:
            with store.writing() as session:
                job, study = _locked(session, task.job_id)
                if job.state == StudyState.RUNNING:
                    study.progress = line[:200]
        return state == StudyState.RUNNING
    except DBAPIError:
        return True


def _finish(store: Store, settings: ServerSettings, task: Task, ended: Ended, without_objects: str) -> None:
    """without_objects: why the finished case has no DICOM objects to send, "" where it has."""
    case = settings.data_folder / task.case_path
    good = ended_well(ended)
    summary, objects = (summary_at(case), result_objects(case)) if good else (Summary(), [])
    with store.writing() as session:
        job, study = _locked(session, task.job_id)
        if job.state != StudyState.RUNNING:
            return  # cancelled or superseded in the last moment
        job.finished_s = study.finished_s = time.time()
        if good:
            _note_result(session, settings, task, summary)
            order_deliveries(session, settings, study, objects, draft=may_be_signed(case))
            job.state = study.state = StudyState.DONE.value
            study.error = f"no DICOM results: {without_objects}" if without_objects else ""
            return
        job.state, job.error = StudyState.FAILED.value, sentence_of(settings, ended)
        crashed, full = ended.code != BAD_INPUT and not ended.late, not has_room(settings)
        if crashed and (full or job.tries < settings.analysis.tries):
            tries = job.tries if full else job.tries + 1  # a full disk is not the study's fault
            place(session, study, tries, time.time() + settings.analysis.retry_s * 2 ** (job.tries - 1))
            why = "the disk is full; it is tried again" if full else f"try {tries} of {settings.analysis.tries} follows"
            study.progress = f"{why}; the last one: {job.error}"[:200]
        else:
            study.state, study.error, study.progress = StudyState.FAILED.value, job.error, ""


def has_room(settings: ServerSettings) -> bool:
    """Whether the data folder's disk has what `intake.keep_free_mb` keeps for running jobs, and more than nothing."""
    return shutil.disk_usage(settings.data_folder).free > max(settings.intake.keep_free_mb, 1.0) * MB


def _note_result(session: Session, settings: ServerSettings, task: Task, summary: Summary) -> None:
    study = session.scalar(select(Study).where(Study.study_uid == task.study_uid))
    study.case_path, study.progress, study.error, study.objects_s = task.case_path, "", "", time.time()
    study.image_quality, study.cad_rads, study.lowest_ffr = summary.image_quality, summary.cad_rads, summary.lowest_ffr


def sentence_of(settings: ServerSettings, ended: Ended) -> str:
    """Why it failed, without paths of this machine."""
    if ended.late:
        return f"the analysis was stopped after {settings.analysis.limit_minutes:g} minutes (analysis.limit_minutes)"
    said = _shown(settings, ended.last.removeprefix("ccta: "))
    if "MemoryError" in said or "bad_alloc" in said:
        said = f"the analysis needs more memory than analysis.memory_mb allows ({settings.analysis.memory_mb} MB)"
    if ended.code > 128:
        said = f"the analysis was ended by signal {ended.code - 128}" + (f", after: {said}" if said else "")
    return said or f"the analysis ended with code {ended.code} and said nothing"


def _shown(settings: ServerSettings, line: str) -> str:
    """What a program said, without paths of this machine."""
    return line.replace(str(settings.data_folder), "DATA")
