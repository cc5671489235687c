"""What a coronary tree looks like from afar: in each slab of about one diameter one pressure and one axial flow. The second level of the linear solver.

Flow in a tree is decided by pressures and flows along it, which local smoothing passes on only element by element: solving for these first takes GMRES
from hundreds of iterations to about ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from ccta.errors import SolverFailed
from cfd.block_matrix import Pattern, product
from cfd.flow_problem import LENGTH_M, SPEED_M_S, AxisFlow
from cfd.flow_space import FlowSpace, face_basis
from cfd.parts import Part


def axial_shape(space: FlowSpace, axis: AxisFlow) -> tuple[np.ndarray, np.ndarray]:
    """((N, 3) along the axis, 1 at the centerline, 0 where velocity is given; (N,) nearest station of the axis).

    1 - (d / (d + w))^2 with the distances d to the centerline and w to the wall: the parabola in a tube, and something like it elsewhere.
    """
    distance, nearest = cKDTree(axis.points_mm).query(space.nodes_mm)
    to_wall = cKDTree(space.skeleton.nodes_mm[space.skeleton.wall]).query(space.nodes_mm)[0]
    shape = 1 - (distance / np.maximum(distance + to_wall, 1e-12)) ** 2
    shape[space.fixed] = 0.0
    return shape[:, None] * axis.direction[nearest], nearest


def inlet_profile(space: FlowSpace, inlet: str) -> np.ndarray:
    """(N, 3) velocity for unit inflow, zero but at the inlet's own nodes, along its inward normal: what fully developed flow has in a section of that shape.

    laplace phi = -1 on the cap, phi = 0 on its rim: a parabola on a disc. SolverFailed where the cap has too few elements.
    """
    whole = space.skeleton
    faces, normal = whole.faces[inlet], whole.normals[inlet]
    weight, value, slope = face_basis(faces.shape[1])
    tangents = np.einsum("qad,tai->tqdi", slope, whole.nodes_mm[faces])
    metric = np.einsum("tqdi,tqei->tqde", tangents, tangents)
    area = weight * np.sqrt(np.linalg.det(metric))
    stiffness = np.einsum("tq,qad,tqde,qbe->tab", area, slope, np.linalg.inv(metric), slope)
    used, local = np.unique(faces, return_inverse=True)
    local, m = local.reshape(faces.shape), faces.shape[1]
    matrix = sparse.csr_matrix((stiffness.ravel(), (np.repeat(local, m, axis=1).ravel(), np.tile(local, (1, m)).ravel())))
    load = np.bincount(local.ravel(), np.einsum("tq,qa->ta", area, value).ravel())
    inside = np.flatnonzero(~np.isin(used, whole.wall))
    if len(inside) < 3:
        raise SolverFailed("the inlet has too few elements for a velocity profile; use more elements per diameter")
    profile, outward = np.zeros_like(whole.nodes_mm), normal.sum(axis=0)
    profile[used[inside]] = -spsolve(matrix[inside][:, inside].tocsc(), load[inside])[:, None] * outward
    return profile[space.part.nodes] / -np.sum(normal * profile)


def through_wall(space: FlowSpace, places_mm: np.ndarray, flow_m3_s: np.ndarray) -> np.ndarray:
    """(N, 3) velocity at the wall's nodes, along the outward normal and the same around each place, that carries the flow of each place. Solver's units.

    Nodes at the ports' rims stay at rest. Places without a node of their own give their flow to the nearest place that has one.
    """
    whole = space.skeleton
    rim, around = np.zeros(len(whole.nodes_mm), bool), np.zeros_like(whole.nodes_mm)
    for name, faces in whole.faces.items():
        rim[faces] |= name != "wall"
    corners = whole.nodes_mm[whole.faces["wall"][:, :3]]
    np.add.at(around, whole.faces["wall"], np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, None])
    nodes = whole.wall[~rim[whole.wall]]
    unit = around[nodes] / np.linalg.norm(around[nodes], axis=1, keepdims=True)
    nearest = cKDTree(places_mm).query(whole.nodes_mm[nodes])[1]
    area = np.bincount(nearest, np.einsum("ij,ij->i", whole.normals["wall"][nodes], unit), minlength=len(places_mm))
    owner = np.flatnonzero(area > 0.01 * area.mean())
    flow = np.zeros(len(places_mm))
    np.add.at(flow, owner[cKDTree(places_mm[owner]).query(places_mm)[1]], flow_m3_s / (SPEED_M_S * LENGTH_M**2))
    velocity = np.zeros_like(whole.nodes_mm)
    velocity[nodes] = np.divide(flow, area, out=np.zeros_like(flow), where=flow != 0)[nearest][:, None] * unit
    return velocity[space.part.nodes]


def first_guess(shape: np.ndarray, nearest: np.ndarray, axis: AxisFlow, pressure_pa: float) -> np.ndarray:
    """(N, 4) parabolas that carry the flow known beforehand, and its pressure, in the solver's units. pressure_pa: of the solver's unit."""
    flow = axis.flow_m3_s / (SPEED_M_S * LENGTH_M**2)
    state = np.empty((len(shape), 4))
    state[:, :3] = shape * (2 * flow / (np.pi * axis.radius_mm**2))[nearest][:, None]
    state[:, 3] = (axis.pressure_pa / pressure_pa)[nearest]
    return state


@dataclass(frozen=True, eq=False)
class CoarseModes:
    """The space Z of 2 S + 1 modes: in each of S slabs a pressure, in each the axial flow, last the inlet's profile.

    slab: (N,) number of each node's. shape, profile: (N, 3). rows: what `_slabs_of_rows` found. ports: (outlets, 2 S + 1) b^T Z of the outlets' normals b.
    """

    slab: np.ndarray
    shape: np.ndarray
    profile: np.ndarray
    slabs: int
    rows: tuple[np.ndarray, np.ndarray, np.ndarray]
    ports: np.ndarray
    part: Part

    @property
    def size(self) -> int:
        return 2 * self.slabs + 1

    def spread(self, share: np.ndarray) -> np.ndarray:
        """(N, 4) Z share."""
        result = np.empty((len(self.slab), 4))
        result[:, :3] = self.shape * share[self.slabs : -1][self.slab][:, None] + share[-1] * self.profile
        result[:, 3] = share[self.slab]
        return result

    def tested(self, values: np.ndarray) -> np.ndarray:
        """(2 S + 1,) Z^T values over all processes, of values (n, 4) at the owned nodes."""
        own = self.part.owned
        along = np.einsum("ij,ij->i", self.shape[own], values[:, :3])
        weights = (np.bincount(self.slab[own], one, minlength=self.slabs) for one in (values[:, 3], along))
        return self.part.sum(np.concatenate([*weights, [np.sum(self.profile[own] * values[:, :3])]]))

    def images(self, pattern: Pattern, data: np.ndarray, resistance: np.ndarray) -> CoarseImages:
        """A Z for the blocks (K, 4, 4) of A, and Z^T A Z with the outlets' terms R b b^T."""
        start, slab, place = self.rows
        found = np.zeros((len(slab), 2, 4))
        _images(pattern.start, pattern.column, data, place, self.shape, found)
        inlet = product(pattern, data, np.column_stack([self.profile, np.zeros(len(self.slab))]))
        matrix = np.zeros((self.size, self.size))
        _tested_images(self.part.owned.start, self.part.owned.stop, (self.slab, self.shape, self.profile), (start, slab, found, inlet), matrix)
        matrix = self.part.sum(matrix) + (self.ports.T * resistance) @ self.ports
        still = ~matrix.any(axis=0)  # the flow of a slab in which nothing can move, as one of the inlet's cap alone
        matrix[still, still] = 1.0
        return CoarseImages(start, slab, found, inlet, matrix)


@dataclass(frozen=True, eq=False)
class CoarseImages:
    """A Z: for row i and its slabs slab[start[i]:start[i + 1]] the images (., 2, 4) of their pressure and their flow; inlet: (N, 4). matrix: Z^T A Z."""

    start: np.ndarray
    slab: np.ndarray
    found: np.ndarray
    inlet: np.ndarray
    matrix: np.ndarray

    def combined(self, share: np.ndarray) -> np.ndarray:
        """(N, 4) A Z share, without the outlets' terms."""
        result = share[-1] * self.inlet
        _combined(self.start, self.slab, self.found, share, result)
        return result


def coarse_modes(shape: np.ndarray, nearest: np.ndarray, axis: AxisFlow, profile: np.ndarray, space: FlowSpace, outlets: Sequence) -> CoarseModes:
    """The modes: per slab that has nodes, of whichever process, a constant pressure and the axial flow. outlets: (nodes, normals there) of each."""
    known, of_station = np.unique(axis.slab, return_inverse=True)
    slab = of_station[nearest]
    held = space.part.sum(np.bincount(slab, minlength=len(known))) > 0
    slab, slabs = (np.cumsum(held) - 1)[slab], int(held.sum())
    ports = np.zeros((len(outlets), 2 * slabs + 1))
    for row, (nodes, normals) in zip(ports, outlets, strict=True):
        np.add.at(row, slabs + slab[nodes], np.einsum("ij,ij->i", shape[nodes], normals))
        row[-1] = np.sum(profile[nodes] * normals)
    rows = _slabs_of_rows(space.pattern.start, space.pattern.column, slab)
    return CoarseModes(slab, np.ascontiguousarray(shape), profile, slabs, rows, space.part.sum(ports), space.part)


@njit(cache=True)
def _slabs_of_rows(start, column, slab):
    """(row starts (N + 1,), slabs that each row's columns lie in, place there of each block)."""
    rows, found, place = np.zeros(len(start), np.int32), np.empty(len(column), np.int32), np.empty(len(column), np.int32)
    n = 0
    for i in range(len(start) - 1):
        for k in range(start[i], start[i + 1]):
            wanted, at = slab[column[k]], rows[i]
            while at < n and found[at] != wanted:
                at += 1
            if at == n:
                found[n] = wanted
                n += 1
            place[k] = at
        rows[i + 1] = n
    return rows, found[:n].copy(), place


@njit(cache=True, fastmath=True, parallel=True)
def _images(start, column, data, place, shape, found):
    for i in prange(len(start) - 1):
        for k in range(start[i], start[i + 1]):
            x, y, z = shape[column[k], 0], shape[column[k], 1], shape[column[k], 2]
            for a in range(4):
                found[place[k], 0, a] += data[k, a, 3]
                found[place[k], 1, a] += data[k, a, 0] * x + data[k, a, 1] * y + data[k, a, 2] * z


@njit(cache=True, fastmath=True)
def _tested_images(first, end, modes, images, matrix):
    """Adds Z^T (A Z) over the rows first to end."""
    (slab, shape, profile), (start, slabs, found, inlet) = modes, images
    count = len(matrix) // 2
    for i in range(first, end):
        own = slab[i]
        for at in range(start[i], start[i + 1]):
            for kind in range(2):
                column = kind * count + slabs[at]
                image = found[at, kind]
                matrix[own, column] += image[3]
                for a in range(3):
                    matrix[count + own, column] += shape[i, a] * image[a]
                    matrix[2 * count, column] += profile[i, a] * image[a]
        matrix[own, 2 * count] += inlet[i, 3]
        for a in range(3):
            matrix[count + own, 2 * count] += shape[i, a] * inlet[i, a]
            matrix[2 * count, 2 * count] += profile[i, a] * inlet[i, a]


@njit(cache=True, fastmath=True, parallel=True)
def _combined(start, slab, found, share, result):
    count = len(share) // 2
    for i in prange(len(start) - 1):
        for at in range(start[i], start[i + 1]):
            pressure, flow = share[slab[at]], share[count + slab[at]]
            for a in range(4):
                result[i, a] += pressure * found[at, 0, a] + flow * found[at, 1, a]
