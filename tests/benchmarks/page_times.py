"""How long the worklist page takes: `page_times_ms` asks a running server, `main` a server in memory with 10,000 studies (processor time)."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from tests.viewer.server.web_app import Asked, made_server, signed_in
from viewer.server.store import Study, open_store


def page_times_ms(base: str, login: str, password: str, requests: int) -> list[float]:
    """Wall-clock time of each of `requests` loads of the worklist page of a running server, ms."""
    with httpx.Client(base_url=base, timeout=60.0) as client:
        client.post("/api/login", json={"login": login, "password": password}).raise_for_status()
        return [_timed_ms(client, time.perf_counter) for _ in range(requests)]


def _timed_ms(client: httpx.Client, clock) -> float:
    begun = clock()
    client.get("/").raise_for_status()
    return 1000 * (clock() - begun)


def main(studies: int) -> None:
    """Prints median and 95th percentile of the page's processor time."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        store = open_store(f"sqlite:///{root / 'server.sqlite'}")
        with store.writing() as db:
            rows = (
                {"study_uid": f"1.2.{n}", "patient_name": f"Name{n}^First", "received_s": 1e9 + n, "state": "done", "lowest_ffr": n % 100 / 100}
                for n in range(studies)
            )
            db.add_all(Study(**row) for row in rows)
        (root / "cases").mkdir()
        client = signed_in(made_server(root, root / "cases", Asked(), store), "anna")
        times = [_timed_ms(client, time.process_time) for _ in range(50)]
    print(f"worklist page of {studies} studies: {np.median(times):.0f} ms of processor time, p95 {np.percentile(times, 95):.0f} (goal 300 of wall clock)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
