"""svZeroDSolver's JSON, checked and numbered: vessels, junctions, boundary conditions, in the file's own unit system (cgs by custom; no unit enters here).

A node lies between two blocks, as there: "upstream:downstream". What that program does not refuse but no patient can have (negative resistance, a circle of
vessels, an outlet condition at an inlet, where it would turn its sign) is refused here in one sentence.
"""

import graphlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ccta.errors import BadInput
from cfd.zero_d_values import constant, mapping, need, number, number_list, only_known, table, text

VESSELS = ("BloodVessel", "BloodVesselCRL")
VESSEL_VALUES = ("R_poiseuille", "C", "L", "stenosis_coefficient")
CONDITION_VALUES = {
    "FLOW": ("Q",),
    "PRESSURE": ("P",),
    "RESISTANCE": ("R", "Pd"),
    "RCR": ("Rp", "Rd", "C", "Pd"),
    "CORONARY": ("Ra1", "Ra2", "Rv1", "Ca", "Cc", "P_v", "Pim"),
}
SIGNALS = ("Q", "P", "Pim")
JUNCTION_VALUES = {
    "NORMAL_JUNCTION": (),
    "internal_junction": (),
    "resistive_junction": ("R",),
    "BloodVesselJunction": ("R_poiseuille", "L", "stenosis_coefficient"),
}
FOREIGN = ("valves", "chambers", "closed_loop_blocks", "external_solver_coupling_blocks")
EQUAL = 1e-9  # relative: a list over time whose values differ less is constant


@dataclass(frozen=True, eq=False)
class Condition:
    """A boundary condition at a node. values: its numbers; signal: (times, values) of what varies over the cycle, one value where it does not."""

    name: str
    kind: str
    node: int
    values: dict[str, float]
    signal: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Junction:
    """inlets, outlets: nodes. values: {key: one number per outlet, or, for a resistive junction, per inlet and outlet}."""

    name: str
    kind: str
    inlets: list[int]
    outlets: list[int]
    values: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Network:
    """values: (V, 4) resistance, capacitance, inductance, stenosis coefficient. crl: (V,) capacitor first. ends: (V, 2) nodes. period: None if none is given."""

    names: list[str]
    values: np.ndarray
    crl: np.ndarray
    ends: np.ndarray
    nodes: list[str]
    conditions: list[Condition]
    junctions: list[Junction]
    period: float | None

    @property
    def steady(self) -> bool:
        """Whether nothing varies over time."""
        return all(one.signal is None or len(one.signal[1]) == 1 for one in self.conditions)


def read_network(document: dict) -> Network:
    """Checks and numbers a document. BadInput, one sentence, for what cannot be solved."""
    if not isinstance(document, Mapping):
        raise BadInput("the file does not hold a network in svZeroDSolver's format: its outermost level is not an object")
    vessels, junctions, conditions = (_list_of_objects(document, key) for key in ("vessels", "junctions", "boundary_conditions"))
    if not vessels:
        raise BadInput('the network has no vessels; list them under "vessels" as svZeroDSolver does')
    for key in FOREIGN:
        if document.get(key):
            raise BadInput(f"the network has {key}, which an open network of vessels cannot have; remove them")
    place = {need(vessel, "vessel_id", "a vessel"): index for index, vessel in enumerate(vessels)}
    if len(place) < len(vessels):
        raise BadInput("two vessels have the same vessel_id; number them apart")
    names = [text(vessel, "vessel_name", f"vessel {vessel['vessel_id']}") for vessel in vessels]
    ends, nodes = np.full((len(vessels), 2), -1), []
    attached = _attach_conditions(vessels, names, (ends, nodes), {need(one, "bc_name", "a boundary condition"): one for one in conditions})
    joined = _join(junctions, names, (ends, nodes), place)
    _refuse_loose_ends(names, ends)
    if all(condition.kind == "FLOW" for condition in attached):
        raise BadInput("every boundary condition prescribes a flow, so that the pressure is undetermined; give one of them a resistance or a pressure")
    crl = np.array([_kind_of_vessel(vessel, name) for vessel, name in zip(vessels, names, strict=True)])
    return Network(names, _vessel_values(vessels, names), crl, ends, nodes, attached, joined, _period(document, attached))


def _list_of_objects(document, key):
    found = document.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise BadInput(f'"{key}" is not a list of objects, as svZeroDSolver\'s format has it')
    return found


def _kind_of_vessel(vessel, name):
    kind = vessel.get("zero_d_element_type", VESSELS[0])
    if kind not in VESSELS:
        raise BadInput(f"{name} has the unknown zero_d_element_type {kind!r}; known are {' and '.join(VESSELS)}")
    return kind == VESSELS[1]


def _vessel_values(vessels, names):
    """(V, 4), each number finite and not negative."""
    rows = []
    for vessel, name in zip(vessels, names, strict=True):
        values = only_known(mapping(vessel, "zero_d_element_values", name), VESSEL_VALUES, name)
        if "R_poiseuille" not in values:
            raise BadInput(f'{name} has no "R_poiseuille"; give it one')
        rows.append([values.get(key, 0.0) for key in VESSEL_VALUES])
    return table(rows, names, VESSEL_VALUES)


def _attach_conditions(vessels, names, numbering, conditions):
    """Conditions in the order of the vessels; fills the vessels' ends and the nodes' names."""
    ends, nodes = numbering
    attached: dict[str, Condition] = {}
    for index, vessel in enumerate(vessels):
        wanted = vessel.get("boundary_conditions") or {}
        for side, key in enumerate(("inlet", "outlet")):
            name = wanted.get(key)
            if name is None:
                continue
            if name not in conditions:
                raise BadInput(f"{names[index]} names the boundary condition {name}, which the file does not define")
            if name in attached:
                raise BadInput(f"the boundary condition {name} is used at two ends; give each end its own")
            ends[index, side] = len(nodes)
            attached[name] = _condition(conditions[name], len(nodes), at_inlet=side == 0)
            nodes.append(f"{name}:{names[index]}" if side == 0 else f"{names[index]}:{name}")
    return [attached[name] for name in conditions if name in attached]


def _condition(condition, node, at_inlet):
    name, kind = condition["bc_name"], need(condition, "bc_type", condition["bc_name"])
    if kind not in CONDITION_VALUES:
        raise BadInput(f"{name} has the unknown bc_type {kind!r}; known are {', '.join(CONDITION_VALUES)}")
    if at_inlet and kind not in ("FLOW", "PRESSURE"):
        raise BadInput(f"{name} ({kind}) stands at an inlet, where svZeroDSolver would turn its sign; use FLOW or PRESSURE there")
    keys = CONDITION_VALUES[kind]
    given = only_known(mapping(condition, "bc_values", name), (*keys, "t", "closed_loop_outlet"), name)
    missing = [key for key in keys if key not in given]
    if missing:
        raise BadInput(f'{name} ({kind}) has no "{missing[0]}"; give it one')
    values = {key: constant(given[key], f"{key} of {name}") for key in keys if key not in SIGNALS}
    if values.get("Cc") == 0:
        raise BadInput(f"Cc of {name} is 0; an intramyocardial compliance is above 0")
    varying = [key for key in keys if key in SIGNALS]
    return Condition(name, kind, node, values, _signal(given, varying[0], name) if varying else None)


def _signal(given, key, name):
    """(times, values) over one cycle; one value where nothing varies."""
    values = number_list(given[key], f"{key} of {name}")
    if key == "P" and values.min() < 0:
        raise BadInput(f"P of {name} is negative ({values.min():g}); give a pressure >= 0")
    if len(values) == 1:
        return np.zeros(1), values
    times = number_list(need(given, "t", name), f"t of {name}")
    if len(times) != len(values):
        raise BadInput(f"{name} has {len(times)} times and {len(values)} values of {key}; give as many")
    if times[0] != 0 or np.any(np.diff(times) < 0) or times[-1] == 0:
        raise BadInput(f"t of {name} must rise from 0 to the end of the cardiac cycle")
    if np.ptp(values) <= EQUAL * np.abs(values).max():
        return times[[-1]], values[:1]
    return times, values


def _period(document, attached):
    """The one length of all cycles. BadInput where two differ."""
    parameters = document.get("simulation_parameters") or {}
    known = {one.name: float(one.signal[0][-1]) for one in attached if one.signal is not None and one.signal[0][-1] > 0}
    given = parameters.get("cardiac_period")
    if given is not None:
        known["cardiac_period"] = number(given, "cardiac_period")
    if len(set(known.values())) > 1:
        (first, a), (second, b) = [(n, t) for n, t in known.items() if t in (min(known.values()), max(known.values()))][:2]
        raise BadInput(f"the cardiac cycle lasts {a:g} in {first} and {b:g} in {second}; give all one period")
    return next(iter(known.values()), None)


def _join(junctions, names, numbering, place):
    """Junctions with their nodes; fills the vessels' ends."""
    ends, nodes = numbering
    labels = [text(junction, "junction_name", f"J{k}") for k, junction in enumerate(junctions)]
    sides = [
        tuple(_vessels_of(junction, key, label, place) for key in ("inlet_vessels", "outlet_vessels"))
        for junction, label in zip(junctions, labels, strict=True)
    ]
    _refuse_circles(sides, names)
    joined = []
    for junction, label, both in zip(junctions, labels, sides, strict=True):
        kind = junction.get("junction_type", "NORMAL_JUNCTION")
        if kind not in JUNCTION_VALUES:
            raise BadInput(f"{label} has the unknown junction_type {kind!r}; known are {', '.join(JUNCTION_VALUES)}")
        numbered: list[list[int]] = [[], []]
        for side, vessels in enumerate(both):
            for v in vessels:
                if ends[v, 1 - side] >= 0:
                    raise BadInput(f"the {('outlet', 'inlet')[side]} of {names[v]} is connected twice, the second time by {label}")
                ends[v, 1 - side] = len(nodes)
                numbered[side].append(len(nodes))
                nodes.append(f"{names[v]}:{label}" if side == 0 else f"{label}:{names[v]}")
        joined.append(Junction(label, kind, *numbered, _junction_values(junction, label, kind, [len(one) for one in numbered])))
    return joined


def _refuse_circles(sides, names):
    order = graphlib.TopologicalSorter()
    for inlets, outlets in sides:
        for v in outlets:
            order.add(v, *inlets)
    try:
        order.prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(names[v] for v in reversed(error.args[1]))
        raise BadInput(f"the network is cyclic: {circle} follow one another in a circle; give an open network") from error


def _vessels_of(junction, key, name, place):
    listed = need(junction, key, name)
    if not isinstance(listed, list):
        raise BadInput(f"{key} of {name} is not a list of vessel numbers")
    unknown = [one for one in listed if not isinstance(one, int) or one not in place]
    if unknown:
        raise BadInput(f"{name} joins the vessels {unknown}, which are not in the list of vessels")
    return [place[one] for one in listed]


def _junction_values(junction, name, kind, counts):
    keys = JUNCTION_VALUES[kind]
    if not keys:
        return {}
    if kind == "BloodVesselJunction" and counts[0] != 1:
        raise BadInput(f"{name} is a BloodVesselJunction of {counts[0]} inlets; it takes one")
    given = only_known(mapping(junction, "junction_values", name), keys, name)
    wanted = sum(counts) if kind == "resistive_junction" else counts[1]
    values = {}
    for key in keys:
        values[key] = number_list(given.get(key, [0.0] * wanted) if key != keys[0] else need(given, key, name), f"{key} of {name}")
        if len(values[key]) != wanted or values[key].min(initial=0.0) < 0:
            raise BadInput(f"{key} of {name} must be {wanted} numbers >= 0, one for each vessel it stands before")
    return values


def _refuse_loose_ends(names, ends):
    loose = np.argwhere(ends < 0)
    if len(loose):
        raise BadInput(f"{names[loose[0][0]]} has an end with neither a junction nor a boundary condition; give it one")
