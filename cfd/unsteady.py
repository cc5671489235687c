"""Pulsatile flow in a lumen mesh: the everyday solver's elements in time, with coronary outlets, until one cycle repeats the one before.

    rho (du/dt + u . grad u) + grad p - mu laplace u = 0,   div u = 0;   rigid wall;   inlet mean pressure p(t);   outlets of `cfd.coronary_outlets`

Second-order backward differences (the first step: Euler), Newton's method from the extrapolated state; the outlets take the same steps, so that each is
p0 + r Q within a step and enters the equations exactly. Solved for the step of the steady solver's linear system, coarse space included. A Jacobian with its
factors serves for as many steps as it leads on well enough: making them costs as much as four iterations with old ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numba import get_num_threads
from threadpoolctl import threadpool_limits

from ccta.errors import SolverFailed
from cfd.coronary_outlets import CoronaryOutlets
from cfd.flow_problem import LENGTH_M, SPEED_M_S, FlowSolution
from cfd.steady import SteadySettings
from cfd.steady_system import SteadySystem
from cfd.wall_shear import wall_shear_pa

FLOW = SPEED_M_S * LENGTH_M**2
TIME_S = LENGTH_M / SPEED_M_S
"""The solver's own units of flow and time."""


@dataclass(frozen=True)
class UnsteadySettings:
    """How time is marched."""

    step_s: float = 0.02  # of a cycle of 0.8 s; halving it moved FFR behind a 50 % stenosis by 0.0001
    most_cycles: int = 8
    periodic: float = 0.001  # largest change of an outlet's flow in a quarter from one cycle to the next, of its range
    residual: float = 0.02  # of a step, against a hundredth of the pressures' force on blood at rest; flows then stand to about 1e-3
    linear_tolerance: tuple[float, float] = (0.01, 0.1)  # within it, no more than half of what a step still lacks
    patience: float = 2.0  # iterations that are expected to lie ahead, from the last one's gain, before the Jacobian is renewed
    most_newton: int = 12
    most_iterations: int = 80


@dataclass(frozen=True, eq=False)
class Cycle:
    """The last cycle in the order of its times, wherever in it the march ended. time_s: (T,). inflow_m3_s, inlet_pa: (T,). flow_m3_s, pressure_pa: (T, O) of
    the outlets. change: of the outlets' flows in the last quarter from that quarter a cycle before, of their range. cycles: all, in quarters.
    """

    time_s: np.ndarray
    inflow_m3_s: np.ndarray
    inlet_pa: np.ndarray
    flow_m3_s: np.ndarray
    pressure_pa: np.ndarray
    change: float
    cycles: float


class PulsatileFlow:
    """system: of the steady flow, in whose state the march begins. inlet_pa: pressure at a time, s. outlets: in the system's order."""

    def __init__(self, system: SteadySystem, outlets: CoronaryOutlets, inlet_pa: Callable[[float], float], settings: UnsteadySettings | None = None):
        self.system, self.outlets, self.inlet_pa, self.settings = system, outlets, inlet_pa, settings or UnsteadySettings()
        steady = SteadySettings()
        system.tune(steady.streamline, steady.grad_div, steady.backflow, steady.parts or get_num_threads())
        self.newton_steps = self.iterations = self.jacobians = 0

    def until_periodic(self, period_s: float, progress: Callable[[str, float], None] | None = None) -> tuple[Cycle, np.ndarray]:
        """(last cycle, (N, 4) mean state over it). SolverFailed where a step fails or no cycle repeats the one before.

        What the start was off by has died down in a quarter that repeats itself a cycle later, and so in all that followed: the last cycle began there.
        """
        tell, settings = progress or (lambda text, share: None), self.settings
        count = max(1, ceil(period_s / settings.step_s / 4 - 1e-9))  # steps of a quarter
        self.dt = period_s / (4 * count)
        self._begin(period_s)
        rows, means = [], []
        with threadpool_limits(1, user_api="blas"):
            for quarter in range(4 * settings.most_cycles):
                means = [*means[-3:], np.zeros_like(self.system.state)]
                for k in range(quarter % 4 * count + 1, (quarter % 4 + 1) * count + 1):
                    self._advance(k * self.dt)
                    rows.append(self._row(k * self.dt))
                    means[-1] += self.system.state / (4 * count)
                    tell(f"3-D flow: cycle {quarter // 4 + 1}, {1e3 * k * self.dt:.0f} ms", min(0.99, len(rows) / (8 * count)))
                found = _cycle(rows, count)
                if found.change <= settings.periodic:
                    return found, sum(means)
        said = f"the 3-D flow did not become periodic in {settings.most_cycles} cycles"
        raise SolverFailed(f"{said}: a quarter of one still changed by {100 * found.change:.2g} % of the range")

    def _begin(self, period_s):
        """The outlets start from their own periodic states behind the resistances that the steady flow found before them."""
        system = self.system
        drop, flow = system.aortic - system.outlet_pressure(system.state), system.outflow(system.state)
        before = np.maximum(drop, 0.0) / np.maximum(flow, 1e-30) * system.pressure_pa / FLOW
        behind = replace(self.outlets, resistance_pa_s_m3=self.outlets.resistance_pa_s_m3 + np.outer([1, 0, 0], before))
        states = behind.started(lambda time: self.inlet_pa(time % period_s), period_s)
        self.known, self.flows, self.states = [system.state.copy()], [system.flow], [states]
        self.prepared, system.rate = None, 0.0

    def _row(self, time_s):
        system = self.system
        flow = system.outflow(system.state)
        return time_s, system.flow * FLOW, self.inlet_pa(time_s), flow * FLOW, system.outlet_pressure(system.state) * system.pressure_pa

    def _advance(self, time_s):
        """One step of BDF2, or of Euler where only one state is known."""
        system, second = self.system, len(self.known) > 1
        rate = (1.5 if second else 1.0) / self.dt
        past = [_past(known, self.dt) for known in ([one[:, :3] for one in self.known], self.states)]
        level, slope = self.outlets.behind(time_s, rate, past[1])
        system.distal, system.resistance = level / system.pressure_pa, slope * FLOW / system.pressure_pa
        system.aortic = self.inlet_pa(time_s) / system.pressure_pa
        if rate * TIME_S != system.rate:
            self.prepared = None
        system.rate, system.past = rate * TIME_S, past[0] * TIME_S
        if second:
            system.state = 2 * self.known[-1] - self.known[-2]
            system.flow = 2 * self.flows[-1] - self.flows[-2]
        self._newton(time_s)
        flow = system.outflow(system.state) * FLOW
        states = self.outlets.states(time_s, rate, past[1], flow)
        self.known, self.flows = [self.known[-1], system.state.copy()], [self.flows[-1], system.flow]
        self.states = [self.states[-1], states]

    def _newton(self, time_s):
        """Newton's method, as a rule with the Jacobian of an earlier iteration or step."""
        system, settings = self.system, self.settings
        wanted = settings.residual * 0.01 * system.norm(system.residual(system.at_rest(), wanted=False))
        right = system.residual(system.state, wanted=False)
        now = system.norm(right)
        for _ in range(settings.most_newton):
            if now < wanted:
                return
            fresh = self.prepared is None
            if fresh:
                right = system.residual(system.state)
                self.prepared, self.jacobians = system.prepare(), self.jacobians + 1
            tolerance = float(np.clip(0.5 * wanted / now, *settings.linear_tolerance))
            change, iterations, left = system.solve(-right, tolerance, settings.most_iterations, self.prepared)
            self.newton_steps, self.iterations = self.newton_steps + 1, self.iterations + iterations
            kept = system.state, system.flow, right, now
            system.state, system.flow = system.advanced(change)
            right = system.residual(system.state, wanted=False)
            before, now = now, system.norm(right)
            if not now < 2 * before and not fresh:  # from there again, with a Jacobian of its own
                (system.state, system.flow, right, now), self.prepared = kept, None
                continue
            if not np.isfinite(left):
                break
            if now > wanted and _ahead(now / wanted, now / before) > settings.patience:
                self.prepared = None
        if not now < 10 * wanted:
            raise SolverFailed(f"the 3-D flow could not be advanced to {time_s:.3f} s; use a shorter step or the 0-D model (--model pulsatile)")


def _ahead(excess: float, gain: float) -> float:
    """Iterations until a residual that is `excess` times too large is small enough, each of which leaves the share `gain` of it."""
    return np.log(excess) / -np.log(gain) if gain < 1 else np.inf


def _past(known: list[np.ndarray], dt: float) -> np.ndarray:
    """What d/dt x = rate x - past needs of the states before."""
    return (2 * known[-1] - 0.5 * known[-2]) / dt if len(known) > 1 else known[-1] / dt


def _cycle(rows, quarter: int) -> Cycle:
    """The last cycle of rows, `quarter` of which are a quarter of it."""
    columns = [np.array(column) for column in zip(*rows[-4 * quarter :], strict=True)]
    time, inflow, inlet, flow, pressure = (column[np.argsort(columns[0])] for column in columns)
    change, first = np.inf, len(rows) - 5 * quarter
    if first >= 0:
        spread = np.maximum(np.ptp(flow, axis=0), 1e-3 * np.abs(flow).max(axis=0))
        before, last = (np.array([row[3] for row in part]) for part in (rows[first : first + quarter], rows[-quarter:]))
        change = float((np.abs(last - before).max(axis=0) / np.maximum(spread, 1e-30)).max())
    return Cycle(time, inflow, inlet, flow, pressure, change, len(rows) / (4 * quarter))


def mean_solution(flow: PulsatileFlow, cycle: Cycle, mean: np.ndarray, mesh) -> FlowSolution:
    """The cycle's means as a solution, like a steady one. Wall shear stress: of the mean velocity."""
    system, names = flow.system, (flow.system.inlet, *flow.system.outlets)
    entering, leaving = cycle.inflow_m3_s.mean(), cycle.flow_m3_s.mean(axis=0)
    at_points = system.at_points(mean)
    pressures = [cycle.inlet_pa.mean(), *cycle.pressure_pa.mean(axis=0)]
    return FlowSolution(
        mesh=mesh,
        velocity_m_s=at_points[:, :3] * SPEED_M_S,
        pressure_pa=at_points[:, 3] * system.pressure_pa,
        port_pressure_pa=dict(zip(names, map(float, pressures), strict=True)),
        port_flow_m3_s=dict(zip(names, map(float, [entering, *leaving]), strict=True)),
        mass_error=float(np.abs(cycle.inflow_m3_s - cycle.flow_m3_s.sum(axis=1)).max() / abs(entering)),
        residual=(),
        criterion=f"periodic after {cycle.cycles:g} cycles: a quarter changed by {100 * cycle.change:.2g} % of the flows' range from one cycle to the next",
        wall_shear_pa=system.at_points(wall_shear_pa(system.space, mean[:, :3], system.viscosity_pa_s)),
    )
