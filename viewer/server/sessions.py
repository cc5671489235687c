"""The launcher: one viewer process for each login and case, on the loopback address, that nobody but that login reaches, and that leaves nothing behind.

A viewer ends when nobody uses it, when its login ends, when it takes more memory than it may, and when this server ends: its standard input is a pipe that
closes even when the server is killed. It runs in a process group of its own, so that what it started ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ccta.errors import CctaError
from viewer.server.accounts import Person
from viewer.server.settings import ViewerSettings

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")
CHECK_S = 2.0
END_S = 5.0
"""What a viewer has to end by itself before it is killed."""


class NotOpened(CctaError):
    """A case could not be opened; the sentence is for the reader."""


@dataclass(eq=False)
class ReadingSession:
    """One viewer process. key: its place in the address (256 random bits). login: the hash of the login session that it belongs to."""

    key: str
    who: str
    login: str
    study: str
    process: asyncio.subprocess.Process
    port: int
    secret: str
    tunnels: set = field(default_factory=set)
    reaper: asyncio.Task | None = None
    begun_s: float = field(default_factory=time.time)

    @property
    def address(self) -> str:
        """Where the browser finds it on the server."""
        return f"/view/{self.key}/index.html?secret={self.secret}"

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    @property
    def memory_mb(self) -> float:
        return resident_mb(self.process.pid)


def resident_mb(pid: int) -> float:
    """Resident memory of a process, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return 0.0


VIEWER = (sys.executable, "-m", "viewer.app.spare")
"""A viewer that waits for its orders."""


class Launcher:
    """closed(session, reason) is called once for each viewer that has ended. command: what is run, waiting for its orders as `viewer.app.spare` does."""

    def __init__(
        self, rules: ViewerSettings | None = None, closed: Callable[[ReadingSession, str], None] = lambda session, reason: None, command: tuple = VIEWER
    ):
        self.rules, self._closed, self._command = rules or ViewerSettings(), closed, command
        self._spare: asyncio.subprocess.Process | None = None
        self._sessions: dict[str, ReadingSession] = {}
        self._starting: dict[tuple[str, str], asyncio.Task] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def of(self, key: str, person: Person | None) -> ReadingSession | None:
        """The living session of this key, for the login that it belongs to and nobody else."""
        session = self._sessions.get(key)
        return session if session and person and session.alive and secrets.compare_digest(session.login, person.session) else None

    async def open(self, person: Person, study: str, root: Path) -> ReadingSession:
        """The viewer of this login on a study: the one that runs, or a new one. NotOpened when it cannot be."""
        for session in self._sessions.values():
            if session.alive and (session.login, session.study) == (person.session, study):
                return session
        if len(self._sessions) + len(self._starting) >= self.rules.most:
            raise NotOpened(f"{self.rules.most} cases are open on this server, and no more fit; close one, or try again in some minutes")
        task = self._starting.get((person.session, study))
        if task is None:  # two clicks start one viewer
            task = self._starting[person.session, study] = asyncio.create_task(self._start(person, study, root))
            task.add_done_callback(lambda _: self._starting.pop((person.session, study), None))
        return await asyncio.shield(task)

    async def _start(self, person: Person, study: str, root: Path) -> ReadingSession:
        await self.warm()
        process, self._spare = self._spare, None
        order = {"case": str(root), "author": person.full_name, "idle_minutes": self.rules.idle_minutes}
        process.stdin.write(json.dumps(order).encode() + b"\n")
        try:
            address = await asyncio.wait_for(_first_address(process), self.rules.start_s)
        except TimeoutError as error:
            await _end(process)
            raise NotOpened("the viewer did not begin in time; the server is busy, try again") from error
        except asyncio.CancelledError:
            await _end(process)
            raise
        if not address:
            await _end(process)
            raise NotOpened("the viewer could not open this case; the reason stands in the server's log")
        parts = urlsplit(address)
        secret = parse_qs(parts.query)["secret"][0]
        session = ReadingSession(secrets.token_urlsafe(32), person.login, person.session, study, process, parts.port, secret)
        self._sessions[session.key] = session
        session.reaper = asyncio.create_task(self._reap(session))
        if self.rules.spare:
            await self.warm()
        return session

    async def warm(self) -> None:
        """Starts a viewer that waits, where none does."""
        if self._spare is None or self._spare.returncode is not None:
            pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
            self._spare = await asyncio.create_subprocess_exec(*self._command, **pipes, start_new_session=True)

    async def _reap(self, session: ReadingSession) -> None:
        """Reads what the viewer still says, until it ends."""
        said = b""
        while line := await session.process.stdout.readline():
            said = line
        code = await session.process.wait()
        _kill_group(session.process.pid)
        if self._sessions.pop(session.key, None):
            self._gone(session, "idle" if b"nobody used it" in said else f"ended with {code}")

    def _gone(self, session: ReadingSession, reason: str) -> None:
        for tunnel in list(session.tunnels):
            tunnel.close()
        log.info("the viewer of %s on study %s: %s", session.who, session.study, reason)
        self._closed(session, reason)

    async def close(self, session: ReadingSession, reason: str = "closed") -> None:
        """Ends one viewer."""
        if self._sessions.pop(session.key, None):
            self._gone(session, reason)
        await _end(session.process)

    async def close_of(self, login: str) -> None:
        """Ends every viewer of a login, at once."""
        await asyncio.gather(*(self.close(session, "logged out") for session in list(self._sessions.values()) if session.login == login))

    async def close_all(self) -> None:
        for task in list(self._starting.values()):
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await asyncio.gather(*(self.close(session, "server stopped") for session in list(self._sessions.values())))
        if self._spare is not None:
            await _end(self._spare)

    async def watch(self, living: Callable[[], set[str]], check_s: float = CHECK_S) -> None:
        """For ever: ends viewers that are too large, and those whose login is over. living() gives the logins that are not; it is called in a thread."""
        while True:
            await asyncio.sleep(check_s)
            logins = await asyncio.to_thread(living) if self._sessions else set()
            for session in list(self._sessions.values()):
                if session.memory_mb > self.rules.memory_mb:
                    await self.close(session, f"took more than {self.rules.memory_mb:.0f} MB of memory")
                elif session.login not in logins:
                    await self.close(session, "login over")


async def _first_address(process: asyncio.subprocess.Process) -> str:
    """What the viewer prints when it answers; "" when it ends before."""
    while line := await process.stdout.readline():
        if found := ADDRESS.search(line.decode(errors="replace")):
            return found.group()
    return ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """Asks a viewer to end by closing its input, then kills it and all that it started."""
    if process.returncode is None:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_S)
    _kill_group(process.pid)
    await process.wait()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
