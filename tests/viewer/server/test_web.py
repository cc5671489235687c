"""The web server in memory: nothing without a login, roles, CSRF, headers, sentences instead of tracebacks, worklist, uploads, audit."""

import asyncio
import io
import re
import stat
import zipfile
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from starlette.routing import Mount

from tests.benchmarks.fuzz_web import fuzz
from tests.viewer.server.web_app import PATIENT, Asked, add_study, made_server, signed_in, write_cases
from viewer.server import uploads
from viewer.server.case_folder import CaseFolder
from viewer.server.security import OPEN
from viewer.server.store import open_store
from viewer.server.uploads import UploadLimits, members
from viewer.server.words import WORDS, preferred, said


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """(server, store, what the queue was asked)"""
    root, asked = tmp_path_factory.mktemp("web"), Asked()
    write_cases(root / "cases")
    store = open_store(f"sqlite:///{root / 'data' / 'server.sqlite'}")
    yield made_server(root / "data", root / "cases", asked, store), store, asked
    store.close()


@pytest.fixture(scope="module")
def clients(web):
    return {login: signed_in(web[0], login) for login in ("anna", "otto", "ada")}


@pytest.fixture(scope="module")
def good(clients) -> str:
    """The address of the good case."""
    (study,) = clients["anna"].get("/api/studies", params={"text": "jane"}).json()["studies"]
    return f"/api/studies/{study['id']}"


def routes_of(routes) -> list:
    """Every route, those of included routers too."""
    return [one for route in routes for one in (routes_of(route.original_router.routes) if hasattr(route, "original_router") else [route])]


def addresses(app) -> list[tuple[str, str]]:
    """(method, path) of every route, parameters filled in."""
    routes = routes_of(app.routes)
    found = [("GET", f"{route.path}/server.css") for route in routes if isinstance(route, Mount)]
    return found + [(method, re.sub(r"\{.*?\}", "1", route.path)) for route in routes for method in getattr(route, "methods", None) or ()]


def test_nothing_but_login_and_health_answers_without_a_session(web):
    stranger, seen = TestClient(web[0].app, follow_redirects=False), addresses(web[0].app)
    assert len(seen) > 30
    for method, path in [*seen, ("GET", "/nothing"), ("OPTIONS", "/api/studies"), ("TRACE", "/"), ("GET", "/openapi.json"), ("GET", "/docs")]:
        for cookies in ({}, {"ccta_session": "x" * 43}):
            answer = stranger.request(method, path, headers={"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())})
            if (method, path) in OPEN:
                assert answer.status_code in (200, 401, 422), (method, path)
            else:
                assert answer.status_code in (303, 401) and "Jane" not in answer.text, (method, path)
                assert answer.headers.get("location", "/login") == "/login"
    assert stranger.get("/health").json() == {"status": "ok"}


def test_every_route_asks_for_a_right_or_is_ones_own(web):
    """The gate asks who; each route besides asks what that person may do."""

    def rights(dependant):
        return {getattr(d.call, "right", None) for d in dependant.dependencies} | set().union(*(rights(d) for d in dependant.dependencies))

    own = {"/health", "/login", "/password", "/", "/api/login", "/api/logout", "/api/me", "/api/me/password", "/api/openapi.json"}
    without = {route.path for route in routes_of(web[0].app.routes) if hasattr(route, "dependant") and not rights(route.dependant) - {None}}
    assert without == own


ROLES_HELD = {
    "anna": (
        "GET /api/users, POST /api/users, GET /api/audit, GET /users, GET /audit, POST GOOD/retry, POST GOOD/cancel, POST GOOD/priority, POST /api/studies",
        "GET GOOD, GET /, GET /rows",
    ),
    "otto": (
        "POST GOOD/sign, POST GOOD/addendum, POST GOOD/open, GET /api/users, PATCH /api/users/anna, GET /api/audit, GET /view/x/index.html",
        "GET GOOD, POST GOOD/retry",
    ),
    "ada": (
        "GET /api/studies, GET GOOD, GET GOOD/report.pdf, GET GOOD/dicom/sr.dcm, POST GOOD/sign, POST GOOD/retry, GET /rows, DELETE GOOD",
        "GET /api/users, GET /api/audit/chain, GET /users, GET /audit",
    ),
}
"""Account -> what it may not do, what it may."""


@pytest.mark.parametrize("login", ROLES_HELD)
def test_roles_are_held(web, clients, good, login):
    bodies = {"priority": {"urgent": True}, "addendum": {"text": "x"}, "users": {"login": "new", "full_name": "New One", "roles": ["admin"]}, "anna": {}}
    for wanted, calls in zip((False, True), ROLES_HELD[login], strict=True):
        for call in calls.split(", "):
            method, path = call.replace("GOOD", good).split()
            answer = clients[login].request(method, path, json=bodies.get(path.rsplit("/", 1)[1]) if method != "GET" else None)
            assert (answer.status_code == 200) == wanted and (wanted or answer.status_code == 403), (call, answer.status_code, answer.text)
    if login == "otto":
        assert ("retry", int(good.rsplit("/", 1)[1])) in web[2].calls


def test_a_change_needs_the_token_and_our_own_page(web, clients, good):
    anna = clients["anna"]
    for headers in (
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "é".encode()},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ):
        answer = anna.request("DELETE", good, headers=headers)
        assert answer.status_code == 403 and "own page" in answer.json()["error"], headers
    assert "not deleted" in anna.request("DELETE", good, headers={"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}).json()["error"]
    assert signed_in(web[0], "anna").post("/login", headers={"Origin": "https://evil.example"}, data={"login": "anna"}).status_code == 403
    kept = [entry for entry in web[0].services.audit.entries() if entry["action"] == "delete-attempt"]
    assert len(kept) == 1 and kept[0]["who"] == "anna" and kept[0]["outcome"] == "refused"


def test_what_a_browser_may_do_with_an_answer(web, clients, good):
    for path in ("/health", "/", "/login?language=en", "/nothing", good, "/static/server.js"):
        headers = clients["anna"].get(path).headers
        assert "unsafe" not in headers["content-security-policy"] and "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff" and "server" not in headers
    assert "sandbox" in clients["anna"].get(f"{good}/report.html").headers["content-security-policy"]
    secure = TestClient(web[0].app, base_url="https://testserver", follow_redirects=False)
    answer = secure.post("/login", data={"login": "anna", "password": "four words make sense."})
    cookie = answer.headers["set-cookie"]
    assert (
        answer.status_code == 303
        and all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=strict"))
        and "max-age" in answer.headers["strict-transport-security"]
    )


def test_an_error_of_ours_is_a_sentence_with_a_number_that_stands_in_the_log(web, clients, monkeypatch, caplog):
    monkeypatch.setattr(web[0].services.worklist, "page", lambda query: 1 / 0)
    answer = clients["anna"].get("/api/studies")
    reference = answer.json()["reference"]
    assert answer.status_code == 500 and reference in answer.json()["error"] and "Zero" not in answer.text
    assert reference in caplog.text and "ZeroDivisionError" in caplog.text


def test_a_database_that_is_away_is_said_as_what_passes(web, clients, monkeypatch):
    def away(query):
        raise OperationalError("SELECT secret", {}, ConnectionError("at /var/lib"))

    monkeypatch.setattr(web[0].services.worklist, "page", away)
    answer = clients["anna"].get("/api/studies")
    assert answer.status_code == 503 and answer.json() == {"error": "The database of the server does not answer. Try again in a minute."}


@pytest.mark.parametrize(
    "path, status", [("?sort=x", 422), ("?page=0", 422), ("?page=99999999999", 422), ("?size=1000", 422), ("/999999", 404), ("/-1", 404), ("/1e3", 404),
                     ("/9999999999999999999999", 404), ("?status=x", 422), ("?text=" + 200 * "a", 422)],
)  # fmt: skip
def test_nonsense_is_refused_in_a_sentence(clients, path, status):
    answer = clients["anna"].get(f"/api/studies{path}")
    assert answer.status_code == status and set(answer.json()) == {"error"}


def test_a_study_its_findings_report_and_objects(clients, good):
    anna = clients["anna"]
    study = anna.get(good).json()
    assert (study["patient_name"], study["patient_id"], study["status"], study["cad_rads"], study["lowest_ffr"]) == (
        PATIENT.name,
        PATIENT.id,
        "done",
        "3/P2/HRP/I+",
        0.76,
    )
    assert anna.get(f"{good}/findings").json()["patient"]["name"] == PATIENT.name
    assert anna.get(f"{good}/report.pdf").content.startswith(b"%PDF") and "Report" in anna.get(f"{good}/report.html").text
    assert anna.get(f"{good}/dicom").json() == {"objects": ["sr.dcm"]} and anna.get(f"{good}/dicom/sr.dcm").content == b"DICM"
    for name in ("..%2ffindings.json", "%2e%2e/findings.json", "nothing.dcm", "..\\findings.json"):
        assert anna.get(f"{good}/dicom/{name}").status_code == 404
    (damaged,) = anna.get("/api/studies", params={"status": "failed"}).json()["studies"]
    assert "damaged" in damaged["problem"] and "/" not in damaged["problem"]


def test_a_report_that_cannot_be_signed_says_so_without_a_path(clients, good):
    answer = clients["anna"].post(f"{good}/sign")
    assert answer.status_code == 409 and "/" not in answer.json()["error"].replace("`ccta report`", "")


def test_who_saw_and_took_what_stands_in_the_log(web, clients, good):
    clients["anna"].get(f"{good}/report.pdf")
    number = good.rsplit("/", 1)[1]
    found = {(entry["action"], entry["detail"]) for entry in clients["ada"].get("/api/audit", params={"study": number, "who": "anna"}).json()}
    assert {("export", "report_pdf"), ("view", "study")} <= found
    assert clients["ada"].get("/api/audit/chain").json()["broken_at"] == 0
    assert "log is whole" in clients["ada"].get("/audit").text


def test_order_filter_and_pages(web, clients):
    for number, values in enumerate(
        [{"cad_rads": "4A/P1", "patient_name": "Zeta"}, {"lowest_ffr": 0.6, "patient_name": "Alpha"}, {"urgent": True, "patient_name": "Mid"},
         {"lowest_ffr": 0.85, "patient_name": "100% sure"}]
    ):  # fmt: skip
        add_study(web[1], patient_id=f"N{number}", received_s=1e9 + number, state="done", **values)
    names = lambda **query: [s["patient_name"] for s in clients["anna"].get("/api/studies", params=query).json()["studies"]]  # noqa: E731
    assert names()[:3] == ["Mid", "Alpha", "Zeta"] and set(names(urgent=True)) == {"Mid", "Alpha", "Zeta"}
    assert names(sort="ffr")[:2] == ["Alpha", PATIENT.name]
    assert [name for name in names(sort="patient") if name] == ["100% sure", "Alpha", PATIENT.name, "Mid", "Zeta"]
    assert (
        names(text="100%") == ["100% sure"]
        and names(text="doe jane") == [PATIENT.name]
        and names(text="ACC-9") == [PATIENT.name]
        and names(text="王") == [PATIENT.name]
    )
    assert names(size=2, page=2) == names()[2:4]


def test_the_page_in_both_languages_updates_without_being_used(web, clients):
    page = clients["anna"].get("/?language=zh").text
    assert "工作列表" in page and "Doe Jane" in page and "王 小明" in page and "upload" not in re.sub(r"<script.*?</script>", "", page)
    assert "Upload a study" in clients["otto"].get("/", headers={"Accept-Language": "en"}).text
    assert clients["ada"].get("/").headers["location"] == "/users"
    assert "<html" not in clients["anna"].get("/rows").text


def test_words_have_both_languages_and_pages_use_them():
    assert all(english.strip() and chinese.strip() for english, chinese in WORDS.values())
    assert said("xx") == said("en") != said("zh") and preferred("", "zh-CN,zh;q=0.9") == "zh" and preferred("en", "zh") == "en"


def test_cases_come_go_and_change_with_the_folder(tmp_path):
    write_cases(tmp_path / "cases")
    store = open_store(f"sqlite:///{tmp_path / 'cases' / '.server' / 'server.sqlite'}")
    folder = CaseFolder(tmp_path / "cases", store, tmp_path / "cases" / ".server")
    server = made_server(tmp_path / "cases" / ".server", tmp_path / "cases", Asked(), store)
    seen = lambda: {s["description"] for s in signed_in(server, "anna").get("/api/studies").json()["studies"]}  # noqa: E731
    assert seen() == {"CCTA · good", "damaged"}
    (tmp_path / "cases" / "damaged").rename(tmp_path / "moved")
    folder.sync()
    assert seen() == {"CCTA · good"}
    store.close()


def zipped(**files) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            target.writestr(name.replace("__", "/"), data)
    return archive.getvalue()


def test_an_upload_arrives_as_numbered_files_wherever_it_wants_to_go(web, clients, tmp_path):
    asked = web[2]
    archive = zipped(**{"..__..__etc__passwd": b"root", "study__1": b"one!", "C:\\x": b"two!"})
    asked.calls.clear()
    answer = clients["otto"].post("/api/studies", files=[("files", ("../a.zip", archive)), ("files", ("/abs", b"four"))])
    assert answer.status_code == 201 and asked.calls == [("take_in", [b"four", b"one!", b"root", b"two!"])]
    assert list((web[0].app.state.uploads).iterdir()) == []


@pytest.mark.parametrize("kind", ["bomb", "many", "password", "damaged", "empty", "no form", "link"])
def test_bad_uploads_are_refused_and_leave_nothing(web, clients, kind):
    asked, files = web[2], []
    asked.calls.clear()
    if kind == "bomb":
        files = [("files", ("a.zip", zipped(a=bytes(200_000_000))))]
    elif kind == "many":
        files = [("files", ("a.zip", zipped(**{f"f{n}": b"" for n in range(20_001)})[: 10**6]))]
    elif kind == "password":
        data = bytearray(zipped(a=b"secret"))
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(mark) + offset] |= 1
        files = [("files", ("a.zip", bytes(data)))]
    elif kind == "damaged":
        files = [("files", ("a.zip", zipped(a=b"x" * 5000)[:60]))]
    elif kind == "empty":
        files = [("files", ("a", b""))]
    if kind == "link":
        return link_in_an_archive()
    answer = clients["otto"].post("/api/studies", files=files) if files else clients["otto"].post("/api/studies", content=b"x")
    assert answer.status_code in (400, 413), answer.text
    assert asked.calls == [] and list((web[0].app.state.uploads).iterdir()) == []


def test_what_came_of_an_upload_that_the_disk_could_not_hold_is_told_to_the_intake(web, clients, monkeypatch):
    server, missed = web[0], []
    told = lambda folder: missed.append(sorted(path.read_bytes() for path in folder.iterdir()))  # noqa: E731
    services = replace(server.services, work=replace(server.services.work, not_stored=told))

    def copied(source, path, most, copy=uploads._copied):
        if path.name == "000002":
            raise OSError(28, "No space left on device")
        return copy(source, path, most)

    monkeypatch.setitem(server.app.state._state, "services", services)
    monkeypatch.setattr(uploads, "_copied", copied)
    answer = clients["otto"].post("/api/studies", files=[("files", ("a", b"one")), ("files", ("b", b"two"))])
    assert answer.status_code == 507 and missed == [[b"one"]] and list(server.app.state.uploads.iterdir()) == []


def link_in_an_archive():
    """A symbolic link in an archive is its text, never a link."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(entry, "/etc/passwd")
    assert [one.read(100) for one in members(archive, UploadLimits())] == [b"/etc/passwd"]


def test_large_requests_are_refused_announced_or_not(clients):
    otto = clients["otto"]
    assert otto.post("/api/studies", files=[("files", ("a", bytes(1_100_000)))]).status_code == 413
    assert otto.post("/api/studies/1/priority", content=iter([bytes(40_000), bytes(40_000)])).status_code in (400, 413)
    assert otto.post("/api/login", json={"login": "x" * 100_000, "password": ""}).status_code == 413


def test_a_given_password_must_be_changed_first(web):
    server = web[0]
    given = server.services.accounts.add("neu", "Neu Person", ("reader",))
    client = TestClient(server.app, follow_redirects=False)
    client.headers["X-CSRF-Token"] = client.post("/api/login", json={"login": "neu", "password": given}).json()["csrf"]
    assert client.get("/").headers["location"] == "/password" and client.get("/api/studies").status_code == 403
    assert client.post("/api/me/password", json={"old": "wrong", "new": "a long sentence of words"}).status_code == 403
    assert client.post("/api/me/password", json={"old": given, "new": "short"}).status_code == 400
    assert client.post("/api/me/password", json={"old": given, "new": "a long sentence of words"}).status_code == 204
    assert client.get("/api/studies").status_code == 200
    assert client.post("/api/logout").status_code == 204 and client.get("/api/me").status_code == 401


def test_a_wrong_login_is_kept_and_locks(web):
    server, client = web[0], TestClient(web[0].app, follow_redirects=False)
    answers = [client.post("/login", data={"login": "otto", "password": "wrong"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 6
    assert "wrong, or" in answers[0].text and "quarter" in answers[5].text
    assert sum(entry["action"] == "login" and entry["outcome"] == "refused" and entry["who"] == "otto" for entry in server.services.audit.entries()) == 6
    server.services.accounts.lock("otto", False)


def test_websockets_through_the_application_itself_are_closed(web):
    """They are tunnelled before the application; what comes by another way ends."""
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(web[0].app.build_middleware_stack()({"type": "websocket", "path": "/view/x/ws", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_made_up_requests_bring_no_error_no_traceback_and_no_path(tmp_path):
    """A few for each operation and person; `make bench-server` sends 10,000."""
    write_cases(tmp_path / "cases")
    statuses, faults = fuzz(made_server(tmp_path / "data", tmp_path / "cases", Asked()), tmp_path, 2)
    assert faults == [] and statuses.total() > 100 and statuses[200] > 10
