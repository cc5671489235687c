"""Wall shear stress of a 3-D solution: the tangential traction mu (grad u + grad u^T) n on the wall, at the mesh's points."""

from __future__ import annotations

import numpy as np

from cfd.flow_problem import LENGTH_M, SPEED_M_S
from cfd.flow_space import FlowSpace, corner_slopes, face_basis

FACES = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])  # corners of a tetrahedron's faces


def wall_shear_pa(space: FlowSpace, velocity: np.ndarray, viscosity_pa_s: np.ndarray) -> np.ndarray:
    """(N,) at the space's nodes, NaN away from the corners of wall faces. velocity: (N, 3) at the space's nodes, in the solver's units. viscosity_pa_s: (C,).

    Each wall face's cell gives the gradient at the face's corners; a point takes the mean of its faces, weighted by their areas.
    """
    faces = space.faces["wall"]
    corners, cell, local = _owners(space, faces)
    nodes = space.cells[cell]
    slope = corner_slopes(space.degree)[local]  # (T, 3, m, 3)
    jacobian = np.einsum("tai,tcak->tcik", space.nodes_mm[nodes], slope)
    gradient = np.einsum("tai,tcak,tckj->tcij", velocity[nodes], slope, np.linalg.inv(jacobian))
    normal, area = _normals(space.nodes_mm[faces])
    traction = viscosity_pa_s[cell][:, None, None] * np.einsum("tcij,tcj->tci", gradient + gradient.swapaxes(2, 3), normal)
    traction -= np.einsum("tci,tci,tcj->tcj", traction, normal, normal)
    weight = np.repeat(area, 3)
    total = np.stack([np.bincount(corners.ravel(), weight * one, len(space.nodes_mm)) for one in traction.reshape(-1, 3).T], axis=1)
    mean = np.linalg.norm(total, axis=1) / np.maximum(np.bincount(corners.ravel(), weight, len(space.nodes_mm)), 1e-30)
    mean[np.setdiff1d(np.arange(len(mean)), corners)] = np.nan
    return SPEED_M_S / LENGTH_M * mean


def _owners(space, faces):
    """((T, 3) corner nodes of each wall face, (T,) its cell, (T, 3) which corners of the cell they are)."""
    count = len(space.nodes_mm)
    key = lambda triples: (triples[..., 0] * count + triples[..., 1]) * count + triples[..., 2]  # noqa: E731
    corners = np.sort(faces[:, :3].astype(np.int64), axis=1)
    sides = space.cells[:, FACES].astype(np.int64)
    order = np.argsort(sides, axis=2)
    keys = key(np.take_along_axis(sides, order, axis=2)).ravel()
    by_key = np.argsort(keys)
    at = by_key[np.searchsorted(keys, key(corners), sorter=by_key)]
    cell, side = np.divmod(at, len(FACES))
    return faces[:, :3], cell, _places(space.cells[cell], FACES[side], faces[:, :3])


def _places(cells, sides, wanted):
    """(T, 3) index within the cell of each wanted node, all of which lie on the given side."""
    there = np.take_along_axis(cells, sides, axis=1)
    return np.take_along_axis(sides, (there[:, None, :] == wanted[:, :, None]).argmax(axis=2), axis=1)


def _normals(nodes_mm):
    """((T, 3, 3) unit normals of faces (T, 3 or 6) at their corners, (T,) areas)."""
    _, _, slope = face_basis(nodes_mm.shape[1], np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    tangents = np.einsum("cad,tai->tcdi", slope, nodes_mm)
    normal = np.cross(tangents[:, :, 0], tangents[:, :, 1])
    length = np.linalg.norm(normal, axis=2)
    return normal / length[..., None], length.mean(axis=1) / 2
