"""`python -m viewer.server.tied PARENT WORDS`: the command of those words, which ends when process PARENT ends, even by a kill that nobody can catch."""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *words = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # at once: the server may be started again at once, and the data folder is for one
    if os.getppid() != int(parent):  # it ended before the line above
        return
    sys.argv = ["ccta", *words]
    runpy.run_module("ccta.cli.main", run_name="__main__")


if __name__ == "__main__":
    main()
