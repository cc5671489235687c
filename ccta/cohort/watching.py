"""What a run shows while it goes: a line or bars on the terminal, and the live page. A page that cannot be written stops nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ccta.cohort.live_page import page, row_of
from ccta.cohort.record import DONE, FAILED
from ccta.cohort.storage import Place
from ccta.errors import StorageFailed

EVERY_S = 5.0
MOST_SHARE = 0.03  # of the driver's time goes into the page


@dataclass
class Watcher:
    """Called by the driver with the records and the names in flight. tell(sentence) for what a person should know at once; show(counts, names) for bars."""

    root: Place
    dashboard: str
    tell: Callable[[str], None]
    show: Callable[[dict, list], None]
    told: dict[str, str] = field(default_factory=dict)
    rows: dict[str, tuple[str, dict]] = field(default_factory=dict)
    due_s: float = 0.0

    def __call__(self, records: dict[str, dict], flying: list[str]) -> None:
        """Tells of cases that have ended since, moves the bars, and writes the page when it is time."""
        if self.told or flying:  # not of those that had ended before this run
            for name, record in records.items():
                if record["status"] != self.told.get(name) and record["status"] in (DONE, FAILED) and name not in flying:
                    self.tell(f"{name}: {record['status']}{record['reason'] and ', ' + record['reason']}")
        self.told = {name: record["status"] for name, record in records.items() if name not in flying}
        self.show({status: sum(r["status"] == status for r in records.values()) for status in (DONE, FAILED)}, flying)
        if time.monotonic() >= self.due_s:
            started = time.monotonic()
            self.write(records, flying, True)
            self.due_s = time.monotonic() + max(EVERY_S, (time.monotonic() - started) / MOST_SHARE)

    def write(self, records: dict[str, dict], flying: list[str], running: bool) -> None:
        """Writes OUT/index.html; of the cases in flight as their workers have left them on disk."""
        now = dict(records)
        for name in flying:
            content = (self.root / f"records/{name}.json").read_bytes()
            now[name] = json.loads(content) if content else now[name]
        rows = [self._row(record) for record in now.values()]
        try:
            (self.root / "index.html").write_bytes(page(list(now.values()), rows, self.dashboard, running).encode())
        except StorageFailed as error:
            self.tell(str(error))

    def _row(self, record: dict) -> dict:
        """Rows of ended cases are made once."""
        key = f"{record['status']} {record['reason']} {record.get('step', '')}"
        kept = self.rows.get(record["id"])
        if kept is None or kept[0] != key:
            kept = self.rows[record["id"]] = (key, row_of(self.root, record))
        return kept[1]
