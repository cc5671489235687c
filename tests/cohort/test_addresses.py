"""Studies and results on S3 and SFTP, with a real server of each on loopback; skipped where the packages of the address, or the server, are not installed."""

import getpass
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ccta.cohort.record import start_cohort
from ccta.cohort.storage import Place
from ccta.cohort.table import read_table
from ccta.cohort.tables import write_tables
from ccta.cohort.tasks import Job, run_step
from tests.cohort.test_batch import PROGRAM, TWO, free_port

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
SFTP_SERVER = next((path for path in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server") if Path(path).exists()), "")


def awaited(process, port: int) -> None:
    import socket

    while True:
        assert process.poll() is None, "the server ended before it listened"
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)


@pytest.fixture
def s3(monkeypatch):
    """The address of a bucket of moto's server."""
    for name in ("s3fs", "moto", "flask"):
        if not importlib.util.find_spec(name):
            pytest.skip(f"no {name} here; run the tests by `make test`, which installs it")
    import fsspec

    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    awaited(process, port)
    environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").mkdir("bucket")
    yield "s3://bucket"
    process.kill()
    process.wait()


@pytest.fixture
def sftp(tmp_path, monkeypatch):
    """The address of a folder by OpenSSH's own server, with a key of the client."""
    if not SSHD or not SFTP_SERVER or not importlib.util.find_spec("paramiko"):
        pytest.skip("no sshd or paramiko here; run the tests by `make test`, which installs them where it may")
    import fsspec.config
    import paramiko

    home, port = tmp_path / "ssh", free_port()
    home.mkdir(mode=0o700)
    for name in ("host", "client"):
        key = paramiko.ECDSAKey.generate()
        key.write_private_key_file(str(home / name))
        (home / f"{name}.pub").write_text(f"{key.get_name()} {key.get_base64()}\n")
    lines = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {home}/host", f"AuthorizedKeysFile {home}/client.pub", f"Subsystem sftp {SFTP_SERVER}"]
    (home / "config").write_text("\n".join([*lines, "StrictModes no", "UsePAM no", "PermitRootLogin yes", f"PidFile {home}/pid"]))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd asks for it; where systemd does not run nobody makes it
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(home / "config")], stderr=(home / "log").open("w"))
    awaited(process, port)
    known = {"username": getpass.getuser(), "port": port, "key_filename": str(home / "client")}
    monkeypatch.setitem(fsspec.config.conf, "sftp", known)  # as ~/.config/fsspec/*.json or FSSPEC_SFTP_... say it
    yield f"sftp://127.0.0.1{tmp_path}/far"
    process.terminate()
    process.wait()


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_a_cohort_whose_studies_and_results_are_far_away(kind, tmp_path, request):
    far = request.getfixturevalue(kind)
    for number in range(3):
        Place(f"{far}/studies/a/deep/{number}.dcm").write_bytes(b"%d" % number)
    (tmp_path / "cohort.csv").write_text(f"path\n{far}/studies/a\n{far}/studies/none\n")
    here, none = read_table(tmp_path / "cohort.csv")
    root = Place(f"{far}/out")
    start_cohort(root, (here, none), {}, False)
    job = Job(here, root, last="flow", program=PROGRAM)
    record = run_step(job, TWO[1], run_step(job, TWO[0]))
    assert record["status"] == "done" and record["runs"] == {"read": 1, "segment": 1, "flow": 1}
    stages = json.loads((root / "cases/a/case.json").read_bytes())["stages"]
    assert set(stages) == {"read", "segment", "flow"} and stages["read"]["inputs"] == {"files": 3}
    failed = run_step(Job(none, root, last="flow", program=PROGRAM), TWO[0])
    assert failed["kind"] == "input" and "does not exist" in failed["reason"]
    assert write_tables(root)["patient"] == 2 and "patient.parquet" in (root / "tables").names()
    assert not [name for name in (root / "records").names() if "partial" in name]
    assert run_step(job, TWO[0])["runs"]["read"] == 1  # what is done is not done again
