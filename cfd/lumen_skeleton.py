"""Centerlines of a closed vessel surface: voxels, distance to the wall, and cheapest paths from the inlet to every opening or tip. Millimetres."""

from __future__ import annotations

import numpy as np
import pyvista as pv
from scipy import ndimage
from skimage.graph import MCP_Geometric
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

from ccta.curves import smoothed_curve
from ccta.errors import BadInput
from ccta.model import arc_length_mm
from cfd.lumen_centerlines import RADIUS_ARRAY

MOST_VOXELS = 30_000_000
AORTIC_RADIUS_MM = 6.0
"""Wider than any coronary artery, narrower than any adult ascending aorta."""
SHORTEST_ARTERY_MM = 8.0
TIP_WINDOW_MM = 4.0
"""Two tips are not closer than this along the vessel."""


def centerlines_of(surface: pv.PolyData, openings_mm: np.ndarray) -> list[pv.PolyData]:
    """One set of lines per coronary tree, from the inlet to each other end. Ends: the openings, or the tips of a closed surface.

    The inlet is the widest end; in a closed surface with an aorta it is the aorta, and each artery that leaves it is a tree of its own. Raises
    BadInput for a surface without branches or with loose parts.
    """
    inside, origin, step = voxels(surface)
    depth = ndimage.distance_transform_edt(inside) * step
    if len(openings_mm) == 1:
        raise BadInput("the surface has one opening only; blood needs an inlet and at least one outlet: open or cut the other ends")
    if len(openings_mm):
        ends = [tuple(end) for end in _inside_of(openings_mm, inside, origin, step)]
        root = _widest(ends, depth)
    else:
        root = tuple(int(i) for i in np.unravel_index(int(np.argmax(depth)), depth.shape))
        ends = tips_of(inside, depth, root, step)
        if depth.max() < AORTIC_RADIUS_MM and ends:  # no aorta: an artery begins at its widest tip, which may be near the deepest voxel
            ends = [ends[0], *tips_of(inside, depth, ends[0], step)]
            root = _widest(ends, depth)
    search = MCP_Geometric(np.where(inside, 1 / (depth + 1e-3) ** 2, np.inf), fully_connected=True, sampling=(step,) * 3)
    search.find_costs([root])
    tips = [end for end in ends if end != root]
    lines = [_line(search.traceback(tip), depth, origin, step) for tip in tips]
    lines = [line for line in lines if _narrow_length_mm(*line) > SHORTEST_ARTERY_MM]
    if not lines:
        raise BadInput("the surface has neither openings nor tips; a vessel tree has an inlet and outlets")
    return [_polydata(group) for group in _grouped(lines)]


def voxels(surface: pv.PolyData) -> tuple[np.ndarray, np.ndarray, float]:
    """(inside mask indexed x, y, z; origin (3,), step) of a closed surface in one connected part."""
    size = np.ptp(np.asarray(surface.points), axis=0)
    step = float(max(0.25, (np.prod(size + 2) / MOST_VOXELS) ** (1 / 3)))
    origin = np.asarray(surface.points).min(axis=0) - 2 * step
    shape = (np.ceil(size / step) + 5).astype(int)
    stencil = vtkPolyDataToImageStencil()
    stencil.SetInputData(surface)
    stencil.SetOutputOrigin(origin)
    stencil.SetOutputSpacing((step,) * 3)
    stencil.SetOutputWholeExtent(0, int(shape[0]) - 1, 0, int(shape[1]) - 1, 0, int(shape[2]) - 1)
    image = vtkImageStencilToImage()
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.Update()
    inside = vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape(shape[::-1]).T > 0
    parts, count = ndimage.label(inside, np.ones((3, 3, 3)))
    volume = np.bincount(parts.ravel())[1:] if count else np.zeros(0)
    if count == 0:
        raise BadInput("the surface encloses nothing that could hold blood; give the closed or open-ended wall of a vessel tree")
    if (volume > 0.05 * volume.sum()).sum() > 1:
        raise BadInput(f"the surface has {int((volume > 0.05 * volume.sum()).sum())} separate parts; give one file per coronary tree, or join them")
    return parts == 1 + int(np.argmax(volume)), origin, step


def tips_of(inside, depth, root, step) -> list[tuple]:
    """Voxels farther from the root along the vessel than everything around them; where there is an aorta, only in vessels half as wide."""
    away = MCP_Geometric(np.where(inside, 1.0, np.inf), fully_connected=True, sampling=(step,) * 3)
    distance = np.where(inside, away.find_costs([root])[0], -1.0)
    window = 2 * int(TIP_WINDOW_MM / step) + 1
    peak = inside & (distance >= ndimage.maximum_filter(distance, window)) & (distance > 2 * depth.max())
    narrow = 0.5 * depth.max() if depth.max() > AORTIC_RADIUS_MM else np.inf
    tips: list[tuple] = []
    for tip in sorted((tuple(int(i) for i in one) for one in np.argwhere(peak)), key=lambda one: -distance[one]):
        wide = depth[tuple(slice(max(0, i - 8), i + 9) for i in tip)].max()
        if wide < narrow and all(np.linalg.norm(np.subtract(tip, other)) * step > max(TIP_WINDOW_MM, wide) for other in tips):
            tips.append(tip)
    return tips


def _inside_of(points_mm, inside, origin, step):
    """(K, 3) index of the inside voxel nearest to each point."""
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    index = np.clip(np.round((points_mm - origin) / step).astype(int), 0, np.array(inside.shape) - 1)
    return nearest[:, index[:, 0], index[:, 1], index[:, 2]].T


def _widest(ends, depth):
    around = [depth[tuple(slice(max(0, i - 6), i + 7) for i in end)].max() for end in ends]
    return ends[int(np.argmax(around))]


def _line(path, depth, origin, step):
    """(points, radius) of a voxel path, smoothed over three voxels."""
    path = np.array(path)
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
