"""The buttons of the worklist from the page to the database, as its script presses them: retry, cancel, first, sign. On SQLite and PostgreSQL."""

import re
import shutil
import time
from dataclasses import replace

import pytest
from sqlalchemy import select

from ccta.case import Case
from ccta.report import signing
from tests.viewer.server.small_dicom import bytes_of, ct_slice
from tests.viewer.server.web_app import signed_in, with_people
from tests.viewer.small_case import write_drafted_case
from viewer.app import report_desk
from viewer.server import orders
from viewer.server.intake import Intake
from viewer.server.settings import AnalysisSettings, IntakeSettings, OutSettings, Pacs, ServerSettings
from viewer.server.signatures import SignedReports
from viewer.server.store import Delivery, Job, Study
from viewer.server.web import build
from viewer.server.web_work import work_of
from viewer.server.work import Ended, run_job


@pytest.fixture(scope="module")
def drafted(tmp_path_factory):
    root = tmp_path_factory.mktemp("drafted") / "case"
    write_drafted_case(root)
    return root


@pytest.fixture
def settings(tmp_path, database_url) -> ServerSettings:
    return ServerSettings(
        data=str(tmp_path / "data"), database=database_url, intake=IntakeSettings(keep_free_mb=0), analysis=AnalysisSettings(command=("true",)),
        pacs={"main": Pacs(host="127.0.0.1", port=1, ae_title="PACS")}, out=OutSettings(destination="main"),
    )  # fmt: skip


@pytest.fixture
def server(store, settings):
    """Real intake and queue behind the page; one study of one slice."""
    Intake(store, settings).take(bytes_of(ct_slice("1.2.3")), "CT1")
    return with_people(build(settings, store, work_of(settings, store, True)))


def the_study(store) -> Study:
    with store.session() as session:
        return session.scalar(select(Study))


def set_state(store, state: str) -> None:
    with store.writing() as session:
        session.scalar(select(Study)).state = state


def button(page: str, do: str) -> dict[str, str] | None:
    """The attributes of a button of the first line; None where the page has none."""
    found = re.search(rf'<button[^>]*data-do="{do}"[^>]*>', page)
    return dict(re.findall(r'data-([a-z]+)="([^"]*)"', found.group())) if found else None


def press(client, do: str):
    """What the page's script does at a click, with the token that stands in the page."""
    page = client.get("/").text
    there, token, study = button(page, do), re.search(r'name="csrf" content="([^"]+)"', page).group(1), re.search(r'tr data-study="(\d+)"', page).group(1)
    assert there is not None, f"the page has no button {do}"
    body = {"urgent": there["urgent"] == "true"} if do == "priority" else None
    return client.post(f"/api/studies/{study}/{do}", headers={"X-CSRF-Token": token}, json=body)


def noted(server, action: str) -> list[tuple[str, str, str]]:
    """(who, outcome, detail) of the audit log, newest first."""
    return [(one["who"], one["outcome"], one["detail"]) for one in server.services.audit.entries() if one["action"] == action]


def test_an_operator_hurries_cancels_and_repeats_a_study(server, store):
    otto = signed_in(server, "otto")
    assert press(otto, "priority").status_code == 200 and the_study(store).urgent
    orders.complete_studies(store, 0.0, time.time() + 1)
    assert press(otto, "priority").status_code == 200 and not the_study(store).urgent
    assert press(otto, "cancel").status_code == 200 and the_study(store).state == "cancelled"
    assert button(otto.get("/").text, "cancel") is None
    assert press(otto, "retry").status_code == 200 and the_study(store).state == "waiting"
    with store.session() as session:
        assert [(job.state, job.generation, job.urgent) for job in session.scalars(select(Job).order_by(Job.id))][-1] == ("waiting", 2, False)
    assert noted(server, "change") == [("otto", "done", what) for what in ("retry", "cancel", "urgent False", "urgent True")]
    assert server.services.audit.verified().broken_at == 0


def test_a_reader_is_offered_none_of_it_and_refused_and_a_click_without_the_token_too(server, store):
    anna, otto = signed_in(server, "anna"), signed_in(server, "otto")
    page = anna.get("/").text
    assert [button(page, do) for do in ("priority", "cancel", "retry", "sign")] == [None] * 4
    for do, body in (("cancel", None), ("priority", {"urgent": True}), ("retry", None)):
        assert anna.post(f"/api/studies/1/{do}", json=body).status_code == 403
        assert otto.post(f"/api/studies/1/{do}", json=body, headers={"X-CSRF-Token": "x"}).status_code == 403
    assert otto.post("/api/studies/1/sign").status_code == 403 and signed_in(server, "ada").post("/api/studies/1/sign").status_code == 403
    study = the_study(store)
    assert (study.state, study.urgent) == ("received", False)
    assert {who for who, _, _ in noted(server, "refused")} == {"anna", "otto", "ada"} and noted(server, "change") == []


def test_a_reader_signs_once_and_the_signed_objects_are_to_be_sent(server, store, settings, drafted, monkeypatch):
    anna = signed_in(server, "anna")
    assert anna.post("/api/studies/1/sign", headers={"Accept-Language": "zh-CN"}).json() == {"error": "此检查尚未分析。"}
    orders.complete_studies(store, 0.0, time.time() + 1)
    run_job(store, settings, 1)
    root = settings.data_folder / "cases" / "1.2.3" / "1"
    shutil.copytree(drafted, root, dirs_exist_ok=True)
    assert button(signed_in(server, "otto").get("/").text, "sign") is None
    assert button(anna.get("/").text, "sign")["sure"] == "Yes, sign"
    report_desk.write_words(root, "Anna", {"impression": "Severe."})
    assert "make the report again" in press(anna, "sign").json()["error"]
    report_desk.write_words(root, "Anna", {"impression": ""})
    shutil.copytree(drafted, root, dirs_exist_ok=True)
    (root / "reader.json").unlink()
    set_state(store, "running")
    assert "being analysed again" in anna.post("/api/studies/1/sign").json()["error"]
    set_state(store, "done")
    assert press(anna, "sign").json()["by"] == "Anna Person"
    assert re.search(r"signed by Anna Person \d{4}-\d\d-\d\d \d\d:\d\d UTC", anna.get("/").text) and button(anna.get("/").text, "sign") is None
    assert anna.get("/api/studies/1").json()["signed_by"] == "Anna Person" and signing.verify(Case.open(root)) == []
    assert "signed already" in anna.post("/api/studies/1/sign").json()["error"] and len(signing.read(Case.open(root)).versions) == 1
    assert [one[:2] for one in noted(server, "sign")] == [("anna", how) for how in ("refused", "done", "refused", "refused", "refused")]
    assert_sent_once(store, settings, root, monkeypatch)


def assert_sent_once(store, settings, root, monkeypatch) -> None:
    """The node makes the objects of the signed report (here one, made by hand: the small case has no DICOM study), and orders their delivery once."""
    from tests.viewer.server.small_dicom import pdf_object

    (root / "dicom").mkdir(exist_ok=True)
    (root / "dicom" / "report.dcm").write_bytes(bytes_of(pdf_object("1.2.3")))
    monkeypatch.setattr("viewer.server.signatures.export_objects", lambda *given: Ended(0, ""))
    full = replace(settings, intake=replace(settings.intake, keep_free_mb=1e12))
    assert [SignedReports(store, one).round() for one in (full, settings, settings)] == [0, 1, 0]
    with store.session() as session:
        assert [(one.destination, one.state) for one in session.scalars(select(Delivery))] == [("main", "pending")]


def test_search_order_and_login_on_both_databases(server, store):
    with store.writing() as session:
        for number, (name, ffr) in enumerate((("Zeta^A", 0.6), ("100% sure", 0.9), ("李^雷", None))):
            session.add(Study(study_uid=f"9.{number}", patient_name=name, lowest_ffr=ffr, state="done", received_s=float(number)))
    anna = signed_in(server, "anna")
    names = lambda **query: [one["patient_name"] for one in anna.get("/api/studies", params=query).json()["studies"]]  # noqa: E731
    assert names()[0] == "Zeta^A" and names(text="100%") == ["100% sure"] and names(text="雷") == ["李^雷"] and names(text="zETA") == ["Zeta^A"]
    assert names(sort="ffr")[:2] == ["Zeta^A", "100% sure"] and len(names(sort="patient", size=2, page=2)) == 2 and names(status="failed") == []
    assert [anna.post("/login", data={"login": "otto", "password": "wrong"}).status_code for _ in range(6)] == [401] * 6
    assert anna.post("/api/login", json={"login": "otto", "password": "four words make sense."}).status_code == 401  # locked
    assert server.services.audit.verified().broken_at == 0
