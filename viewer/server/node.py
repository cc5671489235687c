"""The node: listener, watched folder, quiet times, queue, workers and deliveries of one data folder, running until it is told to stop."""

from __future__ import annotations

import fcntl
import logging
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from ccta.errors import BadInput, BadSettings, CctaError, StorageFailed
from viewer.server.delivery import Courier
from viewer.server.folder import WatchedFolder
from viewer.server.intake import Intake
from viewer.server.orders import complete_studies
from viewer.server.scp import start_listener
from viewer.server.settings import ServerSettings
from viewer.server.signatures import LOOK_S, SignedReports
from viewer.server.store import open_store
from viewer.server.worker import JobQueue, start_worker, worker_names

log = logging.getLogger(__name__)
STOP_S = 10.0
"""How long a thread may take to end before it is left."""


class Node:
    """`start()` returns when everything runs, `stop()` when everything has ended. One node per data folder."""

    def __init__(self, settings: ServerSettings):
        self.settings = settings
        self._lock = _lock_folder(settings.data_folder)
        self.store = open_store(settings.database_url)
        self.intake = Intake(self.store, settings)
        self._queue = JobQueue(self.store, settings.database_url)
        self._courier, self._signed = Courier(self.store, settings), SignedReports(self.store, settings)
        self._watched = _watched_folder(settings, self.intake)
        self._workers: dict[str, subprocess.Popen] = {}
        self._listener = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._behind = True  # files may be on disk that the database does not know
        self._listens_since_s = time.time()

    def start(self) -> None:
        if self.settings.listen.callers:
            self._listener = start_listener(self.settings.listen, self.intake)
        self._attend_workers()
        poll_s = self.settings.intake.poll_s
        duties = (("clock", self._tick, poll_s), ("courier", self._courier.round, poll_s), ("workers", self._attend_workers, poll_s))
        for name, action, every_s in (*duties, ("signed reports", self._signed.round, LOOK_S)):
            thread = threading.Thread(target=self._again_and_again, args=(name, action, every_s), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Running analyses are stopped; they go on where they were after the next start."""
        self._stop.set()
        if self._listener is not None:
            self._listener.shutdown()
        for thread in self._threads:
            thread.join(STOP_S)
        for process in self._workers.values():
            process.kill()  # a worker has nothing to save, and its analysis ends with it
        for process in self._workers.values():
            process.stdin.close()
            process.wait()
        self._queue.close()
        self.store.close()
        self._lock.close()

    def _again_and_again(self, name: str, action: Callable[[], object], every_s: float) -> None:
        """One duty in its thread. Whatever goes wrong is logged, and tried again."""
        while not self._stop.is_set():
            try:
                action()
            except (DBAPIError, StorageFailed, OSError) as error:
                if action == self._tick or isinstance(error, DBAPIError):  # another duty's file that cannot be read keeps no study waiting
                    self._behind = True
                log.warning("%s waits: %s", name, error if isinstance(error, CctaError) else f"{type(error).__name__}, the database or the disk is away")
            except Exception:
                log.exception("%s failed and is tried again", name)
            self._stop.wait(every_s)

    def _tick(self) -> None:
        if self._behind:
            self.intake.reindex()
            self._queue.adopt(worker_names(self.settings))
            self._behind, self._listens_since_s = False, time.time()
        if self._watched is not None:
            self._watched.look()
        now_s = time.time()
        if now_s - self._listens_since_s >= self.settings.intake.quiet_s:  # silence while nothing could come says nothing
            complete_studies(self.store, self.settings.intake.quiet_s, now_s, self.intake.incomplete())
        self._queue.hand_over(now_s)

    def _attend_workers(self) -> None:
        """Starts the workers, and again those that died."""
        for name in worker_names(self.settings):
            process = self._workers.get(name)
            if process is not None and process.poll() is None:
                continue
            if process is not None:
                log.warning("worker %s ended with code %s; it is started again", name, process.returncode)
            self._workers[name] = start_worker(self.settings, name)

    def worker_pids(self) -> list[int]:
        """The process numbers of the workers that run."""
        return [process.pid for process in self._workers.values() if process.poll() is None]


def _lock_folder(folder: Path):
    """Holds the data folder for this process alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / "node.lock", "w")  # noqa: SIM115  held for as long as the node runs
    except OSError as error:
        raise StorageFailed(f"the data folder {folder} cannot be used ({error.strerror}); choose another") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise BadInput(f"another server runs on the data folder {folder}; stop it first, or choose another folder") from error
    return file


def _watched_folder(settings: ServerSettings, intake: Intake) -> WatchedFolder | None:
    if not settings.intake.watched_folder:
        return None
    folder = Path(settings.intake.watched_folder)
    if not folder.is_dir():
        raise BadSettings(f"intake.watched_folder {folder} is not a folder; make it, or correct server.toml")
    return WatchedFolder(folder, intake, settings.intake.settle_s)
