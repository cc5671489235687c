"""Pulsatile 3-D flow of one coronary tree: its outlets, aortic pressure and the march to a periodic state from the steady solution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ccta.errors import BadSettings
from cfd.coronary_outlets import CoronaryOutlets
from cfd.flow_problem import AxisFlow, FlowBoundary, FlowSolution
from cfd.lumen import Lumen
from cfd.mesh import FlowMesh
from cfd.network_export import PERIOD_S, aortic_pressure_pa, outlet_compliance_m3_pa, resistance_parts, root_name, ventricular_share_pa
from cfd.pullback import FlowModel
from cfd.steady import steady_system
from cfd.unsteady import PulsatileFlow, mean_solution


def solve_pulsatile_tree(
    problem: FlowModel, tree: tuple[Lumen, FlowMesh], boundary: FlowBoundary, axis: AxisFlow, cuff_mmhg: tuple[float, float], progress: Callable[..., None]
) -> FlowSolution:
    """Means over the heart's cycle. boundary: of the steady flow, where the march begins; what its inlet lacks to the aorta is taken from p(t) too.

    SolverFailed where no periodic state is reached.
    """
    if boundary.wall_flow is not None:
        raise BadSettings("flow.side_branches works with the steady models; set it to false for a pulsatile one")
    lumen, mesh = tree
    system, _, _ = steady_system(mesh, boundary, problem.physiology, axis, None, lambda text, share: progress(text, 0.2 * share))
    system.thickening[:] = 1.0  # in time a jet may move
    times, pressure = aortic_pressure_pa(*cuff_mmhg, problem.physiology.aortic_pressure_pa)
    lacking = problem.physiology.aortic_pressure_pa - boundary.aortic_pressure_pa
    flow = PulsatileFlow(system, outlets_of(problem, lumen, system.outlets, cuff_mmhg), lambda t: float(np.interp(t, times, pressure)) - lacking)
    cycle, mean = flow.until_periodic(PERIOD_S, lambda text, share: progress(text, 0.2 + 0.8 * share))
    return mean_solution(flow, cycle, mean, mesh)


def outlets_of(problem: FlowModel, lumen: Lumen, names: list[str], cuff_mmhg: tuple[float, float]) -> CoronaryOutlets:
    """The same coronary outlets as those of the 0-D network of the tree, in the order of the ports' names."""
    branch = [lumen.branch_index[next(port for port in lumen.outlets if port.name == name).branch] for name in names]
    left = root_name(problem.tree, branch[0]) != "RCA"
    times, muscle = ventricular_share_pa(cuff_mmhg[0], left)
    resistance = resistance_parts(problem.resistance_pa_s_m3[branch])
    compliance = outlet_compliance_m3_pa(problem)[:, branch]
    return CoronaryOutlets(resistance, compliance, lambda t: np.full(len(branch), np.interp(t, times, muscle)), problem.physiology.distal_pressure_pa)
