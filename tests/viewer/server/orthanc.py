"""Orthanc (Debian's package) as a PACS on loopback, with passwords, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import httpx

from tests.viewer.server.conftest import free_port

ORTHANC = shutil.which("Orthanc")
PLUGINS = Path("/usr/share/orthanc/plugins")
USER, PASSWORD = "reader", "secret"


class Orthanc:
    """A running Orthanc in a folder of its own; it knows one DICOM node, "ccta", at `node_port`. more: settings of Orthanc besides."""

    def __init__(self, folder: Path, node_port: int, **more):
        self.port, self.dicom_port, self.folder = free_port(), free_port(), folder
        folder.mkdir(parents=True)
        settings = {
            "StorageDirectory": str(folder / "files"), "IndexDirectory": str(folder / "files"), "HttpPort": self.port, "DicomPort": self.dicom_port,
            "DicomAet": "ORTHANC", "AuthenticationEnabled": True, "RegisteredUsers": {USER: PASSWORD}, "DefaultEncoding": "Utf8",
            "DicomModalities": {"ccta": ["CCTA", "127.0.0.1", node_port]}, "DicomWeb": {"Enable": True}, "Plugins": [str(PLUGINS)], **more,
        }  # fmt: skip
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self.web = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", auth=(USER, PASSWORD), timeout=600)
        self.launch()
        self.await_start()

    def launch(self) -> None:
        """Starts the process, for the first time or after its death, on the same ports and files."""
        with (self.folder / "orthanc.log").open("a") as log:
            quick = dict(os.environ, TCP_NODELAY="1")
            self.process = subprocess.Popen([ORTHANC, str(self.folder / "orthanc.json")], env=quick, stdout=log, stderr=subprocess.STDOUT)

    def await_start(self) -> None:
        """Returns when it answers. RuntimeError when it has not within a minute."""
        for _ in range(300):
            try:
                if self.web.get("/system").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise RuntimeError("Orthanc did not start")

    def put(self, file: bytes) -> None:
        self.web.post("/instances", content=file).raise_for_status()

    def send_everything(self) -> None:
        """All its studies by C-STORE to the node."""
        body = {"Resources": self.web.get("/studies").json(), "Synchronous": True}
        self.web.post("/modalities/ccta/store", json=body).raise_for_status()

    def file_of(self, sop_uid: str) -> bytes:
        """One instance as a DICOM file; KeyError where it is not there."""
        found = self.web.post("/tools/lookup", content=sop_uid).json()
        if not found:
            raise KeyError(sop_uid)
        return self.web.get(f"/instances/{found[0]['ID']}/file").content

    def count(self) -> int:
        """How many instances it holds."""
        return len(self.web.get("/instances").json())

    def kinds_of(self, study_uid: str) -> dict[str, str]:
        """Instance UID -> class UID of all that it holds of a study."""
        body = {"Level": "Instance", "Query": {"StudyInstanceUID": study_uid}, "Expand": True, "RequestedTags": ["SOPClassUID"]}
        found = self.web.post("/tools/find", json=body).json()
        return {one["MainDicomTags"]["SOPInstanceUID"]: self._class_of(one) for one in found}

    def _class_of(self, instance: dict) -> str:
        return self.web.get(f"/instances/{instance['ID']}/metadata/SopClassUid").text

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.web.close()
        self.process.terminate()
        self.process.wait()
