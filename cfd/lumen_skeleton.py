"""Centerlines of a closed vessel surface: voxels, distance to the wall, and cheapest paths from the inlet to every opening or tip. Millimetres."""

from __future__ import annotations

import numpy as np
import pyvista as pv
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

from ccta.curves import smoothed_curve
from ccta.errors import BadInput
from ccta.model import arc_length_mm
from cfd.lumen_centerlines import RADIUS_ARRAY
from cfd.lumen_inlet import chosen_inlet

MOST_VOXELS = 30_000_000
AORTIC_RADIUS_MM = 6.0
"""Wider than any coronary artery, narrower than any adult ascending aorta."""
SHORTEST_ARTERY_MM = 8.0
LARGEST_GAP_MM = 2.0
"""Between the middle of an opening and the lumen behind it: an oblique cut through a small branch stays below."""
LOOSE = 0.01
"""A loose part of less than this share of the volume is debris."""
TIP_WINDOW_MM = 4.0
"""Two tips are not closer than this along the vessel."""


def centerlines_of(surface: pv.PolyData, openings_mm: np.ndarray, wanted: int | np.ndarray | None = None) -> tuple[list[pv.PolyData], list[str]]:
    """(one set of lines per coronary tree, from the inlet to each other end; which inlet was taken). Ends: the openings, or the tips of a closed surface.

    The inlet is the widest end unless another is wanted (`cfd.lumen_inlet`); in a closed surface with an aorta it is the aorta, and each artery that leaves
    it is a tree of its own. Raises BadInput for a surface without branches or with loose parts.
    """
    inside, origin, step = voxels(surface)
    depth = depth_mm(inside, step)
    if len(openings_mm) == 1:
        raise BadInput("the surface has one opening only; blood needs an inlet and at least one outlet: open or cut the other ends")
    ends = [tuple(end) for end in _inside_of(openings_mm, inside, origin, step)] if len(openings_mm) else _closed_ends(inside, depth, step)
    if len(ends) < 2:
        raise BadInput("the surface has neither openings nor tips; a vessel tree has an inlet and outlets")
    number, said = chosen_inlet(wanted, openings_mm if len(openings_mm) else origin + step * np.array(ends), np.array([_widest(end, depth) for end in ends]))
    root = ends[number]
    search = MCP_Geometric(np.where(inside, 1 / (depth + 1e-3) ** 2, np.inf), fully_connected=True, sampling=(step,) * 3)
    search.find_costs([root])
    lines = [_line(search.traceback(tip), depth, origin, step) for tip in ends if tip != root]
    lines = [line for line in lines if _narrow_length_mm(*line) > SHORTEST_ARTERY_MM]
    if not lines:
        raise BadInput("the surface has neither openings nor tips; a vessel tree has an inlet and outlets")
    return [_polydata(group) for group in _grouped(lines)], [said]


def _closed_ends(inside, depth, step) -> list[tuple]:
    """Voxels at the tips of a closed surface, and in its aorta, if it has one."""
    deepest = tuple(int(i) for i in np.unravel_index(int(np.argmax(depth)), depth.shape))
    ends = tips_of(inside, depth, deepest, step)
    if depth.max() >= AORTIC_RADIUS_MM:
        return [deepest, *ends]
    return [ends[0], *tips_of(inside, depth, ends[0], step)] if ends else []  # an artery's widest tip may be near the deepest voxel


def voxels(surface: pv.PolyData) -> tuple[np.ndarray, np.ndarray, float]:
    """`inside_mask` of a closed surface in one connected part. BadInput for loose parts, or where nothing is inside."""
    inside, origin, step = inside_mask(surface)
    parts, count = ndimage.label(inside, np.ones((3, 3, 3)))
    volume = np.bincount(parts.ravel())[1:] if count else np.zeros(0)
    if count == 0:
        raise BadInput("the surface encloses nothing that could hold blood; give the closed or open-ended wall of a vessel tree")
    if (volume > LOOSE * volume.sum()).sum() > 1:
        raise BadInput(
            f"the surface has {int((volume > LOOSE * volume.sum()).sum())} separate parts; give one file per coronary tree, or join them "
            f"(beyond an occlusion, or a place narrower than {step:.2g} mm, a branch is a part of its own: leave it out)"
        )
    return parts == 1 + int(np.argmax(volume)), origin, step


def depth_mm(inside: np.ndarray, step: float) -> np.ndarray:
    """Distance of every inside voxel to the nearest outside one, 0 outside: `distance_transform_edt` for a tree that fills a hundredth of its box.

    The nearest outside voxel is a neighbour of the tree, so that a search among those is exact. The mask does not touch the border of its box.
    """
    index = np.flatnonzero(inside)
    offset = np.ravel_multi_index(np.indices((3, 3, 3)).reshape(3, -1), inside.shape) - np.ravel_multi_index((1, 1, 1), inside.shape)
    beside = (index[:, None] + offset).ravel()
    rim = np.unique(beside[~inside.ravel()[beside]])
    places = [np.stack(np.unravel_index(flat, inside.shape), axis=1).astype(float) for flat in (rim, index)]
    depth = np.zeros(inside.shape)
    depth.ravel()[index] = step * cKDTree(places[0]).query(places[1])[0]
    return depth


def inside_mask(surface: pv.PolyData) -> tuple[np.ndarray, np.ndarray, float]:
    """(inside mask indexed x, y, z; origin (3,), step) of a closed surface."""
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
    return vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape(shape[::-1]).T > 0, origin, step


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
    """Index of the inside voxel nearest to each opening. BadInput where that is far: the opening is one of a loose part."""
    voxels_inside = np.argwhere(inside)
    distance, nearest = cKDTree(voxels_inside).query(np.clip(np.round((points_mm - origin) / step), 0, np.array(inside.shape) - 1))
    far = step * distance > LARGEST_GAP_MM
    if far.any():
        place = np.round(points_mm[far][0], 1).tolist()
        raise BadInput(f"the opening at {place} mm is not connected with the rest of the surface: its branch is occluded or torn off; leave it out, or open it")
    return voxels_inside[nearest]


def _widest(end, depth) -> float:
    """Largest distance to the wall, mm, within six voxels of an end."""
    return float(depth[tuple(slice(max(0, i - 6), i + 7) for i in end)].max())


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
