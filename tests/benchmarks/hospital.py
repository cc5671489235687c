"""A hospital on loopback, for benchmarks: the server as a user starts it, Orthanc as its PACS, PostgreSQL (or SQLite), and a scanner that does not give up.

The analysis is a quick stand-in: it takes a second and leaves one object of each kind that the real one makes, with new UIDs at every run, so that a second
run whose results were sent too would show in the PACS.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
from sqlalchemy import select

from tests.viewer.server.conftest import Postgres, free_port
from tests.viewer.server.orthanc import Orthanc
from tests.viewer.server.small_dicom import ct_slice, send
from viewer.server.store import Delivery, Store, Study, open_store

KINDS = {
    "seg": "1.2.840.10008.5.1.4.1.1.66.4",
    "sr": "1.2.840.10008.5.1.4.1.1.88.34",
    "pdf": "1.2.840.10008.5.1.4.1.1.104.1",
    "sc": "1.2.840.10008.5.1.4.1.1.7",
    "ko": "1.2.840.10008.5.1.4.1.1.88.59",
}
STAND_IN = """
import pathlib, sys, time
import pydicom
from pydicom.uid import generate_uid
from tests.viewer.server.small_dicom import pdf_object
study, case = map(pathlib.Path, sys.argv[1:3])
(case / "dicom").mkdir(parents=True, exist_ok=True)
uid = pydicom.dcmread(next(study.rglob("*.dcm")), stop_before_pixels=True).StudyInstanceUID
for name, kind in KINDS.items():
    print(f"step: {name}", flush=True)
    time.sleep(0.2)
    made = pdf_object(uid)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = kind
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.save_as(case / "dicom" / f"{name}.part", enforce_file_format=True)
    (case / "dicom" / f"{name}.part").rename(case / "dicom" / f"{name}.dcm")
"""
SLICES = 3


class Hospital:
    """Everything running in `folder`. data: the node's folder; postgres: with a PostgreSQL server of its own, else SQLite in the data folder."""

    def __init__(self, folder: Path, data: Path, postgres: bool):
        self.folder, self.data = folder, data
        self.dicom_port, self.web_port = free_port(), free_port()
        self.orthanc = Orthanc(folder / "orthanc", self.dicom_port)
        self.postgres = Postgres(folder / "postgres", durable=True) if postgres else None
        self.url = self.postgres.database("ccta") if self.postgres else f"sqlite:///{data / 'server.sqlite'}"
        (folder / "stand_in.py").write_text(f"KINDS = {KINDS}\n{STAND_IN}")
        (folder / "server.toml").write_text(self._settings())
        self.log = (folder / "server.log").open("a")
        self._stopping = threading.Event()
        self._launch()
        self._keeper = threading.Thread(target=self._keep)
        self._keeper.start()
        self.await_start()

    def _settings(self) -> str:
        command = json.dumps([sys.executable, str(self.folder / "stand_in.py")])
        return f"""
data = {json.dumps(str(self.data))}
database = {json.dumps(self.url)}
listen = {{port = {self.dicom_port}, callers = ["CT1"]}}
web = {{port = {self.web_port}}}
viewer = {{spare = false}}
intake = {{keep_free_mb = 0, quiet_s = 3, poll_s = 0.3}}
analysis = {{command = {command}, workers = 2, retry_s = 1}}
out = {{destination = "main", retry_s = 0.5, longest_retry_s = 4, timeout_s = 10}}
[pacs.main]
host = "127.0.0.1"
port = {self.orthanc.dicom_port}
ae_title = "ORTHANC"
"""

    # --- the server's processes ---

    def _launch(self) -> None:
        """`ccta serve --config`: page, node and workers."""
        words = [sys.executable, "-m", "ccta.cli.main", "serve", "--config", str(self.folder / "server.toml")]
        here = {**os.environ, "PYTHONPATH": os.getcwd()}
        self.server = subprocess.Popen(words, env=here, stdout=self.log, stderr=subprocess.STDOUT)

    def _keep(self) -> None:
        """Starts it again whenever it ends, as a service manager does."""
        while not self._stopping.is_set():
            self.server.wait()
            if not self._stopping.wait(1.0):
                self._launch()

    def await_start(self) -> None:
        """Returns when page and listener answer."""
        while not (self._answers(self.dicom_port) and self._healthy()):
            time.sleep(0.2)

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.web_port}/health").is_success
        except httpx.TransportError:
            return False

    @staticmethod
    def _answers(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def children(self, word: str) -> list[psutil.Process]:
        """Processes below the server that have this word in their command."""
        try:
            below = psutil.Process(self.server.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        found = []
        for process in below:
            try:
                found += [process] if any(word == one for one in process.cmdline()) else []
            except psutil.Error:
                continue
        return found

    def stop(self) -> None:
        self._stopping.set()
        self.server.terminate()
        self._keeper.join()
        self.orthanc.stop()
        if self.postgres:
            self.postgres.stop()
        self.log.close()

    # --- what came out ---

    def store(self) -> Store:
        return open_store(self.url)

    def result_sets(self, study_uid: str) -> Counter:
        """Kind -> how many the PACS holds."""
        names = {uid: name for name, uid in KINDS.items()}
        return Counter(names.get(kind, kind) for kind in self.orthanc.kinds_of(study_uid).values())

    def await_results(self, study_uids: list[str], patience_s: float) -> list[str]:
        """The studies whose results are not all in the PACS in the end."""
        deadline_s, store, left = time.monotonic() + patience_s, self.store(), list(study_uids)
        while left and time.monotonic() < deadline_s:
            time.sleep(1.0)
            with store.session() as session:
                done = dict(session.execute(select(Study.study_uid, Study.id).where(Study.state == "done")).all())
                sent = set(session.scalars(select(Delivery.study_id)))
                waiting = set(session.scalars(select(Delivery.study_id).where(Delivery.state != "there")))
            left = [uid for uid in study_uids if uid not in done or done[uid] not in sent or done[uid] in waiting]
        store.close()
        return left


def exactly_one(sets: Counter) -> bool:
    """Whether a study has one object of each kind and nothing else."""
    return sets == Counter(dict.fromkeys(KINDS, 1))


class Scanner:
    """Sends one study slice by slice, each again and again until it is accepted, as modalities do."""

    def __init__(self, hospital: Hospital, study_uid: str, stop: threading.Event | None = None):
        self.hospital, self.study_uid, self.refusals = hospital, study_uid, Counter()
        self._stop = stop or threading.Event()
        self.slices = [ct_slice(study_uid, number=number, size=64) for number in range(1, SLICES + 1)]

    def send(self) -> None:
        for one in self.slices:
            while not self._stop.is_set():
                statuses = self.once([one])
                if statuses == [0]:
                    break
                self.refusals[statuses[0] if statuses else "no association"] += 1
                self._stop.wait(0.5)
            self._stop.wait(0.2)

    def once(self, slices: list) -> list[int]:
        """The statuses of one try; empty where nobody answered."""
        try:
            return send(self.hospital.dicom_port, slices)
        except (RuntimeError, ValueError, OSError):  # the association died under it
            return []
