"""0-D blood flow in time: the generalised-alpha method (Jansen 2000), Newton's method in each step, numba.

The same scheme as svZeroDSolver's, so that both give the same numbers; Newton stops at a relative residual instead of an absolute one, so that the unit
system does not matter.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from ccta.errors import SolverFailed
from cfd.sparse_lu import factorise, plan_pivots, room_for, substitute
from cfd.zero_d_equations import System, Unknowns, equations, forcing, number_unknowns
from cfd.zero_d_reading import Network

TOLERANCE = 1e-10  # of each equation's residual, relative to the sum of its terms
KEPT = 1e-3
MOST_ITERATIONS = 60
TINY = 1e-300
ITERATIONS_OF_A_PLAN = 12  # then the pivots are chosen anew
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


def solve_steady(network: Network) -> tuple[Unknowns, np.ndarray]:
    """(unknowns, (n,) their values) of the steady state under the mean signals. SolverFailed where the equations have no single solution."""
    unknowns = number_unknowns(network)
    system = equations(network, unknowns, True, _no_offsets(network))
    still = system._replace(e=np.zeros_like(system.e), item_b=np.zeros_like(system.item_b))
    zero = np.zeros(unknowns.size)
    states, _, failed = _march(still, (1.0, 0.0, 1, 1), zero, zero, forcing(network, None))
    if failed:
        raise SolverFailed("the network's equations have no single solution: a part has no pressure or resistance at any end")
    return unknowns, states[0]


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
        states, rates, failed = _march(self.system, scheme, self.values, self.rates, self.signals)
        _refuse(failed, self.timing.step, "")
        return states, rates


def start_pulsatile(network: Network, timing: Timing, start: tuple[np.ndarray, np.ndarray]) -> Pulsatile:
    """start: values and rates, 0 for rest; the steady march comes first unless the timing says otherwise."""
    unknowns, offsets = number_unknowns(network), _no_offsets(network)
    y, rate = start
    if timing.rest_first:
        resting = equations(network, unknowns, True, offsets)
        scheme = (timing.period / STEPS_OF_A_PERIOD, timing.rho, STARTING_STEPS, STARTING_STEPS)
        states, rates, failed = _march(resting, scheme, y, rate, forcing(network, None))
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


@njit(cache=True)
def _march(system, scheme, y, rate, signals):
    """((T, n) values, (T, n) rates, 0 or the number of the step that failed), of the steps first_kept to count. scheme: step, rho, count, first_kept.

    signals: (P, S) what the forced rows get in the steps of one period, over and over.
    """
    step, rho, count, first_kept = scheme
    alpha_m, alpha_f = 0.5 * (3.0 - rho) / (1.0 + rho), 1.0 / (1.0 + rho)
    slope = (alpha_m, alpha_f * (0.5 + alpha_m - alpha_f) * step)  # of rate and value in the middle of the step over that of the rate at its end
    states, rates = np.empty((count + 1 - first_kept, len(y))), np.empty((count + 1 - first_kept, len(y)))
    y, rate, constant, push = y.copy(), rate.copy(), system.constant.copy(), _push(system, signals)
    if first_kept == 0:
        states[0], rates[0] = y, rate
    middle = (y + alpha_f * step * rate, rate.copy())
    _set_in_motion(system, middle[0], push)
    slopes = _slopes(system, slope, _item_slopes(system, slope, middle[0], middle[1]))
    plan, singular = plan_pivots(len(y), system.row, system.column, slopes)
    if singular:
        return states, rates, 1
    factors = room_for(plan)
    factorise(plan, factors, slopes)
    for k in range(count):
        constant[:] = system.constant
        for s in range(len(system.forced_row)):
            constant[system.forced_row[s]] += signals[k % len(signals), s]
        middle = (y + alpha_f * step * rate, rate.copy())
        _set_in_motion(system, middle[0], push)
        settled, plan, factors = _newton(system, constant, slope, middle, (plan, factors))
        if not settled:
            return states, rates, k + 1
        y += (middle[0] - y) / alpha_f
        rate += (middle[1] - rate) / alpha_m
        if k + 1 >= first_kept:
            states[k + 1 - first_kept], rates[k + 1 - first_kept] = y, rate
    return states, rates, 0


@njit(cache=True)
def _push(system, signals):
    """(M,) flow to start Newton from in stenoses at rest."""
    largest = max(np.abs(signals).max() if signals.size else 0.0, np.abs(system.constant).max())
    push = np.zeros(len(system.item_s))
    for m in range(len(push)):
        if system.item_s[m] != 0.0:
            push[m] = PUSH * np.sqrt(largest / abs(system.item_s[m]))
    return push


@njit(cache=True)
def _set_in_motion(system, y, push):
    """At rest a stenosis has no slope, which leaves a part without resistance undetermined: Newton's first guess gets a little flow there."""
    for m in range(len(push)):
        if y[system.item_column[m]] == 0.0:
            y[system.item_column[m]] = push[m]


@njit(cache=True)
def _newton(system, constant, slope, middle, solver):
    """(settled, plan, factors): changes `middle`, (values, rates), until no equation is off by more than TOLERANCE.

    A linear system takes one step, its factors being there. Otherwise factors are made once and kept while each step takes the residual down to less than
    KEPT of what it was. A step leaves nothing of the linear terms, so that only the stenoses are evaluated again.
    """
    y, rate = middle
    plan, factors = solver
    linear, change, made = len(system.item_row) == 0, np.empty(len(y)), False
    residual, terms, items = _residual(system, constant, y, rate)
    worst = np.max(np.abs(residual) / terms)
    used = np.zeros(len(items))
    for iteration in range(MOST_ITERATIONS):
        if worst <= TOLERANCE:
            return True, plan, factors
        if not linear and not made:
            used = _item_slopes(system, slope, y, rate)
            slopes = _slopes(system, slope, used)
            if iteration == ITERATIONS_OF_A_PLAN or not factorise(plan, factors, slopes):
                plan, singular = plan_pivots(len(y), system.row, system.column, slopes)
                factors = room_for(plan)
                if singular or not factorise(plan, factors, slopes):
                    break
        substitute(plan, factors, residual, change)
        rate -= slope[0] * change
        y -= slope[1] * change
        if linear:
            return np.all(np.isfinite(y)), plan, factors
        before, worst = worst, 0.0
        residual[:] = 0.0
        for m in range(len(items)):
            row, now = system.item_row[m], _item(system, m, y, rate)
            residual[row] += now - items[m] + used[m] * change[system.item_column[m]]
            items[m] = now
        for row in system.item_row:
            worst = max(worst, abs(residual[row]) / terms[row])
        if not np.isfinite(worst):
            break
        made = worst < KEPT * before
    return False, plan, factors


@njit(cache=True)
def _item(system, m, y, rate):
    q = y[system.item_column[m]]
    return abs(q) * (system.item_s[m] * q + system.item_b[m] * rate[system.item_column[m]])


@njit(cache=True)
def _item_slopes(system, slope, y, rate):
    """(M,) derivative of each stenosis' term by the rate of its flow at the end of the step."""
    result = np.empty(len(system.item_row))
    for m in range(len(result)):
        q, dq, s, b = y[system.item_column[m]], rate[system.item_column[m]], system.item_s[m], system.item_b[m]
        result[m] = slope[1] * (2.0 * s * abs(q) + b * np.sign(q) * dq) + slope[0] * b * abs(q)
    return result


@njit(cache=True, fastmath={"contract"})
def _residual(system, constant, y, rate):
    """(n,) residual, (n,) sum of the sizes of each equation's terms, (M,) terms of the stenoses."""
    residual, terms, items = constant.copy(), np.abs(constant) + TINY, np.empty(len(system.item_row))
    for z in range(len(system.row)):
        term = system.e[z] * rate[system.column[z]] + system.f[z] * y[system.column[z]]
        residual[system.row[z]] += term
        terms[system.row[z]] += abs(term)
    for m in range(len(items)):
        items[m] = _item(system, m, y, rate)
        residual[system.item_row[m]] += items[m]
        terms[system.item_row[m]] += abs(items[m])
    return residual, terms, items


@njit(cache=True, fastmath={"contract"})
def _slopes(system, slope, item_slopes):
    """(Z,) derivative of the equations by the rates at the end of the step."""
    slopes = slope[0] * system.e + slope[1] * system.f
    for m in range(len(item_slopes)):
        slopes[system.item_place[m]] += item_slopes[m]
    return slopes
