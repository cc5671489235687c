"""FFR over the heart's cycle by a 0-D network of the tree: mean distal over mean aortic pressure, with what pulsation changes of the steady solution."""

from __future__ import annotations

import numpy as np

from ccta.errors import SolverFailed
from cfd.network import Solution, cut_at_bifurcations
from cfd.network_export import PERIOD_S, network_document
from cfd.network_json import COLUMNS, solve_document
from cfd.pullback import FlowModel

PRESSURE, FLOW = 0.1, 1e-6  # cgs to SI


def solve_pulsatile(problem: FlowModel, reduced: Solution, cuff_mmhg: tuple[float, float]) -> tuple[Solution, list[str]]:
    """(cycle means on the stations, in words how they were found). reduced: the steady solution. cuff_mmhg: systolic, diastolic.

    The network's pressures are known at the ends of vessels: their change from the steady network's to the cycle's mean is added to the steady curve, linearly
    along each vessel. SolverFailed where no periodic state is reached.
    """
    steady, _ = _means(network_document(problem, None))
    means, answer = _means(network_document(problem, cuff_mmhg))
    if not answer.periodic:
        raise SolverFailed(f"the pulsatile flow did not become periodic: {answer.summary}")
    pieces = cut_at_bifurcations(problem.tree, problem.profiles)
    pressure, flow = [one.copy() for one in reduced.pressure_pa], [one.copy() for one in reduced.flow_m3_s]
    outlet, inlet = np.zeros(len(problem.tree)), np.zeros(len(problem.tree))
    for k, (b, i, j) in enumerate(zip(pieces.branch, pieces.first, pieces.last, strict=True)):
        first, last = (PRESSURE * (means[key][k] - steady[key][k]) for key in ("pressure_in", "pressure_out"))
        part, begin = slice(i, j + 1), 0 if i == 0 else i + 1  # a station between two vessels belongs to the first
        share = np.linspace(0.0, 1.0, j - i + 1)[begin - i :]
        pressure[b][begin : j + 1] += first + share * (last - first)
        flow[b][part] = FLOW * means["flow_in"][k]
        if pieces.outlet[k] >= 0:
            outlet[b] = FLOW * means["flow_out"][k]
        if pieces.parent[k] < 0:
            inlet[b] = FLOW * means["flow_in"][k]
    said = f"Pulsatile 0-D flow at {60 / PERIOD_S:.0f} beats/min between idealised aortic and ventricular pressures, compliant walls; {answer.summary}."
    return Solution(flow, pressure, outlet, inlet), [said]


def _means(document: dict):
    """({column: (V,) mean over the last cycle}, the answer)."""
    answer, count = solve_document(document), len(document["vessels"])
    columns = {key: np.array(answer.columns[key]).reshape(count, -1) for key in COLUMNS}
    return {key: values[:, :-1].mean(axis=1) if values.shape[1] > 1 else values[:, 0] for key, values in columns.items()}, answer
