"""How well a found centerline follows a reference centerline with radii: overlap and accuracy of the Rotterdam framework, and false branches.

Schaap et al., Med Image Anal 2009;13:701 (the CAT08 challenge), sections on correspondence and evaluation measures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
from scipy.spatial import cKDTree

from ccta.coordinates import to_patient_mm
from ccta.curves import resampled_curve
from ccta.model import SEGMENTS, VESSELS, Branch, CoronaryTree, arc_length_mm

SAMPLING_MM = 0.03  # the framework's distance between points
FORGIVEN_MM = 5.0  # of the reference: misses in its beginning are no first error
RELEVANT_RADIUS_MM = 0.75  # the clinically relevant part is wider than 1.5 mm
DISC_RADII = 2.0  # of the disc at the ostium before which nothing is counted, in radii of the reference
NEAR_MM = 1.0  # of a true lumen: two voxels
FALSE_BELOW = 0.5  # share of a branch's own length near the true lumen


@dataclass(frozen=True)
class Overlap:
    """ov: overlap. of: until the first error. ot: of the clinically relevant part; None where the reference is nowhere that wide. ai_mm: average distance
    where the lines correspond within the radius; None where they never do.
    """

    ov: float
    of: float
    ot: float | None
    ai_mm: float | None


MISSED = Overlap(0.0, 0.0, 0.0, None)
"""Of a reference to which nothing was found."""


def overlap(points_mm: np.ndarray, reference: Branch, sampling_mm: float = SAMPLING_MM) -> Overlap:
    """Measures of one found centerline (N, 3), proximal to distal, against a reference.

    Both are sampled every `sampling_mm`. A reference point is found (TPR) where a point that corresponds to it lies nearer than its radius, else missed (FN);
    a found point is right (TPM) where it lies nearer to a corresponding reference point than that point's radius, else wrong (FP).
    OV = (TPM + TPR) / (TPM + TPR + FN + FP). OF = the reference's found points before its first miss beyond the first 5 mm, of all its points.
    OT = OV of the reference up to its last point of radius 0.75 mm and what corresponds to it. AI = mean length of the connections shorter than the radius
    (of a line with itself half a sampling step, since every second connection goes to the next point).
    """
    line = resampled_curve(reference.points_mm, sampling_mm)
    s = np.linspace(0, reference.length_mm, len(line))
    radius = np.interp(s, reference.distance_mm, reference.radius_mm)
    found = resampled_curve(clipped(points_mm, reference), sampling_mm)
    a, b = correspondence(line, found)
    apart = np.linalg.norm(line[a] - found[b], axis=1)
    inside = apart < radius[a]
    hit, right = _any(a, inside, len(line)), _any(b, inside, len(found))
    errors = np.flatnonzero(~hit & (s >= FORGIVEN_MM))
    first = errors[0] if len(errors) else len(line)
    wide = np.flatnonzero(radius >= RELEVANT_RADIUS_MM)
    ot = None
    if len(wide):
        part = a <= wide[-1]
        taken = _any(b, part, len(found))
        ot = _share(hit[: wide[-1] + 1], _any(b, part & inside, len(found))[taken])
    return Overlap(_share(hit, right), float(np.mean(hit[:first].sum() / len(line))), ot, float(apart[inside].mean()) if inside.any() else None)


def _any(index: np.ndarray, true: np.ndarray, count: int) -> np.ndarray:
    """(count,) whether any connection of a point is true."""
    return np.bincount(index[true], minlength=count) > 0


def _share(hit: np.ndarray, right: np.ndarray) -> float:
    return float((hit.sum() + right.sum()) / (len(hit) + len(right)))


def clipped(points_mm: np.ndarray, reference: Branch) -> np.ndarray:
    """The found centerline from where it first passes the disc at the reference's start (twice its radius, across its direction); whole where it never does.

    A centerline may begin in the aorta: what lies before the ostium is not judged.
    """
    start, normal = reference.points_mm[0], reference.points_mm[1] - reference.points_mm[0]
    height = (points_mm - start) @ (normal / np.linalg.norm(normal))
    for n in np.flatnonzero(height[:-1] * height[1:] < 0):
        at = points_mm[n] + height[n] / (height[n] - height[n + 1]) * (points_mm[n + 1] - points_mm[n])
        if np.linalg.norm(at - start) < DISC_RADII * reference.radius_mm[0] and n + 2 < len(points_mm):
            return np.vstack([at, points_mm[n + 1 :]])
    return points_mm


def correspondence(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices (K,), (K,) of the connections of two lines (N, 3), (M, 3) whose lengths have the least sum: from start to start to end to end, each
    connection moves on by one point on one line. K = N + M - 1.
    """
    steps = _steps(np.ascontiguousarray(first, np.float64), np.ascontiguousarray(second, np.float64))
    i, j = len(first) - 1, len(second) - 1
    pairs = [(i, j)]
    while i or j:
        i, j = (i - 1, j) if steps[i, j] else (i, j - 1)
        pairs.append((i, j))
    a, b = np.array(pairs[::-1]).T
    return a, b


@numba.njit(cache=True)
def _steps(first, second):
    """(N, M) whether the cheapest way to the connection (i, j) comes from (i - 1, j); row by row, so that only the choices are kept."""
    n, m = len(first), len(second)
    steps = np.zeros((n, m), np.bool_)
    cost = np.zeros(m)
    for i in range(n):
        for j in range(m):
            apart = np.sqrt((first[i, 0] - second[j, 0]) ** 2 + (first[i, 1] - second[j, 1]) ** 2 + (first[i, 2] - second[j, 2]) ** 2)
            if i == 0 and j == 0:
                cost[j] = apart
            elif j == 0 or (i > 0 and cost[j] < cost[j - 1]):
                steps[i, j] = True
                cost[j] += apart
            else:
                cost[j] = cost[j - 1] + apart
    return steps


def best_overlap(tree: CoronaryTree, reference: Branch) -> Overlap:
    """Of the way from an ostium to a branch end of the found tree that overlaps the reference most (the first of equals); MISSED without a tree.

    Told from the others at a coarse sampling, measured at the framework's.
    """
    ways = [tree.path(n).points_mm for n in range(len(tree))]
    if not ways:
        return MISSED
    return overlap(max(ways, key=lambda way: overlap(way, reference, 0.5).ov), reference)


def false_branches(tree: CoronaryTree, lumen_mm: np.ndarray) -> list[int]:
    """Branches of a found tree that follow no true artery: less than half of their own length lies within 1 mm of the true lumen (N, 3 voxel centres, mm).

    A branch's own length begins outside its parent's lumen. Where readers left small arteries out, a found one counts as false.
    """
    inside, false = cKDTree(lumen_mm) if len(lumen_mm) else None, []
    for number, branch in enumerate(tree):
        points = resampled_curve(branch.points_mm, 0.25)
        own = points[arc_length_mm(points) >= _in_parent_mm(tree, branch)]
        near = inside is not None and len(own) > 0 and np.mean(inside.query(own)[0] <= NEAR_MM) >= FALSE_BELOW
        if len(own) and not near:
            false.append(number)
    return false


def _in_parent_mm(tree: CoronaryTree, branch: Branch) -> float:
    """Length of a branch's beginning that lies in its parent: the parent's radius there."""
    if branch.parent is None:
        return 0.0
    parent = tree.branches[branch.parent]
    return float(np.interp(branch.parent_distance_mm, parent.distance_mm, parent.radius_mm))


def named_lumen(lumen: np.ndarray, affine: np.ndarray, tree: CoronaryTree) -> tuple[tuple[str, ...], np.ndarray]:
    """(names of arteries, (ni, nj, nk) uint8 with the number of the artery, from 1, whose centerline is nearest to a voxel of the lumen, 0 outside it).

    Arteries as ImageCAS-X divides them: the proximal, middle and distal segments of LAD, LCx and RCA are one.
    """
    points, segment = np.vstack([branch.points_mm for branch in tree]), np.concatenate([branch.segment for branch in tree])
    of_point = [artery_of(int(number)) for number in segment]
    names = tuple(dict.fromkeys(of_point))
    number = np.array([1 + names.index(name) for name in of_point], np.uint8)
    branches = np.zeros(lumen.shape, np.uint8)
    index = np.argwhere(lumen)
    branches[tuple(index.T)] = number[cKDTree(points).query(to_patient_mm(index, affine))[1]]
    return names, branches


def vessels_of(tree: CoronaryTree) -> tuple[Branch, ...]:
    """Each way from an ostium to a branch end as a reference: the radius is that of the lumen around a point, at a branch's beginning its parent's."""
    found = []
    for n in range(len(tree)):
        way = tree.path(n)
        away = [cKDTree(branch.points_mm).query(way.points_mm) for branch in tree]
        around = [branch.radius_mm[at] - mm for branch, (mm, at) in zip(tree, away, strict=True)]
        found.append(replace(way, radius_mm=np.maximum(way.radius_mm, np.max(around, axis=0))))
    return tuple(found)


def artery_of(segment: int) -> str:
    """LAD for SCCT 6, 7 and 8, D1 for 9, `unnamed` for 0."""
    name = SEGMENTS[segment][0] if segment else "unnamed"
    return name[1:] if name[1:] in VESSELS else name
