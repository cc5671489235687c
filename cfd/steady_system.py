"""The algebra of the fast 3-D solver: residual and Jacobian with ports as exact rank-one terms, and a two-level preconditioned linear solution."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from cfd.block_matrix import gmres, product
from cfd.coarse_space import axial_shape, coarse_modes, first_guess, inlet_profile, through_wall
from cfd.element_kernels import assemble, time_scales
from cfd.flow_problem import LENGTH_M, SPEED_M_S, AxisFlow, FlowBoundary, Fluid, ports_of
from cfd.flow_space import FlowSpace
from cfd.incomplete_lu import factorised
from cfd.mesh import FlowMesh


class SteadySystem:
    """Unknowns y (4 N + 1,): velocity and pressure of each node (0 where velocity is given), and the inlet's flow s, in the solver's units.

    The inlet's velocity is s phi with a fixed profile phi of unit flow, which is its test function too: that row says that the mean pressure there
    (weighted with phi) is the aortic one. An outlet's pressure P = P_d + R b.u, b its normal vector, is a rank-one term R b b^T.
    Where processes share the space, y has the owned nodes, the state (N, 4) all that the process sees, and s is the same everywhere.
    """

    def __init__(self, space: FlowSpace, mesh: FlowMesh, axis: AxisFlow, boundary: FlowBoundary, fluid: Fluid):
        self.space, self.part = space, space.part
        self.owned = space.part.owned
        self.tune()
        self.rate, self.past = 0.0, np.zeros((0, 3))  # a steady flow
        self.pressure_pa = fluid.density_kg_m3 * SPEED_M_S**2
        self.nu = fluid.viscosity_pa_s / (self.pressure_pa * LENGTH_M / SPEED_M_S)
        self.thickening = np.ones(len(space.cells))  # of the blood, per cell
        self.inlet, self.outlets = ports_of(mesh, boundary)
        self.aortic, self.distal = boundary.aortic_pressure_pa / self.pressure_pa, boundary.distal_pressure_pa / self.pressure_pa
        self.resistance = np.array([boundary.resistance_pa_s_m3[name] for name in self.outlets]) * SPEED_M_S * LENGTH_M**2 / self.pressure_pa
        self.port_nodes = [np.flatnonzero(np.abs(space.normals[name]).sum(axis=1)) for name in self.outlets]
        self.normals = [space.normals[name][nodes] for name, nodes in zip(self.outlets, self.port_nodes, strict=True)]
        shape, nearest = axial_shape(space, axis)
        self.jet = axis.jet[nearest][space.cells[:, :4]].mean(axis=1) if len(axis.jet) else np.zeros(len(space.cells))
        self.profile = inlet_profile(space, self.inlet)
        self.modes = coarse_modes(shape, nearest, axis, self.profile, space, list(zip(self.port_nodes, self.normals, strict=True)))
        self.state = first_guess(shape, nearest, axis, self.pressure_pa)
        self.flow = float(axis.flow_m3_s.max() / (SPEED_M_S * LENGTH_M**2))
        self.state[:, :3] += self.flow * self.profile
        self.lost = 0.0
        if boundary.wall_flow is not None:
            self.state[:, :3] += through_wall(space, *boundary.wall_flow)
            self.lost = self.part.sum(float(np.sum(space.normals["wall"] * self.state[:, :3])))
        self.data = np.zeros((len(space.pattern.column), 4, 4), np.float32)
        self.tau, self.tau_c = np.zeros(len(space.cells)), np.zeros(len(space.cells))

    def tune(self, streamline: float = 0.5, grad_div: float = 0.05, backflow: float = 0.5, parts: int = 2) -> None:
        """See `cfd.steady.SteadySettings`."""
        self.streamline, self.grad_div, self.backflow, self.parts = streamline, grad_div, backflow, parts

    @property
    def viscosity_pa_s(self) -> np.ndarray:
        """(C,)."""
        return self.nu * self.thickening * self.pressure_pa * LENGTH_M / SPEED_M_S

    def at_rest(self) -> np.ndarray:
        """(N, 4) blood at rest at aortic pressure."""
        return np.tile([0.0, 0.0, 0.0, self.aortic], (len(self.state), 1))

    def at_points(self, values: np.ndarray) -> np.ndarray:
        """(P, ...) at the mesh's points, of values (N, ...) at the nodes."""
        return self.part.whole(values)[self.space.skeleton.corner]

    def outflow(self, state: np.ndarray) -> np.ndarray:
        """(outlets,) flow."""
        return self.part.sum(np.array([np.sum(b * state[nodes, :3]) for nodes, b in zip(self.port_nodes, self.normals, strict=True)]))

    def outlet_pressure(self, state: np.ndarray) -> np.ndarray:
        return self.distal + self.resistance * self.outflow(state)

    def mass_error(self) -> float:
        """|inflow - outflow| / inflow of the present state."""
        return float(abs(self.flow - self.lost - self.outflow(self.state).sum()) / max(abs(self.flow), 1e-30))

    def norm(self, residual: np.ndarray) -> float:
        """Of a vector y."""
        return self.part.norm(residual)

    def residual(self, state: np.ndarray, wanted: bool = True) -> np.ndarray:
        """(4 N + 1,) at a state (N, 4); sets the Jacobian's blocks too if `wanted`. The time scales are those of this state."""
        s = self.space
        nu = self.nu * self.thickening
        time_scales(s.cells, s.gradient, state, (nu, float(s.degree), self.streamline, self.grad_div), self.tau, self.tau_c)
        full = np.zeros_like(state)
        if wanted:
            self.data[:] = 0.0
            self.mass, self.damped = self._mass(), 0.0
        assemble(s.for_kernels, state, (self.tau, self.tau_c, nu, self.rate, self.past), (self.data, full), wanted)
        for nodes, b, pressure in zip(self.port_nodes, self.normals, self.outlet_pressure(state), strict=True):
            incoming = -self.backflow * np.minimum(np.einsum("ij,ij->i", state[nodes, :3], b), 0.0)
            full[nodes, :3] += pressure * b + incoming[:, None] * state[nodes, :3]
            if wanted:
                self.data[s.pattern.diagonal[nodes][:, None], range(3), range(3)] += incoming[:, None]
        result = self._reduced(full)
        result[-1] -= self.aortic
        return result

    def _mass(self):
        """(N,) of a pseudo-time step of each cell's own time scale."""
        m = self.space.cells.shape[1]
        share = self.streamline / self.tau * self.space.volume / m
        return np.bincount(self.space.cells.ravel(), np.repeat(share, m), minlength=len(self.state))

    def damp(self, courant: float) -> None:
        """Put the mass of a pseudo-time step, `courant` times each cell's own time scale, into the Jacobian in place of that of the last one."""
        added = (1 / courant - self.damped) * self.mass
        self.data[self.space.pattern.diagonal[:, None], range(3), range(3)] += added[:, None]
        self.damped = 1 / courant

    def prepare(self) -> tuple:
        """(incomplete factors, coarse images, LU of the coarse matrix): what `solve` makes of the Jacobian as it is."""
        factors = factorised(self.space.pattern, self.data, self.parts, self.owned, self.space.fixed)
        images = self.modes.images(self.space.pattern, self.data, self.resistance)
        return factors, images, lu_factor(images.matrix)

    def solve(self, right: np.ndarray, tolerance: float, most: int, prepared: tuple | None = None) -> tuple[np.ndarray, int, float]:
        """(y, iterations, relative residual) for the Jacobian as it is. prepared: by `prepare`, None to do it here."""
        factors, images, coarse = prepared or self.prepare()
        foreign = np.zeros((len(self.state), 4))

        def precondition(r):
            wanted = self.modes.tested(r[:-1].reshape(-1, 4))
            wanted[-1] = r[-1]
            share = lu_solve(coarse, wanted, check_finite=False)
            seen = self._with_ports(images.combined(share), self.modes.ports @ share)
            left = r - self._reduced(seen)
            correction = self.modes.spread(share)[self.owned]
            correction[self.space.fixed[self.owned], :3] = 0.0
            foreign[self.owned] = left[:-1].reshape(-1, 4)
            correction += factors.solve(foreign)[self.owned]
            return np.append(correction.ravel(), share[-1])

        return gmres(self._multiplied, precondition, right, tolerance, most, self.part.inner)

    def advanced(self, change: np.ndarray) -> tuple[np.ndarray, float]:
        """(state, inlet flow) after a change y."""
        return self.state + self._expanded(change), self.flow + float(change[-1])

    def _expanded(self, y):
        full = np.empty((len(self.state), 4))
        full[self.owned] = y[:-1].reshape(-1, 4)
        self.part.fill(full)
        full[:, :3] += y[-1] * self.profile
        return full

    def _reduced(self, full):
        entry = self.part.sum(float(np.sum(self.profile[self.owned] * full[self.owned, :3])))
        full[self.space.fixed, :3] = 0.0
        return np.append(full[self.owned].ravel(), entry)

    def _multiplied(self, y):
        x = self._expanded(y)
        return self._reduced(self._with_ports(product(self.space.pattern, self.data, x), self.outflow(x)))

    def _with_ports(self, full, outflow):
        """Adds R b Q of each outlet to (N, 4)."""
        for nodes, b, pressure in zip(self.port_nodes, self.normals, self.resistance * outflow, strict=True):
            full[nodes, :3] += pressure * b
        return full
