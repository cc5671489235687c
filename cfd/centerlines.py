"""Centerline files -> coronary trees that begin at the ostia. mm."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ccta.curves import resampled_curve
from ccta.errors import BadInput
from ccta.model import Branch, CoronaryTree, arc_length_mm
from ccta.polydata import read_polydata

STEP_MM = 0.25
RADIUS = "MaximumInscribedSphereRadius"  # VMTK's name
AORTIC_RATIO = 2.5  # a line whose widest radius is this many times its median one begins in the aorta
OSTIAL_RATIO = 1.3  # the ostium is where the radius has fallen to this many times that of the next 5 mm
APART = 0.4  # two lines have parted where they are this many radii from one another ...
APART_FOR_MM = 2.0  # ... and stay so for this long
NEW_TREE_MM = 6.0  # an ostium further than this from every known branch belongs to another tree

Line = tuple[np.ndarray, np.ndarray]
"""((N, 3) points, (N,) radii), proximal to distal, equally spaced."""


def read_tree(paths: Sequence[Path]) -> CoronaryTree:
    """The coronary tree(s) of VMTK centerlines: polylines that each run from the aorta, or an ostium, to one outlet. BadInput for anything else."""
    lines = [line for path in paths for line in read_lines(Path(path))]
    if not lines:
        raise BadInput("no centerlines were given; make them with VMTK (vmtkcenterlines) and name the files with --centerlines")
    return tree_from_lines([without_aorta(line) for line in lines])


def read_lines(path: Path) -> list[Line]:
    """All polylines of one file, resampled."""
    data = read_polydata(path)
    if RADIUS not in data.point_data or data.n_lines == 0:
        raise BadInput(f"{path} holds no polylines with the point array {RADIUS}; give centerlines as VMTK writes them")
    points, radius, lines, flat = np.asarray(data.points, float), np.asarray(data.point_data[RADIUS], float), [], np.asarray(data.lines)
    position = 0
    while position < len(flat):
        ids = flat[position + 1 : position + 1 + flat[position]]
        position += 1 + flat[position]
        if len(ids) < 2 or arc_length_mm(points[ids])[-1] < 2 * STEP_MM:
            continue
        smooth = resampled_curve(points[ids], STEP_MM)
        lines.append((smooth, np.interp(np.linspace(0, 1, len(smooth)), arc_length_mm(points[ids]) / arc_length_mm(points[ids])[-1], radius[ids])))
    return lines


def without_aorta(line: Line) -> Line:
    """The line from its ostium on, with its end nearest the aorta first; unchanged where it does not begin in a wide vessel."""
    points, radius = line
    if radius.max() < AORTIC_RATIO * np.median(radius):
        return line
    if np.argmax(radius) > len(radius) / 2:
        points, radius = points[::-1], radius[::-1]
    first = int(np.flatnonzero(radius >= 0.4 * radius.max())[-1]) + 1
    ahead = int(5.0 / STEP_MM)
    while first < len(radius) - 2 * ahead and radius[first] > OSTIAL_RATIO * np.median(radius[first + 1 : first + 1 + ahead]):
        first += 1
    if len(radius) - first < 2 * ahead:
        raise BadInput("a centerline does not leave the aorta: its radius never becomes that of a coronary artery; give one line per coronary outlet")
    return points[first:], radius[first:]


def tree_from_lines(lines: Sequence[Line]) -> CoronaryTree:
    """Merges lines that share their beginning: the longest is the first branch of its tree, each other one begins where it leaves those before it."""
    branches: list[Branch] = []
    for points, radius in sorted(lines, key=lambda line: -len(line[0])):
        known = [(index, step) for index, branch in enumerate(branches) for step in range(len(branch.points_mm))]
        near = cKDTree(np.vstack([branch.points_mm for branch in branches])) if branches else None
        gap = near.query(points)[0] if near else np.full(len(points), np.inf)
        if gap[: int(5.0 / STEP_MM)].min() > NEW_TREE_MM:
            branches.append(Branch(points, radius))
            continue
        start = _parting(gap, radius)
        if start is None or len(points) - start < APART_FOR_MM / STEP_MM:
            continue  # the same way twice
        parent, step = known[near.query(points[start])[1]]
        origin, width = branches[parent].points_mm[step], branches[parent].radius_mm[step]
        own = Branch(np.vstack([origin, points[start:]]), np.append(width, radius[start:]), parent, float(branches[parent].distance_mm[step]))
        branches.append(own)
    return CoronaryTree(tuple(branches))


def _parting(gap_mm, radius_mm):
    """Index of the last common point, None where the line never leaves the others."""
    apart = gap_mm > APART * radius_mm
    span = int(APART_FOR_MM / STEP_MM)
    lasting = np.convolve(apart, np.ones(span, int), "valid") == span
    return max(0, int(np.argmax(lasting)) - 1) if lasting.any() else None
