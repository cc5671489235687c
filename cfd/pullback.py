"""A flow solution along the branches as pullback.json: the one result type of the reduced and the 3-D model. Out of SI: the door to mmHg and mL/min."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ccta.findings import Port, PullbackBranch, PullbackFile
from ccta.model import SEGMENTS, Branch, CoronaryTree
from ccta.units import m3_s_to_ml_min, m_to_mm, pa_to_mmhg
from cfd.network import Solution
from cfd.physiology import Physiology
from cfd.profiles import Profile

EVERY = 2  # stations: the curve is written at 0.5 mm


@dataclass(frozen=True, eq=False)
class FlowModel:
    """One patient's flow problem, solved by either model: geometry, outlets and boundary data. resistance_pa_s_m3: (B,) of each branch's end."""

    tree: CoronaryTree
    profiles: Sequence[Profile]
    resistance_pa_s_m3: np.ndarray
    physiology: Physiology


def pullback_file(problem: FlowModel, solution: Solution, model: str, notes: Sequence[str] = ()) -> PullbackFile:
    """FFR = mean static pressure of the lumen's cross-section over the aortic pressure, along each branch."""
    names = branch_labels(problem.tree)
    inlets = [index for index, branch in enumerate(problem.tree) if branch.parent is None]
    branches = [_branch(problem, solution, index, names[index]) for index in range(len(problem.tree))]
    entering = solution.inlet_flow_m3_s.sum()
    return PullbackFile(
        model=model,
        pa_mmhg=_rounded(pa_to_mmhg(problem.physiology.aortic_pressure_pa), 3),
        inlets=[_port(problem, solution, index, names[index], end=0) for index in inlets],
        outlets=[_port(problem, solution, index, names[index], end=-1) for index in range(len(problem.tree))],
        branches=branches,
        mass_error=float(abs(entering - solution.outlet_flow_m3_s.sum() - np.sum(solution.side_flow_m3_s)) / entering),
        notes=list(notes),
    )


def branch_labels(tree: CoronaryTree) -> list[str]:
    """A distinct name per branch: its own, or "branch 3"; repeated names are numbered."""
    names: list[str] = []
    for index, branch in enumerate(tree):
        name = branch.name or f"branch {index}"
        same = sum(one == name or one.startswith(f"{name} (") for one in names)
        names.append(f"{name} ({same + 1})" if same else name)
    return names


def vessel_of(branch: Branch) -> str:
    """LM, LAD, LCx or RCA by most of the branch's named points beyond the left main, "" where it is unnamed."""
    named = branch.segment[(branch.segment > 0) & (branch.segment != 5)]
    return SEGMENTS[int(np.bincount(named).argmax())][1] if len(named) else ""


def _branch(problem, solution, index, name):
    branch, profile = problem.tree.branches[index], problem.profiles[index]
    keep = np.unique([*range(0, len(profile.distance_m), EVERY), len(profile.distance_m) - 1])
    distance_mm = m_to_mm(profile.distance_m[keep])
    pressure = solution.pressure_pa[index][keep]
    return PullbackBranch(
        name=name,
        vessel=vessel_of(branch),
        distance_mm=_rounded(distance_mm, 3),
        ffr=_rounded(pressure / problem.physiology.aortic_pressure_pa, 5),
        flow_ml_min=_rounded(m3_s_to_ml_min(solution.flow_m3_s[index][keep]), 4),
        pressure_mmhg=_rounded(pa_to_mmhg(pressure), 3),
        diameter_mm=_rounded(m_to_mm(np.sqrt(4 / np.pi * profile.area_m2[keep])), 4),
        points_mm=[tuple(point) for point in _rounded(branch.point_at(distance_mm), 3)],
    )


def _port(problem, solution, index, name, end):
    outlet = end == -1
    flow = solution.outlet_flow_m3_s[index] if outlet else solution.inlet_flow_m3_s[index]
    return Port(
        name=name,
        pressure_mmhg=_rounded(pa_to_mmhg(solution.pressure_pa[index][end]), 3),
        flow_ml_min=_rounded(m3_s_to_ml_min(flow), 5),
        diameter_mm=_rounded(m_to_mm(np.sqrt(4 / np.pi * problem.profiles[index].area_m2[end])), 4),
        resistance_pa_s_m3=float(problem.resistance_pa_s_m3[index]) if outlet else 0.0,
    )


def _rounded(values, digits):
    return np.round(values, digits).tolist()
