"""0-D networks in svZeroDSolver's JSON, in and out: the same names, the same layout of the result, steady and pulsatile.

Where every boundary condition is constant the answer is the steady state itself, solved at once. Otherwise time is marched as svZeroDSolver does, and the
result says whether the last cycle repeats the one before.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic_core import from_json

from ccta.errors import BadInput, StorageFailed
from cfd.zero_d import Timing, start_pulsatile
from cfd.zero_d_equations import Unknowns, number_unknowns, variable_names
from cfd.zero_d_reading import Network, read_network
from cfd.zero_d_steady import solve_steady
from cfd.zero_d_values import need, number

COLUMNS = ("flow_in", "flow_out", "pressure_in", "pressure_out")
PERIODIC = 0.01  # of a quantity's range over the cycle: the change from one cycle to the next that still counts as periodic
MOST_EXTRA_CYCLES = 1000


@dataclass(frozen=True)
class Output:
    """svZeroDSolver's output_* parameters."""

    interval: int = 1
    all_cycles: bool = False
    mean_only: bool = False
    derivative: bool = False
    variable_based: bool = False


@dataclass(frozen=True, eq=False)
class Answer:
    """columns: svZeroDSolver's result. cycle_change: largest change over the last two cycles, of the quantity's range; 0 when steady, None for one cycle."""

    columns: dict[str, list]
    cycles: int
    cycle_change: float | None

    @property
    def periodic(self) -> bool | None:
        """Whether the last cycle repeats the one before within PERIODIC; None where that is not known."""
        return None if self.cycle_change is None else self.cycle_change <= PERIODIC

    @property
    def summary(self) -> str:
        """One sentence on the state that was reached."""
        if self.cycles == 0:
            return "steady state"
        if self.cycle_change is None:
            return "1 cycle, so that nothing is known about periodicity; ask for 2 cycles or more"
        if self.periodic:
            return f"periodic: the last of {self.cycles} cycles changed by {100 * self.cycle_change:.2g} % of the range"
        return f"NOT periodic: the last of {self.cycles} cycles still changed by {100 * self.cycle_change:.2g} % of the range; raise number_of_cardiac_cycles"


def solve_network_file(source: Path, target: Path) -> Answer:
    """Reads, solves, writes the result (temporary name, then renamed): JSON columns, or CSV as svzerodsolver writes it where the target ends in .csv."""
    try:
        answer = solve_text(Path(source).read_bytes())
    except (OSError, BadJson) as error:
        raise BadInput(f"{source} is not a readable JSON file ({error})") from error
    except BadInput as error:
        raise BadInput(f"{source}: {error}") from error
    write_atomically(target, _csv(answer.columns) if Path(target).suffix == ".csv" else json.dumps(answer.columns))
    return answer


def write_atomically(target: Path, content: str) -> None:
    """Writes under a temporary name, then renames. StorageFailed where that cannot be done."""
    temporary = Path(target).with_name(Path(target).name + ".part")
    try:
        temporary.write_text(content)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageFailed(f"{target} could not be written ({error.strerror}); choose another place") from error


class BadJson(BadInput):
    """A text that is no JSON."""


def solve_text(content: str | bytes) -> Answer:
    """`solve_document` of svZeroDSolver's input as JSON; read by pydantic's parser, which takes 0.4 of the time of Python's own. BadJson as well."""
    try:
        document = from_json(content)
    except ValueError as error:
        raise BadJson(str(error)) from error
    return solve_document(document)


def solve_document(document: dict) -> Answer:
    """svZeroDSolver's input as a dictionary -> its result. BadInput for what is not a network, SolverFailed for one without a solution."""
    network = read_network(document)
    parameters = document.get("simulation_parameters") or {}
    if not isinstance(parameters, Mapping):
        raise BadInput('"simulation_parameters" is not an object')
    output = _output(parameters)
    rest_first = bool(parameters.get("steady_initial", True))
    if network.steady and rest_first:
        unknowns, state = solve_steady(network)
        timing = Timing(network.period or 1.0, _count(parameters, "number_of_time_pts_per_cardiac_cycle", 1, 1), 1)
        cycles = _count(parameters, "number_of_cardiac_cycles", 1, 1) if output.all_cycles else 1
        times = np.linspace(0.0, cycles * timing.period, (timing.points - 1) * cycles + 1)[:: output.interval]
        states = np.broadcast_to(state, (len(times), len(state)))
        return Answer(_layout(network, unknowns, output, (times, states, np.zeros_like(states) if output.derivative else states)), 0, 0.0)
    timing = _timing(network, parameters, rest_first)
    start = _start(document, network)
    return _pulsatile(network, timing, output, start, _wanted_change(parameters))


def _output(parameters):
    flags = {key: bool(parameters.get(f"output_{key}", False)) for key in ("all_cycles", "mean_only", "derivative", "variable_based")}
    return Output(_count(parameters, "output_interval", 1, 1), **flags)


def _count(parameters, key, default, least):
    value = need(parameters, key, "simulation_parameters") if default is None else parameters.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or value < least:
        raise BadInput(f"{key} is {value!r}; give a whole number >= {least}")
    return int(value)


def _timing(network, parameters, rest_first):
    rho = number(parameters.get("rho_infty", 0.5), "rho_infty")
    if rho > 1:
        raise BadInput(f"rho_infty is {rho:g}; it lies between 0 and 1")
    points, cycles = (_count(parameters, key, None, least) for key, least in (("number_of_time_pts_per_cardiac_cycle", 2), ("number_of_cardiac_cycles", 1)))
    wanted = _wanted_change(parameters)
    if wanted is not None and "RCR" in network.conditions:
        known = network.conditions["RCR"].constants
        cycles = max(1, math.ceil(-np.max(known["Rd"] * known["C"]) / (network.period or 1.0) * math.log(wanted)))  # Pfaller 2021, equation 21
    return Timing(network.period or 1.0, points, cycles, rho, rest_first)


def _wanted_change(parameters):
    """Fraction by which means may change from cycle to cycle, or None where the number of cycles is fixed."""
    if not parameters.get("use_cycle_to_cycle_error", False):
        return None
    percent = number(parameters.get("sim_cycle_to_cycle_percent_error", 1.0), "sim_cycle_to_cycle_percent_error")
    if not 0 < percent < 100:
        raise BadInput(f"sim_cycle_to_cycle_percent_error is {percent:g}; it lies between 0 and 100")
    return percent / 100


def _start(document, network: Network):
    """(values, rates) from "initial_condition" and "initial_condition_d": by svZeroDSolver's names of variables, or pressure_all and flow_all."""
    unknowns, state = number_unknowns(network), []
    for key in ("initial_condition", "initial_condition_d"):
        given = document.get(key) or {}
        if not isinstance(given, Mapping) or not all(isinstance(value, int | float) and math.isfinite(value) for value in given.values()):
            raise BadInput(f'"{key}" is not an object of finite numbers')
        values = np.zeros(unknowns.size)
        for name, index in variable_names(network, unknowns) if given else ():
            everywhere = {"flow": "flow_all", "pressure": "pressure_all"}.get(name.split(":", 1)[0]) if key == "initial_condition" else None
            if name in given or everywhere in given:
                values[index] = given.get(name, given.get(everywhere))
        state.append(values)
    return state[0], state[1]


def _pulsatile(network, timing: Timing, output: Output, start, wanted) -> Answer:
    unknowns, steps, cycles = number_unknowns(network), timing.points - 1, timing.cycles
    ready = start_pulsatile(network, timing, start)
    first = 0 if output.all_cycles else steps * max(cycles - 2, 0)
    states, rates = ready.march(cycles, first)
    if wanted is not None and "RCR" not in network.conditions:
        while cycles < timing.cycles + MOST_EXTRA_CYCLES and _mean_change(network, unknowns, states, steps) > wanted:
            more, faster = replace(ready, values=states[-1], rates=rates[-1]).march(1)
            drop = 0 if output.all_cycles or len(states) <= 2 * steps else steps
            states, rates = np.vstack([states[drop:], more[1:]]), np.vstack([rates[drop:], faster[1:]])
            cycles += 1
    shown = np.arange(0 if output.all_cycles else len(states) - 1 - steps, len(states), output.interval)
    series = (timing.step * (shown - shown[0]), states[shown], rates[shown])
    return Answer(_layout(network, unknowns, output, series), cycles, _cycle_change(states, steps))


def _mean_change(network, unknowns, states, steps):
    """Largest relative change of a mean flow or pressure at the ends of the network over the last two cycles; infinite with one cycle."""
    if len(states) < 2 * steps + 1:
        return np.inf
    nodes = np.concatenate([group.nodes for group in network.conditions.values()])
    ends = states[:, np.concatenate([unknowns.flow[nodes], unknowns.pressure[nodes]])]
    before, after = ends[-2 * steps - 1 : -steps].mean(axis=0), ends[-steps - 1 :].mean(axis=0)
    return np.max(np.abs(after - before) / np.maximum(np.abs(before), 1e-300))


def _cycle_change(states, steps):
    """Largest change from the last cycle but one to the last, of the range of its quantity; None with one cycle.

    What varies by less than a thousandth of its size is compared with that.
    """
    if len(states) < 2 * steps + 1:
        return None
    before, after = states[-2 * steps - 1 : -steps], states[-steps - 1 :]
    scale = np.maximum(np.ptp(after, axis=0), 1e-3 * np.abs(after).max(axis=0))
    return float(np.max(np.abs(after - before).max(axis=0) / np.where(scale > 0, scale, 1.0)))


def _layout(network: Network, unknowns: Unknowns, output: Output, series) -> dict[str, list]:
    """svZeroDSolver's columns: per vessel, or per variable, its times one after the other; the mean over them has no time."""
    times, states, rates = series
    if output.variable_based:
        names, indices = zip(*variable_names(network, unknowns), strict=True)
        parts = {"y": np.array(indices)}
        derivatives = {"ydot": parts["y"]}
    else:
        (q_in, q_out), (p_in, p_out) = unknowns.flow[network.ends].T, unknowns.pressure[network.ends].T
        names, parts = network.names, dict(zip(COLUMNS, (q_in, q_out, p_in, p_out), strict=True))
        derivatives = {f"d_{key}": index for key, index in parts.items()}
    if output.mean_only:
        states, rates = states.mean(axis=0, keepdims=True), rates.mean(axis=0, keepdims=True)
    stamps = [None] if output.mean_only else times.tolist()
    columns = {"name": [name for name in names for _ in stamps], "time": stamps * len(names)}
    columns |= {key: states[:, index].T.ravel().tolist() for key, index in parts.items()}
    return columns | ({key: rates[:, index].T.ravel().tolist() for key, index in derivatives.items()} if output.derivative else {})


def _csv(columns):
    rows = zip(*columns.values(), strict=True)
    lines = (",".join("" if one is None else one if isinstance(one, str) else f"{one:.16e}" for one in row) for row in rows)
    return "\n".join([",".join(columns), *lines, ""])
