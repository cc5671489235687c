"""Implicit shapes: signed distance in mm (negative inside) of (..., 3) points. First-order accurate at the surface.

Formulas: Quilez, "Distance functions" (ellipsoid, capsule, round cone) and "Smooth minimum" (polynomial).
"""

from collections.abc import Callable

import numba
import numpy as np
from scipy.spatial import cKDTree

Shape = Callable[[np.ndarray], np.ndarray]


def ellipsoid(center, axes, radii_mm) -> Shape:
    """Semi-axes `radii_mm` (3,) along the rows of `axes` (3, 3), orthonormal."""
    center, radii = np.asarray(center, float), np.asarray(radii_mm, float)
    to_unit = np.ascontiguousarray(np.asarray(axes, float) / radii[:, None])
    return lambda points: _ellipsoid(np.ascontiguousarray(points, float).reshape(-1, 3), center, to_unit, radii).reshape(points.shape[:-1])


def tube(points_mm, radii_mm) -> Shape:
    """Union of cones with round ends along a polyline; (N, 3) points and (N,) radii."""
    pts, radii = np.asarray(points_mm, float), np.array(np.broadcast_to(np.asarray(radii_mm, float), len(points_mm)))
    return lambda points: _tube(np.ascontiguousarray(points, float).reshape(-1, 3), pts, radii).reshape(points.shape[:-1])


@numba.njit(cache=True)
def _ellipsoid(points, center, to_unit, radii):
    result = np.empty(len(points))
    for n in range(len(points)):
        k0, k1 = 0.0, 0.0
        for a in range(3):
            scaled = 0.0
            for b in range(3):
                scaled += (points[n, b] - center[b]) * to_unit[a, b]
            k0 += scaled * scaled
            k1 += (scaled / radii[a]) ** 2
        k0 = np.sqrt(k0)
        result[n] = k0 * (k0 - 1) / np.sqrt(k1) if k0 > 1e-9 else -radii.min()
    return result


@numba.njit(cache=True)
def _tube(points, pts, radii):
    result = np.full(len(points), np.inf)
    for n in range(len(points)):
        for m in range(len(pts) - 1):
            dot, length2 = 0.0, 0.0
            for a in range(3):
                along = pts[m + 1, a] - pts[m, a]
                dot += (points[n, a] - pts[m, a]) * along
                length2 += along * along
            t = min(max(dot / length2, 0.0), 1.0)
            d2 = 0.0
            for a in range(3):
                d2 += (points[n, a] - pts[m, a] - t * (pts[m + 1, a] - pts[m, a])) ** 2
            result[n] = min(result[n], np.sqrt(d2) - radii[m] - t * (radii[m + 1] - radii[m]))
    return result


def beads(points_mm, radii_mm, reach_mm: float = 15.0) -> Shape:
    """Union of balls at closely spaced points; beyond `reach_mm` from all of them the distance is cut off there."""
    tree, radii = cKDTree(points_mm), np.append(np.broadcast_to(np.asarray(radii_mm, float), len(points_mm)), 0.0)

    def distance(points):
        d, node = tree.query(points, distance_upper_bound=reach_mm)
        return np.minimum(d, reach_mm) - radii[node]

    return distance


def half_space(point, outward) -> Shape:
    """Everything behind the plane through `point` with unit normal `outward`."""
    point, outward = np.asarray(point, float), np.asarray(outward, float) / np.linalg.norm(outward)
    return lambda points: (points - point) @ outward


def grown(shape: Shape, by_mm: float) -> Shape:
    """The shape with its surface moved outwards."""
    return lambda points: shape(points) - by_mm


def scaled(shape: Shape, factor: float) -> Shape:
    """The shape magnified about the origin."""
    return lambda points: factor * shape(points / factor)


def union(*shapes: Shape, smooth_mm: float = 0.0) -> Shape:
    """Union; edges rounded over `smooth_mm`."""

    def distance(points):
        result = shapes[0](points)
        for shape in shapes[1:]:
            result = smooth_min(result, shape(points), smooth_mm)
        return result

    return distance


def smooth_min(a, b, k):
    """min(a, b), blended by a parabola where |a - b| < k."""
    if k <= 0:
        return np.minimum(a, b)
    h = np.maximum(k - np.abs(a - b), 0)
    return np.minimum(a, b) - h * h / (4 * k)


def intersection(*shapes: Shape, smooth_mm: float = 0.0) -> Shape:
    """Intersection; edges rounded over `smooth_mm`."""

    def distance(points):
        result = shapes[0](points)
        for shape in shapes[1:]:
            result = -smooth_min(-result, -shape(points), smooth_mm)
        return result

    return distance


def without(shape: Shape, removed: Shape) -> Shape:
    """`shape` minus `removed`."""
    return lambda points: np.maximum(shape(points), -removed(points))


def remembered(shape: Shape) -> Shape:
    """The same shape; asked twice for one and the same array of points, it answers from memory."""
    last = [None, None]

    def distance(points):
        if points is not last[0]:
            last[:] = points, shape(points)
        return last[1]

    return distance


def gradient(shape: Shape, points: np.ndarray, step_mm: float = 0.05) -> np.ndarray:
    """(N, 3) gradient by central differences."""
    shifts = np.concatenate([np.eye(3), -np.eye(3)])[:, None] * step_mm
    values = shape((points + shifts).reshape(-1, 3)).reshape(6, -1)
    return (values[:3] - values[3:]).T / (2 * step_mm)
