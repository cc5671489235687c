"""The steady state of a 0-D network at once: without capacitors and inductors one flow per vessel and one pressure per junction or end are unknown.

p_in - p_out = R q + S |q| q along a vessel; every condition but a flow is p - R q = P: RESISTANCE as it is, RCR with Rp + Rd and Pd, CORONARY with
Ra1 + Ra2 + Rv1 and P_v, PRESSURE with no resistance.
"""

import numpy as np

from ccta.errors import SolverFailed
from cfd.zero_d import march
from cfd.zero_d_equations import Stamps, Unknowns, number_unknowns, stamp_junctions
from cfd.zero_d_reading import Network

IN_SERIES = {"RESISTANCE": (("R",), "Pd"), "RCR": (("Rp", "Rd"), "Pd"), "CORONARY": (("Ra1", "Ra2", "Rv1"), "P_v")}


def solve_steady(network: Network) -> tuple[Unknowns, np.ndarray]:
    """(unknowns, (n,) their values) under the mean signals. SolverFailed where the equations have no single solution."""
    unknowns = number_unknowns(network)
    still = _fewer(network, unknowns)
    stamps = Stamps(still.size)
    _stamp_vessels(stamps, network, still)
    _stamp_conditions(stamps, network, still)
    stamp_junctions(stamps, network, still)
    system, zero = stamps.system(), np.zeros(still.size)
    system = system._replace(e=np.zeros_like(system.e))  # the inertia of junctions
    states, _, failed = march(system, (1.0, 0.0, 1, 1), zero, zero, np.empty((1, 0)))
    if failed:
        raise SolverFailed("the network's equations have no single solution: a part has no pressure or resistance at any end")
    return unknowns, _spread(network, unknowns, still, states[0])


def _fewer(network, unknowns: Unknowns) -> Unknowns:
    """One flow for both ends of a vessel, the same pressures, and what a resistive junction has inside."""
    vessels, nodes = len(network.names), len(network.nodes)
    flow = np.empty(nodes, int)
    flow[network.ends[:, 0]] = flow[network.ends[:, 1]] = np.arange(vessels)
    following = vessels + int(unknowns.pressure.max()) + 1 - nodes
    inner = [junction.name for junction in network.junctions if junction.kind == "resistive_junction"]
    return Unknowns(flow, unknowns.pressure - nodes + vessels, {name: following + k for k, name in enumerate(inner)}, following + len(inner))


def _stamp_vessels(stamps: Stamps, network, still):
    row = stamps.new_rows(len(network.names))
    stamps.add(row, still.pressure[network.ends[:, 0]], 1.0)
    stamps.add(row, still.pressure[network.ends[:, 1]], -1.0)
    stamps.add(row, still.flow[network.ends[:, 0]], -network.values[:, 0])
    stamps.stenosis(row, still.flow[network.ends[:, 0]], -network.values[:, 3], 0.0)


def _stamp_conditions(stamps: Stamps, network, still):
    for kind, group in network.conditions.items():
        row = stamps.new_rows(len(group.nodes))
        if kind in ("FLOW", "PRESSURE"):
            stamps.add(row, (still.flow if kind == "FLOW" else still.pressure)[group.nodes], 1.0)
            stamps.constant[row] = [-signal.mean for signal in group.signals]
        else:
            series, distal = IN_SERIES[kind]
            stamps.add(row, still.pressure[group.nodes], 1.0)
            stamps.add(row, still.flow[group.nodes], -sum(group.constants[key] for key in series))
            stamps.constant[row] = -group.constants[distal]


def _spread(network, unknowns: Unknowns, still: Unknowns, state):
    """The values of all unknowns: an RCR's inner pressure is p - Rp q; a CORONARY's muscle has its starting volume, none."""
    values = np.zeros(unknowns.size)
    values[unknowns.flow], values[unknowns.pressure] = state[still.flow], state[still.pressure]
    if "RCR" in network.conditions:
        group = network.conditions["RCR"]
        inner = [unknowns.inside[name] for name in group.names]
        values[inner] = state[still.pressure[group.nodes]] - group.constants["Rp"] * state[still.flow[group.nodes]]
    for name, index in still.inside.items():
        values[unknowns.inside[name]] = state[index]
    return values
