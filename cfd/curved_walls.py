"""Curved walls: points of the mesh's wall stand on the lumen, and its edges are arcs, so that elements of degree 2 fill a round vessel.

A straight-sided tube of 14 facets is too narrow for its flow: its pressure gradient reads 9 % high, and 2 % when its volume is made the tube's. With curved
edges the wall's error falls with the fourth power of the edge's length.
"""

from __future__ import annotations

import numpy as np
import pyvista as pv

PAIRS = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]  # edges of a tetrahedron
LEAST_QUALITY = 0.15  # of a curved cell: below it its edges are straightened by half
REGULAR = np.array([[1, 0, 0], [0.5, 0.75**0.5, 0], [0.5, 0.75**0.5 / 3, (2 / 3) ** 0.5]]).T  # edges of the regular tetrahedron, as columns


class LumenWall:
    """The wall of a lumen as a smooth surface, mm: its triangles, lifted between their corners by the corners' normals."""

    def __init__(self, points_mm: np.ndarray, triangles: np.ndarray, label: np.ndarray):
        """label: (T,) 0 = wall."""
        self.points_mm, self.triangles = points_mm, triangles[label == 0]
        self.normals = _vertex_normals(points_mm, self.triangles)
        self.surface = pv.PolyData.from_regular_faces(points_mm, self.triangles)

    def nearest(self, points_mm: np.ndarray) -> np.ndarray:
        """(N, 3) -> (N, 3). Half of Phong tessellation's lift (Boubekeur and Alexa, ACM Trans Graph 2008;27:141), which is a sphere's height over a chord."""
        cell, foot = self.surface.find_closest_cell(points_mm, return_closest_point=True)
        corners = self.triangles[np.atleast_1d(cell)]
        share = _barycentric(foot, self.points_mm[corners])
        normals = self.normals[corners]
        height = np.einsum("nai,nai->na", self.points_mm[corners] - foot[:, None], normals)
        return foot + 0.5 * np.einsum("na,na,nai->ni", share, height, normals)


def on_wall(points_mm: np.ndarray, triangles: np.ndarray, label: np.ndarray, wall: LumenWall) -> np.ndarray:
    """(N, 3): the points of a closed surface with those of its wall moved onto the lumen's; the rims of its openings move within their planes.

    A point that would move by more than a quarter of an edge stays: it is no point of this wall.
    """
    edges = _edges(triangles[label == 0])
    used, shift, nearest_mm = np.unique(edges), np.zeros_like(points_mm), np.full(len(points_mm), np.inf)
    for end in range(2):
        np.minimum.at(nearest_mm, edges[:, end], _length(points_mm, edges))
    shift[used] = wall.nearest(points_mm[used]) - points_mm[used]
    shift[np.linalg.norm(shift, axis=1) > nearest_mm / 4] = 0.0
    for rim, axis in _rims(points_mm, triangles, label):
        shift[rim] -= (shift[rim] @ axis)[:, None] * axis
    return points_mm + shift


def curved_edges(points_mm: np.ndarray, tetrahedra: np.ndarray, triangles: np.ndarray, label: np.ndarray, wall: LumenWall) -> tuple[np.ndarray, np.ndarray]:
    """((E, 2) ends of the wall's edges, ascending and sorted; (E, 3) their middles, mm). triangles, label: the boundary, 0 = wall.

    Corners stay; openings stay flat; no cell is bent to less than `LEAST_QUALITY`.
    """
    edges = _edges(triangles[label == 0])
    middle_mm = points_mm[edges].mean(axis=1)
    bulge_mm = wall.nearest(middle_mm) - middle_mm
    for rim, axis in _rims(points_mm, triangles, label):
        flat = np.isin(edges, rim).all(axis=1)
        bulge_mm[flat] -= (bulge_mm[flat] @ axis)[:, None] * axis
    bulge_mm[np.linalg.norm(bulge_mm, axis=1) > _length(points_mm, edges) / 4] = 0.0  # the nearest wall is another one
    cells, at = _cells_at_wall(tetrahedra, edges, len(points_mm))
    for factor in (*(6 * [0.5]), 0.0):
        folded = _quality(points_mm[cells], np.where((at >= 0)[..., None], bulge_mm[at], 0.0)) < LEAST_QUALITY
        bulge_mm[np.unique(at[folded][at[folded] >= 0])] *= factor
        again = np.isin(at, at[folded][at[folded] >= 0]).any(axis=1)  # only these have changed
        cells, at = cells[again], at[again]
    return edges, middle_mm + bulge_mm


def worst_quality(points: np.ndarray, tetrahedra: np.ndarray, edges: np.ndarray, middle: np.ndarray) -> float:
    """Least quality (`_quality`) of a mesh whose given edges (E, 2), ascending and sorted, are arcs through their middles (E, 3)."""
    straight = float(_quality(points[tetrahedra]).min())
    if not len(edges):
        return straight
    cells, at = _cells_at_wall(tetrahedra, edges, len(points))
    bulge = middle - points[edges].mean(axis=1)
    return min(straight, float(_quality(points[cells], np.where((at >= 0)[..., None], bulge[at], 0.0)).min()))


def _edges(triangles):
    """(E, 2) ends of all edges, ascending and sorted."""
    return np.unique(np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)


def _length(points, edges):
    return np.linalg.norm(points[edges[:, 1]] - points[edges[:, 0]], axis=1)


def _rims(points_mm, triangles, label):
    """(points of the rim, unit normal) of each opening."""
    wall = triangles[label == 0]
    for port in np.unique(label[label > 0]):
        cap = triangles[label == port]
        axis = np.cross(points_mm[cap[:, 1]] - points_mm[cap[:, 0]], points_mm[cap[:, 2]] - points_mm[cap[:, 0]]).sum(axis=0)
        yield np.intersect1d(cap, wall), axis / np.linalg.norm(axis)


def _vertex_normals(points, triangles):
    """(N, 3) area-weighted outward unit normals; zero away from `triangles`."""
    face = np.cross(points[triangles[:, 1]] - points[triangles[:, 0]], points[triangles[:, 2]] - points[triangles[:, 0]])
    normal = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normal, triangles[:, corner], face)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def _barycentric(points, corners):
    """(N, 3) shares of the corners (N, 3, 3) at points of the triangles."""
    areas = [np.linalg.norm(np.cross(corners[:, (k + 1) % 3] - points, corners[:, (k + 2) % 3] - points), axis=1) for k in range(3)]
    return np.stack(areas, axis=1) / np.maximum(np.sum(areas, axis=0), 1e-30)[:, None]


def _cells_at_wall(tetrahedra, edges, count):
    """((C, 4) cells with an edge on the wall, (C, 6) indices of their edges there, -1 for the others)."""
    keys = edges[:, 0].astype(np.int64) * count + edges[:, 1]
    at_wall = np.zeros(count, bool)
    at_wall[edges] = True
    cells = tetrahedra[at_wall[tetrahedra].sum(axis=1) >= 2]
    ends = np.sort(cells[:, PAIRS], axis=2).astype(np.int64)
    wanted = ends[..., 0] * count + ends[..., 1]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    at = np.where(keys[at] == wanted, at, -1)
    has = (at >= 0).any(axis=1)
    return cells[has], at[has]


def _quality(corners, moved=None):
    """(C,) signed inverse condition number 3 det J / (|J| |adj J|) against the regular tetrahedron (1 = regular, 0 = flat, < 0 inside out).

    corners: (C, 4, 3). moved: (C, 6, 3) of the edges' middles of curved cells; theirs is the least at corners, middles of edges and in the middle.
    """
    jacobian = (corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1)[:, None]
    if moved is not None:
        share = np.vstack([np.eye(4), np.eye(4)[PAIRS].mean(axis=1), np.full((1, 4), 0.25)])  # barycentric coordinates of the places
        slope = np.vstack([[[-1, -1, -1]], np.eye(3)])  # of the barycentric coordinates
        first, second = np.array(PAIRS).T
        bubble = 4 * (share[:, first, None] * slope[second] + share[:, second, None] * slope[first])  # gradient of 4 L_a L_b
        jacobian = jacobian + np.einsum("cei,qek->cqik", moved, bubble, optimize=True)
    a, b, c = np.moveaxis(jacobian @ np.linalg.inv(REGULAR), -1, 0)  # columns
    adjoint = np.cross(b, c), np.cross(c, a), np.cross(a, b)
    size = np.sqrt(sum((one**2).sum(axis=-1) for one in (a, b, c)) * sum((one**2).sum(axis=-1) for one in adjoint))
    return (3 * (a * adjoint[0]).sum(axis=-1) / np.maximum(size, 1e-30)).min(axis=1)
