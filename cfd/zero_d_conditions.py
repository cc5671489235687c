"""The boundary conditions of a 0-D network in svZeroDSolver's format: which there are, what each takes, how it varies over the cardiac cycle."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ccta.errors import BadInput
from cfd.zero_d_values import known_only, mapping, need, number, number_list, table

CONSTANTS = {
    "FLOW": (),
    "PRESSURE": (),
    "RESISTANCE": ("R", "Pd"),
    "RCR": ("Rp", "Rd", "C", "Pd"),
    "CORONARY": ("Ra1", "Ra2", "Rv1", "Ca", "Cc", "P_v"),
}
SIGNAL = {"FLOW": "Q", "PRESSURE": "P", "CORONARY": "Pim"}
REQUIRED = {kind: frozenset((*keys, *([SIGNAL[kind]] if kind in SIGNAL else []))) for kind, keys in CONSTANTS.items()}
ALLOWED = {kind: keys | {"t", "closed_loop_outlet"} for kind, keys in REQUIRED.items()}
START = np.zeros(1)
EQUAL = 1e-9  # relative: a list over time whose values differ less is constant


class Signal(NamedTuple):
    """What a condition imposes over the cycle: linear between values at times from 0 on. mean: of the values as given; period: None for a single value."""

    times: np.ndarray
    values: np.ndarray
    mean: float
    period: float | None

    @property
    def constant(self) -> bool:
        """Whether nothing varies."""
        return len(self.values) == 1


@dataclass(frozen=True, eq=False)
class Conditions:
    """All conditions of one kind: nodes: (K,) where they stand; constants: {key: (K,)}; signals: K or none."""

    kind: str
    names: list[str]
    nodes: np.ndarray
    constants: dict[str, np.ndarray]
    signals: list[Signal]


def read_conditions(listed: list, ends: dict[str, tuple[int, bool]]) -> dict[str, Conditions]:
    """{kind: its conditions} that stand somewhere, in the order of the file. ends: {name: (node, whether it is an inlet)}."""
    chosen: dict[str, list] = {}
    for one in listed:
        name = one["bc_name"]
        if name not in ends:
            continue
        kind = need(one, "bc_type", name)
        if kind not in CONSTANTS:
            raise BadInput(f"{name} has the unknown bc_type {kind!r}; known are {', '.join(CONSTANTS)}")
        if ends[name][1] and kind not in ("FLOW", "PRESSURE"):
            raise BadInput(f"{name} ({kind}) stands at an inlet, where svZeroDSolver would turn its sign; use FLOW or PRESSURE there")
        given = known_only(mapping(one, "bc_values", name), ALLOWED[kind], name)
        if not REQUIRED[kind] <= given.keys():
            raise BadInput(f'{name} ({kind}) has no "{sorted(REQUIRED[kind] - given.keys())[0]}"; give it one')
        chosen.setdefault(kind, []).append((name, given))
    return {kind: _conditions(kind, chosen[kind], ends) for kind in CONSTANTS if kind in chosen}


def _conditions(kind, chosen, ends):
    names, keys = [name for name, _ in chosen], CONSTANTS[kind]
    columns = table([[given[key] for key in keys] for _, given in chosen], names, keys).T
    constants = dict(zip(keys, columns, strict=True))
    if np.any(constants.get("Cc", 1.0) == 0):
        raise BadInput(f"Cc of {names[int(np.argmin(constants['Cc']))]} is 0; an intramyocardial compliance is above 0")
    signals = [_signal(given, SIGNAL[kind], name) for name, given in chosen] if kind in SIGNAL else []
    return Conditions(kind, names, np.array([ends[name][0] for name in names]), constants, signals)


def _signal(given, key, name) -> Signal:
    """As svZeroDSolver reads it: the period is the last time less the first; before the first time the first two values are extended."""
    values = given[key]
    if not (isinstance(values, list) and len(values) == 2 and values[0] == values[1] and type(values[0]) is float):  # the usual way to write a constant
        values = number_list(values, f"{key} of {name}")
        if len(values) == 1 or np.ptp(values) > EQUAL * np.abs(values).max():
            return _varying(given, values, key, name)
    times = given.get("t")
    if not (isinstance(times, list) and len(times) == len(values) and type(times[0]) is type(times[-1]) is float and 0 <= times[0] < times[-1] < math.inf):
        return _varying(given, number_list(values, f"{key} of {name}"), key, name)
    if not math.isfinite(values[0]) or (key == "P" and values[0] < 0):
        return _varying(given, number_list(values, f"{key} of {name}"), key, name)
    return Signal(START, np.array([float(values[0])]), float(values[0]), times[-1] - times[0])


def _varying(given, values, key, name):
    mean = float(values.mean())
    if key == "P" and mean < -EQUAL * np.abs(values).max():
        raise BadInput(f"P of {name} is negative ({mean:g} on average); give a pressure >= 0")
    if len(values) == 1:
        return Signal(START, values, mean, None)
    times = number_list(need(given, "t", name), f"t of {name}")
    if len(times) != len(values):
        raise BadInput(f"{name} has {len(times)} times and {len(values)} values of {key}; give as many")
    if times[0] < 0 or np.any(times[1:] < times[:-1]) or times[0] == times[-1]:
        raise BadInput(f"t of {name} must rise from 0 to the end of the cardiac cycle")
    period = float(times[-1] - times[0])
    if np.ptp(values) <= EQUAL * np.abs(values).max():
        return Signal(START, values[:1], mean, period)
    if times[0] > 0:
        if times[0] == times[1]:
            raise BadInput(f"t of {name} begins with two equal times after 0; begin at 0")
        first = values[0] - (values[1] - values[0]) / (times[1] - times[0]) * times[0]
        times, values = np.append(0.0, times), np.append(first, values)
    return Signal(times, values, mean, period)


def common_period(parameters: Mapping, conditions: dict[str, Conditions]) -> float | None:
    """The one length of all cycles; None where nothing gives it. BadInput where two differ."""
    known = {
        name: signal.period for group in conditions.values() for name, signal in zip(group.names, group.signals, strict=False) if signal.period is not None
    }
    if parameters.get("cardiac_period") is not None:
        known["cardiac_period"] = number(parameters["cardiac_period"], "cardiac_period")
    if not known:
        return None
    shortest, longest = min(known, key=known.get), max(known, key=known.get)
    if known[longest] - known[shortest] > EQUAL * known[longest]:
        raise BadInput(f"the cardiac cycle lasts {known[shortest]:g} in {shortest} and {known[longest]:g} in {longest}; give all one period")
    if known[longest] == 0:
        raise BadInput("cardiac_period is 0; give the length of the cardiac cycle")
    return known[longest]
