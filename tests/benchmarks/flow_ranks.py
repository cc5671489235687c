"""`python -m tests.benchmarks.flow_ranks [--case CASE] [--ranks 1 2] [--length MM]`: the 3-D solver by MPI processes, strong and weak scaling.

Strong: one lumen (the largest tree of a case, or a tube) by each number of processes. Weak: a tube that grows with the number of processes. For each: wall
time, processor time of a process before and in the march (Newton's method and linear algebra; what scales), its memory, and the largest difference of pressure
from one process. On a machine that others use the processor times count, not the wall; processor time includes waiting for the slower process.
The share of cells that are assembled twice, which bounds the scaling, is counted for more processes than there are.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil

from ccta.cli.console import print_table
from cfd.flow_problem import FlowBoundary
from cfd.flow_space import _skeleton
from cfd.lumen import lumens_from_case
from cfd.mesh import MeshSettings, build_mesh
from cfd.parts import Part
from cfd.ranks import by_processes, solve_and_measure
from tests.cfd.lumens import closed_tube
from tests.cfd.test_steady import BLOOD, PRESSURES, axis_of

GOAL = 1.7


def tube_problem(length_mm: float) -> tuple:
    """A tube with 2 mL/s."""
    (lumen,) = lumens_from_case(*closed_tube(length_mm=length_mm))
    mesh = build_mesh(lumen, MeshSettings(elements_per_diameter=8))
    return mesh, FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 5e9}), BLOOD, axis_of(lumen, 2e-6)


def case_problem(root: Path) -> tuple:
    """The first tree of a case, as `ccta flow --model 3d` solves it."""
    from ccta.case import Case
    from ccta.settings import FlowSettings
    from cfd import three_d
    from cfd.case_stage import anatomy_of
    from cfd.pipeline import flow_problem, solve_network, with_measured_calibre

    anatomy = anatomy_of(Case.open(root))
    problem = flow_problem(anatomy, FlowSettings())
    reduced = solve_network(problem.tree, problem.profiles, problem.resistance_pa_s_m3, problem.physiology)
    lumen = lumens_from_case(anatomy.surface, with_measured_calibre(problem))[0]
    mesh = build_mesh(lumen, MeshSettings(elements_per_diameter=FlowSettings().elements_per_diameter))
    resistance = {port.name: float(problem.resistance_pa_s_m3[lumen.branch_index[port.branch]]) for port in lumen.outlets}
    inlet = three_d._inlet_pressure_pa(problem, reduced, lumen)
    boundary = FlowBoundary(inlet, problem.physiology.distal_pressure_pa, resistance, three_d.wall_flow(problem, reduced, lumen))
    return mesh, boundary, problem.physiology, three_d.axis_flow(problem, reduced, lumen)


def measured(problem: tuple, ranks: int):
    """(solution, wall s, usage of the slowest process)."""
    started = time.monotonic()
    with by_processes(ranks):
        solution, usage = solve_and_measure(*problem)
    return solution, time.monotonic() - started, max(usage, key=lambda one: one.processor_s)


def twice(mesh, ranks: int) -> float:
    """Cells of the busiest process over a fair share, less 1."""
    skeleton, cells = _skeleton(mesh, 2)
    silent = lambda rank: SimpleNamespace(size=ranks, rank=rank, alltoall=lambda wanted: [[]] * ranks)  # noqa: E731
    return max(Part(cells, len(skeleton.nodes_mm), silent(rank)).mine.sum() for rank in range(ranks)) * ranks / len(cells) - 1


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", type=Path)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--length", type=float, default=40.0)
    wanted = parser.parse_args()
    measured(tube_problem(10.0), 1)  # numba compiles
    problem, rows, first = case_problem(wanted.case) if wanted.case else tube_problem(2 * wanted.length), [], {}
    for kind, ranks in [(kind, ranks) for kind in ("strong", "weak") for ranks in wanted.ranks]:
        own = problem if kind == "strong" else tube_problem(wanted.length * ranks)
        solution, wall, used = measured(own, ranks)
        march = used.processor_s - used.setup_s
        base = first.setdefault(kind, (solution, wall, march, used.processor_s))
        gain = base[2] / march if kind == "strong" else base[2] / march * ranks
        away = f"{np.abs(solution.pressure_pa - base[0].pressure_pa).max():.2g} Pa" if kind == "strong" else ""
        rows.append([kind, ranks, len(own[0].tetrahedra), len(solution.residual), f"{wall:.1f}", f"{used.setup_s:.1f}", f"{march:.1f}"])
        rows[-1] += [f"{base[1] / wall * (1 if kind == 'strong' else ranks):.2f}", f"{gain:.2f}", f"{used.peak_bytes / 2**30:.2f}", away]
    head = ["", "ranks", "tetrahedra", "steps", "wall s", "start, processor s", "march, processor s", "gain, wall", "gain, march", "GiB a rank", "from one"]
    print_table(f"3-D flow by MPI, {os.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}", head, rows)
    for ranks in (2, 4, 8, 16, 32, 64):
        print(f"{ranks} ranks: the busiest assembles {100 * twice(problem[0], ranks):.0f} % more cells than a fair share")
    strong = [float(row[7]) for row in rows if row[0] == "strong" and row[1] == 2]
    return int(any(gain < GOAL for gain in strong))


if __name__ == "__main__":
    sys.exit(main())
