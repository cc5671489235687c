"""The equations of a 0-D network as one system E dy/dt + F y + c(t) + n(y, dy/dt) = 0, block by block as svZeroDSolver states them.

y: the flow through every node, the pressure of every node (one for all nodes of a junction without resistance), then what blocks hold inside: the pressure
of an RCR's capacitor, the volume of a CORONARY's intramyocardial one. n holds the stenoses.

BloodVessel (capacitor behind the resistance)     BloodVesselCRL (capacitor at the inlet)
p_in - p_out = R q + S |q| q + L dq_out/dt, q = q_in     the same with q = q_out
q_in - q_out = C d(p_in - R q_in - S |q_in| q_in)/dt     q_in - q_out = C dp_in/dt
RCR: p = Rp q + p_c, C dp_c/dt = q - (p_c - Pd) / Rd (Westerhof 1971). CORONARY (Kim 2010): with p_a = p - Ra1 q behind the small arteries and
p_i = V / Cc + Pim the pressure inside the muscle, q - Ca dp_a/dt = (p_a - p_i) / Ra2 = dV/dt + (p_i - P_v) / Rv1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from cfd.zero_d_reading import Network

INSIDE = {"RCR": "pressure_c", "CORONARY": "volume_im", "resistive_junction": "pressure_c"}


class System(NamedTuple):
    """Places of E and F, (Z,) each, c: (n,), rows that a signal enters (S,); the stenoses, (M,) each: row, column and place of s |q| q + b |q| dq/dt."""

    row: np.ndarray
    column: np.ndarray
    e: np.ndarray
    f: np.ndarray
    constant: np.ndarray
    forced_row: np.ndarray
    item_row: np.ndarray
    item_column: np.ndarray
    item_place: np.ndarray
    item_s: np.ndarray
    item_b: np.ndarray


@dataclass(frozen=True, eq=False)
class Unknowns:
    """flow, pressure: (K,) index of each node's. inside: {condition or junction: index}."""

    flow: np.ndarray
    pressure: np.ndarray
    inside: dict[str, int]
    size: int


def number_unknowns(network: Network) -> Unknowns:
    """Flows, pressures, inner unknowns, in this order."""
    count, following = len(network.nodes), 0
    pressure = [-1] * count
    for junction in network.junctions:
        if not junction.values:
            for node in (*junction.inlets, *junction.outlets):
                pressure[node] = count + following
            following += 1
    for node in range(count):
        if pressure[node] < 0:
            pressure[node] = count + following
            following += 1
    names = [name for kind in INSIDE if kind in network.conditions for name in network.conditions[kind].names]
    names += [junction.name for junction in network.junctions if junction.kind in INSIDE]
    inside = {name: count + following + k for k, name in enumerate(names)}
    return Unknowns(np.arange(count), np.array(pressure), inside, count + following + len(inside))


def variable_names(network: Network, unknowns: Unknowns) -> list[tuple[str, int]]:
    """[(svZeroDSolver's name of a variable, index)] in its order."""
    pairs = zip(network.nodes, unknowns.flow.tolist(), unknowns.pressure.tolist(), strict=True)
    outer = [named for node, q, p in pairs for named in ((f"flow:{':'.join(node)}", q), (f"pressure:{':'.join(node)}", p))]
    kinds = {name: kind for kind, group in network.conditions.items() for name in group.names}
    blocks = [(name, kinds[name]) for name in network.condition_order] + [(one.name, one.kind) for one in network.junctions]
    return outer + [(f"{INSIDE[kind]}:{name}", unknowns.inside[name]) for name, kind in blocks if kind in INSIDE]


class Stamps:
    """Collects E, F, c and the stenoses."""

    def __init__(self, size):
        self.entries, self.items = [], []
        self.constant = np.zeros(size)
        self.forced: list[np.ndarray] = []
        self.rows = 0

    def new_rows(self, count):
        """`count` further equations."""
        self.rows += count
        return np.arange(self.rows - count, self.rows)

    def add(self, row, column, f=0.0, e=0.0):
        """A number stands for one in every row."""
        none = np.zeros(len(row))
        self.entries.append((row, column + np.zeros(len(row), int), none + e, none + f))

    def stenosis(self, row, column, s, b):
        """Adds s |q| q + b |q| dq/dt to the rows."""
        none = np.zeros(len(row))
        self.items.append((row, column, none + s, none + b))

    def system(self) -> System:
        """Adds up what stands at one place."""
        item_row, item_column, s, b = (np.concatenate(part) for part in zip(*self.items, strict=True))
        used = np.flatnonzero((s != 0) | (b != 0))
        item_row, item_column, s, b = item_row[used], item_column[used], s[used], b[used]
        self.entries.append((item_row, item_column, np.zeros(len(s)), np.zeros(len(s))))
        row, column, e, f = (np.concatenate(part) for part in zip(*self.entries, strict=True))
        forced = np.concatenate(self.forced) if self.forced else np.empty(0, int)
        row, column, e, f, place = _added_up(len(self.constant), row, column, e, f)
        return System(row, column, e, f, self.constant, forced, item_row, item_column, place[len(place) - len(s) :], s, b)


@njit(cache=True)
def _added_up(size, row, column, e, f):
    """(row, column, e, f) of every place once, row by row, and where each entry went."""
    start = np.zeros(size + 1, np.int64)
    for r in row:
        start[r + 1] += 1
    start = np.cumsum(start)
    count, order = np.zeros(size, np.int64), np.empty(len(row), np.int64)
    for z in range(len(row)):
        order[start[row[z]] + count[row[z]]] = z
        count[row[z]] += 1
    place, seen, at, n = np.empty(len(row), np.int64), np.full(size, -1), np.zeros(size, np.int64), 0
    rows, columns, es, fs = np.empty(len(row), np.int32), np.empty(len(row), np.int32), np.zeros(len(row)), np.zeros(len(row))
    for z in order:
        c = column[z]
        if seen[c] != row[z]:
            seen[c], at[c], rows[n], columns[n] = row[z], n, row[z], c
            n += 1
        place[z] = at[c]
        es[at[c]] += e[z]
        fs[at[c]] += f[z]
    return rows[:n].copy(), columns[:n].copy(), es[:n].copy(), fs[:n].copy(), place


def equations(network: Network, unknowns: Unknowns, resting: bool, offsets: np.ndarray) -> System:
    """The system. resting: as svZeroDSolver starts: no capacitor in an RCR, no volume in a CORONARY.

    offsets: (number of CORONARY,) pressure taken off each Pim, so that the muscle starts with no volume. Forced rows: in the order of `forcing`.
    """
    stamps = Stamps(unknowns.size)
    _vessels(stamps, network, unknowns)
    coronary = _coronary_at_rest if resting else _coronary
    for kind, stamp in {"FLOW": _source, "PRESSURE": _source, "RESISTANCE": _resistance, "RCR": _rcr, "CORONARY": coronary}.items():
        if kind in network.conditions:
            group = network.conditions[kind]
            inner = np.array([unknowns.inside[name] for name in group.names]) if kind in INSIDE else None
            at = (unknowns.flow[group.nodes], unknowns.pressure[group.nodes], inner)
            stamp(stamps, group, at, offsets if kind == "CORONARY" else resting)
    stamp_junctions(stamps, network, unknowns)
    return stamps.system()


def _vessels(stamps, network, unknowns):
    q_in, q_out = unknowns.flow[network.ends].T
    p_in, p_out = unknowns.pressure[network.ends].T
    resistance, capacitance, inductance, stenosis = network.values.T
    first, second = stamps.new_rows(len(q_in)), stamps.new_rows(len(q_in))
    through = np.where(network.crl, q_out, q_in)
    behind = np.where(network.crl, 0.0, capacitance)
    stamps.add(first, p_in, 1.0)
    stamps.add(first, through, -resistance)
    stamps.add(first, p_out, -1.0)
    stamps.add(first, q_out, e=-inductance)
    stamps.stenosis(first, through, -stenosis, 0.0)
    stamps.add(second, q_in, 1.0, behind * resistance)
    stamps.add(second, q_out, -1.0)
    stamps.add(second, p_in, e=-capacitance)
    stamps.stenosis(second, q_in, 0.0, 2 * behind * stenosis)


def _source(stamps, group, at, _resting):
    row = stamps.new_rows(len(group.names))
    stamps.add(row, at[0] if group.kind == "FLOW" else at[1], 1.0)
    stamps.forced.append(row)


def _resistance(stamps, group, at, _resting):
    row = stamps.new_rows(len(group.names))
    stamps.add(row, at[1], 1.0)
    stamps.add(row, at[0], -group.constants["R"])
    stamps.constant[row] = -group.constants["Pd"]


def _rcr(stamps, group, at, resting):
    q, p, inner = at
    first, second = stamps.new_rows(len(group.names)), stamps.new_rows(len(group.names))
    distal = group.constants["Rd"]
    stamps.add(first, p, 1.0)
    stamps.add(first, q, -group.constants["Rp"])
    stamps.add(first, inner, -1.0)
    stamps.add(second, q, distal)
    stamps.add(second, inner, -1.0, 0.0 if resting else -distal * group.constants["C"])
    stamps.constant[second] = group.constants["Pd"]


def _coronary_at_rest(stamps, group, at, _offsets):
    q, p, volume = at
    first, second = stamps.new_rows(len(group.names)), stamps.new_rows(len(group.names))
    stamps.add(first, p, 1.0)
    stamps.add(first, q, -group.constants["Ra1"] - group.constants["Ra2"] - group.constants["Rv1"])
    stamps.constant[first] = -group.constants["P_v"]
    stamps.add(second, volume, 1.0)


def _coronary(stamps, group, at, offsets):
    q, p, volume = at
    proximal, small, venous, arterial, muscle = (group.constants[key] for key in ("Ra1", "Ra2", "Rv1", "Ca", "Cc"))
    first, second = stamps.new_rows(len(group.names)), stamps.new_rows(len(group.names))
    stamps.add(first, q, venous, venous * arterial * proximal)
    stamps.add(first, p, e=-venous * arterial)
    stamps.add(first, volume, -1 / muscle, -venous)
    stamps.constant[first] = group.constants["P_v"] + offsets
    stamps.add(second, p, 1.0, small * arterial)
    stamps.add(second, q, -proximal - small, -small * arterial * proximal)
    stamps.add(second, volume, -1 / muscle)
    stamps.constant[second] = offsets
    stamps.forced += [first, second]


def stamp_junctions(stamps: Stamps, network: Network, unknowns: Unknowns) -> None:
    """Flow is conserved; what a junction with losses has between its nodes."""
    plain = [one for one in network.junctions if not one.values]
    if plain:
        nodes = np.array([node for one in plain for node in (*one.inlets, *one.outlets)])
        sign = np.repeat(len(plain) * [1.0, -1.0], [len(side) for one in plain for side in (one.inlets, one.outlets)])
        stamps.add(np.repeat(stamps.new_rows(len(plain)), [len(one.inlets) + len(one.outlets) for one in plain]), unknowns.flow[nodes], sign)
    for junction in network.junctions:
        if junction.values:
            _junction_with_losses(stamps, junction, unknowns)


def _junction_with_losses(stamps, junction, unknowns):
    """resistive_junction: a resistance from each node to one inner pressure. BloodVesselJunction: a vessel without capacitor to each outlet."""
    nodes = np.array([*junction.inlets, *junction.outlets])
    sign = np.repeat([1.0, -1.0], [len(junction.inlets), len(junction.outlets)])
    stamps.add(np.repeat(stamps.new_rows(1), len(nodes)), unknowns.flow[nodes], sign)
    if junction.kind == "resistive_junction":
        row = stamps.new_rows(len(nodes))
        stamps.add(row, unknowns.pressure[nodes], sign)
        stamps.add(row, unknowns.flow[nodes], -junction.values["R"])
        stamps.add(row, unknowns.inside[junction.name], -sign)
        return
    outlets = np.array(junction.outlets)
    row = stamps.new_rows(len(outlets))
    stamps.add(row, unknowns.pressure[junction.inlets[0]], 1.0)
    stamps.add(row, unknowns.pressure[outlets], -1.0)
    stamps.add(row, unknowns.flow[outlets], -junction.values["R_poiseuille"], -junction.values["L"])
    stamps.stenosis(row, unknowns.flow[outlets], -junction.values["stenosis_coefficient"], 0.0)


def forcing(network: Network, time: np.ndarray | None) -> np.ndarray:
    """(T, S) what the signals add to the forced rows at the times of a cycle; time None: one row of means, which svZeroDSolver starts from.

    Between its samples a signal is linear.
    """
    columns = []
    for kind in ("FLOW", "PRESSURE", "CORONARY"):
        signals = network.conditions[kind].signals if kind in network.conditions else []
        if time is not None:
            columns += (2 if kind == "CORONARY" else 1) * [np.interp(time, one.times, one.values) for one in signals]
        elif kind != "CORONARY":
            columns += [[one.mean] for one in signals]
    if not columns:
        return np.empty((1, 0))
    return -np.array(columns).T.copy()
