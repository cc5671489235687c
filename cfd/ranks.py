"""The everyday 3-D solver by several MPI processes: what a single program hands to `mpiexec -n N python -m cfd.rank`, and what it gets back.

The processes share the nodes (`cfd.parts`); each has one thread unless NUMBA_NUM_THREADS says otherwise. Within a Slurm or PBS job mpiexec takes the nodes
of the job. Another launcher is named by the environment variable CCTA_MPIEXEC, for example "srun --mpi=pmi2"; it is given -n N.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from ccta.errors import BadInput, CctaError, SolverFailed
from cfd.flow_problem import AxisFlow, FlowBoundary, FlowSolution, Fluid
from cfd.mesh import FlowMesh
from cfd.steady import SteadySettings

PROCESSES: ContextVar[int] = ContextVar("processes", default=1)
LAUNCHER = "CCTA_MPIEXEC"


class RanksLost(CctaError):
    """The MPI processes ended before there was an answer: no fault of the flow, so the reduced model does not stand in."""


@dataclass(frozen=True)
class Usage:
    """Of one process: seconds from its start, processor seconds, and of these those before the march; largest resident memory in bytes."""

    seconds: float
    processor_s: float
    setup_s: float
    peak_bytes: int


@contextlib.contextmanager
def by_processes(count: int) -> Iterator[None]:
    """Within it, steady 3-D flow is solved by so many MPI processes. BadInput where MPI is missing."""
    if count > 1:
        launcher()
    token = PROCESSES.set(count)
    try:
        yield
    finally:
        PROCESSES.reset(token)


def launcher() -> list[str]:
    """Words that start MPI processes: of the environment, else the mpiexec beside this Python or on the path. BadInput where there is none."""
    if os.environ.get(LAUNCHER):
        return shlex.split(os.environ[LAUNCHER])
    found = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    if found is None:
        raise BadInput(f"--processes needs mpiexec, which was not found; install MPI, name its launcher in {LAUNCHER}, or leave --processes out")
    return [found]


def solve_by_ranks(
    mesh: FlowMesh, boundary: FlowBoundary, fluid: Fluid, axis: AxisFlow, settings: SteadySettings | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> FlowSolution:  # fmt: skip
    """`cfd.steady.solve_steady` by PROCESSES processes. SolverFailed as there; RanksLost where the processes end without an answer."""
    return solve_and_measure(mesh, boundary, fluid, axis, settings, progress)[0]


def solve_and_measure(
    mesh: FlowMesh, boundary: FlowBoundary, fluid: Fluid, axis: AxisFlow, settings: SteadySettings | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[FlowSolution, tuple[Usage, ...]]:  # fmt: skip
    """(the solution, what each process took)."""
    count = PROCESSES.get()
    with tempfile.TemporaryDirectory(prefix="ccta-flow-") as name:
        folder = Path(name)
        (folder / "problem").write_bytes(pickle.dumps((mesh, boundary, fluid, axis, settings or SteadySettings())))
        words = [*launcher(), "-n", str(count), sys.executable, "-m", "cfd.rank", name]
        with (folder / "said").open("w+") as said:
            code = _run(words, said, progress or (lambda text, share: None))
            said.seek(0)
            last = [line.strip() for line in said if line.strip()][-1:]
        answer = pickle.loads((folder / "answer").read_bytes()) if (folder / "answer").exists() else None
    if isinstance(answer, str):
        raise SolverFailed(answer)
    if code or answer is None:
        raise RanksLost(f"the {count} MPI processes ended with status {code} before the flow was solved ({' '.join(last) or 'they said nothing'})")
    return answer


def _run(words: list[str], said, progress) -> int:
    """Runs them, tells their progress; they end when this process does, because their standard input closes."""
    root = str(Path(__file__).parents[1])
    environment = {"NUMBA_NUM_THREADS": "1", **os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, env=environment) as process:
        try:
            for line in process.stdout:
                if line.startswith("["):
                    progress(*json.loads(line))
        except BaseException:
            process.kill()
            raise
    return process.returncode
