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
from cfd.element_kernels import SHAPE, WIDTH, bent_shapes
from cfd.mesh import FlowMesh
from cfd.parts import Part

FACE_EDGES = [[0, 1], [1, 2], [2, 0]]  # of a boundary triangle, in the order of its middles
BLOCKS = 64  # pieces of the assembly; many more than threads, so that colours balance


@dataclass(frozen=True, eq=False)
class Skeleton:
    """What every process knows of the whole: nodes_mm (N, 3), fixed (N,) velocity is given (wall, inlet), corner (P,) node of each mesh point.

    wall: nodes. faces: {port: (T, 3 or 6)} nodes. normals: {port: (N, 3)} integral of the outward normal times each node's basis function, mm2.
    """

    nodes_mm: np.ndarray
    fixed: np.ndarray
    corner: np.ndarray
    wall: np.ndarray
    faces: dict[str, np.ndarray]
    normals: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class FlowSpace:
    """The whole, or what one process sees of it (`Part`).

    nodes_mm: (N, 3). cells: (C, m). gradient: (C, 4, 3) of the barycentric coordinates of the straight cell, 1/mm. volume: (C,) of it, mm3.
    bent: (C,) row of the cell in `shape` where an edge of it is an arc, else -1; shape: see `element_kernels.bent_shapes`.
    blocks, colours: cells[blocks[i]:blocks[i+1]] is block i; blocks colours[j]..colours[j+1] share no node.
    fixed: (N,) velocity is given (wall, inlet). faces: as in the skeleton, those with an owned node. normals: as in the skeleton, 0 at foreign nodes.
    basis: of `reference_basis`.
    """

    degree: int
    nodes_mm: np.ndarray
    cells: np.ndarray
    gradient: np.ndarray
    volume: np.ndarray
    bent: np.ndarray
    shape: np.ndarray
    pattern: Pattern
    slot: np.ndarray
    blocks: np.ndarray
    colours: np.ndarray
    fixed: np.ndarray
    faces: dict[str, np.ndarray]
    normals: dict[str, np.ndarray]
    basis: tuple[np.ndarray, ...]
    part: Part
    skeleton: Skeleton

    @property
    def for_kernels(self) -> tuple[np.ndarray, ...]:
        """What `element_kernels.assemble` wants to know of the mesh."""
        return self.blocks, self.colours, self.cells, self.slot, (self.gradient, self.volume, self.bent, self.shape), padded_basis(self.basis)


def flow_space(mesh: FlowMesh, degree: int, comm=None) -> FlowSpace:
    """The space on a mesh with named boundaries, or this process's part of it. degree: 1 or 2. comm: of the processes that share it (mpi4py)."""
    skeleton, cells = _skeleton(mesh, degree)
    part = Part(cells, len(skeleton.nodes_mm), comm)
    cells, nodes_mm = part.local(cells[part.mine]), skeleton.nodes_mm[part.nodes]
    pattern, slot = pattern_of(cells, len(nodes_mm))
    blocks, colours, by_block = _coloured(cells, len(nodes_mm))
    cells, slot = cells[by_block], slot[by_block]
    corners = nodes_mm[cells[:, :4]]
    edge = corners[:, 1:] - corners[:, :1]
    inverse = np.linalg.inv(edge)
    gradient = np.concatenate([-inverse.sum(axis=2, keepdims=True), inverse], axis=2).transpose(0, 2, 1)
    owned = np.zeros(len(skeleton.nodes_mm), bool)
    owned[part.nodes[part.owned]] = True
    basis = reference_basis(degree)
    faces = {name: part.local(nodes[owned[nodes].any(axis=1)]) for name, nodes in skeleton.faces.items()}
    normals = {name: np.where(owned[part.nodes, None], normal[part.nodes], 0.0) for name, normal in skeleton.normals.items()}
    return FlowSpace(
        degree, nodes_mm, np.ascontiguousarray(cells, np.int32), np.ascontiguousarray(gradient), np.abs(np.linalg.det(edge)) / 6,
        *_bent(nodes_mm, cells, basis), pattern, np.ascontiguousarray(slot), blocks, colours, skeleton.fixed[part.nodes], faces, normals,
        basis, part, skeleton,
    )  # fmt: skip


def _skeleton(mesh: FlowMesh, degree: int) -> tuple[Skeleton, np.ndarray]:
    """(what is known of the whole, its cells (C, m)), nodes ordered so that neighbours are close."""
    cells, nodes_mm, edges = cells_and_nodes(mesh, degree)
    count = len(mesh.points_m)
    order, cells = _ordered(cells, len(nodes_mm))
    nodes_mm = nodes_mm[order]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    faces = {name: _face_nodes(mesh.boundary(name), count, edges, place) for name in mesh.names}
    fixed = np.zeros(len(nodes_mm), bool)
    for name in mesh.names:
        if name == "wall" or name.startswith("inlet"):
            fixed[faces[name]] = True
    normals = {name: _normals(nodes_mm, nodes) for name, nodes in faces.items()}
    return Skeleton(nodes_mm, fixed, place[:count], np.unique(faces["wall"]), faces, normals), cells


def reference_basis(degree: int, exact_degree: int | None = None) -> tuple[np.ndarray, ...]:
    """(weights that sum to 1 (Q,), values (Q, m), gradients (Q, m, 3), second derivatives (m, 3, 3)) on the reference tetrahedron, by basix.

    exact_degree: of the polynomials that the rule integrates exactly; None: as the solver's own.
    """
    element = basix.create_element(basix.ElementFamily.P, basix.CellType.tetrahedron, degree, basix.LagrangeVariant.equispaced)
    rule = basix.QuadratureType.xiao_gimbutas if degree == 2 else basix.QuadratureType.default  # 11 points for degree 4, 14 by default
    points, weights = basix.make_quadrature(basix.CellType.tetrahedron, exact_degree or (2 if degree == 1 else 4), rule=rule)
    table = element.tabulate(2, points)[..., 0]
    index = lambda *orders: basix.index(*orders)  # noqa: E731
    slopes = np.stack([table[index(1, 0, 0)], table[index(0, 1, 0)], table[index(0, 0, 1)]], axis=-1)
    curve = np.empty((table.shape[2], 3, 3))
    for i in range(3):
        for j in range(3):
            curve[:, i, j] = table[index(*(np.eye(3, dtype=int)[i] + np.eye(3, dtype=int)[j]))][0]
    return weights / weights.sum(), np.ascontiguousarray(table[0]), np.ascontiguousarray(slopes), curve


def padded_basis(basis: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights (Q,), (Q, 4 WIDTH) values and gradients, (6 WIDTH,) second derivatives 00, 11, 22, twice 01, 02, 12) of the nodes, filled up with zeros."""
    weights, value, slope, curve = basis
    tables, second = np.zeros((len(weights), 4, WIDTH)), np.zeros((6, WIDTH))
    tables[..., : value.shape[1]] = np.concatenate([value[:, None], slope.transpose(0, 2, 1)], axis=1)
    second[:, : value.shape[1]] = curve[:, [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]].T * [[1], [1], [1], [2], [2], [2]]
    return weights, tables.reshape(len(weights), -1), second.ravel()


def cells_and_nodes(mesh: FlowMesh, degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cells (C, 4 or 10), nodes mm (N, 3), edge keys sorted); nodes on edges follow the mesh's points, in basix's order within a cell."""
    points_mm, count = m_to_mm(mesh.points_m), len(mesh.points_m)
    if degree == 1:
        return mesh.tetrahedra.astype(np.int64), points_mm, np.empty(0, np.int64)
    pairs = np.array(basix.topology(basix.CellType.tetrahedron)[1])
    edges, number = np.unique(_keys(np.sort(mesh.tetrahedra[:, pairs], axis=2), count), return_inverse=True)
    middle = 0.5 * (points_mm[edges // count] + points_mm[edges % count])
    middle[np.searchsorted(edges, _keys(mesh.curved_edges, count))] = m_to_mm(mesh.middle_m)
    return np.hstack([mesh.tetrahedra, count + number.reshape(-1, 6)]), np.vstack([points_mm, middle]), edges


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
    keys = _keys(np.sort(triangles[:, FACE_EDGES], axis=2), count)
    return place[np.hstack([triangles, count + np.searchsorted(edges, keys)])]


def corner_slopes(degree: int) -> np.ndarray:
    """(4, m, 3) gradients of the basis functions at the corners of the reference tetrahedron."""
    element = basix.create_element(basix.ElementFamily.P, basix.CellType.tetrahedron, degree, basix.LagrangeVariant.equispaced)
    return element.tabulate(1, basix.geometry(basix.CellType.tetrahedron))[1:, :, :, 0].transpose(1, 2, 0)


def face_basis(m: int, points: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights (Q,), values (Q, m), gradients (Q, m, 2)) on the reference triangle, m = 3 or 6 nodes in the order of boundary triangles.

    points: (Q, 2) of the triangle in place of those of the quadrature, whose weights then mean nothing.
    """
    degree = 1 if m == 3 else 2
    element = basix.create_element(basix.ElementFamily.P, basix.CellType.triangle, degree, basix.LagrangeVariant.equispaced)
    theirs = [set(pair) for pair in basix.topology(basix.CellType.triangle)[1]]
    order = [0, 1, 2, *(3 + theirs.index(set(edge)) for edge in FACE_EDGES)][:m]
    rule, weights = basix.make_quadrature(basix.CellType.triangle, 4)
    value, along, across = element.tabulate(1, rule if points is None else points)[:, :, order, 0]
    return weights, value, np.stack([along, across], axis=-1)


def _normals(nodes_mm, faces):
    """(N, 3) integral of n N_a over flat or curved faces: of the tangents' cross product, which the rule integrates exactly."""
    weight, value, slope = face_basis(faces.shape[1])
    tangents = np.einsum("qad,tai->tqdi", slope, nodes_mm[faces])
    result = np.zeros_like(nodes_mm)
    np.add.at(result, faces, np.einsum("q,qa,tqi->tai", weight, value, np.cross(tangents[:, :, 0], tangents[:, :, 1])))
    return result


def _bent(nodes_mm, cells, basis):
    """(row of each cell in the shapes of those of which a node between two corners stands off their chord, else -1; their shapes)."""
    row, corners = np.full(len(cells), -1), nodes_mm[cells]
    if cells.shape[1] > 4:
        chord = corners[:, np.array(basix.topology(basix.CellType.tetrahedron)[1])].mean(axis=2)
        off = np.abs(corners[:, 4:] - chord).max(axis=(1, 2)) > 1e-9 * np.ptp(corners[:, :4], axis=(0, 1)).max()
        row[off] = np.arange(np.count_nonzero(off))
    shape = np.empty((np.count_nonzero(row >= 0), len(basis[0]), SHAPE))
    bent_shapes(nodes_mm, cells[row >= 0], *basis[2:], shape)
    return row, shape


def _keys(ends, count):
    """One number per edge (..., 2), ascending ends."""
    ends = ends.astype(np.int64)
    return ends[..., 0] * count + ends[..., 1]
