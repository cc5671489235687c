"""Viewer processes behind the server: one for each login and case, ended in every way, and reached by nobody else."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import aiohttp
import pytest

from tests.viewer.server.conftest import free_port
from tests.viewer.small_case import write_small_case
from viewer.server.accounts import Accounts, Person
from viewer.server.sessions import Launcher, NotOpened, resident_mb
from viewer.server.settings import ViewerSettings
from viewer.server.store import open_store
from viewer.server.supervisor import Part, Supervisor

ANNA = Person("anna", "Anna Reader", ("reader",), session="a" * 64, csrf="c")
BEN = replace(ANNA, login="ben", full_name="Ben Reader", session="b" * 64)
PASSWORD = "a long sentence of words"


STAND_IN = "import sys, secrets; sys.stdin.readline() and print('http://127.0.0.1:1/x?secret=' + secrets.token_hex(4), flush=True) is sys.stdin.read()"
QUICK = (sys.executable, "-c", STAND_IN)
"""In place of the viewer, where only processes matter; the real one follows below."""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    root = tmp_path_factory.mktemp("reading") / "case"
    write_small_case(root)
    return root


def test_one_viewer_for_each_login_and_case_and_none_left_behind(case):
    ends = []
    launcher = Launcher(ViewerSettings(most=2), lambda session, reason: ends.append((session.who, reason)), QUICK)

    async def story():
        first, again, other = await asyncio.gather(launcher.open(ANNA, "1", case), launcher.open(ANNA, "1", case), launcher.open(BEN, "1", case))
        assert first is again and first.process.pid != other.process.pid and first.secret != other.secret
        assert launcher.of(first.key, ANNA) is first and launcher.of(first.key, BEN) is None and launcher.of(first.key, None) is None
        with pytest.raises(NotOpened, match="2 cases are open"):
            await launcher.open(ANNA, "2", case)
        os.kill(other.process.pid, signal.SIGKILL)  # a crash
        await other.reaper
        assert len(launcher) == 1 and launcher.of(other.key, BEN) is None
        await launcher.close_of(ANNA.session)
        assert len(launcher) == 0 and not alive(first.process.pid)
        spare = launcher._spare.pid
        await launcher.close_all()
        assert not alive(spare)

    asyncio.run(story())
    assert [who for who, _ in ends] == ["ben", "anna"]


def test_a_viewer_that_grows_or_whose_login_is_over_is_ended(case):
    ends = []
    launcher = Launcher(ViewerSettings(memory_mb=1.0), lambda session, reason: ends.append(reason), QUICK)
    roomy = Launcher(ViewerSettings(), lambda session, reason: ends.append(reason), QUICK)

    async def story():
        for one in (launcher, roomy):
            watching = asyncio.create_task(one.watch(set, check_s=0.1))
            session = await one.open(ANNA, "1", case)
            assert session.memory_mb > 2
            await session.reaper
            watching.cancel()
            assert not alive(session.process.pid) and resident_mb(session.process.pid) == 0

    asyncio.run(story())
    assert "1 MB of memory" in ends[0] and ends[1] == "login over"


def test_a_case_that_cannot_be_opened_is_said_and_leaves_no_process(tmp_path):
    launcher = Launcher(ViewerSettings(spare=False), command=(sys.executable, "-c", "pass"))
    with pytest.raises(NotOpened, match="could not open"):
        asyncio.run(launcher.open(ANNA, "1", tmp_path))
    assert len(launcher) == 0


async def told(base: str, method: str, path: str, session: aiohttp.ClientSession, body=None, headers=None) -> tuple[int, str]:
    async with session.request(method, base + path, json=body, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def signed_in(base: str, login: str, password: str) -> tuple[aiohttp.ClientSession, dict]:
    session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
    async with session.post(f"{base}/api/login", json={"login": login, "password": password}) as answer:
        return session, {"X-CSRF-Token": (await answer.json())["csrf"]}


async def two_readers(base: str) -> tuple[list[int], str]:
    """Two people open the same case; what each gets of the other's viewer, and of the own one after logging out."""
    (anna, anna_token), (ben, ben_token) = [await signed_in(base, login, PASSWORD) for login in ("anna", "ben")]
    async with anna, ben:
        async with anna.get(f"{base}/api/studies") as answer:
            study = (await answer.json())["studies"][0]["id"]
        views = []
        for session, token in ((anna, anna_token), (ben, ben_token)):
            async with session.post(f"{base}/api/studies/{study}/open", headers=token) as answer:
                views.append((await answer.json())["address"].split("index.html")[0])
        assert views[0] != views[1]
        found = [(await told(base, "GET", f"{views[0]}index.html", session))[0] for session in (anna, ben)]
        for session, origin in ((anna, base), (anna, "http://evil.example"), (ben, base), (aiohttp.ClientSession(), base)):
            try:
                async with session.ws_connect(f"{base}{views[0]}ws", origin=origin, timeout=30) as socket:
                    found.append(101)
                    await socket.close()
            except aiohttp.WSServerHandshakeError as refused:
                found.append(refused.status)
            if session not in (anna, ben):
                await session.close()
        found.append((await told(base, "POST", "/api/logout", anna, headers=anna_token))[0])
        found += [(await told(base, "GET", f"{views[0]}index.html", session))[0] for session in (anna, ben)]
        return found, (await told(base, "GET", f"{views[1]}index.html", ben))[1]


def children(pid: int) -> list[int]:
    return [int(one) for one in subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split()]


def test_viewers_belong_to_their_login_and_die_with_a_killed_server(tmp_path, case):
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "one").symlink_to(case)
    store = open_store(f"sqlite:///{tmp_path / 'data' / 'server.sqlite'}")
    accounts = Accounts(store)
    accounts.add("admin", "Ada Admin", ("admin",), "another sentence here")  # so that the server prints no password
    for login in ("anna", "ben"):
        accounts.add(login, f"{login.title()} Reader", ("reader",), PASSWORD + ".")
        accounts.set_password(login, PASSWORD, own=True)
    port = free_port()
    (tmp_path / "server.toml").write_text('data = "data"\n[viewer]\nspare = false\n')
    command = [sys.executable, "-m", "ccta.cli.main", "serve", str(tmp_path / "cases"), "--config", str(tmp_path / "server.toml"), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert str(port) in process.stdout.readline()
            found, page = asyncio.run(two_readers(f"http://127.0.0.1:{port}"))
            viewers = children(process.pid)  # ben's
            assert found == [200, 404, 101, 403, 403, 403, 204, 303, 404] and "<!doctype html>" in page.lower()
            assert len(viewers) == 1
        finally:
            process.kill()
    until = time.monotonic() + 60
    while any(alive(viewer) for viewer in viewers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(alive(viewer) for viewer in viewers)
    store.close()


def test_a_process_that_ends_is_started_again_whatever_it_says():
    """Also one that calls its settings wrong: the database that it does not find may come back."""
    supervisor = Supervisor([Part("wrong", ("listen", "--no-such-option"))], 0.1)

    async def story():
        running, seen = asyncio.create_task(supervisor.run()), {}
        while len(seen) < 2 or None in (one.returncode for one in seen.values()):
            await asyncio.sleep(0.05)
            seen |= {one.pid: one for one in supervisor.processes.values()}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return [one.returncode for one in seen.values()]

    assert set(asyncio.run(story())) == {2}
