"""The driver of a cohort: hands the cases that have work left to the workers, and outlives whatever happens to these and to the scheduler."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass, field

from ccta.cohort.cluster import check_workers
from ccta.cohort.limits import NO_LIMITS, Limits
from ccta.cohort.record import FAILED, empty_record, read_record, to_do
from ccta.cohort.steps import Step
from ccta.cohort.storage import Place
from ccta.cohort.table import Study
from ccta.cohort.tasks import PROGRAM, Job, run_step
from ccta.errors import BadInput, CctaError, StorageFailed

AHEAD = 200  # cases handed out at once: the scheduler's memory does not grow with the cohort
TRIES = 5  # of a case whose workers die
LOOK_S = 0.2
PATIENCE_S = 120.0  # without a scheduler


class SchedulerLost(CctaError):
    """The scheduler went and did not come back."""


@dataclass(frozen=True)
class Cohort:
    """What is to be run. program: see `Job`; retry: cases that failed by their input are tried again too."""

    root: Place
    studies: Sequence[Study]
    steps: Sequence[Step]
    limits: Limits = NO_LIMITS
    retry: bool = False
    program: tuple[str, ...] = PROGRAM


@dataclass
class Flight:
    """A case whose tasks the scheduler has."""

    study: Study
    tasks: list
    tries: int = 1


@dataclass
class Driver:
    """State of a run: cases that wait, fly, and have ended. watch(records by id, names of the cases in flight) is told of every change."""

    cohort: Cohort
    client: Callable
    watch: Callable[[dict, list], None]
    waiting: deque = field(default_factory=deque)
    flying: dict[str, Flight] = field(default_factory=dict)
    records: dict[str, dict] = field(default_factory=dict)
    checked: bool = False
    lost_since: float = 0.0


def records_of(cohort: Cohort) -> dict[str, dict]:
    """id -> record as it is on disk."""
    return {study.id: read_record(cohort.root, study) for study in cohort.studies}


def run_cohort(
    cohort: Cohort, client: Callable, watch: Callable[[dict, list], None], patience_s: float = PATIENCE_S, records: dict | None = None
) -> dict[str, dict]:
    """Runs what is left; returns the record of every case. records: those on disk, where they were read a moment ago.

    SchedulerLost if the scheduler stays away; what was finished is on disk.
    """
    driver = Driver(cohort, client, watch)
    driver.records = records_of(cohort) if records is None else dict(records)
    driver.waiting.extend((study, 1) for study in left_of(cohort, driver.records))
    watch(driver.records, [])
    while driver.waiting or driver.flying:
        try:
            _hand_out(driver)
            changed = _collect(driver)
            driver.lost_since = 0.0
        except (OSError, CancelledError, RuntimeError) as error:  # distributed's ways to say that the scheduler is gone
            _wait_for_scheduler(driver, error, patience_s)
            continue
        watch(driver.records, list(driver.flying))
        if not changed:
            time.sleep(LOOK_S)
    return driver.records


def left_of(cohort: Cohort, records: dict[str, dict]) -> list[Study]:
    """The studies that have work left."""
    return [study for study in cohort.studies if to_do(records[study.id], cohort.steps, asdict(cohort.limits), cohort.retry)]


def _hand_out(driver: Driver) -> None:
    client = driver.client()
    if not driver.checked:
        announced = [worker["resources"] for worker in client.scheduler_info()["workers"].values()]
        check_workers(announced, driver.cohort.steps)
        driver.checked = bool(announced)
    while driver.waiting and len(driver.flying) < AHEAD:
        study, tries = driver.waiting[0]
        driver.flying[study.id] = Flight(study, _submit(client, driver.cohort, study, len(driver.flying)), tries)
        driver.waiting.popleft()


def _submit(client, cohort: Cohort, study: Study, place: int) -> list:
    """The chain of a case's steps. Cases that began are finished before others begin."""
    job = Job(study, cohort.root, cohort.limits, cohort.steps[-1].name, cohort.program)
    tasks, stamp = [], time.time_ns()
    for number, step in enumerate(cohort.steps):
        before = [tasks[-1]] if tasks else []
        name = f"{step.name}-{study.id}-{stamp}"
        priority = 1000 * number - place
        tasks.append(client.submit(run_step, job, step, *before, key=name, resources=step.resources, priority=priority, pure=False))
    return tasks


def _collect(driver: Driver) -> bool:
    """Takes in what has ended. A chain that was cancelled or lost waits again."""
    ended = [flight for flight in driver.flying.values() if flight.tasks[-1].done()]
    for flight in ended:
        status = flight.tasks[-1].status
        if status == "finished":
            driver.records[flight.study.id] = flight.tasks[-1].result(timeout=30)
        elif status == "error":
            _failed(driver, flight, flight.tasks[-1].exception(timeout=30))
        else:
            driver.waiting.append((flight.study, flight.tries))
        del driver.flying[flight.study.id]
    return bool(ended)


def _failed(driver: Driver, flight: Flight, error: BaseException) -> None:
    """A task that ended without a record: its workers died again and again, or nothing could be written."""
    if not isinstance(error, BadInput | StorageFailed) and flight.tries < TRIES:
        driver.waiting.append((flight.study, flight.tries + 1))
        return
    record = driver.records.get(flight.study.id) or empty_record(flight.study)
    kind = "storage" if isinstance(error, StorageFailed) else "input" if isinstance(error, BadInput) else "lost"
    reason = str(error) if isinstance(error, CctaError) else f"its workers died {flight.tries} times ({type(error).__name__}); run with --resume to try again"
    driver.records[flight.study.id] = {**record, "status": FAILED, "reason": reason, "kind": kind}


def _wait_for_scheduler(driver: Driver, error: BaseException, patience_s: float) -> None:
    """Everything in flight waits again; what its workers have finished in the meantime is found on disk."""
    driver.waiting.extend((flight.study, flight.tries) for flight in driver.flying.values())
    driver.flying.clear()
    driver.checked = False
    driver.lost_since = driver.lost_since or time.monotonic()
    if time.monotonic() - driver.lost_since > patience_s:
        raise SchedulerLost(f"the Dask scheduler is gone ({error}); what was finished is kept, start it again and run with --resume") from error
    time.sleep(1.0)
