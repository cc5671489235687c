"""VMTK centerlines (one polyline per outlet, from the aorta) -> a coronary tree that begins at its ostium. Millimetres."""

from __future__ import annotations

import numpy as np
import pyvista as pv
from scipy.spatial import cKDTree

from ccta.curves import resampled_curve
from ccta.errors import BadInput
from ccta.model import Branch, CoronaryTree, arc_length_mm

RADIUS_ARRAY = "MaximumInscribedSphereRadius"
FLARE = 1.6
"""The ostium is where the inscribed radius, followed towards the aorta, exceeds the artery's own by this factor."""
STEP_MM = 0.5


def tree_from_centerlines(centerlines: pv.PolyData) -> CoronaryTree:
    """One tree: the longest line is the first branch, each other one begins where it leaves the branches before it.

    Lines start together (in the aorta or at the inlet) and carry `MaximumInscribedSphereRadius`. Raises BadInput otherwise.
    """
    lines = sorted(_lines(centerlines), key=lambda line: -arc_length_mm(line[0])[-1])
    start = min(ostium_mm(points, radius) for points, radius in lines)
    lines = [_from(points, radius, start) for points, radius in lines]
    branches: list[Branch] = []
    for points, radius in lines:
        branches.append(_attached(branches, points, radius) if branches else Branch(points, radius))
    return CoronaryTree(tuple(branches))


def _lines(centerlines: pv.PolyData) -> list[tuple[np.ndarray, np.ndarray]]:
    if RADIUS_ARRAY not in centerlines.point_data:
        raise BadInput(f"the centerlines have no {RADIUS_ARRAY}; compute them with vmtkcenterlines, or leave them out")
    points, radius = np.asarray(centerlines.points, float), np.asarray(centerlines.point_data[RADIUS_ARRAY], float)
    lines = []
    for index in range(centerlines.n_cells):
        ids = centerlines.get_cell(index).point_ids
        moved = np.concatenate([[True], np.linalg.norm(np.diff(points[ids], axis=0), axis=1) > 1e-6])
        if moved.sum() >= 4:
            lines.append((points[ids][moved], radius[ids][moved]))
    if not lines:
        raise BadInput("the centerline file holds no polyline; give VMTK centerlines, one line per outlet")
    first = np.array([points[0] for points, _ in lines])
    apart = float(np.linalg.norm(first - first[0], axis=1).max())
    if apart > 2 * max(radius[0] for _, radius in lines):
        raise BadInput(f"the centerlines begin {apart:.0f} mm apart; give one file per coronary tree, its lines starting at one inlet")
    return lines


def ostium_mm(points_mm: np.ndarray, radius_mm: np.ndarray) -> float:
    """Arc length where an artery leaves the aorta: beyond it the inscribed radius stays below FLARE times the artery's own.

    The artery's own radius: median over the 10 mm beyond the point where the radius has first fallen below a third of its largest. 0 for a line
    that starts in the artery.
    """
    s = arc_length_mm(points_mm)
    largest = radius_mm.max()
    proximal = np.flatnonzero(radius_mm < largest / 3)
    if largest < 6.0 or not len(proximal) or s[proximal[0]] > 0.6 * s[-1]:
        return 0.0
    begin = s[proximal[0]]
    own = float(np.median(radius_mm[(s >= begin) & (s <= begin + 10)]))
    wide = np.flatnonzero((radius_mm > FLARE * own) & (s <= begin + 5))
    return float(s[min(wide[-1] + 1, len(s) - 1)])


def _from(points, radius, start_mm):
    """A line from an arc length on, at equal steps of STEP_MM."""
    s = arc_length_mm(points)
    wanted = np.linspace(start_mm, s[-1], max(3, round((s[-1] - start_mm) / STEP_MM) + 1))
    return np.stack([np.interp(wanted, s, points[:, axis]) for axis in range(3)], axis=1), np.interp(wanted, s, radius)


def _attached(branches: list[Branch], points: np.ndarray, radius: np.ndarray) -> Branch:
    """A line as the branch that begins where it leaves those before it: beyond the last point within a fifth of the lumen of one of them."""
    best = (0, 0, 0.0)
    for index, branch in enumerate(branches):
        fine = resampled_curve(branch.points_mm, 0.1)
        distance, nearest = cKDTree(fine).query(points)
        together = distance < np.maximum(0.2 * radius, 0.1)
        last = int(np.argmin(together)) - 1 if not together.all() else len(points) - 2
        if last > best[0] or index == 0:
            best = (max(last, 0), index, float(arc_length_mm(fine)[nearest[max(last, 0)]]))
    last, parent, at = best
    own = points[last:].copy()
    own[0] = branches[parent].point_at(at)
    return Branch(own, radius[last:], parent=parent, parent_distance_mm=at)
