"""The web server in memory for tests: three accounts, a folder with a small case and a damaged one, and a queue that notes what it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from ccta.errors import BadInput
from ccta.findings import Patient
from tests.viewer.small_case import small_study
from viewer.server.accounts import Accounts
from viewer.server.services import Work
from viewer.server.settings import ServerSettings, WebSettings
from viewer.server.store import Store, Study, open_store
from viewer.server.web import WebServer, build

PASSWORD = "four words make sense"
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""For tests alone: the product's takes 64 MiB and 60 ms of each try."""
PEOPLE = {"anna": ("reader",), "otto": ("operator",), "ada": ("admin",)}
PATIENT = Patient(id="PID-4711", name="Doe^Jane=王^小明", study_date="20261102", study_description="CCTA", accession_number="ACC-9")


@dataclass
class Asked:
    """A queue that only notes; a real one is tested with the workers. Study 404 is refused."""

    calls: list = field(default_factory=list)

    def work(self) -> Work:
        return Work(*(lambda *given, name=name: self._note(name, *given) for name in ("retry", "cancel", "set_urgent", "take_in")))

    def _note(self, name: str, *given):
        self.calls.append((name, *(sorted(path.read_bytes()[:4] for path in one.iterdir()) if isinstance(one, Path) else one for one in given)))
        if name == "cancel":
            raise BadInput("this study is not being analysed")
        return 2


def write_cases(folder: Path) -> None:
    """A case with findings and a report, and one whose findings are damaged."""
    from ccta.case import Case

    case = Case.create(folder / "good")
    case.write_json("findings", small_study().findings.model_copy(update={"patient": PATIENT}).model_dump_json())
    case.write_json("report_html", "<h1>Report</h1>")
    case.path("report_pdf").write_bytes(b"%PDF-1.7 report")
    case.path("dicom").mkdir()
    (case.path("dicom") / "sr.dcm").write_bytes(b"DICM")
    damaged = Case.create(folder / "damaged")
    damaged.path("findings").write_text("{")


def made_server(data: Path, folder: Path, asked: Asked, store: Store | None = None) -> WebServer:
    """The server over a database in `data`, with the three accounts, whose passwords need no change."""
    settings = ServerSettings(data=str(data), web=WebSettings(upload_mb=1.0))
    settings = replace(settings, intake=replace(settings.intake, keep_free_mb=0.0))
    return with_people(build(settings, store or open_store(settings.database_url), asked.work(), folder))


def with_people(server: WebServer) -> WebServer:
    """The same server with the three accounts."""
    accounts = server.services.accounts
    accounts._hasher = QUICK
    for login, roles in PEOPLE.items():
        accounts.add(login, f"{login.title()} Person", roles, PASSWORD)
        accounts.set_password(login, PASSWORD + ".", own=True)
    return server


def signed_in(server: WebServer, login: str, base: str = "http://testserver") -> TestClient:
    """A client with the session of one account, its token in every request."""
    client = TestClient(server.app, base_url=base, follow_redirects=False, raise_server_exceptions=True)
    answer = client.post("/api/login", json={"login": login, "password": PASSWORD + "."})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return client


def add_study(store: Store, **values) -> str:
    """A study of the database, as the intake makes it; gives its name in addresses."""
    with store.writing() as db:
        row = Study(study_uid=f"1.2.{len(values)}.{values.get('patient_id', '')}", **values)
        db.add(row)
        db.flush()
        return str(row.id)


def accounts_of(server: WebServer) -> Accounts:
    return server.services.accounts
