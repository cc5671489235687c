"""The discrete space of the fast 3-D solver: nodes, cells and ports of an equal-order element of degree 1 or 2, ordered for threads. Lengths in mm."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

with contextlib.suppress(ImportError):
    import dolfinx_solver  # noqa: F401  the wheel's libraries must be found before basix
import basix
import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee

from ccta.units import m_to_mm
from cfd.block_matrix import Pattern, pattern_of
from cfd.mesh import FlowMesh

BLOCKS = 64  # pieces of the assembly; many more than threads, so that colours balance


@dataclass(frozen=True, eq=False)
class FlowSpace:
    """nodes_mm: (N, 3). cells: (C, m). gradient: (C, 4, 3) of the barycentric coordinates, 1/mm. volume: (C,) mm3. corner: (P,) node of each mesh point.

    blocks, colours: cells[blocks[i]:blocks[i+1]] is block i; blocks colours[j]..colours[j+1] share no node. fixed: (N,) velocity is given (wall, inlet).
    normals: {port: (N, 3)} integral of the outward normal times each node's basis function, mm2. basis: as `element_kernels.assemble` wants it.
    """

    degree: int
    nodes_mm: np.ndarray
    cells: np.ndarray
    gradient: np.ndarray
    volume: np.ndarray
    corner: np.ndarray
    pattern: Pattern
    slot: np.ndarray
    blocks: np.ndarray
    colours: np.ndarray
    wall: np.ndarray
    fixed: np.ndarray
    normals: dict[str, np.ndarray]
    basis: tuple[np.ndarray, ...]

    @property
    def for_kernels(self) -> tuple[np.ndarray, ...]:
        """What `element_kernels.assemble` wants to know of the mesh."""
        return self.blocks, self.colours, self.cells, self.gradient, self.volume, self.slot


def flow_space(mesh: FlowMesh, degree: int) -> FlowSpace:
    """The space on a mesh with named boundaries. degree: 1 or 2."""
    points_mm = m_to_mm(mesh.points_m)
    cells, nodes_mm, edges = _with_edges(points_mm, mesh.tetrahedra, degree)
    order, cells = _ordered(cells, len(nodes_mm))
    nodes_mm = nodes_mm[order]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    pattern, slot = pattern_of(cells, len(nodes_mm))
    blocks, colours, by_block = _coloured(cells, len(nodes_mm))
    cells, slot = cells[by_block], slot[by_block]
    corners = nodes_mm[cells[:, :4]]
    edge = corners[:, 1:] - corners[:, :1]
    inverse = np.linalg.inv(edge)
    gradient = np.concatenate([-inverse.sum(axis=2, keepdims=True), inverse], axis=2).transpose(0, 2, 1)
    faces = {name: _face_nodes(mesh.boundary(name), len(points_mm), edges, place) for name in mesh.names}
    wall = np.unique(faces["wall"])
    fixed = np.zeros(len(nodes_mm), bool)
    for name in mesh.names:
        if name == "wall" or name.startswith("inlet"):
            fixed[faces[name]] = True
    normals = {name: _normals(nodes_mm, nodes, degree) for name, nodes in faces.items() if name != "wall"}
    return FlowSpace(
        degree, nodes_mm, np.ascontiguousarray(cells, np.int32), np.ascontiguousarray(gradient), np.abs(np.linalg.det(edge)) / 6,
        place[: len(points_mm)], pattern, np.ascontiguousarray(slot), blocks, colours, wall, fixed, normals, reference_basis(degree),
    )  # fmt: skip


def reference_basis(degree: int) -> tuple[np.ndarray, ...]:
    """(weights that sum to 1 (Q,), values (Q, m), gradients (Q, m, 3), second derivatives (m, 3, 3)) on the reference tetrahedron, by basix."""
    element = basix.create_element(basix.ElementFamily.P, basix.CellType.tetrahedron, degree, basix.LagrangeVariant.equispaced)
    points, weights = basix.make_quadrature(basix.CellType.tetrahedron, 2 if degree == 1 else 4)
    table = element.tabulate(2, points)[..., 0]
    index = lambda *orders: basix.index(*orders)  # noqa: E731
    slopes = np.stack([table[index(1, 0, 0)], table[index(0, 1, 0)], table[index(0, 0, 1)]], axis=-1)
    curve = np.empty((table.shape[2], 3, 3))
    for i in range(3):
        for j in range(3):
            curve[:, i, j] = table[index(*(np.eye(3, dtype=int)[i] + np.eye(3, dtype=int)[j]))][0]
    return weights / weights.sum(), np.ascontiguousarray(table[0]), np.ascontiguousarray(slopes), curve


def _with_edges(points_mm, tetrahedra, degree):
    """(cells (C, m), nodes, (edge keys sorted, number of points)); nodes on edges follow the points, in basix's order within a cell."""
    count = len(points_mm)
    if degree == 1:
        return tetrahedra.astype(np.int64), points_mm, np.empty(0, np.int64)
    pairs = np.array(basix.topology(basix.CellType.tetrahedron)[1])
    ends = np.sort(tetrahedra[:, pairs], axis=2).astype(np.int64)
    edges, number = np.unique(ends[..., 0] * count + ends[..., 1], return_inverse=True)
    middle = 0.5 * (points_mm[edges // count] + points_mm[edges % count])
    return np.hstack([tetrahedra, count + number.reshape(-1, 6)]), np.vstack([points_mm, middle]), edges


def _ordered(cells, count):
    """(order of the nodes that keeps neighbours close, cells in the new numbers)."""
    m = cells.shape[1]
    ones = np.ones(cells.size * m, np.int8)
    graph = sparse.csr_matrix((ones, (np.repeat(cells, m, axis=1).ravel(), np.tile(cells, (1, m)).ravel())), shape=(count, count))
    order = reverse_cuthill_mckee(graph, symmetric_mode=True)
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    return order, place[cells]


def _coloured(cells, count):
    """(block starts (B + 1,), colour starts, order of the cells): blocks of cells with near nodes, greedily coloured so that a colour shares no node."""
    by_node = np.argsort(cells.min(axis=1), kind="stable")
    block = np.empty(len(cells), np.int64)
    block[by_node] = np.arange(len(cells)) * BLOCKS // len(cells)
    incidence = sparse.csr_matrix((np.ones(cells.size, np.int32), (np.repeat(block, cells.shape[1]), cells.ravel())), shape=(BLOCKS, count))
    touching = (incidence @ incidence.T).toarray() > 0
    colour = np.full(BLOCKS, -1)
    for one in range(BLOCKS):
        taken = set(colour[touching[one]])
        colour[one] = next(c for c in range(BLOCKS) if c not in taken)
    order = np.argsort(colour, kind="stable")
    sizes = np.bincount(block, minlength=BLOCKS)[order]
    place = np.empty(BLOCKS, np.int64)
    place[order] = np.arange(BLOCKS)
    return np.concatenate([[0], np.cumsum(sizes)]), np.concatenate([[0], np.cumsum(np.bincount(colour))]), np.argsort(place[block], kind="stable")


def _face_nodes(triangles, count, edges, place):
    """(T, 3 or 6) nodes of boundary triangles: corners, then middles of the edges."""
    if not len(edges):
        return place[triangles]
    ends = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=2).astype(np.int64)
    return place[np.hstack([triangles, count + np.searchsorted(edges, ends[..., 0] * count + ends[..., 1])])]


def _normals(nodes_mm, faces, degree):
    """(N, 3): a linear function's integral is a third of the area at each corner, a quadratic one's a third at each edge and none at the corners."""
    corner = nodes_mm[faces[:, :3]]
    area = 0.5 * np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]) / 3
    result = np.zeros_like(nodes_mm)
    np.add.at(result, faces[:, :3] if degree == 1 else faces[:, 3:], area[:, None])
    return result
