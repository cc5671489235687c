"""svZeroDSolver's JSON, checked and numbered: vessels, junctions, boundary conditions, in the file's own unit system (cgs by custom; no unit enters here).

A node lies between two blocks, as there: "upstream:downstream". What that program does not refuse but no patient can have (negative resistance, a circle of
vessels, an outlet condition at an inlet, where it would turn its sign) is refused here in one sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from ccta.errors import BadInput
from cfd.zero_d_conditions import Conditions, common_period, read_conditions
from cfd.zero_d_values import known_only, mapping, need, number_list, objects, table, text

VESSELS = ("BloodVessel", "BloodVesselCRL")
VESSEL_VALUES = ("R_poiseuille", "C", "L", "stenosis_coefficient")
VESSEL_KEYS = frozenset(VESSEL_VALUES)
JUNCTION_VALUES = {
    "NORMAL_JUNCTION": (),
    "internal_junction": (),
    "resistive_junction": ("R",),
    "BloodVesselJunction": ("R_poiseuille", "L", "stenosis_coefficient"),
}
FOREIGN = ("valves", "chambers", "closed_loop_blocks", "external_solver_coupling_blocks")


class Junction(NamedTuple):
    """inlets, outlets: nodes. values: {key: one number per outlet, or, for a resistive junction, per inlet and outlet}."""

    name: str
    kind: str
    inlets: list[int]
    outlets: list[int]
    values: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Network:
    """values: (V, 4) resistance, capacitance, inductance, stenosis coefficient. crl: (V,) capacitor first. ends: (V, 2) nodes.

    nodes: (upstream, downstream); conditions: by kind; condition_order: names in the order of the file; period: None if none is given.
    """

    names: list[str]
    values: np.ndarray
    crl: np.ndarray
    ends: np.ndarray
    nodes: list[tuple[str, str]]
    conditions: dict[str, Conditions]
    condition_order: list[str]
    junctions: list[Junction]
    period: float | None

    @property
    def steady(self) -> bool:
        """Whether nothing varies over time."""
        return all(signal.constant for group in self.conditions.values() for signal in group.signals)


def read_network(document: Mapping) -> Network:
    """Checks and numbers a document. BadInput, one sentence, for what cannot be solved."""
    if not isinstance(document, dict):
        raise BadInput("the file does not hold a network in svZeroDSolver's format: its outermost level is not an object")
    vessels, junctions, listed = (objects(document, key) for key in ("vessels", "junctions", "boundary_conditions"))
    if not vessels:
        raise BadInput('the network has no vessels; list them under "vessels" as svZeroDSolver does')
    for key in FOREIGN:
        if document.get(key):
            raise BadInput(f"the network has {key}, which an open network of vessels cannot have; remove them")
    place = _places(vessels)
    names = [text(vessel, "vessel_name", "vessel {}", number) for vessel, number in zip(vessels, place, strict=True)]
    ends, nodes = [[-1, -1] for _ in vessels], []
    order = [need(one, "bc_name", "a boundary condition") for one in listed]
    attached = _attach(vessels, names, (ends, nodes), frozenset(order))
    conditions = read_conditions(listed, attached)
    joined = _join(junctions, names, (ends, nodes), place)
    _refuse_loose_ends(names, ends)
    if conditions.keys() == {"FLOW"}:
        raise BadInput("every boundary condition prescribes a flow, so that the pressure is undetermined; give one of them a resistance or a pressure")
    values, crl = _vessel_values(vessels, names)
    parameters = mapping(document, "simulation_parameters", "the network") if "simulation_parameters" in document else {}
    order = [name for name in order if name in attached]
    return Network(names, values, crl, np.array(ends), nodes, conditions, order, joined, common_period(parameters, conditions))


def _places(vessels):
    """{vessel_id: index}."""
    place = {}
    for index, vessel in enumerate(vessels):
        number = need(vessel, "vessel_id", "a vessel")
        if not isinstance(number, int) or number in place:
            raise BadInput(f"vessel_id {number!r} is given twice or is not a whole number; number the vessels apart")
        place[number] = index
    return place


def _vessel_values(vessels, names):
    """((V, 4) values, (V,) whether a BloodVesselCRL)."""
    rows, crl, values_of = [], [], itemgetter(*VESSEL_VALUES)
    for vessel, name in zip(vessels, names, strict=True):
        kind = vessel.get("zero_d_element_type", VESSELS[0])
        if kind not in VESSELS:
            raise BadInput(f"{name} has the unknown zero_d_element_type {kind!r}; known are {' and '.join(VESSELS)}")
        given = mapping(vessel, "zero_d_element_values", name)
        if given.keys() != VESSEL_KEYS:
            given = {"C": 0.0, "L": 0.0, "stenosis_coefficient": 0.0, **known_only(given, VESSEL_KEYS, name)}
            need(given, "R_poiseuille", name)
        rows.append(values_of(given))
        crl.append(kind == VESSELS[1])
    return table(rows, names, VESSEL_VALUES), np.array(crl)


def _attach(vessels, names, numbering, known):
    """{condition: (node, whether an inlet)}, in the order of the vessels; fills the vessels' ends and the nodes' names."""
    ends, nodes = numbering
    attached = {}
    for index, vessel in enumerate(vessels):
        for side, name in ((0, "inlet"), (1, "outlet")) if vessel.get("boundary_conditions") else ():
            name = vessel["boundary_conditions"].get(name)
            if name is None:
                continue
            if name not in known:
                raise BadInput(f"{names[index]} names the boundary condition {name}, which the file does not define")
            if name in attached:
                raise BadInput(f"the boundary condition {name} is used at two ends; give each end its own")
            ends[index][side] = len(nodes)
            attached[name] = (len(nodes), side == 0)
            nodes.append((name, names[index]) if side == 0 else (names[index], name))
    return attached


def _join(junctions, names, numbering, place):
    """Junctions with their nodes; fills the vessels' ends."""
    ends, nodes = numbering
    labels = [text(junction, "junction_name", "J{}", k) for k, junction in enumerate(junctions)]
    sides = [
        (_vessels_of(junction, "inlet_vessels", label, place), _vessels_of(junction, "outlet_vessels", label, place))
        for junction, label in zip(junctions, labels, strict=True)
    ]
    _refuse_circles(sides, names)
    joined = []
    for junction, label, both in zip(junctions, labels, sides, strict=True):
        kind = junction.get("junction_type", "NORMAL_JUNCTION")
        if kind not in JUNCTION_VALUES:
            raise BadInput(f"{label} has the unknown junction_type {kind!r}; known are {', '.join(JUNCTION_VALUES)}")
        numbered = [[], []]
        for side, vessels in enumerate(both):
            for v in vessels:
                if ends[v][1 - side] >= 0:
                    raise BadInput(f"the {('outlet', 'inlet')[side]} of {names[v]} is connected twice, the second time by {label}")
                ends[v][1 - side] = len(nodes)
                numbered[side].append(len(nodes))
                nodes.append((names[v], label) if side == 0 else (label, names[v]))
        joined.append(Junction(label, kind, *numbered, _junction_values(junction, label, kind, numbered) if JUNCTION_VALUES[kind] else {}))
    return joined


def _vessels_of(junction, key, name, place):
    listed = need(junction, key, name)
    try:
        return [place[one] for one in listed]
    except (KeyError, TypeError):
        raise BadInput(f"{name} joins the vessels {listed}, which are not all in the list of vessels") from None


def _refuse_circles(sides, names):
    """Takes away junctions that nothing flows into; what is left stands in a circle, or behind one."""
    below = {v: k for k, (inlets, _) in enumerate(sides) for v in inlets}
    above = {v: k for k, (_, outlets) in enumerate(sides) for v in outlets}
    waiting = [len(above.keys() & inlets) for inlets, _ in sides]
    ready = [k for k, count in enumerate(waiting) if count == 0]
    while ready:
        for v in sides[ready.pop()][1]:
            if v in below:
                waiting[below[v]] -= 1
                if waiting[below[v]] == 0:
                    ready.append(below[v])
    left = [k for k, count in enumerate(waiting) if count > 0]
    if not left:
        return
    path = [next(v for v in sides[left[0]][0] if v in above and waiting[above[v]])]
    while path[-1] not in path[:-1]:
        path.append(next(v for v in sides[above[path[-1]]][0] if v in above and waiting[above[v]]))
    circle = " -> ".join(names[v] for v in reversed(path[path.index(path[-1]) :]))
    raise BadInput(f"the network is cyclic: {circle} follow one another in a circle; give an open network")


def _junction_values(junction, name, kind, numbered):
    keys, counts = JUNCTION_VALUES[kind], [len(one) for one in numbered]
    if kind == "BloodVesselJunction" and counts[0] != 1:
        raise BadInput(f"{name} is a BloodVesselJunction of {counts[0]} inlets; it takes one")
    given = known_only(mapping(junction, "junction_values", name), frozenset(keys), name)
    wanted = sum(counts) if kind == "resistive_junction" else counts[1]
    values = {}
    for key in keys:
        values[key] = number_list(need(given, key, name) if key == keys[0] else given.get(key, [0.0] * wanted), f"{key} of {name}")
        if len(values[key]) != wanted or values[key].min() < 0:
            raise BadInput(f"{key} of {name} must be {wanted} numbers >= 0, one for each vessel it stands before")
    return values


def _refuse_loose_ends(names, ends):
    for name, both in zip(names, ends, strict=True):
        if -1 in both:
            raise BadInput(f"{name} has an end with neither a junction nor a boundary condition; give it one")
