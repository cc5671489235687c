"""Runs one command so that nothing of it outlives its owner: `python -m viewer.server.leash MEMORY_MB LOCK COMMAND ...`, standard input a pipe of the owner.

The owner's death or its closing of the pipe kills the command with all of its processes. LOCK is held while any of them lives, so that a second run in the same
place waits for the first to be gone. Standard library alone: it is started for every analysis.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import signal
import subprocess
import sys

DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""
LOOK_S = 0.2


def main(words: list[str]) -> int:
    """The command's exit code; 128 + the signal where one ended it, as a shell says."""
    memory_mb, lock_path, *command = words
    with open(lock_path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _owner_gone(0.0):
            return 128 + signal.SIGKILL
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=(lock.fileno(),), preexec_fn=lambda: _bind(int(memory_mb)))
        while child.poll() is None:
            if _owner_gone(LOOK_S):
                break
        _kill_group(child.pid)
        code = child.wait()
    return code if code >= 0 else 128 - code


def _bind(memory_mb: int) -> None:
    """In the new process: dies with us; private memory is limited (what is asked for, not what is touched)."""
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if memory_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _owner_gone(wait_s: float) -> bool:
    ready, _, _ = select.select([0], [], [], wait_s)
    return bool(ready) and os.read(0, 1) == b""


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
