"""Where a triangulated surface runs through itself. Any unit of length."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

LARGE = 3.0
"""Triangles this many times as large as the median are looked at one by one, so that they do not widen the search of all."""


def crossing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(X,) indices of the triangles that an edge of another one passes through, or whose edge passes through another one.

    Triangles with a common corner are not compared, nor are those that lie in one plane.
    """
    corners = points[triangles]
    center = corners.mean(axis=1)
    radius = np.linalg.norm(corners - center[:, None], axis=2).max(axis=1)
    pairs = _near(center, radius)
    one, other = pairs[~(triangles[pairs[:, 0], :, None] == triangles[pairs[:, 1], None, :]).any(axis=(1, 2))].T
    close = np.linalg.norm(center[one] - center[other], axis=1) < radius[one] + radius[other]
    one, other = one[close], other[close]
    cut = _pierced(corners[one], corners[other]) | _pierced(corners[other], corners[one])
    return np.unique([one[cut], other[cut]])


def extent(points: np.ndarray, triangles: np.ndarray) -> float:
    """Largest distance across one connected patch of the given triangles."""
    edges = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    part = connected_components(sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(points),) * 2), directed=False)[1]
    used = np.unique(triangles)
    return max(float(np.linalg.norm(np.ptp(points[used[part[used] == one]], axis=0))) for one in np.unique(part[used]))


def _near(center, radius):
    """(P, 2) pairs of triangles whose circumscribed balls may meet, each once."""
    usual = LARGE * np.median(radius)
    small, large = np.flatnonzero(radius <= usual), np.flatnonzero(radius > usual)
    pairs = [small[cKDTree(center[small]).query_pairs(2 * radius[small].max(), output_type="ndarray")]]
    everywhere = cKDTree(center)
    for index in large:
        around = np.array(everywhere.query_ball_point(center[index], radius[index] + radius.max()))
        around = around[(around != index) & ((radius[around] <= usual) | (around > index))]
        pairs.append(np.column_stack([np.full(len(around), index), around]))
    return np.vstack(pairs)


def _pierced(wall, other):
    """(P,) whether an edge of `other` (P, 3, 3) passes through the inside of the triangle `wall` (P, 3, 3)."""
    normal = np.cross(wall[:, 1] - wall[:, 0], wall[:, 2] - wall[:, 0])
    height = np.einsum("pai,pi->pa", other - wall[:, :1], normal)
    found = np.zeros(len(wall), bool)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        crosses = np.flatnonzero(height[:, a] * height[:, b] < 0)
        share = height[crosses, a] / (height[crosses, a] - height[crosses, b])
        point = other[crosses, a] + share[:, None] * (other[crosses, b] - other[crosses, a])
        side = [np.einsum("pi,pi->p", np.cross(wall[crosses, (k + 1) % 3] - wall[crosses, k], point - wall[crosses, k]), normal[crosses]) for k in range(3)]
        found[crosses] |= np.min(side, axis=0) > 0
    return found
