"""What a 3-D flow solver is given and what it gives back, whichever discretisation it uses. SI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ccta.errors import SolverFailed
from cfd.mesh import FlowMesh

LENGTH_M, SPEED_M_S = 1e-3, 1.0
"""The solvers' own units: 1 mm, 1 m/s and the pressure rho (1 m/s)^2."""


class Fluid(Protocol):
    """Newtonian blood."""

    density_kg_m3: float
    viscosity_pa_s: float


@dataclass(frozen=True)
class FlowBoundary:
    """Mean aortic pressure at the inlet; per outlet name the resistance (Pa s/m3) of p = distal + R Q.

    wall_flow: ((K, 3) places mm, (K,) m3/s) that leaves through the wall nearest to each place, by branches too small to be seen.
    """

    aortic_pressure_pa: float
    distal_pressure_pa: float
    resistance_pa_s_m3: dict[str, float]
    wall_flow: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class FlowSolution:
    """Steady flow at the mesh's points, SI. velocity_m_s: (N, 3). pressure_pa: (N,). Per port name: pressure_pa, flow_m3_s (inlets and outlets > 0).

    mass_error: |inflow - outflow| / inflow. residual: per step, against that of blood at rest. criterion: in words, why the iteration stopped.
    wall_shear_pa: (N,), NaN away from the wall; None where the solver does not give it.
    """

    mesh: FlowMesh
    velocity_m_s: np.ndarray
    pressure_pa: np.ndarray
    port_pressure_pa: dict[str, float]
    port_flow_m3_s: dict[str, float]
    mass_error: float
    residual: tuple[float, ...]
    criterion: str
    wall_shear_pa: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class AxisFlow:
    """What is known beforehand along the centerlines, (K,) stations: where the solver starts, and the slabs of its coarse space.

    points_mm, direction: (K, 3). radius_mm, flow_m3_s, pressure_pa: (K,). slab: (K,) number of the stretch, about one diameter long. jet: (K,) 1 where the
    jet of a narrowing may be, or empty.
    """

    points_mm: np.ndarray
    direction: np.ndarray
    radius_mm: np.ndarray
    flow_m3_s: np.ndarray
    pressure_pa: np.ndarray
    slab: np.ndarray
    jet: np.ndarray = field(default_factory=lambda: np.empty(0))


def ports_of(mesh: FlowMesh, boundary: FlowBoundary) -> tuple[str, list[str]]:
    """(inlet, outlets) by name; SolverFailed where the mesh has not one inlet, or an outlet has no resistance."""
    inlets = [name for name in mesh.names if name.startswith("inlet")]
    outlets = [name for name in mesh.names if name.startswith("outlet")]
    if len(inlets) != 1 or not outlets:
        raise SolverFailed(f"a flow problem needs one inlet and at least one outlet, got the ports {list(mesh.names[1:])}")
    missing = set(outlets) - set(boundary.resistance_pa_s_m3)
    if missing:
        raise SolverFailed(f"no resistance was given for {sorted(missing)}; the mesh has the ports {list(mesh.names[1:])}")
    return inlets[0], outlets
