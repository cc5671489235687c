"""`python -m tests.benchmarks.flow_convergence [--seeds 402 403] [--patient] [--densities 4.5 6 9]`: FFR on finer and finer meshes.

Phantom patients from their true contours, or the patient's tree of ../shared/data. For each number of elements per diameter both trees are meshed and solved;
beside it the time from surface to FFR (on the clock and of the processor; the first tree also pays for what numba compiles where nothing is cached), and the
largest difference of FFR from the finest mesh at branch ends of 1.5 mm and more and behind lesions.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ccta.cli.console import print_table
from ccta.errors import SolverFailed
from ccta.model import Unavailable
from ccta.settings import FlowSettings
from cfd.lumen import lumens_from_surface
from cfd.pipeline import Anatomy, FlowResult, anatomy_of_lumens, solve_flow
from tests.benchmarks.flow_cohort import WIDE_MM, anatomy_of

PATIENT = Path(__file__).resolve().parents[3] / "shared" / "data" / "patient_tree"
EVERYDAY, GOAL = 4.5, 0.007  # the product's elements per diameter, and how far its FFR may lie from a mesh twice as fine
SEEDS, DENSITIES = (402, 403), (4.5, 6.0, 9.0)


def patient() -> Anatomy:
    """The published surface with its centerlines."""
    return anatomy_of_lumens(lumens_from_surface(PATIENT / "NARCO_119.stl", [PATIENT / "lca_cl.vtp", PATIENT / "rca_cl.vtp"]))


def ffr_values(result: FlowResult) -> dict[str, float]:
    """FFR by place: ends of branches that are wide enough, and behind lesions."""
    ends = {f"end {k}": one.ffr[-1] for k, one in enumerate(result.pullback.branches) if one.diameter_mm[-1] >= WIDE_MM}
    return ends | {f"lesion in {one.segment}": one.ffr for one in result.ffr.lesions if not isinstance(one.ffr, Unavailable)}


def rows_of(name: str, anatomy: Anatomy, densities: list[float]) -> list[list[str]]:
    """One row per density; differences are from the last that was solved."""
    found = []
    for density in densities:
        started, spent = time.monotonic(), time.process_time()
        try:
            result = solve_flow(anatomy, replace(FlowSettings(interval_samples=0), elements_per_diameter=density), "3d")
        except SolverFailed as error:
            print(name, density, error, flush=True)
            continue
        cells = " + ".join(str(len(one.mesh.tetrahedra)) for one in result.flows)
        ways = "; ".join(one.solution.criterion for one in result.flows)
        found.append((density, cells, time.monotonic() - started, time.process_time() - spent, ffr_values(result), ways))
        print(name, *found[-1], flush=True)
    finest = found[-1][4] if found else {}
    rows = []
    for density, cells, seconds, spent, values, ways in found:
        apart = {place: values[place] - finest[place] for place in finest}
        worst = max(apart, key=lambda place: abs(apart[place]), default="")
        said = f"{apart[worst]:+.4f} ({worst}, {finest[worst]:.3f}); mean {np.mean(np.abs(list(apart.values()))):.4f}" if worst else "-"
        rows.append([name, f"{density:g}", cells, f"{seconds:.0f}", f"{spent:.0f}", said, ways])
    return rows


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--patient", action="store_true")
    parser.add_argument("--densities", type=float, nargs="+", default=DENSITIES)
    wanted = parser.parse_args()
    rows = []
    for seed in wanted.seeds:
        rows += rows_of(str(seed), anatomy_of(seed), sorted(wanted.densities))
    if wanted.patient:
        rows += rows_of("patient", patient(), sorted(wanted.densities))
    head = ["who", "elements per diameter", "tetrahedra", "clock, s", "processor, s", "FFR, largest difference from the finest", "how it ended"]
    print_table("Mesh convergence of FFR", head, rows)
    everyday = [row for row in rows if float(row[1]) == EVERYDAY]
    met = [row for row in everyday if row[5] != "-" and abs(float(row[5].split()[0])) <= GOAL]
    solved = len(rows) == (len(wanted.seeds) + wanted.patient) * len(wanted.densities)
    return int(not (everyday and len(met) == len(everyday) and solved and max(wanted.densities) >= 2 * EVERYDAY))


if __name__ == "__main__":
    sys.exit(main())
