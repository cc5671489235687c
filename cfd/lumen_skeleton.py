"""Centerlines of a closed vessel surface: voxels, distance to the wall, and cheapest paths from the inlet to every opening or tip. Millimetres."""

from __future__ import annotations

import numpy as np
import pyvista as pv
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.curves import smoothed_curve
from ccta.errors import BadInput
from ccta.model import arc_length_mm
from cfd.lumen_centerlines import RADIUS_ARRAY
from cfd.lumen_inlet import chosen_inlet
from cfd.lumen_voxels import VoxelGraph, voxels

AORTIC_RADIUS_MM = 6.0
"""Wider than any coronary artery, narrower than any adult ascending aorta."""
SHORTEST_ARTERY_MM = 8.0
LARGEST_GAP_MM = 2.0
"""Between the middle of an opening and the lumen behind it: an oblique cut through a small branch stays below."""
TIP_WINDOW_MM = 4.0
"""Two tips are not closer than this along the vessel."""


def centerlines_of(surface: pv.PolyData, openings_mm: np.ndarray, wanted: int | np.ndarray | None = None) -> tuple[list[pv.PolyData], list[str]]:
    """(one set of lines per coronary tree, from the inlet to each other end; which inlet was taken). Ends: the openings, or the tips of a closed surface.

    The inlet is the widest end unless another is wanted (`cfd.lumen_inlet`); in a closed surface with an aorta it is the aorta, and each artery that leaves
    it is a tree of its own. Raises BadInput for a surface without branches or with loose parts.
    """
    inside, origin, step = voxels(surface)
    graph = VoxelGraph(inside, step)
    depth = graph.depth()
    if len(openings_mm) == 1:
        raise BadInput("the surface has one opening only; blood needs an inlet and at least one outlet: open or cut the other ends")
    ends = [tuple(end) for end in _inside_of(openings_mm, graph, origin)] if len(openings_mm) else _closed_ends(graph, depth)
    if len(ends) < 2:
        raise BadInput("the surface has neither openings nor tips; a vessel tree has an inlet and outlets")
    number, said = chosen_inlet(wanted, openings_mm if len(openings_mm) else origin + step * np.array(ends), np.array([_widest(end, depth) for end in ends]))
    root = ends[number]
    _, before = graph.cheapest(1 / (depth[inside] + 1e-3) ** 2, root)
    lines = [_line(graph.path(before, tip), depth, origin, step) for tip in ends if tip != root]
    lines = [line for line in lines if _narrow_length_mm(*line) > SHORTEST_ARTERY_MM]
    if not lines:
        raise BadInput("the surface has neither openings nor tips; a vessel tree has an inlet and outlets")
    return [_polydata(group) for group in _grouped(lines)], [said]


def _closed_ends(graph: VoxelGraph, depth) -> list[tuple]:
    """Voxels at the tips of a closed surface, and in its aorta, if it has one."""
    deepest = tuple(int(i) for i in np.unravel_index(int(np.argmax(depth)), depth.shape))
    ends = tips_of(graph, depth, deepest)
    if depth.max() >= AORTIC_RADIUS_MM:
        return [deepest, *ends]
    return [ends[0], *tips_of(graph, depth, ends[0])] if ends else []  # an artery's widest tip may be near the deepest voxel


def tips_of(graph: VoxelGraph, depth, root) -> list[tuple]:
    """Voxels farther from the root along the vessel than everything around them; where there is an aorta, only in vessels half as wide."""
    inside, step, distance = graph.inside, graph.step, np.full(depth.shape, -1.0, np.float32)
    distance[inside] = graph.cheapest(np.ones(len(graph.index), np.float32), root)[0]
    window = 2 * int(TIP_WINDOW_MM / step) + 1
    peak = inside & (distance >= ndimage.maximum_filter(distance, window)) & (distance > 2 * depth.max())
    narrow = 0.5 * depth.max() if depth.max() > AORTIC_RADIUS_MM else np.inf
    tips: list[tuple] = []
    for tip in sorted((tuple(int(i) for i in one) for one in np.argwhere(peak)), key=lambda one: -distance[one]):
        wide = depth[tuple(slice(max(0, i - 8), i + 9) for i in tip)].max()
        if wide < narrow and all(np.linalg.norm(np.subtract(tip, other)) * step > max(TIP_WINDOW_MM, wide) for other in tips):
            tips.append(tip)
    return tips


def _inside_of(points_mm, graph: VoxelGraph, origin):
    """Index of the inside voxel nearest to each opening. BadInput where that is far: the opening is one of a loose part."""
    distance, nearest = cKDTree(graph.index).query(np.clip(np.round((points_mm - origin) / graph.step), 0, np.array(graph.inside.shape) - 1))
    far = graph.step * distance > LARGEST_GAP_MM
    if far.any():
        place = np.round(points_mm[far][0], 1).tolist()
        raise BadInput(f"the opening at {place} mm is not connected with the rest of the surface: its branch is occluded or torn off; leave it out, or open it")
    return graph.index[nearest]


def _widest(end, depth) -> float:
    """Largest distance to the wall, mm, within six voxels of an end."""
    return float(depth[tuple(slice(max(0, i - 6), i + 7) for i in end)].max())


def _line(path, depth, origin, step):
    """(points, radius) of a voxel path, smoothed over three voxels."""
    points = smoothed_curve(origin + path * step, 3 * step) if len(path) > 4 else origin + path * step
    radius = ndimage.gaussian_filter1d(depth[tuple(path.T)], 2.0, mode="nearest") if len(path) > 4 else depth[tuple(path.T)]
    return points, radius


def _narrow_length_mm(points, radius) -> float:
    """How far a line runs outside the aorta (its whole length where there is none); a corner of the aorta itself is only a few mm."""
    s = arc_length_mm(points)
    wide = np.flatnonzero(radius > radius.max() / 3) if radius.max() > AORTIC_RADIUS_MM else np.array([0])
    return float(s[-1] - s[wide[-1]])


def _grouped(lines):
    """Lines that share more than the aorta: those that are still together where the first of them has become narrow."""
    groups: list[list] = []
    for points, radius in lines:
        narrow = np.flatnonzero(radius < radius.max() / 3) if radius.max() > AORTIC_RADIUS_MM else np.array([0])
        mark = points[min(narrow[0] + 4, len(points) - 1)] if len(narrow) else points[0]
        for group in groups:
            if any(np.linalg.norm(other - mark, axis=1).min() < 3.0 for other, _ in group):
                group.append((points, radius))
                break
        else:
            groups.append([(points, radius)])
    return groups


def _polydata(lines) -> pv.PolyData:
    starts = np.cumsum([0, *(len(points) for points, _ in lines)])
    cells = [np.concatenate([[len(points)], np.arange(start, start + len(points))]) for (points, _), start in zip(lines, starts[:-1], strict=True)]
    data = pv.PolyData(np.vstack([points for points, _ in lines]), lines=np.concatenate(cells))
    data.point_data[RADIUS_ARRAY] = np.concatenate([radius for _, radius in lines])
    return data
