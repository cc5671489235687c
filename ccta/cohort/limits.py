"""A program run as a process group under limits of time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_S = 0.25


@dataclass(frozen=True)
class Limits:
    """Of one step of one case; 0 means none."""

    time_s: float = 0.0
    memory_gib: float = 0.0


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Ended:
    """How a program ended. code: its exit status, negative for a signal. exceeded: the limit that it was killed for, in words. peak_bytes: largest resident
    memory of the group as far as it was looked at, or of the program itself as the kernel counts."""

    code: int
    exceeded: str
    seconds: float
    processor_s: float
    peak_bytes: int
    out: str
    said: str


def run_limited(words: Sequence[str], folder: Path, limits: Limits, environment: dict[str, str], keep_open: Sequence[int] = ()) -> Ended:
    """Runs the words; what they print goes to files in `folder`. keep_open: file descriptors that the program inherits (locks)."""
    started, peak, exceeded = time.monotonic(), 0, ""
    with (folder / "out").open("wb") as out, (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            words, stdout=out, stderr=said, stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **environment}, pass_fds=tuple(keep_open)
        )
        try:
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                peak = max(peak, _group_bytes(process.pid))
                exceeded = exceeded or _exceeded(limits, time.monotonic() - started, peak)
                if exceeded:
                    _kill_group(process.pid)
                time.sleep(LOOK_S)
        finally:
            _kill_group(process.pid)
        process.returncode = code = os.waitstatus_to_exitcode(status)
    peak = max(peak, usage.ru_maxrss * 1024)
    texts = [(folder / name).read_text(errors="replace") for name in ("out", "said")]
    return Ended(code, exceeded, time.monotonic() - started, usage.ru_utime + usage.ru_stime, peak, *texts)


def _exceeded(limits: Limits, seconds: float, peak_bytes: int) -> str:
    if limits.time_s and seconds > limits.time_s:
        return f"stopped after {seconds:.0f} s; the limit is {limits.time_s:g} s a step (--time-limit)"
    if limits.memory_gib and peak_bytes > limits.memory_gib * 2**30:
        return f"stopped at {peak_bytes / 2**30:.2f} GiB of memory; the limit is {limits.memory_gib:g} GiB (--memory-limit)"
    return ""


def _group_bytes(leader: int) -> int:
    """Resident memory of a process and all below it."""
    try:
        top = psutil.Process(leader)
        return sum(_resident(one) for one in (top, *top.children(recursive=True)))
    except psutil.Error:
        return 0


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
