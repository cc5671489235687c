"""`python -m tests.benchmarks.network`: 0-D networks from their JSON text to the result, beside svZeroDSolver in the same process, turn by turn.

A coronary tree of 86 segments from a seed. Time on the clock and of the processor, medians; the peer's time includes its own reading. The difference is the
largest over all vessels, of the range of each quantity (of its size where it is steady).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import svzerod

from ccta.cli.console import print_table
from cfd.network_json import solve_document, solve_text
from tests.cfd.networks import random_tree

SEGMENTS, SEED = 86, 1
STEADY_GOAL_MS, PULSATILE_GOAL, DIFFERENCE_GOAL = 1.0, 10.0, {"steady": 1e-6, "pulsatile": 0.01}
COLUMNS = ("flow_in", "flow_out", "pressure_in", "pressure_out")


def timed(run: Callable) -> tuple[float, float]:
    """(s on the clock, s of the processor)."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


def side_by_side(text: str, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """((2,) ours, (2,) svZeroDSolver's) median times on the clock and of the processor, in turns."""
    solve_text(text)  # compiles
    ours, theirs = [], []
    for _ in range(rounds):
        ours += [timed(lambda: solve_text(text)) for _ in range(5)]
        theirs.append(timed(lambda: svzerod.simulate(json.loads(text))))
    return np.array([statistics.median(one) for one in zip(*ours, strict=True)]), np.array([statistics.median(one) for one in zip(*theirs, strict=True)])


def difference(network: dict) -> float:
    """Largest difference of the two results; a steady state is given 20 cycles, because the peer marches there."""
    if len(network["boundary_conditions"][0]["bc_values"]["t"]) == 2:
        network = network | {"simulation_parameters": network["simulation_parameters"] | {"number_of_cardiac_cycles": 20}}
    text = json.dumps(network)
    ours, theirs = solve_document(json.loads(text)).columns, svzerod.simulate(json.loads(text))
    worst = 0.0
    for column in COLUMNS:
        a, b = (np.array(one[column]).reshape(SEGMENTS, -1) for one in (ours, theirs))
        size = np.abs(b).max(axis=1)
        scale = np.where(np.ptp(b, axis=1) > 1e-4 * size, np.ptp(b, axis=1), size)
        worst = max(worst, float(np.max(np.abs(a - b).max(axis=1) / scale)))
    return worst


def row(name: str, network: dict, rounds: int) -> list[str]:
    """A line of the table."""
    kind = "steady" if "steady" in name else "pulsatile"
    text = json.dumps(network)
    ours, theirs = side_by_side(text, rounds)
    times = [f"{1e3 * clock:.3g} ms ({1e3 * processor:.3g})" for clock, processor in (ours, theirs)]
    goal = f"{STEADY_GOAL_MS:g} ms" if kind == "steady" else f"{PULSATILE_GOAL:g} times faster"
    ratios = " / ".join(f"{ratio:.0f}" for ratio in theirs / ours)
    return [name, *times, ratios, goal, f"{difference(network):.1e}", f"{DIFFERENCE_GOAL[kind]:g}"]


def main() -> None:
    rows = []
    for outlet in ("RESISTANCE", "RCR", "CORONARY"):
        rows.append(row(f"steady, {outlet}", random_tree(SEGMENTS, SEED, outlet, False, 2, 5), 20))
    for outlet in ("RCR", "CORONARY"):
        rows.append(row(f"pulsatile, {outlet}, 10 cycles of 1000 steps", random_tree(SEGMENTS, SEED, outlet, True, 10, 1001), 3))
    head = ["86 segments", "ours (processor)", "svZeroDSolver (processor)", "times faster: clock / processor", "goal", "difference", "goal"]
    print_table("0-D networks, JSON text to result", head, rows)


if __name__ == "__main__":
    main()
