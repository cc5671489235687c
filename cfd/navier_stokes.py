"""Steady incompressible Navier-Stokes in a lumen mesh by DOLFINx: the reference beside the everyday solver (cfd.steady). The home of dolfinx.

    rho u . grad u + grad p - mu laplace u = 0,   div u = 0;   wall u = 0;   inlet mean pressure = aortic;   outlet p = P_d + R Q

Taylor-Hood elements (velocity of degree 2, pressure of degree 1) with streamline (SUPG) and grad-div stabilisation, in units of 1 mm, 1 m/s and
rho (1 m/s)^2. At Reynolds number 290 a tube's pressure drop is right to 0.2 % at 3.5 to 6 elements per diameter, walls being curved.
Newton's method with backtracking, on a ramp of viscosity: each solution is the guess for less viscous blood, until it is the patient's. Behind a 50 %
stenosis at 2.5 mL/s this reached a steady flow where pseudo-time marching did not settle. Whether that flow is stable in time is not examined.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass

os.environ["PETSC_OPTIONS"] = f"{os.environ.get('PETSC_OPTIONS', '')} -no_signal_handler"  # PETSc's would end the process where a peer closes a socket
with contextlib.suppress(ImportError):
    import dolfinx_solver  # noqa: F401  the wheel's MPI and PETSc must be found before dolfinx; conda's dolfinx needs no such help
import basix.ufl
import dolfinx
import numpy as np
import ufl
from dolfinx import fem
from mpi4py import MPI

from ccta.errors import SolverFailed
from cfd.flow_problem import LENGTH_M, SPEED_M_S, FlowBoundary, FlowSolution, Fluid, ports_of
from cfd.flow_space import cells_and_nodes
from cfd.mesh import FlowMesh
from cfd.navier_stokes_system import PortSystem

JIT = {"cffi_extra_compile_args": ["-O3", "-march=native"]}  # compiled once per machine and kept in the user's cache


@dataclass(frozen=True)
class SolverSettings:
    """How the steady state is sought."""

    tolerance: float = 1e-6  # of the residual, against that of blood at rest
    ramp_tolerance: float = 5e-4  # the same while blood is still too viscous; a guess need not be better
    first_viscosity: float = 4.0  # times the patient's: Newton converges from Stokes flow there
    last_viscosity: float = 1.5  # where the ramp may end if no steady flow exists beyond; the solution's criterion then says so
    most_steps: int = 60
    backflow: float = 0.5  # share of the incoming momentum that the outlets resist; 0.5 bounds the energy; idle where nothing flows back
    grad_div: float = 0.02  # m/s times mm; improves mass conservation cell by cell, 0.1 would raise a tube's gradient by 4 % at 4.5 per diameter
    streamline: float = 0.3  # of the usual SUPG term: it raises a tube's gradient by 0.4 % at 4.5 per diameter, 1 would by 1.4 %


def solve_steady(
    mesh: FlowMesh, boundary: FlowBoundary, fluid: Fluid, settings: SolverSettings | None = None, progress: Callable[[str, float], None] | None = None
) -> FlowSolution:
    """The steady flow. progress is told (sentence, share done). SolverFailed where no steady flow is found or an outlet has no resistance."""
    settings = settings or SolverSettings()
    ports_of(mesh, boundary)
    problem = Discretisation(mesh, fluid, settings)
    return _ramped(problem, PortSystem(problem, boundary), settings, progress or (lambda text, share: None))


class Discretisation:
    """The mesh's function space, weak form and ports, in the scaled units. State: `w` (velocity and pressure), `before` (linearisation)."""

    def __init__(self, mesh: FlowMesh, fluid: Fluid, settings: SolverSettings):
        self.mesh, self.fluid, self.settings = mesh, fluid, settings
        self.pressure_pa = fluid.density_kg_m3 * SPEED_M_S**2
        self.domain, self.tags = domain_of(mesh)
        velocity, pressure = basix.ufl.element("Lagrange", "tetrahedron", 2, shape=(3,)), basix.ufl.element("Lagrange", "tetrahedron", 1)
        self.space = fem.functionspace(self.domain, basix.ufl.mixed_element([velocity, pressure]))
        self.w, self.before = fem.Function(self.space), fem.Function(self.space)
        self.viscosity = fem.Constant(self.domain, fluid.viscosity_pa_s / (self.pressure_pa * LENGTH_M / SPEED_M_S))
        self.convection = fem.Constant(self.domain, 0.0)
        self.tau = fem.Function(fem.functionspace(self.domain, ("DG", 0)))
        form = weak_form(self)
        self.residual_form, self.jacobian_form = (fem.form(one, jit_options=JIT) for one in (form, ufl.derivative(form, self.w)))
        self.matrix = fem.create_matrix(self.jacobian_form)
        self.velocity_space, velocity_dofs = self.space.sub(0).collapse()
        self.pressure_space, pressure_dofs = self.space.sub(1).collapse()
        self.velocity_dofs = np.asarray(velocity_dofs).reshape(-1, 3)
        self.pressure_dofs = np.asarray(pressure_dofs).ravel()
        self.gradients = _barycentric_gradients(self.domain.geometry.x[self.domain.geometry.dofmap[:, :4]])

    def residual(self) -> np.ndarray:
        return fem.assemble_vector(self.residual_form).array

    def jacobian(self):
        self.matrix.set_value(0.0)
        fem.assemble_matrix(self.matrix, self.jacobian_form)
        return self.matrix.to_scipy().tocsr()

    def update_time_scale(self) -> None:
        """tau = ((2 |u| / h_u)^2 + (12 nu / h^2)^2)^-1/2 per cell; h_u: half the cell's length along the flow, h: half its smallest height.

        Tezduyar, Adv Appl Mech 1991;28:1; halved because elements of degree 2 have nodes in between.
        """
        u = self.w.x.array[self.velocity_dofs[self.velocity_space.dofmap.list]].mean(axis=1)
        transit = np.abs(np.einsum("cad,cd->ca", self.gradients, u)).sum(axis=1)  # |u| / h_u, 1/s
        height = 0.5 / np.linalg.norm(self.gradients, axis=2).max(axis=1)
        self.tau.x.array[:] = 1 / np.hypot(2 * transit, 12 * float(self.viscosity.value) / height**2)


def domain_of(mesh: FlowMesh):
    """(dolfinx mesh in mm, of degree 2 where the mesh has curved edges; tags of its boundary facets = label of FlowMesh)."""
    degree = 2 if len(mesh.curved_edges) else 1
    element = basix.ufl.element("Lagrange", "tetrahedron", degree, shape=(3,))
    cells, nodes_mm = cells_and_nodes(mesh, degree)[:2]
    domain = dolfinx.mesh.create_mesh(MPI.COMM_SELF, cells, element, nodes_mm)
    domain.topology.create_connectivity(2, 3)
    facets = dolfinx.mesh.exterior_facet_indices(domain.topology)
    corners = domain.geometry.input_global_indices[dolfinx.mesh.entities_to_geometry(domain, 2, facets)[:, :3]]
    ours, theirs = np.sort(mesh.triangles, axis=1), np.sort(corners, axis=1)
    if len(ours) != len(theirs):
        raise SolverFailed(f"the mesh has {len(theirs)} boundary triangles of which {len(ours)} are named")
    order, other = np.lexsort(ours.T), np.lexsort(theirs.T)
    label = np.empty(len(facets), np.int32)
    label[other] = mesh.label[order]
    by_index = np.argsort(facets)
    return domain, dolfinx.mesh.meshtags(domain, 2, facets[by_index], label[by_index])


def weak_form(d: Discretisation):
    """c u.grad u . v + nu grad u : grad v - p div v + q div u + gamma div u div v + tau (residual) . (u0.grad v) + backflow.

    u0: velocity of the step before; c: 0 for the Stokes start. Natural outlet condition: nu du/dn - p n, whose pressure the ports add (so fully
    developed flow leaves a tube undisturbed).
    """
    (u, p), (u0, _), (v, q) = ufl.split(d.w), ufl.split(d.before), ufl.TestFunctions(d.space)
    dx = ufl.Measure("dx", d.domain, metadata={"quadrature_degree": 4})
    outlets = tuple(index for index, name in enumerate(d.mesh.names) if name.startswith("outlet"))
    ds = ufl.Measure("ds", d.domain, subdomain_data=d.tags, metadata={"quadrature_degree": 4})(outlets)
    momentum = d.convection * ufl.grad(u) * u
    form = (ufl.inner(momentum, v) + d.viscosity * ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) + q * ufl.div(u)) * dx
    form += d.settings.grad_div * ufl.div(u) * ufl.div(v) * dx
    incoming = ufl.min_value(ufl.dot(u0, ufl.FacetNormal(d.domain)), 0)
    form -= d.settings.backflow * d.convection * incoming * ufl.inner(u, v) * ds
    if d.settings.streamline:
        strong = momentum + ufl.grad(p) - d.viscosity * ufl.div(ufl.grad(u))
        form += d.settings.streamline * d.convection * d.tau * ufl.inner(strong, ufl.grad(v) * u0) * dx
    return form


def _barycentric_gradients(corners: np.ndarray) -> np.ndarray:
    """(C, 4, 3) gradients of the four barycentric coordinates of cells with corners (C, 4, 3)."""
    inverse = np.linalg.inv(corners[:, 1:] - corners[:, :1])
    return np.concatenate([-inverse.sum(axis=2, keepdims=True), inverse], axis=2).transpose(0, 2, 1)


def _ramped(d: Discretisation, system: PortSystem, settings: SolverSettings, progress) -> FlowSolution:
    """Stokes flow, then Newton at falling viscosity; a stage that fails is retried half-way (geometrically) from the last that succeeded."""
    system.start()
    rest, blood = system.norm(), float(d.viscosity.value)
    system.step()
    d.convection.value = 1.0
    history: list[float] = []
    good, state, factor = np.inf, system.state(), settings.first_viscosity
    while True:
        d.viscosity.value = blood * factor
        aim = settings.tolerance if factor == 1.0 else settings.ramp_tolerance
        taken = _newton(system, settings, aim * rest, lambda now: _tell(history, now / rest, factor, progress))  # noqa: B023  called at once
        if taken is not None:
            good, state = factor, system.state()
            if factor == 1.0:
                return solution_of(system, tuple(history), f"steady: residual {history[-1]:.0e} of that at rest")
            factor = factor / (2.0 if taken <= 2 else 1.5)
            factor = factor if factor > 1.15 else 1.0
            continue
        system.restore(state)
        factor = float(np.sqrt(factor * good)) if np.isfinite(good) else 2.5 * factor
        if factor > 50 or len(history) >= settings.most_steps or good / factor < 1.03:
            break
    if good > settings.last_viscosity:
        raise SolverFailed(f"no steady flow in {len(history)} steps below {good:.2g} times the viscosity of blood; refine the mesh or use the reduced model")
    return solution_of(system, tuple(history), f"steady at {good:.2f} times the viscosity of blood; below that no steady flow was found")


def _tell(history: list[float], now: float, factor: float, progress) -> None:
    history.append(now)
    done = 1 / (1 + np.log(max(factor, 1.0))) * (0.5 + 0.5 * min(1.0, np.log10(1 / max(now, 1e-6)) / 6))
    progress(f"3-D flow: Newton step {len(history)}, viscosity x {factor:.2f}, residual {now:.0e}", float(min(0.95, done)))


def _newton(system: PortSystem, settings: SolverSettings, aim: float, tell) -> int | None:
    """Steps taken until the residual is below `aim`; None where backtracking finds no descent or after 8 steps."""
    system.freeze()
    before = system.norm()
    for taken in range(8):
        if before < aim:
            return taken
        saved = system.state()
        system.step()
        full, share = system.state(), 1.0
        while not (after := system.norm()) < (1 - 0.1 * share) * before:
            share /= 2
            if share < 0.1:
                return None
            system.blend(saved, full, share)
        system.freeze()
        before = system.norm()
        tell(before)
        if not np.isfinite(after):
            return None
    return None


def solution_of(system: PortSystem, residual: tuple[float, ...], criterion: str) -> FlowSolution:
    """The present state in SI at the mesh's points. Flows are those of the weak form, so their balance is the solver's."""
    d = system.d
    geometry, pressure_cells = d.domain.geometry.dofmap[:, :4], d.pressure_space.dofmap.list
    point = d.domain.geometry.input_global_indices[geometry]
    velocity, pressure = np.zeros((len(d.mesh.points_m), 3)), np.zeros(len(d.mesh.points_m))
    velocity[point] = d.w.x.array[d.velocity_dofs[d.velocity_space.dofmap.list[:, :4]]] * SPEED_M_S
    pressure[point] = d.w.x.array[d.pressure_dofs[pressure_cells]] * d.pressure_pa
    outflow = (system.normals.T @ d.w.x.array[system.free]) * SPEED_M_S * LENGTH_M**2
    inflow = system.flow * SPEED_M_S * LENGTH_M**2
    names = (system.inlet, *system.outlets)
    return FlowSolution(
        mesh=d.mesh,
        velocity_m_s=velocity,
        pressure_pa=pressure,
        port_pressure_pa=dict(zip(names, [system.boundary.aortic_pressure_pa, *(system.outlet_pressure * d.pressure_pa)], strict=True)),
        port_flow_m3_s=dict(zip(names, [inflow, *outflow], strict=True)),
        mass_error=float(abs(inflow - outflow.sum()) / max(abs(inflow), 1e-30)),
        residual=residual,
        criterion=criterion,
    )
