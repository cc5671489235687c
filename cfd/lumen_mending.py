"""Surfaces as a network's mask leaves them: bumps of a voxel's size are smoothed away, gaps along known centerlines are bridged. Millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyvista as pv
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ccta.curves import resampled_curve, tangents
from ccta.errors import BadInput
from ccta.model import CoronaryTree, arc_length_mm
from cfd.lumen_cut import CutFailed, Plane, boundary_loops, opened, owners
from cfd.lumen_reading import signed_volume

ROUGH = 0.06
"""Root mean square of `roughness`: vessel walls of contours or readers have 0.01-0.04, marching cubes on a mask of voxels 0.12, with or without noise."""
PASS_BAND, ITERATIONS = 0.1, 20
LONGEST_GAP_MM = 8.0
"""As long as a stenosis too tight for the voxels of a mask. A vessel that is lost for longer is occluded or not there."""
NARROWEST_MM = 0.1  # radius of a bridge: what the mesh can hold
STATION_MM = 0.1
RING = 24  # points
TIP = 2.0  # radii: length of a blunt tip


def smoothed_if_rough(surface: pv.PolyData) -> tuple[pv.PolyData, list[str]]:
    """(surface, what was done in words). Taubin's windowed sinc (1996) takes bumps away and keeps calibres: the volume of a noisy tree changes by 0.3 %."""
    if roughness(np.asarray(surface.points, float), surface.faces.reshape(-1, 4)[:, 1:]) < ROUGH:
        return surface, []
    smooth = surface.smooth_taubin(
        n_iter=ITERATIONS, pass_band=PASS_BAND, normalize_coordinates=True, non_manifold_smoothing=False, boundary_smoothing=False
    )  # fmt: skip
    return smooth, ["The surface was as rough as voxels are and was smoothed."]


def roughness(points: np.ndarray, triangles: np.ndarray) -> float:
    """Root mean square, over the median edge, of how much a point's height over its neighbours differs from that of its neighbours (0 for a round vessel)."""
    edges = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    both = np.vstack([edges, edges[:, ::-1]])
    near = sparse.coo_matrix((np.ones(len(both)), both.T), shape=(len(points),) * 2).tocsr()
    near.data[:] = 1
    mean = sparse.diags(1 / np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1)) @ near
    face = np.cross(points[triangles[:, 1]] - points[triangles[:, 0]], points[triangles[:, 2]] - points[triangles[:, 0]])
    normal = np.stack([np.bincount(triangles.ravel(), np.repeat(face[:, k], 3), minlength=len(points)) for k in range(3)], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    height = np.einsum("ni,ni->n", mean @ points - points, normal)
    edge = np.median(np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1))
    return float(np.sqrt(np.mean((height - mean @ height) ** 2)) / edge)


def bridged(surface: pv.PolyData, tree: CoronaryTree) -> tuple[pv.PolyData, list[str]]:
    """(the closed surface with its parts joined along the tree's centerlines by tubes of their radius, a sentence per gap).

    A gap is a stretch outside the surface, at most LONGEST_GAP_MM long, between two of its parts; their blunt tips are cut off there. Raises BadInput
    for a longer one, CutFailed where a tip cannot be cut cleanly.
    """
    points, triangles = np.asarray(surface.points, float), surface.faces.reshape(-1, 4)[:, 1:]
    if signed_volume(points, triangles) < 0:
        triangles = np.ascontiguousarray(triangles[:, ::-1])
    outward = pv.PolyData.from_regular_faces(points, triangles)
    edges = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    part = connected_components(sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(points),) * 2), directed=False)[1]
    nearest = cKDTree(points)
    tubes = []
    for branch in tree:
        axis = resampled_curve(branch.points_mm, STATION_MM)
        s = arc_length_mm(axis)
        radius = np.maximum(np.interp(s / s[-1] * branch.length_mm, branch.distance_mm, branch.radius_mm), NARROWEST_MM)
        held = pv.PolyData(axis).select_interior_points(outward, check_surface=False)["selected_points"].astype(bool)
        owner = part[nearest.query(axis)[1]]
        for first, last in _gaps(held, owner):
            if s[last] - s[first] > LONGEST_GAP_MM:
                what = f"the surface is interrupted for {s[last] - s[first]:.0f} mm at {np.round(axis[first], 1).tolist()} mm on a centerline"
                raise BadInput(f"{what}: too long for a gap, the vessel beyond is occluded or torn off; leave its centerline out, or correct the surface")
            tubes.append(_tube(axis, s, radius, (first, last)))
    return (_lofted(outward, tubes) if tubes else surface), [_sentence(tube) for tube in tubes]


@dataclass(frozen=True, eq=False)
class _Tube:
    """What fills a gap: rings (K, RING, 3) on its axis, and the planes that cut off the tips before and behind it."""

    rings: np.ndarray
    planes: tuple[Plane, Plane]
    length_mm: float
    width_mm: float


def _sentence(tube: _Tube) -> str:
    where = np.round(tube.rings[len(tube.rings) // 2].mean(axis=0), 1).tolist()
    return f"The surface has a gap of {tube.length_mm:.1f} mm at {where} mm: bridged by a tube {tube.width_mm:.1f} mm wide there, as its centerline says."


def _gaps(held, owner):
    """(last station inside one part, first inside another one) of every stretch outside between two parts."""
    inside = np.flatnonzero(held)
    return [(a, b) for a, b in pairwise(inside) if owner[a] != owner[b]]


def _tube(axis, s, radius, gap) -> _Tube:
    first, last = gap
    cuts = (max(0.0, s[first] - TIP * radius[first]), min(s[-1], s[last] + TIP * radius[last]))  # where the lumen has its calibre
    direction = tangents(axis)
    planes = []
    for cut, sign in zip(cuts, (1.0, -1.0), strict=True):
        k = int(np.argmin(np.abs(s - cut)))
        planes.append(Plane("a gap", axis[k], sign * direction[k], float(radius[k])))
    free = np.arange(np.argmin(np.abs(s - cuts[0])) + 2, np.argmin(np.abs(s - cuts[1])) - 1, 2)
    rings, across = [], np.cross(direction[free[0]], np.eye(3)[np.argmin(np.abs(direction[free[0]]))])
    for k in free:
        across = across - (across @ direction[k]) * direction[k]
        across /= np.linalg.norm(across)
        angle = 2 * np.pi * np.arange(RING)[:, None] / RING
        rings.append(axis[k] + radius[k] * (np.cos(angle) * across + np.sin(angle) * np.cross(direction[k], across)))
    return _Tube(np.array(rings), tuple(planes), float(s[last] - s[first]), 2 * float(radius[first : last + 1].min()))


def _lofted(surface: pv.PolyData, tubes) -> pv.PolyData:
    """The surface without the tips at both ends of each gap, and walls from one opening along the rings to the other."""
    planes = [plane for tube in tubes for plane in tube.planes]
    points, triangles = opened(surface, planes)
    loops = boundary_loops(triangles)
    owner = owners(points, loops, planes)
    for k, tube in enumerate(tubes):
        ends = [[loop for loop, who in zip(loops, owner, strict=True) if who == 2 * k + side] for side in (0, 1)]
        if any(len(one) != 1 for one in ends):
            raise CutFailed(f"{_sentence(tube).split(':')[0]}, and its ends cannot be cut cleanly; correct the surface or the centerline there", 0)
        rings = len(points) + np.arange(tube.rings.size // 3).reshape(-1, RING)
        points = np.vstack([points, tube.rings.reshape(-1, 3)])
        pieces = [_zipped(points, ends[0][0], rings[0]), _zipped(points, ends[1][0], rings[-1])]
        turns = 1 if _turn(points, ends[0][0], tube.planes[0].direction) > 0 else -1
        for one, next_one in pairwise(rings[:, ::turns]):
            ahead, beyond = np.roll(one, -1), np.roll(next_one, -1)
            pieces += [np.stack([one, ahead, next_one], axis=1), np.stack([ahead, beyond, next_one], axis=1)]
        triangles = np.vstack([triangles, *pieces])
    return pv.PolyData.from_regular_faces(points, triangles)


def _turn(points, loop, direction) -> float:
    """> 0 where a loop runs counter-clockwise seen against `direction`."""
    ring = points[loop] - points[loop].mean(axis=0)
    return float(np.cross(ring, np.roll(ring, -1, axis=0)).sum(axis=0) @ direction)


def _zipped(points, loop, ring):
    """Triangles between a loop and a ring that faces it, both walked at the same share of their length; they close the loop outward."""
    normal = np.cross(points[ring[0]] - points[ring].mean(axis=0), points[ring[1]] - points[ring].mean(axis=0))
    if _turn(points, loop, normal) < 0:
        ring = ring[::-1]
    ring = np.roll(ring, -int(np.argmin(np.linalg.norm(points[ring] - points[loop[0]], axis=1))))
    share = [np.append(arc_length_mm(points[np.append(one, one[0])])[1:], np.inf) for one in (loop, ring)]
    share = [one / one[-2] for one in share]
    i = j = 0
    found = []
    while i < len(loop) or j < len(ring):
        a, b, c, d = loop[i % len(loop)], loop[(i + 1) % len(loop)], ring[j % len(ring)], ring[(j + 1) % len(ring)]
        if j == len(ring) or (i < len(loop) and share[0][i] <= share[1][j]):
            found.append((a, b, c))
            i += 1
        else:
            found.append((a, d, c))
            j += 1
    return np.array(found)
