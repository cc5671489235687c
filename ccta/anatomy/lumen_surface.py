"""One closed, smooth surface of all coronary lumens, from the polar contours of the branches.

Each branch is an implicit function f(x) = rho - r(s, angle), rho the distance from its centerline at the nearest point; branches join by a
smooth minimum; f = 0 is contoured block by block (blocks share their border nodes, so the pieces fit), then lightly smoothed.
"""

from dataclasses import dataclass

import numba
import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkWindowedSincPolyDataFilter

from ccta.errors import Refusal
from ccta.model import CoronaryTree, CrossSections, Surface

BLOCK = 48
"""Cells along a block's edge."""
EXTENSION_MM = 1.0
"""The ends reach this far beyond the first section of a root and the last of every branch, so that a cut at the port is clean."""
BLEND_MM = 0.25
"""Width of the smooth minimum: rounds the crotch of a bifurcation by a fraction of a voxel and leaves the rest alone."""
FAR_MM = 9.0
CLEARANCE = 0.01
"""Of the spacing: how near the surface may come to a grid point."""


@dataclass(frozen=True, eq=False)
class PortPlane:
    """Where flow enters (at_root) or leaves the tree: center (3,), outward unit direction (3,), radius of the circle of the lumen's area."""

    branch: int
    at_root: bool
    center_mm: np.ndarray
    direction: np.ndarray
    radius_mm: float


@dataclass(frozen=True, eq=False)
class _Tube:
    """A branch as its implicit function sees it: centers, frame axes (N, 3), polar radii (N, A).

    round_ends: (2,) whether its beginning and its end are domes, as where it meets other branches, or flat.
    """

    center: np.ndarray
    u: np.ndarray
    v: np.ndarray
    radius: np.ndarray
    round_ends: np.ndarray


def ports(tree: CoronaryTree, sections: list[CrossSections]) -> list[PortPlane]:
    """The inlet of every root and the outlet of every branch, at its first and last section."""
    found = []
    for branch, section in zip(tree, sections, strict=True):
        radius = section.lumen_diameter_mm / 2
        if branch.parent is None:
            found.append(PortPlane(section.branch, True, section.center_mm[0], -section.normal[0], float(radius[0])))
        found.append(PortPlane(section.branch, False, section.center_mm[-1], section.normal[-1], float(radius[-1])))
    return found


def lumen_surface(tree: CoronaryTree, sections: list[CrossSections], spacing_mm: float | None = None) -> Surface:
    """The closed lumen surface of every connected tree, all in one Surface.

    spacing_mm: grid of the contouring; default two fifths of the smallest calibre's radius, within 0.12-0.25 mm. Raises Refusal when the
    contours give no closed surface.
    """
    smallest = min(float(np.quantile(section.lumen_diameter_mm, 0.02)) / 2 for section in sections)
    h = spacing_mm or float(np.clip(0.4 * smallest, 0.12, 0.25))
    tubes = [_tube(tree, sections, index, h) for index in range(len(tree))]
    points, triangles = _contoured(tubes, h)
    points, triangles = _main_components(points, triangles, tubes)
    surface = Surface(_smoothed(points, triangles), triangles)
    if not is_closed(surface):
        raise Refusal("the lumen contours give no closed surface; correct the contours where branches touch or end, or choose another spacing")
    return surface


def is_closed(surface: Surface) -> bool:
    """True when every edge is shared by exactly two triangles that run along it in opposite directions."""
    edges = np.concatenate([surface.triangles[:, [0, 1]], surface.triangles[:, [1, 2]], surface.triangles[:, [2, 0]]]).astype(np.int64)
    key, back = edges[:, 0] * len(surface.points_mm) + edges[:, 1], edges[:, 1] * len(surface.points_mm) + edges[:, 0]
    return len(key) > 0 and len(np.unique(key)) == len(key) and np.array_equal(np.sort(key), np.sort(back))


def _tube(tree, sections, index, h):
    """Branch `index`, drawn out beyond the ends where blood enters or leaves. A child inside its parent stays narrower than it: no bulge.

    Radii grow by the part of the area that a polygon with edges of about 0.75 h cuts off: r^2 + e^2 / 6.
    """
    own, branch = sections[index], tree.branches[index]
    radius = np.sqrt(own.lumen_radius_mm**2 + (0.75 * h) ** 2 / 6)
    center, u, v = own.center_mm, own.axis_u, own.axis_v
    if branch.parent is not None:
        parent = sections[branch.parent]
        distance, nearest = cKDTree(parent.center_mm).query(center)
        room = 0.9 * parent.lumen_radius_mm.min(axis=1)[nearest]
        radius = np.where((distance < room)[:, None], np.minimum(radius, room[:, None]), radius)
    else:
        center, u, v, radius = _drawn_out(center, u, v, radius, own.normal[0] * -EXTENSION_MM, 0)
    forks = any(branch.length_mm - tree.branches[child].parent_distance_mm <= max(1.0, branch.radius_mm[-1]) for child in tree.children(index))
    if not forks:
        center, u, v, radius = _drawn_out(center, u, v, radius, own.normal[-1] * EXTENSION_MM, len(center))
    return _Tube(center, u, v, radius, np.array([branch.parent is not None, forks]))


def _drawn_out(center, u, v, radius, step, at):
    """One more section beyond an end."""
    end = 0 if at == 0 else -1
    return (
        np.insert(center, at, center[end] + step, axis=0), np.insert(u, at, u[end], axis=0), np.insert(v, at, v[end], axis=0),
        np.insert(radius, at, radius[end], axis=0),
    )  # fmt: skip


def _contoured(tubes, h):
    """Points and triangles of f = 0, block by block; equal points of neighbouring blocks are joined."""
    blocks: dict[tuple, dict[int, list[int]]] = {}
    edge = BLOCK * h
    for number, tube in enumerate(tubes):
        reach = tube.radius.max(axis=1) + 3 * h
        low = np.floor((np.minimum(tube.center[:-1], tube.center[1:]) - reach[:-1, None]) / edge).astype(int)
        high = np.floor((np.maximum(tube.center[:-1], tube.center[1:]) + reach[:-1, None]) / edge).astype(int)
        for piece in range(len(low)):
            for i in range(low[piece, 0], high[piece, 0] + 1):
                for j in range(low[piece, 1], high[piece, 1] + 1):
                    for k in range(low[piece, 2], high[piece, 2] + 1):
                        blocks.setdefault((i, j, k), {}).setdefault(number, []).append(piece)
    points, triangles, count = [], [], 0
    for block, members in blocks.items():
        p, t = _block_surface(_block_values(np.array(block) * BLOCK, members, tubes, h), np.array(block) * BLOCK, h)
        points.append(p)
        triangles.append(t + count)
        count += len(p)
    return _joined(np.vstack(points), np.vstack(triangles), h)


def _block_values(first, members, tubes, h):
    """(BLOCK + 1)^3 values of f on the nodes of one block, mm."""
    shape = (BLOCK + 1,) * 3
    total = np.full(shape, FAR_MM)
    for number, pieces in members.items():
        tube = tubes[number]
        nearest, value = np.full(shape, np.inf), np.full(shape, FAR_MM)
        _paint(nearest, value, first.astype(float), h, np.array(pieces), (tube.center, tube.u, tube.v, tube.radius, tube.round_ends))
        total = _smooth_minimum(total, value)
    return total


def _smooth_minimum(a, b):
    """Polynomial smooth minimum of width BLEND_MM (Quilez): equals min(a, b) where they differ by more."""
    share = np.maximum(BLEND_MM - np.abs(a - b), 0) / BLEND_MM
    return np.minimum(a, b) - share**2 * BLEND_MM / 4


@numba.njit(cache=True, nogil=True)
def _paint(nearest, value, first, h, pieces, tube):
    """f of one tube on the nodes near its pieces: at each node the piece that is nearest decides."""
    center, u, v, radius, round_ends = tube
    angles, last = radius.shape[1], len(center) - 2
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for n in pieces:
        a, d = center[n], center[n + 1] - center[n]
        dd = max((d * d).sum(), 1e-12)
        reach = max(radius[n].max(), radius[n + 1].max()) + 3 * h
        for x in range(3):
            low[x] = max(0, int(np.ceil((min(a[x], a[x] + d[x]) - reach) / h - first[x])))
            high[x] = min(nearest.shape[x] - 1, int(np.floor((max(a[x], a[x] + d[x]) + reach) / h - first[x])))
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    px, py, pz = (first[0] + i) * h - a[0], (first[1] + j) * h - a[1], (first[2] + k) * h - a[2]
                    raw = (px * d[0] + py * d[1] + pz * d[2]) / dd
                    t = min(max(raw, 0.0), 1.0)
                    qx, qy, qz = px - t * d[0], py - t * d[1], pz - t * d[2]
                    distance = qx * qx + qy * qy + qz * qz
                    if distance >= nearest[i, j, k]:
                        continue
                    nearest[i, j, k] = distance
                    x = (1 - t) * (qx * u[n, 0] + qy * u[n, 1] + qz * u[n, 2]) + t * (qx * u[n + 1, 0] + qy * u[n + 1, 1] + qz * u[n + 1, 2])
                    y = (1 - t) * (qx * v[n, 0] + qy * v[n, 1] + qz * v[n, 2]) + t * (qx * v[n + 1, 0] + qy * v[n + 1, 1] + qz * v[n + 1, 2])
                    place = (np.arctan2(y, x) / (2 * np.pi) * angles) % angles
                    b = int(place) % angles
                    f, c = place - int(place), (b + 1) % angles
                    r = (1 - t) * ((1 - f) * radius[n, b] + f * radius[n, c]) + t * ((1 - f) * radius[n + 1, b] + f * radius[n + 1, c])
                    beyond = (raw - t) * np.sqrt(dd) if (n == 0 and raw < 0) or (n == last and raw > 1) else 0.0
                    away = np.sqrt(distance)
                    if beyond != 0.0 and round_ends[0 if raw < 0 else 1]:
                        pole = abs(beyond) / max(away, 1e-12)
                        value[i, j, k] = away - (pole * radius[0 if raw < 0 else last + 1].mean() + (1 - pole) * r)
                    elif beyond != 0.0:
                        value[i, j, k] = max(np.sqrt(max(distance - beyond * beyond, 0.0)) - r, abs(beyond))
                    else:
                        value[i, j, k] = away - r


def _block_surface(values, first, h):
    """Points (mm) and outward triangles of values = 0 on one block.

    A surface that runs through a grid point would get several points there, which joining makes one, and edges with more than two triangles: values are kept
    off 0 by CLEARANCE of the spacing.
    """
    values = np.where(np.abs(values) < CLEARANCE * h, np.copysign(CLEARANCE * h, values), values)
    image = vtkImageData()
    image.SetDimensions(*values.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(-values.ravel(order="F"), deep=True))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.0)
    contour.ComputeNormalsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    result = contour.GetOutput()
    if result.GetNumberOfCells() == 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    points = vtk_to_numpy(result.GetPoints().GetData()).astype(float)
    return (points + first) * h, vtk_to_numpy(result.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)


def _joined(points, triangles, h):
    """Equal points (to a thousandth of the spacing) become one; triangles that collapse go."""
    _, keep, where = np.unique(np.round(points / h * 1000).astype(np.int64), axis=0, return_index=True, return_inverse=True)
    triangles = where.ravel()[triangles]
    whole = (triangles[:, 0] != triangles[:, 1]) & (triangles[:, 1] != triangles[:, 2]) & (triangles[:, 2] != triangles[:, 0])
    return points[keep], triangles[whole]


def _main_components(points, triangles, tubes):
    """Only the pieces of at least a twentieth of the largest, without unused points."""
    pairs = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    graph = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(points), len(points)))
    count, label = sparse.csgraph.connected_components(graph, directed=False)
    size = np.bincount(label, minlength=count)
    keep = size[label] >= 0.05 * size.max()
    triangles = triangles[keep[triangles[:, 0]]]
    used, triangles = np.unique(triangles, return_inverse=True)
    return points[used], triangles.reshape(-1, 3)


def _smoothed(points, triangles):
    """Windowed-sinc smoothing (Taubin 1996), pass band 0.3: takes the grid's facets away and keeps area and calibre."""
    poly, vtk_points, cells = vtkPolyData(), vtkPoints(), vtkCellArray()
    vtk_points.SetData(numpy_to_vtk(points, deep=True))
    cells.SetData(3, numpy_to_vtk(triangles.ravel().astype(np.int64), deep=True))
    poly.SetPoints(vtk_points)
    poly.SetPolys(cells)
    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(poly)
    smooth.SetNumberOfIterations(12)
    smooth.SetPassBand(0.3)
    smooth.NormalizeCoordinatesOn()
    smooth.NonManifoldSmoothingOff()
    smooth.BoundarySmoothingOff()
    smooth.Update()
    return vtk_to_numpy(smooth.GetOutput().GetPoints().GetData()).astype(float)
