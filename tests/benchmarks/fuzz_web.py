"""Web requests made up from the OpenAPI description (schemathesis): no 500, no traceback, nothing told to strangers, no path of the server in any answer.

`python -m tests.benchmarks.fuzz_web [REQUESTS]` sends 10,000 to the server in memory and prints what came back.
"""

from __future__ import annotations

import logging
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings

from tests.viewer.server.web_app import Asked, made_server, signed_in, write_cases
from viewer.server.web import WebServer

PEOPLE = ("anna", "otto", "ada", "")
"""A reader, an operator, an administrator, and nobody."""
TOLD = re.compile(r"Traceback|\.py\b|site-packages|sqlalchemy|sqlite|/tmp/|/home/|argon2|Exception|Error:", re.I)
OPEN = ("/health", "/api/login")
LEFT_OUT = ("/api/logout", "/api/me/password")
"""They end the sessions that the other requests need; tests of their own try them."""


def fuzz(server: WebServer, root: Path, examples: int) -> tuple[Counter, list[str]]:
    """(statuses, faults) of `examples` requests for each operation and person. root: the folder whose name may not appear in any answer."""
    schema = schemathesis.openapi.from_dict(server.app.openapi())
    statuses, faults = Counter(), []
    server.services.launcher._command = (sys.executable, "-c", "pass")  # a viewer that ends at once: its own answers are fuzzed with the reading page
    clients = {person: signed_in(server, person) if person else TestClient(server.app, follow_redirects=False) for person in PEOPLE}
    for operation in (found.ok() for found in schema.get_all_operations()):
        for case in made_up(operation, examples) if operation.path not in LEFT_OUT else []:
            for person, client in clients.items():
                answer = client.request(**request_of(case))
                statuses[answer.status_code] += 1
                fault = fault_of(answer, person, operation.path, root)
                faults += [f"{person or 'nobody'}: {case.method} {case.formatted_path}: {fault}"] if fault else []
    return statuses, faults


def made_up(operation, examples: int) -> list:
    """Requests for one operation; every second is for a study that is there."""
    cases = []

    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True)
    @given(operation.as_strategy())
    def once(case) -> None:
        if "study" in (case.path_parameters or {}) and len(cases) % 2 == 0:
            case.path_parameters["study"] = str(1 + len(cases) // 2 % 2)
        cases.append(case)

    once()
    return cases


def fault_of(answer, person: str, path: str, root: Path) -> str:
    """What is wrong with an answer, "" where nothing is."""
    if answer.status_code >= 500 or TOLD.search(answer.text) or str(root) in answer.text:
        return f"{answer.status_code} {answer.text[:200]}"
    if not person and path not in OPEN and answer.status_code not in (303, 401):
        return f"{answer.status_code} without a login"
    return ""


def request_of(case) -> dict:
    """A made-up request for the client; what no client can send is left out of it."""
    headers = {name: value for name, value in (case.headers or {}).items() if _sendable(name) and _sendable(value)}
    sent = {
        "method": case.method,
        "url": case.formatted_path,
        "params": dict(case.query or {}),
        "headers": {n: v for n, v in headers.items() if n.lower() != "cookie"},
    }
    if isinstance(case.body, bytes):
        return {**sent, "content": case.body}
    if case.media_type == "multipart/form-data":
        files = case.body.get("files", []) if isinstance(case.body, dict) else []
        files = files if isinstance(files, list) else [files]
        return {**sent, "files": [("files", (f"{n}", one if isinstance(one, bytes) else str(one).encode("utf-8", "replace"))) for n, one in enumerate(files)]}
    plain = type(case.body).__name__ == "NotSet"
    return sent if plain else {**sent, "json": case.body}


def _sendable(text: str) -> bool:
    return bool(re.fullmatch(r"[ -~]*", str(text))) and text == text.strip()


def main(requests: int) -> int:
    """Prints statuses and faults; 1 where there are any."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_cases(root / "cases")
        server = made_server(root / "data", root / "cases", Asked())
        operations = sum(1 for _ in schemathesis.openapi.from_dict(server.app.openapi()).get_all_operations())
        statuses, faults = fuzz(server, root, -(-requests // ((operations - len(LEFT_OUT)) * len(PEOPLE))))
    print(f"web requests made up: {statuses.total()}; answers {dict(sorted(statuses.items()))}; faults {len(faults)} (goal 0)")
    for fault in faults[:20]:
        print("  " + fault)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
