"""Cut a closed vessel surface flat at its ports and cap it: local planes, loops, caps. Millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyvista as pv
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from vtkmodules.vtkCommonCore import vtkIdList
from vtkmodules.vtkCommonDataModel import vtkPolygon

from ccta.errors import BadInput

TOUCHING = 0.002
"""A point of the surface nearer to a plane than this many radii lies in it, so that no needles are cut off."""


class CutFailed(BadInput):
    """A plane did not cut one closed loop. plane: its index."""

    def __init__(self, message: str, plane: int):
        super().__init__(message)
        self.plane = plane


@dataclass(frozen=True, eq=False)
class Plane:
    """Where a port is cut: center (3,), outward unit direction (3,), radius of the lumen there. name: for messages and Port."""

    name: str
    center_mm: np.ndarray
    direction: np.ndarray
    radius_mm: float


def cut_and_capped(surface: pv.PolyData, planes: Sequence[Plane], axis: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(points, triangles, label) of the closed part around an axis; label 0 wall, k + 1 cap of planes[k].

    axis: (K, 3) centerline points and (K,) radii. planes[0] is the inlet. Raises CutFailed where a plane does not cut one closed loop (the vessel ends
    before it, or touches another one), or where the inlet's does not sever the aorta: parts far from the axis remain.
    """
    points, triangles = _component_around(*opened(surface, planes), axis[0])
    _demand_near(points, axis, planes[0])
    loops = boundary_loops(triangles)
    owner = owners(points, loops, planes)
    label = np.zeros(len(triangles), int)
    for k, plane in enumerate(planes):
        mine = [loop for loop, who in zip(loops, owner, strict=True) if who == k]
        if len(mine) != 1:
            place = np.round(plane.center_mm, 1).tolist()
            what = f"the cut of {plane.name} at {place} mm gives {len(mine)} loops instead of one"
            raise CutFailed(f"{what}: the vessel ends there, or touches another; move the end of its centerline", k)
        points[mine[0]] -= ((points[mine[0]] - plane.center_mm) @ plane.direction)[:, None] * plane.direction
        middle = points[mine[0]].mean(axis=0)
        if _sees_all(middle, points[mine[0]], plane.direction):
            cap = np.stack([mine[0], np.roll(mine[0], -1), np.full(len(mine[0]), len(points))], axis=1)
            points = np.vstack([points, middle])
        else:
            cap = _cap(points[mine[0]], mine[0], k)
        triangles, label = np.vstack([triangles, cap]), np.concatenate([label, np.full(len(cap), k + 1)])
    return points, triangles, label


def opened(surface: pv.PolyData, planes: Sequence[Plane]) -> tuple[np.ndarray, np.ndarray]:
    """(points, triangles) of a surface without what lies beyond the planes."""
    surface = _subdivided_near(surface, planes)
    points, triangles = np.asarray(surface.points, float), surface.faces.reshape(-1, 4)[:, 1:]
    height = np.max([_beyond(points, triangles, plane) for plane in planes], axis=0)
    height[np.abs(height) < TOUCHING * np.min([plane.radius_mm for plane in planes])] = 0.0
    surface.point_data["height"] = height
    kept = surface.clip_scalar(scalars="height", value=0.0, invert=True).triangulate().clean()
    return np.asarray(kept.points, float), kept.faces.reshape(-1, 4)[:, 1:]


def _demand_near(points, axis, inlet: Plane) -> None:
    """Every point of an artery and of its stubs is within 5 radii of its axis (7.5 mm at least), unless the aorta is still attached."""
    distance, nearest = cKDTree(axis[0]).query(points)
    far = distance > 5 * np.maximum(axis[1][nearest], 1.5)
    if far.any():
        place = np.round(inlet.center_mm, 1).tolist()
        what = f"the cut of {inlet.name} at {place} mm leaves parts up to {distance.max():.0f} mm from the centerlines attached"
        raise CutFailed(f"{what}; give a line for every branch", 0)


def _subdivided_near(surface: pv.PolyData, planes) -> pv.PolyData:
    """The surface with the triangles around each plane small against the lumen there (an edge at most half the radius)."""
    for _ in range(3):
        points, triangles = np.asarray(surface.points, float), surface.faces.reshape(-1, 4)[:, 1:]
        corner = points[triangles]
        longest = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(axis=1)
        center = corner.mean(axis=1)
        coarse = np.zeros(len(triangles), bool)
        for plane in planes:
            coarse |= (np.linalg.norm(center - plane.center_mm, axis=1) < 3 * plane.radius_mm + 1) & (longest > plane.radius_mm / 2)
        if not coarse.any():
            break
        surface = split_longest_edges(points, triangles, coarse)
    return surface


def split_longest_edges(points, triangles, coarse) -> pv.PolyData:
    """Every edge of the coarse triangles (T,) halved, in their neighbours too (so that the surface stays closed)."""
    return split_edges(points, triangles, np.repeat(coarse[:, None], 3, axis=1))


def split_edges(points, triangles, marked) -> pv.PolyData:
    """The marked edges (T, 3), edge i from corner i to i + 1, halved, in the neighbours too."""
    edges = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2), axis=2)
    keys, index = np.unique(edges[..., 0] * len(points) + edges[..., 1], return_inverse=True)
    unique, index = np.column_stack([keys // len(points), keys % len(points)]), index.reshape(-1, 3)
    split = np.zeros(len(unique), bool)
    split[index[marked]] = True
    number = np.where(split, np.cumsum(split) - 1 + len(points), -1)
    points = np.vstack([points, points[unique[split]].mean(axis=1)])
    result = []
    for triangle, middle in zip(triangles[split[index].any(axis=1)], number[index[split[index].any(axis=1)]], strict=True):
        result.extend(_split(triangle, middle))
    untouched = triangles[~split[index].any(axis=1)]
    return pv.PolyData.from_regular_faces(points, np.vstack([untouched, np.array(result)]))


def _split(triangle, middle):
    """The pieces of one triangle whose edge i (corner i to i + 1) has the new point middle[i], or -1."""
    (a, b, c), count = triangle, int((middle >= 0).sum())
    if count == 3:
        ab, bc, ca = middle
        return [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    turn = int(np.argmax(middle >= 0)) if count == 1 else (int(np.argmin(middle)) + 1) % 3
    (a, b, c), (ab, bc, _) = np.roll(triangle, -turn), np.roll(middle, -turn)
    return [(a, ab, c), (ab, b, c)] if count == 1 else [(a, ab, c), (ab, bc, c), (ab, b, bc)]


def _beyond(points, triangles, plane: Plane) -> np.ndarray:
    """(N,) > 0 on the piece that a plane cuts off: beyond it, inside a ball around its centre, and connected to the vessel's axis there."""
    offset = points - plane.center_mm
    reach = 3 * plane.radius_mm + 1.5
    height = np.minimum(offset @ plane.direction, reach - np.linalg.norm(offset, axis=1))
    positive = height > 0
    if not positive.any():
        return height
    edges = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = edges[positive[edges].all(axis=1)]
    _, part = connected_components(sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(points),) * 2), directed=False)
    nearest = np.flatnonzero(positive)[np.argmin(np.linalg.norm(offset[positive], axis=1))]
    return np.where(positive & (part != part[nearest]), -1e-6, height)


def _component_around(points, triangles, inside_mm):
    """The connected part of the surface nearest to most of the given points, its points renumbered."""
    edges = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    _, part = connected_components(sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(points),) * 2), directed=False)
    used = np.zeros(len(points), bool)
    used[triangles] = True
    _, nearest = cKDTree(points[used]).query(inside_mm)
    kept = used & (part == np.bincount(part[used][nearest]).argmax())
    return points[kept], (np.cumsum(kept) - 1)[triangles[kept[triangles[:, 0]]]]


def boundary_loops(triangles: np.ndarray) -> list[np.ndarray]:
    """Point indices of each closed loop of free edges, in the order that closes the surface outward."""
    edges = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    if not len(edges):
        return []
    used = sparse.coo_matrix((np.ones(len(edges), np.int8), edges.T), shape=(int(edges.max()) + 1,) * 2).tocsr()
    used.data[:] = 1
    one_way = (used - used.T).tocoo()
    free = np.column_stack(one_way.coords)[one_way.data > 0]
    following = dict(zip(free[:, 1], free[:, 0], strict=True))
    loops = []
    while following:
        start, here = next(iter(following.items()))
        loop = [start]
        del following[start]
        while here != start and here in following:
            loop.append(here)
            here = following.pop(here)
        loops.append(np.array(loop))
    return [loop for loop in loops if len(loop) >= 3]


def owners(points, loops, planes) -> list[int]:
    """Per loop the plane it lies on: nearest to that plane's centre among those whose plane holds the loop."""
    owner = []
    for loop in loops:
        ring = points[loop]
        distance = [np.linalg.norm(ring.mean(axis=0) - p.center_mm) + 5 * np.abs((ring - p.center_mm) @ p.direction).max() for p in planes]
        owner.append(int(np.argmin(distance)))
    return owner


def _sees_all(middle, ring, direction) -> bool:
    """True if the segments from `middle` to a ring's points stay inside it (all fan triangles turn the same way)."""
    turn = np.cross(ring - middle, np.roll(ring, -1, axis=0) - middle) @ direction
    return bool((turn > 0).all() or (turn < 0).all())


def _cap(ring: np.ndarray, loop: np.ndarray, plane: int) -> np.ndarray:
    """Triangles over a flat loop of any shape (ear cutting); the remesher makes them regular."""
    polygon, found = vtkPolygon(), vtkIdList()
    for index, point in enumerate(ring):
        polygon.GetPointIds().InsertNextId(index)
        polygon.GetPoints().InsertNextPoint(point)
    if not polygon.EarCutTriangulation(found) or found.GetNumberOfIds() != 3 * (len(loop) - 2):
        raise CutFailed(f"the opening at {np.round(ring.mean(axis=0), 1).tolist()} mm crosses itself; move the end of its centerline", plane)
    return loop[np.array([found.GetId(i) for i in range(found.GetNumberOfIds())]).reshape(-1, 3)]
