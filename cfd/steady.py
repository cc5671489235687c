"""Steady flow in a lumen mesh, fast: stabilised elements of equal order, Newton's method in pseudo-time, two-level GMRES. The everyday 3-D solver.

    rho u . grad u + grad p - mu laplace u = 0,   div u = 0;   wall u = 0;   inlet mean pressure = aortic;   outlet p = P_d + R Q

From the reduced model's flow, through blood of 4, 2 and 1.4 times the viscosity, to the patient's. Where the jet of a narrowing never comes to rest the
blood stays thicker there, and only there: a crude model of what the eddies would do. Each step solves the Jacobian with the mass of a
pseudo-time step that grows as the residual falls (Kelley and Keyes, SIAM J Numer Anal 1998;35:508): an implicit march at first, Newton's method at the end.
Whether the flow is stable in time is not examined. `cfd.navier_stokes` solves the same equations with DOLFINx's Taylor-Hood elements.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numba import get_num_threads, set_num_threads
from threadpoolctl import threadpool_limits

from ccta.errors import SolverFailed
from ccta.threads import thread_count
from cfd.flow_problem import LENGTH_M, SPEED_M_S, AxisFlow, FlowBoundary, FlowSolution, Fluid
from cfd.flow_space import flow_space
from cfd.mesh import FlowMesh
from cfd.steady_system import SteadySystem
from cfd.wall_shear import wall_shear_pa

LAST_TOLERANCE = 0.1  # of the usual linear one in the last step: some iterations more, for mass to be kept, are cheaper than a step
LIKELY = 2.0  # times the tolerance: a step that is expected below it is mostly the last


@dataclass(frozen=True)
class SteadySettings:
    """How the steady state is sought."""

    degree: int = 2  # of velocity and pressure; on a right coronary tree degree 1 needed 12 times the elements and read FFR 0.004 lower still
    tolerance: float = 1e-4  # of the residual, against that of blood at rest; the inflow stands to 1e-4 from 5e-3 on
    mass_tolerance: float = 1e-6  # what enters and does not leave, as a share of the inflow
    ramp: tuple[float, ...] = (4.0, 2.0, 1.4)  # viscosities, times the patient's, on the way
    ramp_tolerance: float = 1e-2  # a guess need not be better
    jet_viscosity: tuple[float, ...] = (1.4, 2.0, 3.0)  # in the jets alone, where the patient's gives no steady flow; the criterion says so
    first_courant: float = 200.0  # times each cell's own time scale
    growth: float = 4.0  # of the pseudo-time step, at most
    linear_tolerance: float = 0.05
    most_steps: int = 60
    most_iterations: int = 60  # of GMRES, before the pseudo-time step is shortened
    streamline: float = 1.0  # of the usual SUPG/PSPG time scale: it damps what the mesh cannot carry; with 0.5 the jet of a 60 % stenosis did not settle
    grad_div: float = 0.05  # of the usual grad-div viscosity; 1 would raise a tube's gradient by 10 %
    backflow: float = 0.5  # share of the incoming momentum that the outlets resist; 0.5 bounds the energy; idle where nothing flows back
    settled: float = 2e-4  # where a jet never comes to rest: accepted once every outlet's flow has moved by less than this share of it in five steps
    settled_residual: float = 5e-3  # and the residual is below this
    parts: int = 0  # of the incomplete factorisation, one per thread; 0: as many as there are threads (OMP_NUM_THREADS, else all free cores)


def solve_steady(
    mesh: FlowMesh, boundary: FlowBoundary, fluid: Fluid, axis: AxisFlow, settings: SteadySettings | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> FlowSolution:  # fmt: skip
    """The steady flow. progress is told (sentence, share done). SolverFailed where none is found or an outlet has no resistance."""
    system, history, criterion = steady_system(mesh, boundary, fluid, axis, settings, progress)
    return steady_solution(system, mesh, boundary, history, criterion)


def steady_system(
    mesh: FlowMesh, boundary: FlowBoundary, fluid: Fluid, axis: AxisFlow, settings: SteadySettings | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[SteadySystem, tuple[float, ...], str]:  # fmt: skip
    """(the system in its steady state, residual per step, why it stopped), for what goes on from there."""
    settings = settings or SteadySettings()
    system = SteadySystem(flow_space(mesh, settings.degree), mesh, axis, boundary, fluid)
    return system, *march_to_steady(system, settings, progress or (lambda text, share: None))


def march_to_steady(system: SteadySystem, settings: SteadySettings, progress: Callable[[str, float], None]) -> tuple[tuple[float, ...], str]:
    """Takes the system to its steady state; (residual per step, why it stopped). All processes that share the system call this together."""
    with _allowed_threads(), threadpool_limits(1, user_api="blas"):  # many small products: BLAS threads only get in each other's way
        system.tune(settings.streamline, settings.grad_div, settings.backflow, settings.parts or get_num_threads())
        march = _March(system, settings, progress)
        criterion = march.through_viscosities()
    return tuple(march.history), criterion


@contextlib.contextmanager
def _allowed_threads() -> Iterator[None]:
    """Within it numba keeps to OMP_NUM_THREADS, of which it takes no notice by itself; its own NUMBA_NUM_THREADS goes first."""
    given = get_num_threads()
    if not os.environ.get("NUMBA_NUM_THREADS"):
        set_num_threads(min(given, thread_count()))
    try:
        yield
    finally:
        set_num_threads(given)


class _March:
    """The way to the steady state. history: residual per accepted step, against that of blood at rest; flows: of the outlets, per long step."""

    def __init__(self, system: SteadySystem, settings: SteadySettings, tell):
        self.system, self.settings, self.tell = system, settings, tell
        self.history: list[float] = []
        self.flows: list[np.ndarray] = []
        self.rest = system.norm(system.residual(system.at_rest(), wanted=False))

    def through_viscosities(self) -> str:
        """Marches at each viscosity of the ramp, then at the patient's. Returns why it stopped."""
        for factor in (*self.settings.ramp, 1.0):
            self.system.thickening[:] = factor
            before = self.system.state.copy(), self.system.flow
            if not self._steady(self.settings.tolerance if factor == 1.0 else self.settings.ramp_tolerance, factor):
                return self._with_thicker_jets(before, factor)
        return self._reason()

    def _reason(self) -> str:
        if self.history[-1] < self.settings.tolerance:
            return f"steady: residual {self.history[-1]:.0e} of that at rest"
        return f"settled: no outlet's flow moved by more than {self._moved():.0e} of it in five steps, residual {self.history[-1]:.0e} of that at rest"

    def _moved(self) -> float:
        """Largest relative change of an outlet's flow in the last five long steps."""
        last = np.array(self.flows[-6:])
        return float((np.ptp(last, axis=0) / np.abs(last[-1]).clip(1e-12)).max()) if len(last) == 6 else np.inf

    def _with_thicker_jets(self, before, factor: float) -> str:
        """After a failure at `factor` times the viscosity: marches on from the state before it, the blood thicker in the jets alone."""
        wanted = [one for one in self.settings.jet_viscosity if one > factor and factor < self.settings.ramp[0] and self.system.jet.any()]
        for thicker in wanted:
            self.system.state, self.system.flow = before[0].copy(), before[1]
            self.system.thickening = 1 + (thicker - 1) * self.system.jet
            if self._steady(self.settings.tolerance, 1.0):
                return f"{self._reason()}; in the jets behind narrowings {thicker:.2g} times the viscosity of blood, below that no steady flow was found"
        now = self.history[-1] if self.history else np.inf
        raise SolverFailed(
            f"no steady flow in {len(self.history)} steps at {factor:.2g} times the viscosity of blood (residual {now:.0e} of that at rest); "
            "use the reduced model, or look at surface.vtp for folds and leaks"
        )

    def _steady(self, tolerance: float, factor: float) -> bool:
        """True once the residual is below the tolerance; False after `most_steps`, or where only a vanishing pseudo-time step would go on."""
        system, settings, courant = self.system, self.settings, self.settings.first_courant
        before = now = system.norm(system.residual(system.state, wanted=False)) / self.rest
        known = False  # whether the Jacobian is that of the present state
        for _ in range(settings.most_steps):
            if self._done(now, tolerance, factor):
                return True
            if not known:
                right, known = system.residual(system.state), True
            system.damp(courant)
            last = now * now / before < LIKELY * tolerance  # as fast as the step before, it is there
            wanted = settings.linear_tolerance * (LAST_TOLERANCE if last and factor == 1.0 else 1.0)
            change, _, left = system.solve(-right, wanted, settings.most_iterations)
            state, flow = system.advanced(change)
            norm = system.norm(system.residual(state, wanted=False)) / self.rest  # a seventh of the time that the Jacobian takes
            if not norm < 2 * now or left > 0.5:
                courant /= 5
                if courant < 0.1:
                    return False
                continue
            courant *= float(np.clip(2 * now / norm, 0.5, settings.growth)) if left < 2 * settings.linear_tolerance else 0.5
            system.state, system.flow, before, now, known = state, flow, now, norm, False
            self._note(now, factor)
            if factor == 1.0 and self._settled(courant):
                return True
        return False

    def _done(self, now: float, tolerance: float, factor: float) -> bool:
        return now < tolerance and (factor > 1.0 or self.system.mass_error() < self.settings.mass_tolerance)

    def _settled(self, courant: float) -> bool:
        """A step short in pseudo-time proves nothing and starts the count again."""
        self.flows = [*self.flows, self.system.outflow(self.system.state)] if courant > 0.1 * self.settings.first_courant else []
        return self._moved() < self.settings.settled and self.history[-1] < self.settings.settled_residual

    def _note(self, now: float, factor: float) -> None:
        self.history.append(now)
        done = np.log10(min(now, 1.0)) / np.log10(self.settings.tolerance)
        share = 0.6 + 0.4 * done if factor == 1.0 else 0.6 * (1 - np.log(factor) / np.log(2 * self.settings.ramp[0]))
        self.tell(f"3-D flow: step {len(self.history)}, viscosity x {factor:.2g}, residual {now:.0e}", float(np.clip(share, 0, 0.99)))


def steady_solution(system: SteadySystem, mesh: FlowMesh, boundary: FlowBoundary, residual: tuple[float, ...], criterion: str) -> FlowSolution:
    """The present state in SI at the mesh's points; on every process that shares the system."""
    outflow = system.outflow(system.state)
    flow = SPEED_M_S * LENGTH_M**2
    pressures = [boundary.aortic_pressure_pa, *(system.outlet_pressure(system.state) * system.pressure_pa)]
    names = (system.inlet, *system.outlets)
    at_points = system.at_points(system.state)
    return FlowSolution(
        mesh=mesh,
        velocity_m_s=at_points[:, :3] * SPEED_M_S,
        pressure_pa=at_points[:, 3] * system.pressure_pa,
        port_pressure_pa=dict(zip(names, map(float, pressures), strict=True)),
        port_flow_m3_s=dict(zip(names, map(float, [system.flow * flow, *(outflow * flow)]), strict=True)),
        mass_error=system.mass_error(),
        residual=residual,
        criterion=criterion,
        wall_shear_pa=system.at_points(wall_shear_pa(system.space, system.state[:, :3], system.viscosity_pa_s)),
    )
