"""Arteries into voxels: each voxel that an artery touches is divided into sub-voxels, and each of these is asked what it is. numba."""

from typing import NamedTuple

import numba
import numpy as np
from scipy.spatial import cKDTree

from ccta.coordinates import to_patient_mm
from ccta.phantom.plaques import MATRIX_HU, Plaque, Vessel

OUTSIDE, WALL, FIBROUS, LIPID, CALCIUM, LUMEN = range(6)
"""What a point can be; the larger number wins where two vessels meet."""


class Tubes(NamedTuple):
    """All vessels of a patient as flat arrays for the kernel; vessel t owns nodes start[t]:start[t + 1] and inclusions part_start[t]:part_start[t + 1].

    node: (N, 14) x y z, tangent, u, v, distance, lumen radius; shape: (N, 4) wall radius, offset, angle, matrix HU (NaN where healthy).
    part: (K, 7) the fields of Inclusion. reach: (N,) radius within which a point can belong to the vessel.
    """

    node: np.ndarray
    shape: np.ndarray
    start: np.ndarray
    part: np.ndarray
    part_start: np.ndarray


def tubes_of(vessels: list[Vessel], plaques: tuple[Plaque, ...]) -> Tubes:
    """Pack vessels for `paint` and `classes`. Plaques give the HU of the tissue between lumen and wall."""
    nodes, shapes, parts, start, part_start = [], [], [], [0], [0]
    for vessel in vessels:
        matrix = np.array([np.nan if k < 0 else MATRIX_HU[plaques[k].spec.kind] for k in vessel.plaque])
        nodes.append(np.column_stack([vessel.branch.points_mm, *vessel.frame, vessel.branch.distance_mm, vessel.branch.radius_mm]))
        shapes.append(np.column_stack([vessel.wall_radius_mm, vessel.offset_mm, vessel.angle, matrix]))
        for p in sorted(vessel.inclusions, key=lambda p: -p.density_mg_cm3):
            parts.append([p.distance_mm, p.half_length_mm, p.angle, p.half_arc, p.depth, p.half_depth, p.density_mg_cm3])
        start.append(start[-1] + len(nodes[-1]))
        part_start.append(len(parts))
    part = np.array(parts, float).reshape(-1, 7)
    return Tubes(np.vstack(nodes), np.vstack(shapes), np.array(start), part, np.array(part_start))


def touched(tubes: Tubes, affine: np.ndarray, shape) -> tuple[np.ndarray, np.ndarray]:
    """Voxels that any vessel may touch: (n, 3) indices, and (T, n) nearest node of each vessel, -1 where it is out of reach."""
    half_voxel = 0.5 * np.linalg.norm(np.abs(affine[:3, :3]).sum(1)) + 0.1
    reach = tubes.shape[:, 0] + tubes.shape[:, 1] + half_voxel
    marked = np.zeros(shape, bool)
    inverse = np.linalg.inv(affine[:3, :3])
    extent = np.linalg.norm(inverse, axis=1)
    for point, r in zip(tubes.node[:, :3], reach, strict=True):
        center = inverse @ (point - affine[:3, 3])
        low, high = np.maximum(np.ceil(center - r * extent), 0).astype(int), np.minimum(np.floor(center + r * extent) + 1, shape).astype(int)
        if (high > low).all():
            marked[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    index = np.argwhere(marked)
    near = np.full((len(tubes.start) - 1, len(index)), -1, np.int64)
    if len(index):
        points = to_patient_mm(index, affine)
        for t in range(len(near)):
            a, b = tubes.start[t], tubes.start[t + 1]
            distance, node = cKDTree(tubes.node[a:b, :3]).query(points, distance_upper_bound=reach[a:b].max())
            near[t] = np.where(np.isfinite(distance), node + a, -1)
    return index, near


@numba.njit(cache=True)
def _vessel_at(p, first, start, stop, node):
    """(arc length, angle, radius, node) of a point in one vessel's coordinates; radius is large beyond the ends."""
    k = first
    best = (p[0] - node[k, 0]) ** 2 + (p[1] - node[k, 1]) ** 2 + (p[2] - node[k, 2]) ** 2
    for step in (-1, 1):
        while start <= k + step < stop:
            j = k + step
            d = (p[0] - node[j, 0]) ** 2 + (p[1] - node[j, 1]) ** 2 + (p[2] - node[j, 2]) ** 2
            if d >= best:
                break
            best, k = d, j
    dx, dy, dz = p[0] - node[k, 0], p[1] - node[k, 1], p[2] - node[k, 2]
    along = dx * node[k, 3] + dy * node[k, 4] + dz * node[k, 5]
    x = dx * node[k, 6] + dy * node[k, 7] + dz * node[k, 8]
    y = dx * node[k, 9] + dy * node[k, 10] + dz * node[k, 11]
    radius = np.sqrt(x * x + y * y)
    if (k == start and along < 0) or (k == stop - 1 and along > 0):
        radius = np.sqrt(best)
    return node[k, 12] + along, np.arctan2(y, x), radius, k


@numba.njit(cache=True)
def _tissue_at(p, near, tubes):
    """(class, matrix HU, mg/cm3) of one point; the last two are 0 where they have no meaning."""
    node, shape, start, part, part_start = tubes
    found, value, extra = OUTSIDE, 0.0, 0.0
    for t in range(len(start) - 1):
        if near[t] < 0:
            continue
        s, theta, rho, k = _vessel_at(p, near[t], start[t], start[t + 1], node)
        j = k + 1 if s > node[k, 12] and k + 1 < start[t + 1] else k - 1 if s < node[k, 12] and k > start[t] else k
        w = min(abs(s - node[k, 12]) / abs(node[j, 12] - node[k, 12]), 1.0) if j != k else 0.0
        lumen = (1 - w) * node[k, 13] + w * node[j, 13]
        if rho < lumen:
            return LUMEN, 0.0, 0.0
        e, turn = (1 - w) * shape[k, 1] + w * shape[j, 1], theta - shape[k, 2]
        big = (1 - w) * shape[k, 0] + w * shape[j, 0]
        wall = e * np.cos(turn) + np.sqrt(max(big * big - (e * np.sin(turn)) ** 2, 0.0))
        if rho >= wall:
            continue
        kind, here, more = WALL, 0.0, 0.0
        if not np.isnan(shape[k, 3]):
            kind, here = FIBROUS, shape[k, 3]
            depth = (rho - lumen) / (wall - lumen)
            for q in range(part_start[t], part_start[t + 1]):
                turn = (theta - part[q, 2] + np.pi) % (2 * np.pi) - np.pi
                if ((s - part[q, 0]) / part[q, 1]) ** 2 + (turn / part[q, 3]) ** 2 + ((depth - part[q, 4]) / part[q, 5]) ** 2 < 1:
                    kind, more = (CALCIUM, part[q, 6]) if part[q, 6] > 0 else (LIPID, 0.0)
                    break
        if kind > found:
            found, value, extra = kind, here, more
    return found, value, extra


@numba.njit(cache=True)
def classes(points, near, tubes):
    """(n,) class of each point (n, 3)."""
    result = np.zeros(len(points), np.uint8)
    for i in range(len(points)):
        result[i] = _tissue_at(points[i], near[:, i], tubes)[0]
    return result


@numba.njit(cache=True)
def paint(points, offsets, background, near, tubes, hu):
    """(n,) mean HU of voxels centred at points (n, 3) divided into sub-voxels at `offsets` (m, 3); background (n,) HU where no vessel is.

    hu: (blood, healthy wall, lipid, HU per mg/cm3).
    """
    result = np.empty(len(points), np.float32)
    p = np.empty(3)
    for i in range(len(points)):
        total = 0.0
        for m in range(len(offsets)):
            for axis in range(3):
                p[axis] = points[i, axis] + offsets[m, axis]
            kind, value, extra = _tissue_at(p, near[:, i], tubes)
            if kind == LUMEN:
                total += hu[0]
            elif kind == OUTSIDE:
                total += background[i]
            elif kind == WALL:
                total += hu[1]
            elif kind == LIPID:
                total += hu[2]
            else:
                total += value + hu[3] * extra
        result[i] = total / len(offsets)
    return result
