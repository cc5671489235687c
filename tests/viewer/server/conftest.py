"""A PostgreSQL server and the two databases that everything about the server is tested on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

from viewer.server.store import Store, open_store


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """PostgreSQL in a folder of its own, on a loopback port. Root hands it to the user postgres, since it refuses to run as root.

    durable: through a power cut, as in use; a test needs no more than to survive kills, which costs no waiting for the disk.
    """

    def __init__(self, folder: Path, durable: bool = False):
        found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"))
        if not found:
            pytest.skip("PostgreSQL is not here; install the package `postgresql` to run this test")
        self.bin, self.folder, self.port = Path(found[-1]).parent, folder, free_port()
        self.options = "" if durable else "-c fsync=off -c full_page_writes=off"
        self.lead = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.lead and not shutil.which("runuser"):
            pytest.skip("root may not run PostgreSQL, and there is no runuser to run it as the user postgres")
        folder.mkdir(parents=True)
        if self.lead:
            shutil.chown(folder, "postgres")
        self.call("initdb", "-D", folder / "data", "-U", "ccta", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start()

    def call(self, program: str, *words) -> None:
        subprocess.run([*self.lead, self.bin / program, *map(str, words)], check=True, cwd=self.folder, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} {self.options}"
        self.call("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start")

    def stop(self) -> None:
        self.call("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")

    def start_again(self) -> None:
        """After a kill; waits for the last of the old processes to be gone."""
        while True:
            try:
                return self.start()
            except subprocess.CalledProcessError:
                time.sleep(0.2)

    def kill(self) -> None:
        """Kill -9 of its first process; the others notice and end."""
        os.kill(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        self.call("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "ccta", name)
        return f"postgresql+psycopg://ccta@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Not in pytest's folder, which every pytest of this user closes to the user postgres."""
    with tempfile.TemporaryDirectory(prefix="ccta-postgres-") as name:
        Path(name).chmod(0o755)
        server = Postgres(Path(name) / "server")
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'server.sqlite'}"
    return request.getfixturevalue("postgres").database(f"t{abs(hash(request.node.nodeid))}")


@pytest.fixture
def store(database_url) -> Iterator[Store]:
    opened = open_store(database_url)
    yield opened
    opened.close()
