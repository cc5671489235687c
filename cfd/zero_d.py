"""0-D blood flow in time: the generalised-alpha method (Jansen 2000), Newton's method in each step, numba.

The same scheme as svZeroDSolver's, so that both give the same numbers; Newton stops at a relative residual instead of an absolute one, so that the unit
system does not matter.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from ccta.errors import SolverFailed
from cfd.sparse_lu import factorise, plan_pivots, room_for, substitute
from cfd.zero_d_equations import System, equations, forcing, number_unknowns
from cfd.zero_d_reading import Network

TOLERANCE = 1e-9  # of each equation's residual, relative to the sum of its terms
KEPT = 1e-3  # of the residual: a step that leaves less keeps its factors for the next one
MOST_ITERATIONS = 60
TINY = 1e-300
STARTING_STEPS, STEPS_OF_A_PERIOD = 31, 10  # svZeroDSolver's way to its first state
PUSH = 1e-3  # of the flow that the largest pressure would drive through a stenosis alone: slope where Newton starts at rest without a resistance


@dataclass(frozen=True, eq=False)
class Timing:
    """period; points: per cycle, both ends counted; cycles; rho: spectral radius at infinite frequency; rest_first: start from the flow of the mean signals."""

    period: float
    points: int
    cycles: int
    rho: float = 0.5
    rest_first: bool = True

    @property
    def step(self) -> float:
        return self.period / (self.points - 1)


@dataclass(frozen=True, eq=False)
class Pulsatile:
    """A network ready to be marched in time from a state: (n,) values and their (n,) rates of change. signals: (points - 1, S) of one period."""

    system: System
    timing: Timing
    signals: np.ndarray
    values: np.ndarray
    rates: np.ndarray

    def march(self, cycles: int, first_kept: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """((T, n) values, (T, n) rates of change) at the points first_kept to cycles (points - 1)."""
        scheme = (self.timing.step, self.timing.rho, (self.timing.points - 1) * cycles, first_kept)
        states, rates, failed = march(self.system, scheme, self.values, self.rates, self.signals)
        _refuse(failed, self.timing.step, "")
        return states, rates


def start_pulsatile(network: Network, timing: Timing, start: tuple[np.ndarray, np.ndarray]) -> Pulsatile:
    """start: values and rates, 0 for rest; the steady march comes first unless the timing says otherwise."""
    unknowns, offsets = number_unknowns(network), _no_offsets(network)
    y, rate = start
    if timing.rest_first:
        resting = equations(network, unknowns, True, offsets)
        scheme = (timing.period / STEPS_OF_A_PERIOD, timing.rho, STARTING_STEPS, STARTING_STEPS)
        states, rates, failed = march(resting, scheme, y, rate, forcing(network, None))
        _refuse(failed, scheme[0], "of the steady start ")
        y, rate = states[0], rates[0]
    system = equations(network, unknowns, False, _muscle_offsets(network, unknowns, (y, rate), timing.rest_first))
    middle = (np.arange(timing.points - 1) + 1 / (1 + timing.rho)) * timing.step
    return Pulsatile(system, timing, forcing(network, np.fmod(middle, timing.period)), y, rate)


def _refuse(failed, step, what):
    if failed:
        raise SolverFailed(
            f"the network could not be solved in time step {failed} {what}(step {step:g}): its equations have no single solution there, or Newton's method "
            "did not settle; check for parts without pressure or resistance at any end, and take more time points per cycle"
        )


def _no_offsets(network):
    return np.zeros(len(network.conditions["CORONARY"].names) if "CORONARY" in network.conditions else 0)


def _muscle_offsets(network, unknowns, state, rest_first):
    """Pim at the start less the pressure that the first state has inside the muscle, per CORONARY."""
    if "CORONARY" not in network.conditions:
        return _no_offsets(network)
    group, (y, rate) = network.conditions["CORONARY"], state
    q, p, known = unknowns.flow[group.nodes], unknowns.pressure[group.nodes], group.constants
    small = y[q] - known["Ca"] * (rate[p] - known["Ra1"] * rate[q])
    inside = y[p] - known["Ra1"] * y[q] - known["Ra2"] * small
    return np.array([signal.mean if rest_first else signal.values[0] for signal in group.signals]) - inside


class _Room(NamedTuple):
    """Vectors that every step writes anew: c, values and rates in the middle of a step, residual and size of the terms of each equation, change of the rates;
    derivatives at the places of the matrix; terms of the stenoses and their derivatives."""

    constant: np.ndarray
    y: np.ndarray
    rate: np.ndarray
    residual: np.ndarray
    terms: np.ndarray
    change: np.ndarray
    slopes: np.ndarray
    items: np.ndarray
    item_slopes: np.ndarray


@njit(cache=True)
def march(system, scheme, y, rate, signals):
    """((T, n) values, (T, n) rates, 0 or the number of the step that failed), of the steps first_kept to count. scheme: step, rho, count, first_kept.

    signals: (P, S) what the forced rows get in the steps of one period, over and over.
    """
    step, rho, count, first_kept = scheme
    alpha_m, alpha_f = 0.5 * (3.0 - rho) / (1.0 + rho), 1.0 / (1.0 + rho)
    slope = (alpha_m, alpha_f * (0.5 + alpha_m - alpha_f) * step)  # of rate and value in the middle of the step over that of the rate at its end
    size, stenoses = len(y), len(system.item_row)
    states, rates = np.empty((count + 1 - first_kept, size)), np.empty((count + 1 - first_kept, size))
    y, rate, push = y.copy(), rate.copy(), _push(system, signals)
    v = np.zeros((6, size))
    room = _Room(v[0], v[1], v[2], v[3], v[4], v[5], np.zeros(len(system.row)), np.zeros(stenoses), np.zeros(stenoses))
    if first_kept == 0:
        states[0], rates[0] = y, rate
    _begin(system, (y, rate, alpha_f * step), signals[0], push, room)
    plan, factors, singular = _replan(system, slope, room)
    for k in range(count):
        _begin(system, (y, rate, alpha_f * step), signals[k % len(signals)], push, room)
        settled = not singular and _newton(system, slope, room, plan, factors)
        if not settled and not singular:  # its pivots may have become poor
            _begin(system, (y, rate, alpha_f * step), signals[k % len(signals)], push, room)
            plan, factors, singular = _replan(system, slope, room)
            settled = not singular and _newton(system, slope, room, plan, factors)
        if not settled:
            return states, rates, k + 1
        for i in range(size):
            y[i] += (room.y[i] - y[i]) / alpha_f
            rate[i] += (room.rate[i] - rate[i]) / alpha_m
        if k + 1 >= first_kept:
            states[k + 1 - first_kept], rates[k + 1 - first_kept] = y, rate
    return states, rates, 0


@njit(cache=True)
def _push(system, signals):
    """(M,) flow to start Newton from in stenoses at rest, where they have no slope, which may leave a part undetermined."""
    largest = max(np.abs(signals).max() if signals.size else 0.0, np.abs(system.constant).max())
    push = np.zeros(len(system.item_s))
    for m in range(len(push)):
        if system.item_s[m] != 0.0:
            push[m] = PUSH * np.sqrt(largest / abs(system.item_s[m]))
    return push


@njit(cache=True)
def _begin(system, state, signal, push, room):
    """Fills c of the step and Newton's first guess of its middle: the old rates go on."""
    y, rate, part = state
    for i in range(len(y)):
        room.constant[i] = system.constant[i]
        room.y[i] = y[i] + part * rate[i]
        room.rate[i] = rate[i]
    for s in range(len(system.forced_row)):
        room.constant[system.forced_row[s]] += signal[s]
    for m in range(len(push)):
        if room.y[system.item_column[m]] == 0.0:
            room.y[system.item_column[m]] = push[m]


@njit(cache=True)
def _replan(system, slope, room):
    """(plan, factors, singular) for the derivatives at the present guess; the factors are made."""
    _slopes(system, slope, room)
    plan, singular = plan_pivots(len(room.y), system.row, system.column, room.slopes)
    factors = room_for(plan)
    return plan, factors, singular or not factorise(plan, factors, room.slopes)


@njit(cache=True)
def _newton(system, slope, room, plan, factors):
    """Whether no equation is off by more than TOLERANCE in the end; changes room.y and room.rate.

    A linear system takes one step, its factors being there. Otherwise factors are made once and kept while each step takes the residual down to less than
    KEPT of what it was. A step leaves nothing of the linear terms, so that only the stenoses are evaluated again.
    """
    linear, made = len(system.item_row) == 0, False
    worst = _residual(system, room)
    for _ in range(MOST_ITERATIONS):
        if worst <= TOLERANCE:
            return True
        if not linear and not made:
            _slopes(system, slope, room)
            if not factorise(plan, factors, room.slopes):
                return False
        substitute(plan, factors, room.residual, room.change)
        for i in range(len(room.y)):
            room.rate[i] -= slope[0] * room.change[i]
            room.y[i] -= slope[1] * room.change[i]
        if linear:
            return np.all(np.isfinite(room.y))
        before, worst = worst, _left_by_stenoses(system, room)
        if not np.isfinite(worst):
            return False
        made = worst < KEPT * before
    return False


@njit(cache=True)
def _item(system, m, room):
    q = room.y[system.item_column[m]]
    return abs(q) * (system.item_s[m] * q + system.item_b[m] * room.rate[system.item_column[m]])


@njit(cache=True, fastmath={"contract"})
def _residual(system, room):
    """Fills residual, terms and items; the largest residual relative to the sum of the sizes of its equation's terms."""
    residual, terms = room.residual, room.terms
    for i in range(len(residual)):
        residual[i], terms[i] = room.constant[i], abs(room.constant[i]) + TINY
    for z in range(len(system.row)):
        term = system.e[z] * room.rate[system.column[z]] + system.f[z] * room.y[system.column[z]]
        residual[system.row[z]] += term
        terms[system.row[z]] += abs(term)
    for m in range(len(room.items)):
        room.items[m] = _item(system, m, room)
        residual[system.item_row[m]] += room.items[m]
        terms[system.item_row[m]] += abs(room.items[m])
    worst = 0.0
    for i in range(len(residual)):
        worst = max(worst, abs(residual[i]) / terms[i])
    return worst


@njit(cache=True, fastmath={"contract"})
def _left_by_stenoses(system, room):
    """Fills the residual that a Newton step leaves, all of it by the stenoses, and their items; the largest as in `_residual`."""
    room.residual[:] = 0.0
    worst = 0.0
    for m in range(len(room.items)):
        now = _item(system, m, room)
        room.residual[system.item_row[m]] += now - room.items[m] + room.item_slopes[m] * room.change[system.item_column[m]]
        room.items[m] = now
    for row in system.item_row:
        worst = max(worst, abs(room.residual[row]) / room.terms[row])
    return worst


@njit(cache=True, fastmath={"contract"})
def _slopes(system, slope, room):
    """Fills the derivatives of the stenoses' terms and of the equations by the rates at the end of the step."""
    for z in range(len(room.slopes)):
        room.slopes[z] = slope[0] * system.e[z] + slope[1] * system.f[z]
    for m in range(len(room.items)):
        q, dq, s, b = room.y[system.item_column[m]], room.rate[system.item_column[m]], system.item_s[m], system.item_b[m]
        room.item_slopes[m] = slope[1] * (2.0 * s * abs(q) + b * np.sign(q) * dq) + slope[0] * b * abs(q)
        room.slopes[system.item_place[m]] += room.item_slopes[m]
