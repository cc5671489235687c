"""Who gets in, what goes out, and when the session ends; the background job. Without a browser."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from tests.viewer.small_case import write_small_case
from tests.viewer.test_browser import served
from viewer.app.editing_desk import EditingDesk
from viewer.app.guard import FAILED, IdleWatch, cookie_name, from_here, guard, new_secret
from viewer.app.jobs import Recompute, Step, step_of
from viewer.app.study import load_study


def test_every_secret_is_new_and_long():
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50 and min(map(len, secrets)) >= 32


@pytest.mark.parametrize(
    "host, origin, right",
    [
        ("127.0.0.1:8080", None, True), ("localhost:8080", "http://localhost:8080", True), ("127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("127.0.0.1:8080", "http://127.0.0.1:9999", False), ("127.0.0.1:8080", "https://evil.example", False), ("evil.example:8080", None, False),
        ("127.0.0.1:8080", "null", False), ("[", None, False),
    ],
)  # fmt: skip
def test_only_this_machine_and_only_the_page_itself(host, origin, right):
    assert from_here(host, origin) == right


async def answers(app: web.Application, requests) -> list:
    """(status, text, cookies set) of requests (path, headers, cookies) to an app on a free port."""
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port, found = runner.addresses[0][1], []
    try:
        for path, headers, cookie in requests:
            async with aiohttp.ClientSession() as session:
                cookies = {cookie_name(f"127.0.0.1:{port}"): cookie} if cookie else {}
                async with session.get(f"http://127.0.0.1:{port}{path}", headers=headers, cookies=cookies) as answer:
                    found.append((answer.status, await answer.text(), {name: dict(morsel) for name, morsel in answer.cookies.items()}))
    finally:
        await runner.cleanup()
    return found


def test_the_secret_becomes_a_cookie_and_errors_are_a_sentence():
    app = web.Application(middlewares=[guard("right-secret")])

    async def page(request):
        if request.path == "/broken":
            raise RuntimeError("patient name in /secret/place")
        return web.Response(text="page")

    app.add_routes([web.get("/{tail:.*}", page)])
    requests = [
        ("/", {}, ""), ("/?secret=wrong", {}, ""), ("/?secret=right-secret", {}, ""), ("/script.js", {}, "right-secret"), ("/script.js", {}, "wrong"),
        ("/", {"Host": "evil.example"}, "right-secret"), ("/ws", {"Origin": "http://evil.example"}, "right-secret"), ("/broken", {}, "right-secret"),
        ("/?secret=\u00e9", {}, ""),
    ]  # fmt: skip
    found = asyncio.run(answers(app, requests))
    assert [status for status, _, _ in found] == [403, 403, 200, 200, 403, 403, 403, 500, 403]
    (cookie,) = found[2][2].values()
    assert cookie["httponly"] and cookie["samesite"] == "Strict" and not found[3][2]
    assert found[7][1] == FAILED and all("page" not in text for status, text, _ in found if status == 403 and "viewer by" not in text)


def test_the_session_ends_when_nobody_uses_it_and_not_before():
    now, working = [0.0], [False]
    watch = IdleWatch(1, busy=lambda: working[0], clock=lambda: now[0])
    now[0] = 59.0
    assert not watch.over
    watch.used()
    now[0] = 118.0
    assert not watch.over
    now[0], working[0] = 130.0, True
    assert not watch.over, "not while stages run"
    working[0], now[0] = False, 189.0
    assert not watch.over
    now[0] = 191.0
    assert watch.over and not IdleWatch(0, clock=lambda: 1e12).over


def test_an_idle_viewer_closes_by_itself(tmp_path):
    write_small_case(tmp_path / "case")
    with served(tmp_path / "case", "--idle-minutes", "0.001") as address:
        assert address()
        assert "nobody used it" in address.line()


async def everything_without_the_secret(address: str) -> tuple[list[int], list[str]]:
    """Statuses of what the server might answer without a secret, and what the websocket says to a stranger, and to the page asking nonsense."""
    base, secret = address.split("/index.html?secret=")
    statuses, said = [], []
    async with aiohttp.ClientSession() as stranger:
        for path in (
            "/",
            "/index.html",
            "/index.html?secret=",
            "/index.html?secret=wslink-secret",
            "/paraview",
            "/ws",
            "/assets/",
            "/__trame_vtk/",
            "/nothing",
        ):
            async with stranger.get(base + path) as answer:
                statuses.append(answer.status)
        async with stranger.post(base + "/paraview", json={}) as answer:
            statuses.append(answer.status)
        try:
            await stranger.ws_connect(base.replace("http", "ws") + "/ws")
        except aiohttp.WSServerHandshakeError as refused:
            statuses.append(refused.status)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as page:
        async with page.get(address) as answer:
            assert answer.status == 200
        async with page.ws_connect(base.replace("http", "ws") + "/ws") as socket:
            said += await spoken(socket, secret)
    return statuses, said


async def spoken(socket, secret: str) -> list[str]:
    """Answers to: a call before the hello, the hello, and calls that fail on the server."""
    import msgpack
    from wslink.chunking import UnChunker, generate_chunks

    unchunker, found = UnChunker(), []
    unchunker.set_max_message_size(10**9)
    calls = [
        ("a:1", "trame.state.get", []), ("system:2", "wslink.hello", [{"secret": secret}]), ("a:3", "trame.trigger", [7, "x", {}]),
        ("a:4", "trame.trigger", ["slice", ["nowhere", "x", None], {}]), ("a:5", "trame.trigger", ["slice", [], {"no": 1}]), ("a:6", "trame.no.such", []),
        ("a:7", "trame.trigger", ["key", [{"not": "a key"}], {}]),
    ]  # fmt: skip
    for rpc, method, args in calls:
        for chunk in generate_chunks(msgpack.packb({"wslink": "1.0", "id": rpc, "method": method, "args": args, "kwargs": {}}), 4_000_000):
            await socket.send_bytes(chunk)
        while True:
            message = unchunker.process_chunk((await socket.receive(timeout=30)).data)
            if message is not None and message.get("id") == rpc:
                found.append(str(message))
                break
    return found


def test_a_stranger_gets_nothing_and_no_traceback_leaves_the_server(tmp_path):
    write_small_case(tmp_path / "case")
    with served(tmp_path / "case", quiet=False) as address:  # the reasons stand in its terminal
        statuses, said = asyncio.run(everything_without_the_secret(address()))
    assert statuses == [403] * 11
    assert "Unauthorized" in said[0] and "clientID" in said[1]
    assert not [text for text in said if "Traceback" in text or ".py" in text or "Error(" in text]
    assert FAILED in said[4]


def test_progress_lines_become_steps():
    assert step_of("measure: lumen surface") == Step("measure", "lumen surface", 2 / 6)
    assert step_of("tree         current     0.0 s") is None and step_of("other: thing") is None


def run_job(root, cancel: bool) -> tuple[list, list]:
    """(steps, how it ended) of a background computation, cancelled at its first step or left alone."""
    steps, ends = [], []

    async def both():
        over = asyncio.Event()

        async def ended(how):
            ends.append(how)
            over.set()

        def tell(step):
            steps.append(step)
            if cancel and len(steps) == 1:
                asyncio.get_running_loop().create_task(job.cancel())

        job = Recompute(root, tell, ended, settle_s=0.0)
        await job.start()
        assert job.running
        await asyncio.wait_for(over.wait(), 300)
        assert not job.running

    asyncio.run(both())
    return steps, ends


def test_a_job_tells_its_steps_and_a_cancelled_one_stops(tmp_path):
    from ccta import editing
    from ccta.case import Case
    from ccta.edits import LesionEdit

    write_small_case(tmp_path / "case")
    case = Case.open(tmp_path / "case")
    editing.record(case, LesionEdit(by="Dr Li", at="2026-01-01T00:00:00+00:00", center_mm=case.findings().stenoses[1].center_mm, before_pct=35, after_pct=70))
    steps, ends = run_job(case.root, cancel=True)
    assert ends == ["cancelled"] and steps and not list(case.root.glob("report.html"))
    behind = EditingDesk(case.root).opened(load_study(case.root))
    assert 70 in [s.diameter_pct for s in behind.stenoses], "a case whose computation was cancelled opens with what the edit changes"
    steps, ends = run_job(case.root, cancel=False)
    assert ends == ["done"] and {"measure", "flow", "report"} <= {step.stage for step in steps}
    study = load_study(case.root)
    assert EditingDesk(case.root).opened(study) is study
    assert 70 in [s.diameter_pct for s in case.findings().stenoses] and case.path("report_html").exists()
    assert [step.share for step in steps] == sorted(step.share for step in steps)


def test_a_job_that_fails_says_so(tmp_path):
    assert run_job(tmp_path / "nothing", cancel=False)[1] == ["failed"]
