"""What a coronary tree looks like from afar: in each slab of about one diameter one pressure and one axial flow. The second level of the linear solver.

Flow in a tree is decided by pressures and flows along it, which local smoothing passes on only element by element: solving for these first takes GMRES
from hundreds of iterations to about ten.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from ccta.errors import SolverFailed
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


def coarse_modes(shape: np.ndarray, nearest: np.ndarray, axis: AxisFlow, profile: np.ndarray, part: Part) -> sparse.csr_matrix:
    """(4 N, M): per slab that has nodes, of whichever process, a constant pressure, and the axial flow if any node is free; last the inlet's profile."""
    known, of_station = np.unique(axis.slab, return_inverse=True)
    slab, count = of_station[nearest], len(shape)
    held = part.sum(np.bincount(slab, minlength=len(known))) > 0
    number, slabs = (np.cumsum(held) - 1)[slab], int(held.sum())
    node = np.arange(count)
    velocity = (4 * node[:, None] + np.arange(3)).ravel()
    rows = np.concatenate([4 * node + 3, velocity, velocity])
    columns = np.concatenate([number, slabs + np.repeat(number, 3), np.full(3 * count, 2 * slabs)])
    values = np.concatenate([np.ones(count), shape.ravel(), profile.ravel()])
    modes = sparse.csr_matrix((values, (rows, columns)), shape=(4 * count, 2 * slabs + 1))
    modes.eliminate_zeros()
    return modes[:, part.sum(np.bincount(modes.indices, minlength=modes.shape[1])) > 0]
