"""A 0-D network in svZeroDSolver's JSON format, solved for its steady state, in that format's own unit system (cgs by custom; no unit enters here).

Vessels obey p_in - p_out = (R_poiseuille + stenosis_coefficient |Q|) Q; at a junction pressure is common and flow is conserved. Capacitors and
inductors carry nothing in a steady state: RCR is Rp + Rd to Pd, CORONARY is Ra1 + Ra2 + Rv1 to P_v (svZeroDSolver, WindkesselBC.h, OpenLoopCoronaryBC.h).
"""

import graphlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccta.errors import BadInput, SolverFailed

STEADY_RESISTANCE = {
    "RESISTANCE": lambda v: (v["R"], v["Pd"]),
    "RCR": lambda v: (v["Rp"] + v["Rd"], v["Pd"]),
    "CORONARY": lambda v: (v["Ra1"] + v["Ra2"] + v["Rv1"], v["P_v"]),
}
KNOWN_JUNCTIONS = ("NORMAL_JUNCTION", "internal_junction")


@dataclass(frozen=True, eq=False)
class Network:
    """names: of the V vessels. resistance, stenosis: (V,). node: (V, 2) node at the inlet and at the outlet. ends: {node: (kind, values)}.

    kind "FLOW": values (flow into the network,); "PRESSURE": (pressure,); "RESISTANCE": (resistance, distal pressure).
    """

    names: list[str]
    resistance: np.ndarray
    stenosis: np.ndarray
    node: np.ndarray
    ends: dict[int, tuple[str, tuple[float, ...]]]
    times: list[float]


def solve_network_file(source: Path, target: Path) -> dict:
    """Reads, solves, writes the answer (temporary name, then renamed) and returns it. BadInput for what cannot be solved as a steady network."""
    try:
        document = json.loads(Path(source).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(f"{source} is not a readable JSON file ({error})") from error
    answer = solve_document(document, str(source))
    temporary = Path(target).with_name(Path(target).name + ".part")
    temporary.write_text(json.dumps(answer, indent=1))
    temporary.replace(target)
    return answer


def solve_document(document: dict, source: str = "the network") -> dict:
    """svZeroDSolver's input as a dictionary -> its result columns: name, time, flow_in, flow_out, pressure_in, pressure_out (lists of equal length)."""
    try:
        network = read_network(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BadInput(f"{source} is not a network in svZeroDSolver's format: {type(error).__name__} {error}") from error
    flow, pressure = solve_steady(network)
    count = len(network.times)
    columns = {
        "flow_in": flow,
        "flow_out": flow,
        "pressure_in": pressure[network.node[:, 0]],
        "pressure_out": pressure[network.node[:, 1]],
    }
    answer = {"name": [name for name in network.names for _ in range(count)], "time": network.times * len(network.names)}
    return answer | {key: np.repeat(values, count).tolist() for key, values in columns.items()}


def read_network(document: dict) -> Network:
    """Checks and numbers the network. BadInput for what the steady solver does not know; KeyError and its kin for a malformed file."""
    vessels, junctions = document.get("vessels", []), document.get("junctions", [])
    if not vessels:
        raise BadInput('the network has no vessels; list them under "vessels" as svZeroDSolver does')
    for key in ("valves", "chambers", "closed_loop_blocks", "external_solver_coupling_blocks"):
        if document.get(key):
            raise BadInput(f"the network has {key}, which a steady open network cannot have; remove them")
    parameters = document.get("simulation_parameters", {})
    if parameters.get("output_variable_based"):
        raise BadInput("output_variable_based is not supported; remove it to get one row per vessel and time")
    place = {vessel["vessel_id"]: index for index, vessel in enumerate(vessels)}
    if len(place) < len(vessels):
        raise BadInput("two vessels have the same vessel_id; number them apart")
    node = _nodes(place, junctions)
    conditions = {one["bc_name"]: one for one in document.get("boundary_conditions", [])}
    values = [vessel.get("zero_d_element_values", {}) for vessel in vessels]
    period = parameters.get("cardiac_period", 1.0)
    return Network(
        names=[vessel.get("vessel_name", f"vessel {vessel['vessel_id']}") for vessel in vessels],
        resistance=np.array([float(one.get("R_poiseuille", 0.0)) for one in values]),
        stenosis=np.array([float(one.get("stenosis_coefficient", 0.0)) for one in values]),
        node=node,
        ends=_ends(vessels, node, conditions),
        times=np.linspace(0.0, period, max(1, int(parameters.get("number_of_time_pts_per_cardiac_cycle", 1)))).tolist(),
    )


def _nodes(place, junctions):
    """(V, 2) node numbers: a vessel's own ends unless a junction joins them. BadInput where vessels follow one another in a circle."""
    node = np.arange(2 * len(place)).reshape(-1, 2)
    order = graphlib.TopologicalSorter({index: set() for index in place.values()})
    for k, junction in enumerate(junctions):
        name = junction.get("junction_name", f"junction {k}")
        if junction.get("junction_type", KNOWN_JUNCTIONS[0]) not in KNOWN_JUNCTIONS:
            raise BadInput(f"{name} has the type {junction['junction_type']}; the steady solver knows {' and '.join(KNOWN_JUNCTIONS)}")
        unknown = [one for one in (*junction["inlet_vessels"], *junction["outlet_vessels"]) if one not in place]
        if unknown:
            raise BadInput(f"{name} joins the vessels {unknown}, which are not in the list of vessels")
        for vessel in junction["inlet_vessels"]:
            node[place[vessel], 1] = 2 * len(place) + k
        for vessel in junction["outlet_vessels"]:
            node[place[vessel], 0] = 2 * len(place) + k
            order.add(place[vessel], *[place[one] for one in junction["inlet_vessels"]])
    try:
        order.prepare()
    except graphlib.CycleError as error:
        raise BadInput("the network is cyclic: vessels follow one another in a circle; give an open network") from error
    return np.unique(node, return_inverse=True)[1].reshape(-1, 2)


def _ends(vessels, node, conditions):
    ends = {}
    for index, vessel in enumerate(vessels):
        for side, key in enumerate(("inlet", "outlet")):
            name = vessel.get("boundary_conditions", {}).get(key)
            if name is None:
                continue
            if name not in conditions:
                raise BadInput(f"{vessel.get('vessel_name', index)} names the boundary condition {name}, which the file does not define")
            ends[int(node[index, side])] = _condition(conditions[name], inward=1.0 if side == 0 else -1.0)
    joined = np.bincount(node.ravel())
    loose = [n for n in np.flatnonzero(joined == 1) if n not in ends]
    if loose:
        vessel = vessels[int(np.flatnonzero((node == loose[0]).any(axis=1))[0])]
        raise BadInput(f"{vessel.get('vessel_name', vessel['vessel_id'])} has an end with neither a junction nor a boundary condition; give it one")
    if all(kind == "FLOW" for kind, _ in ends.values()):
        raise BadInput("every boundary condition prescribes a flow, so that the pressure is undetermined; give one of them a resistance or a pressure")
    return ends


def _condition(condition, inward):
    kind, values = condition["bc_type"], condition["bc_values"]
    if kind == "FLOW":
        return "FLOW", (inward * _steady(values["Q"], condition),)
    if kind == "PRESSURE":
        return "PRESSURE", (_steady(values["P"], condition),)
    if kind in STEADY_RESISTANCE:
        resistance, distal = STEADY_RESISTANCE[kind]({key: value for key, value in values.items() if key not in ("t", "Pim")})
        return "RESISTANCE", (_steady(resistance, condition), _steady(distal, condition))
    raise BadInput(f"{condition['bc_name']} has the type {kind}; the steady solver knows FLOW, PRESSURE, {', '.join(STEADY_RESISTANCE)}")


def _steady(value, condition) -> float:
    """A number, or the common value of a list over time; BadInput where it varies."""
    values = np.atleast_1d(np.asarray(value, float))
    if not np.all(np.isfinite(values)):
        raise BadInput(f"{condition['bc_name']} holds a number that is not finite")
    if np.ptp(values) > 1e-9 * np.abs(values).max():
        raise BadInput(f"{condition['bc_name']} varies over time; this version solves the steady state only: give its mean, or use svZeroDSolver")
    return float(values[0])


def solve_steady(network: Network, tolerance: float = 1e-12, most_steps: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """(flow (V,), pressure (N,)): Newton on all flows and node pressures at once. SolverFailed where the equations have no single solution."""
    vessels, nodes = len(network.names), int(network.node.max()) + 1
    rows = np.arange(vessels)
    fixed, constant = _linear_equations(network, vessels, nodes)
    x = np.zeros(vessels + nodes)
    for _ in range(most_steps):
        flow = x[:vessels]
        residual = fixed @ x - constant
        residual[:vessels] -= network.stenosis * flow * np.abs(flow)
        slope = fixed.copy()
        slope[rows, rows] -= 2 * network.stenosis * np.abs(flow)
        try:
            change = np.linalg.solve(slope, residual)
        except np.linalg.LinAlgError as error:
            raise SolverFailed("the network's equations have no single solution: a part has no pressure or resistance at any end") from error
        x -= change
        if np.all(np.abs(change) <= tolerance * np.maximum(np.abs(x), 1e-30) + 1e-300) or not np.any(network.stenosis):
            return x[:vessels], x[vessels:]
    raise SolverFailed(f"the network did not settle in {most_steps} Newton steps; check its resistances and stenosis coefficients")


def _linear_equations(network, vessels, nodes):
    """Matrix and right-hand side without the stenosis terms: one row per vessel (pressure), then one per node (flow, or a given pressure)."""
    matrix, constant = np.zeros((vessels + nodes, vessels + nodes)), np.zeros(vessels + nodes)
    for k, (start, end) in enumerate(network.node):
        matrix[k, [vessels + start, vessels + end, k]] = 1.0, -1.0, -network.resistance[k]
        matrix[vessels + start, k] -= 1.0
        matrix[vessels + end, k] += 1.0
    for n, (kind, values) in network.ends.items():
        row = vessels + n
        if kind == "FLOW":
            constant[row] = -values[0]
        elif kind == "RESISTANCE":
            matrix[row, row] -= 1.0 / values[0]
            constant[row] = -values[1] / values[0]
        else:
            matrix[row] = 0.0
            matrix[row, row], constant[row] = 1.0, values[0]
    return matrix, constant
