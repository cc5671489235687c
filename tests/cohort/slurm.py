"""A Slurm cluster of one node on loopback: munged, slurmctld and slurmd with a configuration of their own."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
SEARCHED = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
LOOKS = 3000  # of 0.2 s
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory_mb} State=UNKNOWN
PartitionName=normal Nodes={host} Default=YES State=UP
"""


def why_not() -> str:
    """Why no such cluster can be started here; empty where it can."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=SEARCHED)]
    if missing:
        return f"no {missing[0]} here; run the tests by `make test`, which installs Slurm where it may"
    return "" if os.geteuid() == 0 else "Slurm's node daemon needs root"


@contextlib.contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """Gives the environment by which sbatch, squeue and scancel find the cluster, which is stopped with all its jobs at the end."""
    with tempfile.TemporaryDirectory(prefix="slurm") as made, contextlib.ExitStack() as stack:
        folder, host = Path(made), socket.gethostname().partition(".")[0]
        folder.chmod(0o755)
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir(mode=0o700)
        (folder / "munge/key-file").write_bytes(os.urandom(1024))
        (folder / "munge/key-file").chmod(0o400)
        here = {"host": host, "cores": os.cpu_count(), "memory_mb": psutil.virtual_memory().total >> 20}
        (folder / "slurm.conf").write_text(CONFIGURATION.format(**here, ports=free_ports(2), folder=folder))
        environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        files = [f"--{name}={folder}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file", "key-file")]
        munged = stack.enter_context(daemon(["munged", "--foreground", "--force", *files], environment))
        awaited((folder / "munge/socket").exists, munged)
        control = stack.enter_context(daemon(["slurmctld", "-D"], environment))
        node = stack.enter_context(daemon(["slurmd", "-D"], environment))
        stack.callback(asked, ["scancel", "--signal=KILL", "--full", "--user=root"], environment)
        awaited(lambda: "idle" in asked(["sinfo", "--noheader", "--format=%T"], environment), control, node)
        yield environment


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def daemon(words: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([shutil.which(words[0], path=SEARCHED), *words[1:]], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def asked(words: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(words, env=environment, capture_output=True, text=True).stdout


def awaited(there, *daemons: subprocess.Popen) -> None:
    for _ in range(LOOKS):
        if there():
            return
        for one in daemons:
            assert one.poll() is None, f"{one.args[0]} ended before it was ready"
        time.sleep(0.2)
    raise AssertionError("it never came")
