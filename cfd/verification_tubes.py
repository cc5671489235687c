"""Round vessels of any profile through the whole 3-D chain (lumen, mesh, everyday solver), for comparison with known answers. SI unless named otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ccta.model import Branch, CoronaryTree, Surface
from ccta.units import m_to_mm, mm_to_m
from cfd import blood, exact
from cfd.coronary_outlets import CoronaryOutlets
from cfd.flow_problem import AxisFlow, FlowBoundary, FlowSolution
from cfd.lumen import CASE_INSET_MM, Lumen, lumens_from_case
from cfd.mesh import FlowMesh, MeshSettings, build_mesh
from cfd.steady import SteadySettings, solve_steady, steady_system
from cfd.steady_system import SteadySystem
from cfd.unsteady import PulsatileFlow, UnsteadySettings

BEYOND_MM = 1.0
OUTLET_PA, DISTAL_PA = 12000.0, 0.0


@dataclass(frozen=True)
class Blood:
    """Newtonian."""

    density_kg_m3: float = blood.DENSITY_KG_M3
    viscosity_pa_s: float = blood.VISCOSITY_PA_S


@dataclass(frozen=True, eq=False)
class TubeFlow:
    """distance_m, pressure_pa: (K,) mean static pressure of the cross-sections along the axis. flow_m3_s: what entered."""

    distance_m: np.ndarray
    pressure_pa: np.ndarray
    flow_m3_s: float
    solution: FlowSolution

    def drop_pa(self, first_m: float, last_m: float) -> float:
        """Pressure at one distance less that at another."""
        first, last = np.interp([first_m, last_m], self.distance_m, self.pressure_pa)
        return float(first - last)


def revolved(radius_mm: Callable[[np.ndarray], np.ndarray], length_mm: float, step_mm: float) -> tuple[Surface, CoronaryTree]:
    """A closed surface around the z axis, reaching 1 mm beyond its centerline from 0 to `length_mm`. radius_mm: of distances (N,)."""
    z = np.linspace(-BEYOND_MM, length_mm + BEYOND_MM, int((length_mm + 2 * BEYOND_MM) / step_mm) + 1)
    radius = radius_mm(np.clip(z, 0.0, length_mm))
    around = int(2 * np.pi * radius.max() / step_mm)
    angle = 2 * np.pi * np.arange(around) / around
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.concatenate([np.column_stack([r * ring, np.full(around, at)]) for at, r in zip(z, radius, strict=True)])
    lower = np.arange((len(z) - 1) * around)
    right = lower // around * around + (lower + 1) % around
    wall = np.vstack([np.stack([lower, right, right + around], 1), np.stack([lower, right + around, lower + around], 1)])
    count, k = len(points), np.arange(around)
    top = k + count - around
    caps = [np.stack([np.full(around, count), np.roll(k, -1), k], 1), np.stack([np.full(around, count + 1), top, np.roll(top, -1)], 1)]
    line = np.linspace(0, length_mm, int(length_mm / step_mm) + 1)
    axis = np.column_stack([np.zeros((len(line), 2)), line])
    return Surface(np.vstack([points, [[0, 0, z[0]], [0, 0, z[-1]]]]), np.vstack([wall, *caps])), CoronaryTree((Branch(axis, radius_mm(line)),))


def tube_flow(case: tuple[Surface, CoronaryTree], flow_m3_s: float, fluid: Blood, elements: float, settings: SteadySettings | None = None) -> TubeFlow:
    """Steady flow of about the given rate, which an outlet resistance sets, with the inlet's developed profile. elements: per diameter."""
    (lumen,) = lumens_from_case(*case)
    mesh = build_mesh(lumen, MeshSettings(elements_per_diameter=elements, largest_mm=100.0))
    boundary = FlowBoundary(OUTLET_PA, DISTAL_PA, {"outlet_0": OUTLET_PA / flow_m3_s})
    solution = solve_steady(mesh, boundary, fluid, _axis(lumen.tree.branches[0], flow_m3_s), settings)
    distance_mm = np.linspace(2 * CASE_INSET_MM, case[1].branches[0].length_mm - 2 * CASE_INSET_MM, 240)
    return TubeFlow(mm_to_m(distance_mm), _section_pressure_pa(solution, distance_mm), solution.port_flow_m3_s["inlet_0"], solution)


def _axis(branch: Branch, flow_m3_s) -> AxisFlow:
    s = branch.distance_mm
    diameters = np.concatenate([[0.0], np.cumsum(np.diff(s) / (branch.radius_mm[1:] + branch.radius_mm[:-1]))])
    direction = np.tile([0.0, 0.0, 1.0], (len(s), 1))
    return AxisFlow(branch.points_mm, direction, branch.radius_mm, np.full(len(s), flow_m3_s), np.full(len(s), 0.95 * OUTLET_PA), diameters.astype(int))


def _section_pressure_pa(solution: FlowSolution, distance_mm):
    """Mean pressure of the points within a window of the axis, by a line through them, so that the mesh's unevenness does not matter."""
    z, p = m_to_mm(solution.mesh.points_m[:, 2]), solution.pressure_pa
    half = max(1.0, 2.0 * (distance_mm[1] - distance_mm[0]))
    found = []
    for at in distance_mm:
        near = np.abs(z - at) < half
        found.append(np.polyfit(z[near] - at, p[near], 1 if np.ptp(z[near]) > half else 0)[-1])
    return np.array(found)


def poiseuille_error(elements: float, reynolds: float = 290.0) -> float:
    """Relative error of the pressure gradient of a straight tube of 3 mm."""
    fluid = Blood()
    flow = reynolds * np.pi * 3e-3 * fluid.viscosity_pa_s / (4 * fluid.density_kg_m3)
    found = tube_flow(revolved(lambda s: np.full(len(s), 1.5), 20.0, 0.15), flow, fluid, elements)
    return found.drop_pa(4e-3, 16e-3) / exact.poiseuille_drop_pa(found.flow_m3_s, 1.5e-3, 12e-3, fluid.viscosity_pa_s) - 1


def stenosis_drop_pa(degree: float, flow_m3_s: float, half_mm: float = 5.0, elements: float = 5.0) -> tuple[float, float, FlowSolution]:
    """(3-D pressure drop over a cosine-shaped stenosis of a 3 mm tube, Young and Tsai's for it, solution). degree: of the diameter, 0 to 1."""
    fluid, center = Blood(), 14.0

    def radius(s):
        return 1.5 * (1 - degree * np.where(np.abs(s - center) < half_mm, 0.5 * (1 + np.cos(np.pi * (s - center) / half_mm)), 0.0))

    found = tube_flow(revolved(radius, 48.0, 0.1), flow_m3_s, fluid, elements)
    first, last = mm_to_m(center - half_mm - 2), mm_to_m(44.0)
    straight = exact.poiseuille_drop_pa(found.flow_m3_s, 1.5e-3, last - first - 2 * mm_to_m(half_mm), fluid.viscosity_pa_s)
    formula = exact.young_tsai_drop_pa(found.flow_m3_s, 3e-3, degree, 2 * mm_to_m(half_mm), (fluid.viscosity_pa_s, fluid.density_kg_m3))
    return found.drop_pa(first, last) - straight, formula, found.solution


FDA_VISCOSITY_PA_S, FDA_DENSITY_KG_M3 = 0.0035, 1056.0
FDA_THROAT_MM, FDA_INLET_MM, FDA_CONE_MM, FDA_THROAT_LENGTH_MM = 4.0, 12.0, 22.685, 40.0


def nozzle_radius_mm(distance_mm: np.ndarray, before_mm: float) -> np.ndarray:
    """The FDA's nozzle, flow entering its cone: 12 mm, a cone to 4 mm over 22.685 mm, a throat of 40 mm, a sudden widening to 12 mm (over 0.5 mm here)."""
    throat = before_mm + FDA_CONE_MM
    end = throat + FDA_THROAT_LENGTH_MM
    wide, narrow = FDA_INLET_MM / 2, FDA_THROAT_MM / 2
    return np.interp(distance_mm, [0, before_mm, throat, end, end + 0.5], [wide, wide, narrow, narrow, wide])


def nozzle_flow(elements: float, throat_reynolds: float = 500.0, lengths_mm: tuple[float, float] = (12.0, 90.0)) -> tuple[TubeFlow, float]:
    """(flow through the FDA's nozzle, position of its sudden widening in m). lengths_mm: of wide tube before the cone and behind the throat."""
    before, behind = lengths_mm
    fluid = Blood(FDA_DENSITY_KG_M3, FDA_VISCOSITY_PA_S)
    flow = throat_reynolds * np.pi * mm_to_m(FDA_THROAT_MM) * fluid.viscosity_pa_s / (4 * fluid.density_kg_m3)
    end = before + FDA_CONE_MM + FDA_THROAT_LENGTH_MM
    case = revolved(lambda s: nozzle_radius_mm(s, before), end + behind, 0.25)
    return tube_flow(case, flow, fluid, elements, SteadySettings(most_steps=300)), mm_to_m(end)  # the long jet takes its time to settle


WOMERSLEY_PERIOD_S, WOMERSLEY_PA = 0.8, (100.0, 20.0)


def womersley_system(tube: tuple[Lumen, FlowMesh], pressure_pa: float) -> tuple[SteadySystem, float]:
    """(a tube of 1.5 mm radius at its steady flow, its outlet's resistance). tube: of `revolved`."""
    lumen, mesh = tube
    flow = 5e-7
    boundary = FlowBoundary(pressure_pa, 0.0, {"outlet_0": pressure_pa / flow})
    system, _, _ = steady_system(mesh, boundary, Blood(), _axis(lumen.tree.branches[0], flow))
    return system, pressure_pa / flow


def womersley_error(tube: tuple[Lumen, FlowMesh], step_s: float) -> complex:
    """Flow's first harmonic over the exact one, less 1: of a rigid tube under p + p1 cos omega t that ends in a resistance.

    Exact: p1 / (Z + R) with Womersley's impedance Z = i omega rho L / (pi r^2) / (1 - 2 J1(K) / (K J0(K))), K = i^1.5 alpha.
    """
    system, resistance = womersley_system(tube, WOMERSLEY_PA[0])
    outlets = CoronaryOutlets(np.outer([0.3, 0.5, 0.2], [resistance]), np.zeros((2, 1)), lambda t: np.zeros(1), 0.0)
    omega, fluid = 2 * np.pi / WOMERSLEY_PERIOD_S, Blood()
    inlet = lambda t: WOMERSLEY_PA[0] + WOMERSLEY_PA[1] * np.cos(omega * t)  # noqa: E731
    cycle, _ = PulsatileFlow(system, outlets, inlet, UnsteadySettings(step_s=step_s, residual=1e-3)).until_periodic(WOMERSLEY_PERIOD_S)
    harmonic = 2 * np.mean(cycle.flow_m3_s[:, 0] * np.exp(-1j * omega * cycle.time_s))
    length = mm_to_m(tube[0].tree.branches[0].length_mm - 2 * CASE_INSET_MM)
    impedance = length / exact.womersley_admittance_m4_s_pa(mm_to_m(1.5), (omega, fluid.density_kg_m3, fluid.viscosity_pa_s))
    return complex(harmonic * (impedance + resistance) / WOMERSLEY_PA[1] - 1)
