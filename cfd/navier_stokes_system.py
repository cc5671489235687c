"""The algebra of the 3-D flow problem: inlet profile, port unknowns, one bordered linear solve per Newton step (MUMPS through PETSc)."""

from __future__ import annotations

import numpy as np
import ufl
from dolfinx import fem
from petsc4py import PETSc
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ccta.errors import SolverFailed
from cfd.flow_problem import ports_of


class PortSystem:
    """Unknowns: free velocities and pressures y, inlet flow s, outlet pressures P.

    The inlet's velocity is s phi with a fixed profile phi of unit flow, and the same phi is its test function, so its row says: the mean pressure
    there (weighted with phi) is the aortic one. Each outlet adds P_k times its normal vector b_k to the momentum, and the row P_k - R_k b_k . u = P_d:
    the resistance is exact in every Newton step and costs one row.
    """

    def __init__(self, d, boundary):
        self.d, self.boundary = d, boundary
        names = d.mesh.names
        self.inlet, self.outlets = ports_of(d.mesh, boundary)
        ds = ufl.Measure("ds", d.domain, subdomain_data=d.tags, metadata={"quadrature_degree": 4})
        self._normal_form = lambda label: fem.form(ufl.inner(ufl.FacetNormal(d.domain), ufl.TestFunctions(d.space)[0]) * ds(label))
        inlet, wall = names.index(self.inlet), 0
        self.inlet_normal = fem.assemble_vector(self._normal_form(inlet)).array
        self.profile = inlet_profile(d, ds, inlet, wall, self.inlet_normal)
        fixed = np.zeros(len(d.w.x.array), bool)
        for label in (wall, inlet):
            fixed[d.velocity_dofs[fem.locate_dofs_topological(d.velocity_space, 2, d.tags.find(label))]] = True
        self.free, self.entry = np.flatnonzero(~fixed), np.flatnonzero(self.profile)
        normals = np.stack([fem.assemble_vector(self._normal_form(names.index(name))).array for name in self.outlets], axis=1)
        self.area = np.array([np.linalg.norm(normals[d.velocity_dofs, k].sum(axis=0)) for k in range(len(self.outlets))])
        self.normals = sparse.csr_matrix(normals[self.free])
        flow_scale = 1.0 * (1e-3) ** 2
        self.resistance = np.array([boundary.resistance_pa_s_m3[name] for name in self.outlets]) * flow_scale / d.pressure_pa
        self.aortic, self.distal = boundary.aortic_pressure_pa / d.pressure_pa, boundary.distal_pressure_pa / d.pressure_pa
        self.flow, self.outlet_pressure = 0.0, np.full(len(self.outlets), self.aortic)
        self.solver = _mumps()

    def start(self) -> None:
        """Blood at rest at aortic pressure."""
        self.d.w.x.array[:] = 0.0
        self.d.w.x.array[self.d.pressure_dofs] = self.aortic
        self.d.tau.x.array[:] = 1.0

    def state(self):
        return self.d.w.x.array.copy(), self.flow, self.outlet_pressure.copy()

    def restore(self, state) -> None:
        self.blend(state, state, 0.0)

    def blend(self, start, end, share: float) -> None:
        """The state `share` of the way from one to another."""
        self.d.w.x.array[:], self.flow, self.outlet_pressure = (a + share * (b - a) for a, b in zip(start, end, strict=True))

    def freeze(self) -> None:
        """Take the present velocity for what the weak form linearises about (upwind direction, time scale, backflow)."""
        self.d.before.x.array[:] = self.d.w.x.array
        self.d.update_time_scale()

    def residual(self) -> np.ndarray:
        full = self.d.residual()
        momentum = full[self.free] + self.normals @ self.outlet_pressure
        entry = self.profile[self.entry] @ full[self.entry] - self.aortic
        outlets = self.outlet_pressure - self.distal - self.resistance * (self.normals.T @ self.d.w.x.array[self.free])
        return np.concatenate([momentum, [entry], outlets])

    def norm(self) -> float:
        """Of the residual, in scaled units."""
        return float(np.linalg.norm(self.residual()))

    def step(self) -> None:
        """One Newton step from the present state."""
        jacobian = self._bordered(self.d.jacobian())
        matrix = PETSc.Mat().createAIJ(jacobian.shape, csr=(jacobian.indptr, jacobian.indices, jacobian.data), comm=PETSc.COMM_SELF)
        right, change = matrix.createVecLeft(), matrix.createVecRight()
        right.array = -self.residual()
        self.solver.setOperators(matrix)
        self.solver.solve(right, change)
        if self.solver.getConvergedReason() < 0:
            raise SolverFailed("the linear system of the flow could not be solved (out of memory, or a mesh with loose parts)")
        values, count = change.array, len(self.free)
        self.flow += float(values[count])
        self.outlet_pressure = self.outlet_pressure + values[count + 1 :]
        self.d.w.x.array[self.free] += values[:count]
        self.d.w.x.array[self.entry] = self.flow * self.profile[self.entry]
        matrix.destroy()

    def _bordered(self, matrix):
        profile = self.profile[self.entry]
        rows, entry = matrix[self.free], matrix[self.entry]
        column = sparse.csr_matrix((rows[:, self.entry] @ profile)[:, None])
        row = sparse.csr_matrix((entry[:, self.free].T @ profile)[None])
        corner = sparse.csr_matrix([[profile @ (entry[:, self.entry] @ profile)]])
        resistance = sparse.diags(self.resistance)
        blocks = [[rows[:, self.free], column, self.normals], [row, corner, None], [-resistance @ self.normals.T, None, sparse.eye(len(self.area))]]
        return sparse.bmat(blocks, format="csr")


def inlet_profile(d, ds, inlet: int, wall: int, normal: np.ndarray) -> np.ndarray:
    """phi: velocity normal to the cap that fully developed flow would have there, for unit flow (scaled units).

    Solves laplace phi = -1 on the cap with phi = 0 on its rim, with the tangential gradients of the velocity's own basis: a parabola on a disc,
    and the right profile on any other shape.
    """
    u, v, n = ufl.TrialFunction(d.velocity_space)[0], ufl.TestFunction(d.velocity_space)[0], ufl.FacetNormal(d.domain)
    tangential = lambda f: ufl.grad(f) - ufl.dot(ufl.grad(f), n) * n  # noqa: E731
    stiffness = fem.assemble_matrix(fem.form(ufl.inner(tangential(u), tangential(v)) * ds(inlet))).to_scipy().tocsr()[::3][:, ::3].tocsr()
    load = fem.assemble_vector(fem.form(v * ds(inlet))).array[::3]
    cap = fem.locate_dofs_topological(d.velocity_space, 2, d.tags.find(inlet))
    inside = np.setdiff1d(cap, fem.locate_dofs_topological(d.velocity_space, 2, d.tags.find(wall)))
    if len(inside) < 3:
        raise SolverFailed("the inlet has too few elements for a velocity profile; use more elements per diameter")
    value = np.zeros(len(load))
    value[inside] = spsolve(stiffness[inside][:, inside].tocsc(), load[inside])
    outward = normal[d.velocity_dofs].sum(axis=0)
    profile = np.zeros(len(normal))
    profile[d.velocity_dofs] = -value[:, None] * outward / np.linalg.norm(outward)
    return profile / -(normal @ profile)


def _mumps():
    """A direct solver; METIS ordering, and room to grow where pivoting needs it."""
    solver = PETSc.KSP().create(PETSc.COMM_SELF)
    solver.setType("preonly")
    preconditioner = solver.getPC()
    preconditioner.setType("lu")
    preconditioner.setFactorSolverType("mumps")
    return solver
