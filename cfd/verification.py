"""Flows with known answers, solved by the everyday 3-D solver's own elements: Kovasznay's flow, the lid-driven cavity, the DFG cylinder.

Velocity is given on most of the boundary, so that only the elements are tested; flows that lie in a plane are solved in a slab one cell thick.
Dimensionless: lengths of the mesh in mm are the problem's own unit, the density is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import splu

from ccta.errors import SolverFailed
from cfd import exact
from cfd.block_matrix import to_scipy
from cfd.element_kernels import assemble, time_scales
from cfd.flow_space import FlowSpace, flow_space, reference_basis
from cfd.mesh import FlowMesh
from cfd.steady import SteadySettings

GHIA_Y = np.array([0.0547, 0.0625, 0.0703, 0.1016, 0.1719, 0.2813, 0.4531, 0.5, 0.6172, 0.7344, 0.8516, 0.9531, 0.9609, 0.9688, 0.9766])
GHIA_U = {
    100: np.array([-3717, -4192, -4775, -6434, -10150, -15662, -21090, -20581, -13641, 332, 23151, 68717, 73722, 78871, 84123]) * 1e-5,
    400: np.array([-8186, -9266, -10338, -14612, -24299, -32726, -17119, -11477, 2135, 16256, 29093, 55892, 61756, 68439, 75837]) * 1e-5,
}
"""Velocity along the lid on the cavity's vertical middle line, by Reynolds number (Ghia, Ghia and Shin, J Comput Phys 1982;48:387, table I)."""
DFG_2D1 = {"drag": 5.57953523384, "lift": 0.010618948146, "pressure difference": 0.11752016697}
"""Steady flow around a cylinder at Reynolds number 20 (Schaefer and Turek 1996; digits by spectral elements, Nabh 1998, as on FeatFlow's page of it)."""
NEWTON_TOLERANCE, MOST_STEPS = 1e-9, 20
NORM_DEGREE = 8  # of the rule that integrates errors: fine enough that it does not decide their order


@dataclass(frozen=True)
class Elements:
    """degree and stabilisation: as the everyday solver has them."""

    degree: int = SteadySettings.degree
    streamline: float = SteadySettings.streamline
    grad_div: float = SteadySettings.grad_div


def box(counts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> FlowMesh:
    """A box of tetrahedra, six to each brick between the given coordinates (each rising); its whole boundary is "wall"."""
    grid = np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1)
    number = np.arange(grid[..., 0].size).reshape(grid.shape[:3])
    first = number[:-1, :-1, :-1].ravel()
    step = np.array([number.shape[1] * number.shape[2], number.shape[2], 1])
    orders = [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)]
    cells = np.vstack([np.stack([first + sum(step[list(order[:k])]) for k in range(4)], axis=1) for order in orders])
    faces = np.sort(np.vstack([cells[:, [0, 1, 2]], cells[:, [0, 1, 3]], cells[:, [0, 2, 3]], cells[:, [1, 2, 3]]]), axis=1)
    unique, count = np.unique(faces, axis=0, return_counts=True)
    outside = unique[count == 1]
    return FlowMesh(grid.reshape(-1, 3) * 1e-3, cells, outside, np.zeros(len(outside), int), ("wall",))


def assembled(space: FlowSpace, state: np.ndarray, nu: float, elements: Elements) -> tuple[np.ndarray, np.ndarray]:
    """((K, 4, 4) blocks of the Jacobian, (N, 4) residual) at a state (N, 4)."""
    tau, tau_c = np.zeros(len(space.cells)), np.zeros(len(space.cells))
    viscosity = np.full(len(space.cells), nu)
    time_scales(space.cells, space.gradient, state, (viscosity, float(space.degree), elements.streamline, elements.grad_div), tau, tau_c)
    data, residual = np.zeros((len(space.pattern.column), 4, 4)), np.zeros_like(state)
    assemble(space.for_kernels, state, (tau, tau_c, viscosity, 0.0, np.zeros((0, 3))), (data, residual), True)
    return data, residual


def solved(space: FlowSpace, state: np.ndarray, free: np.ndarray, nu: float, elements: Elements) -> tuple[np.ndarray, np.ndarray]:
    """((N, 4) steady state, its residual (N, 4), which is the reaction where a value is given). free: (N, 4) unknowns. SolverFailed without one."""
    state, unknown = state.copy(), np.flatnonzero(free.ravel())
    data, residual = assembled(space, state, nu, elements)
    first = np.linalg.norm(residual.ravel()[unknown])
    for _ in range(MOST_STEPS):
        matrix = to_scipy(space.pattern, data).tocsr()[unknown][:, unknown]
        state.ravel()[unknown] -= splu(matrix.tocsc()).solve(residual.ravel()[unknown])
        data, residual = assembled(space, state, nu, elements)
        if np.linalg.norm(residual.ravel()[unknown]) < NEWTON_TOLERANCE * first:
            return state, residual
    raise SolverFailed(f"Newton's method did not settle in {MOST_STEPS} steps at the viscosity {nu:g}")


def kovasznay_error(count: int, degree: int, reynolds: float = 10.0) -> float:
    """Root mean square error of velocity over a unit square of `count` bricks a side, one brick thick, with exact velocities on its four sides.

    The integral over the cells, not the mean over the nodes: on such even meshes degree 2 is better at its nodes than between them.
    """
    side = np.linspace(0.0, 1.0, count + 1)
    space = flow_space(box((side, side, np.array([0.0, 1.0 / count]))), degree)
    x, y = space.nodes_mm[:, 0], space.nodes_mm[:, 1]
    truth = np.column_stack(exact.kovasznay(x, y, reynolds))
    free = np.ones((len(x), 4), bool)
    free[np.minimum.reduce([x, 1 - x, y, 1 - y]) < 1e-9, :3] = False
    free[:, 2] = False
    free[0, 3] = False  # the pressure's level is given at one node
    found, _ = solved(space, np.where(free, 0.0, truth), free, 1 / reynolds, Elements(degree=degree))
    weight, value, _, _ = reference_basis(degree, NORM_DEGREE)
    places, here = (np.einsum("qa,cai->cqi", value, one[space.cells]) for one in (space.nodes_mm, found[:, :3]))
    off = here - np.stack(exact.kovasznay(*np.moveaxis(places, -1, 0)[:2], reynolds)[:3], axis=-1)
    return float(np.sqrt(np.einsum("c,q,cqi->", space.volume, weight, off**2) / space.volume.sum()))


def cavity_velocity(reynolds: int, count: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """((M,) heights, (M,) velocity along the lid) on the middle line of a square cavity under a moving lid, cells finer towards its walls."""
    side = 0.5 * (1 - np.cos(np.pi * np.linspace(0.0, 1.0, count + 1)))
    space = flow_space(box((side, side, np.array([0.0, 1.0 / count]))), Elements.degree)
    x, y = space.nodes_mm[:, 0], space.nodes_mm[:, 1]
    edge = np.minimum.reduce([x, 1 - x, y, 1 - y]) < 1e-9
    free = np.ones((len(x), 4), bool)
    free[edge, :3] = False
    free[:, 2] = False
    free[0, 3] = False
    state = np.zeros((len(x), 4))
    state[(y > 1 - 1e-9) & (x > 1e-9) & (x < 1 - 1e-9), 0] = 1.0
    for steps in {100: (100,), 400: (100, 250, 400)}.get(reynolds, (100, reynolds)):
        state, _ = solved(space, state, free, 1 / steps, Elements())
    middle = np.flatnonzero((np.abs(x - 0.5) < 1e-9) & (space.nodes_mm[:, 2] < 1e-9))
    middle = middle[np.argsort(y[middle])]
    return y[middle], state[middle, 0]


def cylinder_coefficients(size: float) -> dict[str, float]:
    """Drag and lift coefficient of the cylinder and the pressure difference across it, as in DFG_2D1. size: of the elements at the cylinder, of its diameter.

    The force is the reaction of the cylinder's nodes, the residual of the momentum equation there.
    """
    from cfd.mesh_channel import CENTER, DIAMETER, HEIGHT, cylinder_in_channel  # gmsh

    mesh = cylinder_in_channel(size * DIAMETER)
    space = flow_space(mesh, Elements.degree)
    x, y, z = space.nodes_mm.T
    state = np.zeros((len(x), 4))
    state[:, 0] = np.where(x < 1e-9, 4 * 0.3 * y * (HEIGHT - y) / HEIGHT**2, 0.0)
    body = np.unique(space.faces["body"])
    free = np.ones((len(x), 4), bool)
    for nodes in (body, np.flatnonzero((x < 1e-9) | (y < 1e-9) | (y > HEIGHT - 1e-9))):
        free[nodes, :3] = False
    free[:, 2] = False
    for viscosity in (0.01, 0.001):
        state, residual = solved(space, state, free, viscosity, Elements())
    force = -residual[body, :2].sum(axis=0) / np.ptp(z)
    scale = 2 / (0.2**2 * DIAMETER)  # of the mean velocity 0.2
    ends = [np.argmin(np.hypot(x - CENTER[0] - side * DIAMETER / 2, y - CENTER[1])) for side in (-1, 1)]
    return {"drag": float(scale * force[0]), "lift": float(scale * force[1]), "pressure difference": float(state[ends[0], 3] - state[ends[1], 3])}
