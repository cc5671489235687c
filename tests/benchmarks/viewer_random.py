"""Part of `make bench-viewer`: readers who click at random. No exception, and no growth of memory.

`python -m tests.benchmarks.viewer_random [SESSIONS EVENTS [SESSIONS EVENTS]]`: 20 sessions of 500 events through the handlers of one page, in this process;
then three shorter ones (second pair) by pointer, wheel and keys in Chromium against `ccta view`, where that is installed. Memory is what is resident when the
page is back where it began; the first sessions fill the caches of pictures and compile kernels, growth is counted from the end of the fourth to the end of
the last.
"""

from __future__ import annotations

import gc
import logging
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from trame.app import get_server

from ccta.cli.console import print_table
from tests.benchmarks.viewer import FLAGS, started
from tests.viewer.random_reading import click, events, settled
from tests.viewer.small_case import small_study, write_small_case
from viewer.app.keys import KEYS
from viewer.app.room import ReadingRoom

SESSIONS, EVENTS, WARM_UP = 20, 500, 4
IN_BROWSER = (3, 120)
MOST_GROWTH = 0.05
PANES = ("#axial", "#coronal", "#sagittal", "#cross", "#cpr", "#curve", "#tree", "#stack", "#lesions")


class Faults(logging.Handler):
    """Counts what went to the log as an error."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(str(record.exc_info[1] if record.exc_info else record.getMessage()))


def resident_mib(process: int | str = "self") -> float:
    """Memory that a process holds now."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text()).group(1)) / 1024


def in_process(sessions: int, count: int) -> tuple[list[str], list[float]]:
    """(faults, resident memory after each session). A sentence that refuses an impossible number is no fault."""
    faults, memory = Faults(), []
    logging.getLogger("viewer").addHandler(faults)
    logging.getLogger("viewer").propagate = False
    room = ReadingRoom(small_study(), "random", get_server("random-bench", client_type="vue3"))
    found = []
    for seed in range(1, sessions + 1):
        for event in events(seed, count, room):
            faults.told.clear()
            click(room, event)
            odd = any(isinstance(value, float) and not 0 <= value <= 1 for value in event[1:])
            found += [f"seed {seed}, {event}: {fault}" for fault in faults.told if not odd]
        settled(room)
        gc.collect()
        memory.append(resident_mib())
    return found, memory


def by_pointer(page: Page, seed: int, count: int) -> None:
    """Clicks, drags, wheel and keys at random places of the panes."""
    dice = random.Random(seed)
    keys = [name for key in KEYS for name in key.names if not name.startswith("ctrl")]
    names = {"arrowleft": "ArrowLeft", "arrowright": "ArrowRight", "arrowup": "ArrowUp", "arrowdown": "ArrowDown"}
    for _ in range(count):
        box = page.locator(dice.choice(PANES)).bounding_box()
        if box is None:
            page.keyboard.press("Escape")
            continue
        spot = lambda box=box: (box["x"] + dice.random() * box["width"], box["y"] + dice.random() * box["height"])  # noqa: E731
        page.mouse.move(*spot())
        what = dice.random()
        if what < 0.35:
            page.mouse.click(*spot(), button=dice.choice(("left", "left", "right")))
        elif what < 0.6:
            page.mouse.down()
            page.mouse.move(*spot(), steps=4)
            page.mouse.up()
        elif what < 0.75:
            page.mouse.wheel(0, dice.choice((-100, 100)))
        else:
            *held, key = dice.choice(keys).split("+")
            page.keyboard.press("+".join([*(one.capitalize() for one in held), names.get(key, key.capitalize() if len(key) > 1 else key)]))
        page.wait_for_timeout(40)
    page.keyboard.press("Escape")
    page.wait_for_timeout(2500)


def in_browser(sessions: int, count: int) -> tuple[list[str], list[float]] | None:
    """(faults, resident memory of the server after each session); None without Chromium."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        return None
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_small_case(Path(folder) / "case")
        server, address = started(Path(folder) / "case")
        faults, memory = [], []
        try:
            page = playwright.chromium.launch(executable_path=path, args=FLAGS).new_page(viewport={"width": 1366, "height": 768})
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.goto(address)
            page.wait_for_selector("#axial img")
            for seed in range(1, sessions + 1):
                by_pointer(page, seed, count)
                told = page.inner_text(".problem") if page.locator(".problem").count() else ""
                faults += [told] if "terminal" in told else []
                memory.append(resident_mib(server.pid))
                print(f"session {seed} in Chromium: server {memory[-1]:.0f} MiB, {len(faults)} errors", flush=True)
            page.context.browser.close()
        finally:
            server.terminate()
            server.wait()
    return faults, memory


def main() -> None:
    """Prints the table; exit code 1 where something broke or memory grew."""
    numbers = [int(word) for word in sys.argv[1:]]
    sessions, count, *live_numbers = numbers if len(numbers) in (2, 4) else (SESSIONS, EVENTS)
    live_numbers = live_numbers or IN_BROWSER
    faults, memory = in_process(sessions, count)
    after = memory[min(WARM_UP, len(memory)) - 1]
    growth = memory[-1] / after - 1
    rows = [
        [f"{sessions} sessions of {count} events: exceptions", f"{len(faults)}", "0"],
        ["resident memory after the fourth and the last session, MiB", f"{after:.0f}, {memory[-1]:.0f}", ""],
        ["growth", f"{100 * growth:.1f} %", f"<= {100 * MOST_GROWTH:.0f} %"],
    ]
    live = in_browser(*live_numbers)
    if live is not None:
        rows.append([f"{live_numbers[0]} sessions of {live_numbers[1]} events in Chromium: errors", f"{len(live[0])}", "0"])
        rows.append(["server after each, MiB", ", ".join(f"{one:.0f}" for one in live[1]), ""])
    print_table("Random clicks", ["figure", "measured", "goal"], rows)
    for fault in (faults + (live[0] if live else []))[:20]:
        print(fault)
    sys.exit(bool(faults or (live and live[0]) or growth > MOST_GROWTH))


if __name__ == "__main__":
    main()
