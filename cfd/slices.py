"""Cross-section areas of a lumen surface along its centerlines, by cutting its triangles. mm; numpy only."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ccta.curves import tangents
from ccta.model import Branch, CoronaryTree, Surface

REACH = 3.0  # triangles within this many inscribed radii (and 2 mm) of a plane's centre can belong to its cut


def with_section_radii(tree: CoronaryTree, surface: Surface) -> CoronaryTree:
    """The tree with radius_mm of the circle with the lumen's cross-section area in place of that of the inscribed sphere.

    Where a plane cuts more than one vessel or no closed contour (ostium, bifurcation, open end), the inscribed radius stays: a cut is used only where its
    radius is 0.8 to 1.6 times the inscribed one.
    """
    corners = surface.points_mm[surface.triangles]
    near = cKDTree(corners.mean(axis=1))
    margin = float(np.linalg.norm(corners - corners.mean(axis=1, keepdims=True), axis=2).max())
    branches = []
    for branch in tree:
        direction, radius = tangents(branch.points_mm), branch.radius_mm.copy()
        for k, (point, normal) in enumerate(zip(branch.points_mm, direction, strict=True)):
            around = near.query_ball_point(point, REACH * branch.radius_mm[k] + 2.0 + margin)
            cut = np.sqrt(section_area_mm2(corners[around], surface.triangles[around], point, normal) / np.pi)
            if 0.8 * branch.radius_mm[k] < cut < 1.6 * branch.radius_mm[k]:
                radius[k] = cut
        branches.append(Branch(branch.points_mm, radius, branch.parent, branch.parent_distance_mm, branch.segment, branch.name))
    return CoronaryTree(tuple(branches), tree.dominance)


def section_area_mm2(corners: np.ndarray, triangles: np.ndarray, point: np.ndarray, normal: np.ndarray) -> float:
    """Area inside the closed contour that encloses `point` in the plane through it, 0 if none does.

    corners: (T, 3, 3) of outward triangles (T, 3). Each crossed triangle gives one segment between two of its edges, directed by the triangle's
    orientation; segments that share an edge belong to one contour; its signed area is half the sum of the cross products.
    """
    height = (corners - point) @ normal
    above = height > 0
    crossed = np.flatnonzero(above.any(axis=1) & ~above.all(axis=1))
    if not len(crossed):
        return 0.0
    ends, edges = _segments(corners[crossed] - point, height[crossed], above[crossed], triangles[crossed])
    area = 0.5 * np.cross(ends[:, 0], ends[:, 1]) @ normal
    u = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    turn = np.angle(_plane(ends[:, 1], u, normal) / _plane(ends[:, 0], u, normal))
    _, edge = np.unique(edges.ravel(), return_inverse=True)
    edge = edge.reshape(-1, 2)
    count = edge.max() + 1
    part = connected_components(coo_array((np.ones(len(edge)), (edge[:, 0], edge[:, 1])), shape=(count, count)), directed=False)[1][edge[:, 0]]
    winding, signed = np.bincount(part, turn), np.bincount(part, area)
    around = np.flatnonzero(np.abs(np.abs(winding) - 2 * np.pi) < 0.1)
    return float(np.abs(signed[around]).min()) if len(around) else 0.0


def _plane(vectors, u, normal):
    u = u / np.linalg.norm(u)
    return vectors @ u + 1j * (vectors @ np.cross(normal, u))


def _segments(corners, height, above, triangles):
    """((S, 2, 3) directed segments, (S, 2) identities of the mesh edges that their ends lie on)."""
    lone = np.where(above.sum(axis=1) == 1, np.argmax(above, axis=1), np.argmin(above, axis=1))  # the corner alone on its side
    rows = np.arange(len(lone))
    ends, edges = [], []
    for step in (1, 2):
        other = (lone + step) % 3
        share = height[rows, lone] / (height[rows, lone] - height[rows, other])
        ends.append(corners[rows, lone] + share[:, None] * (corners[rows, other] - corners[rows, lone]))
        pair = np.sort(np.stack([triangles[rows, lone], triangles[rows, other]], axis=1), axis=1).astype(np.int64)
        edges.append(pair[:, 0] * (triangles.max() + 1) + pair[:, 1])
    flip = above[rows, lone]
    ends, edges = np.stack(ends, axis=1), np.stack(edges, axis=1)
    ends[flip] = ends[flip][:, ::-1]
    return ends, edges
