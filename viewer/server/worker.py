"""The durable queue (DBOS, in the server's own database) and the worker processes that serve it.

A job is a workflow of one step. A worker that dies is started again under the same name, and DBOS gives it back what it was doing; the analysis then goes on
where it was (`--resume`). Whether a job still has to be done is asked of our own table first, so that a job is harmless when it comes twice or too late.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time

from dbos import DBOS, DBOSClient
from sqlalchemy import Engine, create_engine, event, select, update
from sqlalchemy.engine import make_url

from viewer.server.settings import ServerSettings, server_settings
from viewer.server.store import BUSY_S, Job, Store, StudyState, make_engine, open_store
from viewer.server.work import patiently, run_job

QUEUE, WORKFLOW, VERSION = "analyses", "analyse", "1"
"""The version is fixed: a job is only a number, and its work may be taken up by a newer version of this program."""
URGENT, ROUTINE = 1, 10
POLL_S = 1.0


def queue_engine(url: str) -> Engine:
    """The server's database as DBOS wants it: on SQLite with transactions of its own, and a function that SQLite has from 3.42 on (Debian 12: 3.40)."""
    if make_url(url).drivername != "sqlite":
        return make_engine(url)
    engine = create_engine(url, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def prepare(connection, _record) -> None:
        connection.isolation_level = "IMMEDIATE"
        if sqlite3.sqlite_version_info < (3, 42):
            connection.create_function("unixepoch", -1, lambda *_words: time.time())
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_S * 1000:.0f}"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


class JobQueue:
    """Gives jobs to the queue. Makes the queue's tables first, before a worker looks for them."""

    def __init__(self, store: Store, url: str):
        DBOS.migrate(make_url(url).render_as_string(hide_password=False))
        self._store, self._engine = store, queue_engine(url)
        self._client: DBOSClient | None = None

    def hand_over(self, now_s: float) -> int:
        """Queues the jobs that are due; gives their number. A job handed over twice, since we died in between, is one workflow: its name is its number."""
        with self._store.session() as session:
            due = list(session.scalars(select(Job).where(Job.state == StudyState.WAITING.value, Job.queued_s.is_(None), Job.not_before_s <= now_s)))
        for job in due:
            options = {"queue_name": QUEUE, "workflow_name": WORKFLOW, "workflow_id": f"job-{job.id}", "app_version": VERSION}
            self._open().enqueue({**options, "priority": URGENT if job.urgent else ROUTINE}, job.id)
            with self._store.writing() as session:
                session.execute(update(Job).where(Job.id == job.id).values(queued_s=now_s))
        return len(due)

    def adopt(self, names: list[str]) -> int:
        """Puts back into the queue what workers of this machine were doing that are no longer among `names`; gives the number."""
        mine = f"{socket.gethostname()}-"
        pending = self._open().list_workflows(status="PENDING", queue_name=QUEUE, load_input=False, load_output=False)
        left = [w for w in pending if w.executor_id and w.executor_id.startswith(mine) and w.executor_id not in names]
        for workflow in left:
            self._open().resume_workflow(workflow.workflow_id, queue_name=QUEUE)
        return len(left)

    def _open(self) -> DBOSClient:
        if self._client is None:
            self._client = DBOSClient(system_database_engine=self._engine, use_listen_notify=False)
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.destroy()
        self._engine.dispose()


def worker_names(settings: ServerSettings) -> list[str]:
    """The workers' names, the same after each start."""
    return [f"{socket.gethostname()}-{number}" for number in range(settings.analysis.workers)]


def start_worker(settings: ServerSettings, name: str) -> subprocess.Popen:
    """A worker process. It ends when the pipe to its standard input closes, so that none outlives the server."""
    process = subprocess.Popen([sys.executable, "-m", "viewer.server.worker", name], stdin=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(dataclasses.asdict(settings)) + "\n")
    process.stdin.flush()
    return process


def serve_queue(settings: ServerSettings, name: str) -> None:
    """Registers what a job is and takes jobs from the queue, one at a time, in threads of DBOS."""
    store = patiently(lambda: open_store(settings.database_url))

    @DBOS.step(name="run")
    def run(job_id: int) -> None:
        run_job(store, settings, job_id)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=10_000)  # each is a death of the worker; our own table counts the analysis' crashes
    def analyse(job_id: int) -> None:
        run(job_id)

    engine = queue_engine(settings.database_url)
    DBOS(
        config={
            "name": "ccta",
            "system_database_engine": engine,
            "executor_id": name,
            "application_version": VERSION,
            "log_level": "WARNING",
            "use_listen_notify": False,
        }
    )
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=POLL_S)


def main() -> None:
    """A worker: its name on the command line, its settings in the first line of standard input."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s worker %(message)s")
    settings = server_settings(json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_owner, daemon=True).start()
    serve_queue(settings, sys.argv[1])
    threading.Event().wait()


def _end_with_owner() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
