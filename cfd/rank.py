"""`mpiexec -n N python -m cfd.rank FOLDER`: one of the processes that `cfd.ranks` starts. The home of mpi4py.

The first reads the problem from the folder, tells progress on standard output and writes the answer: (solution, usage of each), or the sentence why not.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import sys
import threading
import time
from pathlib import Path

from mpi4py import MPI

from ccta.errors import SolverFailed
from cfd.flow_problem import FlowSolution
from cfd.flow_space import flow_space
from cfd.ranks import Usage
from cfd.steady import march_to_steady, steady_solution
from cfd.steady_system import SteadySystem


def main(folder: Path) -> None:
    """Solves the problem in the folder together with the other processes; ends all of them where one meets a fault of ours."""
    started, comm = time.monotonic(), MPI.COMM_WORLD
    if comm.rank == 0:
        threading.Thread(target=_end_with_parent, args=[folder], daemon=True).start()
    try:
        problem = comm.bcast(pickle.loads((folder / "problem").read_bytes()) if comm.rank == 0 else None)
        try:
            answer = _solved(problem, comm, started)
        except SolverFailed as error:  # on all of them, for all have the same sums
            answer = str(error)
        if comm.rank == 0:
            (folder / "answer").write_bytes(pickle.dumps(answer))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        comm.Abort(1)


def _solved(problem, comm, started: float) -> tuple[FlowSolution, tuple[Usage, ...]]:
    mesh, boundary, fluid, axis, settings = problem
    system = SteadySystem(flow_space(mesh, settings.degree, comm), mesh, axis, boundary, fluid)
    setup_s = time.process_time()
    tell = (lambda text, share: print(json.dumps([text, share]), flush=True)) if comm.rank == 0 else (lambda text, share: None)
    solution = steady_solution(system, mesh, boundary, *march_to_steady(system, settings, tell))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return solution, tuple(comm.gather(Usage(time.monotonic() - started, time.process_time(), setup_s, peak_bytes)) or ())


def _end_with_parent(folder: Path) -> None:
    """The launcher hands its standard input to the first process; it ends with the program that asked, whose folder is then nobody's."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
