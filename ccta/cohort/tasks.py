"""What a worker does: one step of one case as a child process, its end written to the case's record."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ccta.cohort.limits import NO_LIMITS, Ended, Limits, run_limited
from ccta.cohort.pacs import NotFetched, fetch_study, is_query
from ccta.cohort.record import DONE, FAILED, RUNNING, is_done, read_record, write_record
from ccta.cohort.steps import Step
from ccta.cohort.storage import Place, is_remote, stamps
from ccta.cohort.table import Study
from ccta.cohort.thumbnail import write_thumbnail
from ccta.errors import CctaError, StorageFailed

PROGRAM = ("-m", "ccta.tied", "{parent}", "analyse")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")

CAUSES = ((StorageFailed, "storage"), (NotFetched, "pacs"))


@dataclass(frozen=True)
class Job:
    """A case of a cohort, as it travels to a worker. program: words after the interpreter; {parent} is the worker's process."""

    study: Study
    root: Place
    limits: Limits = NO_LIMITS
    last: str = ""
    program: tuple[str, ...] = PROGRAM


def run_step(job: Job, step: Step, before: dict | None = None) -> dict:
    """Runs a step unless it is done or the one before it failed; returns the case's record. StorageFailed where not even that can be written."""
    if before is not None and before["status"] == FAILED:
        return before
    with _locked(job) as lock:
        record = read_record(job.root, job.study)
        if is_done(record, step):
            return record
        record |= {"status": RUNNING, "reason": "", "kind": "", "step": step.name, "worker": f"{socket.gethostname()} {os.getpid()}"}
        write_record(job.root, record)
        began = datetime.now(UTC).isoformat(timespec="seconds")
        with tempfile.TemporaryDirectory(prefix="ccta-step-") as scratch:
            try:
                ended = _computed(job, step, Path(scratch), lock)
                reason, kind = _verdict(ended)
            except CctaError as error:
                ended, reason, kind = None, str(error), next((name for cause, name in CAUSES if isinstance(error, cause)), "input")
        _note(record, step, ended, (reason, kind, began), job)
        write_record(job.root, record)
        return record


def _computed(job: Job, step: Step, scratch: Path, lock: list[int]) -> Ended:
    place, folder = job.root / f"cases/{job.study.id}", scratch / "case"
    if place.local is not None:
        folder = place.local
        before = {}
    else:
        folder.mkdir()
        if place.names():
            place.fetch(folder)
        before = stamps(folder)
    settings = scratch / "settings.toml"
    settings.write_text(job.study.settings_toml)
    source = _source(job, step, scratch, folder)
    words = [one.replace("{parent}", str(os.getpid())) for one in job.program]
    words = [sys.executable, *words, str(source), str(folder), "--stages", ",".join(step.stages), "--settings", str(settings), "--resume", "--json"]
    threads = dict.fromkeys(ONE_THREAD, str(step.threads))
    ended = run_limited(words, scratch, job.limits, threads, lock)
    if place.local is None and folder.is_dir():
        place.store(folder, before)
    if step.name == job.last and ended.code == 0:
        with contextlib.suppress(CctaError, OSError, ValueError):  # a picture that cannot be drawn fails no case
            write_thumbnail(folder, job.root / f"thumbnails/{job.study.id}.png")
    return ended


def _source(job: Job, step: Step, scratch: Path, folder: Path) -> Path:
    """The study on this machine. Stages that read nothing of it are not worth fetching it for: they are given the case itself."""
    if not is_remote(job.study.source) and not is_query(job.study.source):
        return Path(job.study.source)
    if not any(stage.startswith("read") for stage in step.stages):
        return folder
    if is_query(job.study.source):
        return fetch_study(job.study.source, scratch, job.limits)
    (scratch / "study").mkdir()
    return Place(job.study.source).fetch(scratch / "study")


def _verdict(ended: Ended) -> tuple[str, str]:
    """(reason, kind) of a failure, ("", "") of a step that is done."""
    if ended.exceeded:
        return ended.exceeded, "limit"
    if ended.code == 0:
        return "", ""
    said = [line.removeprefix("ccta: ") for line in ended.said.splitlines() if line.startswith("ccta: ")]
    if ended.code < 0:
        return f"the process was killed by signal {-ended.code}; if that was the system out of memory, give the step a larger worker", "lost"
    text = said[-1] if said else (ended.said.strip().splitlines() or [f"the program ended with status {ended.code} and said nothing"])[-1]
    full = "could not be written" in text or "cannot be written" in text or "No space left" in text
    return text, "storage" if full else "input" if ended.code == 2 else "program"


def _note(record: dict, step: Step, ended: Ended | None, end: tuple[str, str, str], job: Job) -> None:
    """Puts the end of a step into the record."""
    reason, kind, began = end
    entry = {"status": FAILED if reason else DONE, "began": began, "reason": reason, "asked": step.stages, "stages": []}
    if ended is not None:
        entry |= {"seconds": round(ended.seconds, 2), "processor_s": round(ended.processor_s, 2), "peak_bytes": ended.peak_bytes, "stages": _stages(ended)}
    for stage in entry["stages"]:
        if stage["status"] != "current":
            record["runs"][stage["name"]] = record["runs"].get(stage["name"], 0) + 1
    record["steps"][step.name] = entry
    finished = not reason and step.name == job.last
    record |= {"status": FAILED if reason else DONE if finished else RUNNING, "reason": reason, "kind": kind, "limits": asdict(job.limits)}


def _stages(ended: Ended) -> list[dict]:
    """How each stage ended: the machine-readable last line of the command."""
    lines = ended.out.strip().splitlines()
    try:
        return json.loads(lines[-1])["stages"] if lines and ended.code == 0 else []
    except (ValueError, KeyError):
        return []


@contextlib.contextmanager
def _locked(job: Job) -> Iterator[list[int]]:
    """One step of a case at a time, on all machines that share the folder: the child inherits the lock, so that one whose worker died is waited for.

    Gives the descriptors to hand on; none where OUT is an address that knows no locks.
    """
    place = job.root / f"locks/{job.study.id}"
    if place.local is None:
        yield []
        return
    try:
        place.local.parent.mkdir(parents=True, exist_ok=True)
        handle = place.local.open("ab")
    except OSError as error:
        raise StorageFailed(f"{place.local} could not be written ({error.strerror}); free some space, then run with --resume") from error
    with handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.5)
        yield [handle.fileno()]
