"""An analysis as a child process on a leash: its output followed, its time limited, stopped when asked."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LOOK_S = 1.0
"""How often the caller is asked whether to go on."""


@dataclass(frozen=True)
class Ended:
    """How a command ended. stopped: by the caller. late: by the time limit. last: its last sentence."""

    code: int
    last: str
    stopped: bool = False
    late: bool = False


def run_bound(command: Sequence[str], place: Path, limit_s: float, memory_mb: int, go_on: Callable[[str], bool]) -> Ended:
    """Runs a command on a leash; PLACE.log gets its output, PLACE.lock is held. go_on: given the newest line about every second; False stops it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "viewer.server.leash", str(memory_mb), f"{place}.lock", *command]
    with open(f"{place}.log", "ab", buffering=0) as log:
        leash = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(leash.stdout, log, lines), daemon=True)
        reader.start()
        try:
            last, stopped, late = _follow(lines, time.monotonic() + limit_s, go_on)
        finally:
            leash.stdin.close()
            code = leash.wait()
            reader.join()
    return Ended(code, last, stopped, late)


def _read(output: IO[str], log: IO[bytes], lines: queue.SimpleQueue) -> None:
    for line in output:
        with contextlib.suppress(OSError):  # a full disk: the analysis goes on without its log
            log.write(line.encode())
        if line.strip():
            lines.put(line.strip())
    lines.put(None)


def _follow(lines: queue.SimpleQueue, deadline_s: float, go_on: Callable[[str], bool]) -> tuple[str, bool, bool]:
    """The last line, and whether the command has to be stopped: by the caller, by the time limit."""
    last, asked_s = "", 0.0
    while True:
        try:
            line = lines.get(timeout=LOOK_S)
            if line is None:
                return last, False, False
            last = line
        except queue.Empty:
            pass
        now_s = time.monotonic()
        if now_s > deadline_s:
            return last, False, True
        if now_s - asked_s >= LOOK_S:
            asked_s = now_s
            if not go_on(last):
                return last, True, False
