"""`python -m ccta.tied PARENT WORDS...`: the command line with these words, in a process that ends when process PARENT ends, even by a kill."""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """The kernel kills this process when its parent dies (Linux; elsewhere what the parent locked makes its successor wait)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    sys.argv = ["ccta", *sys.argv[2:]]
    runpy.run_module("ccta.cli.main", run_name="__main__", alter_sys=True)
