"""Vessels with known geometry for the flow tests."""

from dataclasses import replace

import numpy as np
import pyvista as pv
from scipy.spatial import cKDTree

from ccta.model import Branch, CoronaryTree, Surface
from cfd.verification import box


def closed_tube(radius_mm=1.5, length_mm=20.0, step_mm=0.15) -> tuple[Surface, CoronaryTree]:
    """A round tube along z, its ends 1 mm beyond its centerline's."""
    around = int(2 * np.pi * radius_mm / step_mm)
    z = np.linspace(-1, length_mm + 1, int((length_mm + 2) / step_mm))
    angle = 2 * np.pi * np.arange(around) / around
    ring = radius_mm * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.array([[*xy, height] for height in z for xy in ring])
    lower = np.arange((len(z) - 1) * around)
    right = lower // around * around + (lower + 1) % around
    wall = np.vstack([np.stack([lower, right, right + around], 1), np.stack([lower, right + around, lower + around], 1)])
    count, k = len(points), np.arange(around)
    top = k + count - around
    bottom_cap = np.stack([np.full(around, count), np.roll(k, -1), k], 1)
    top_cap = np.stack([np.full(around, count + 1), top, np.roll(top, -1)], 1)
    points = np.vstack([points, [[0, 0, z[0]], [0, 0, z[-1]]]])
    line = np.stack([np.zeros(41), np.zeros(41), np.linspace(0, length_mm, 41)], axis=1)
    return Surface(points, np.vstack([wall, bottom_cap, top_cap])), CoronaryTree((Branch(line, np.full(41, radius_mm)),))


def bent_tube(bend_mm=25.0, radius_mm=1.5, degrees=90.0, step_mm=0.2) -> tuple[Surface, CoronaryTree]:
    """A tube along an arc in the x-z plane; round ends 1 mm beyond its centerline's."""
    beyond = np.degrees(1 / bend_mm)
    arc = lambda first, last, count: _arc(bend_mm, np.radians(np.linspace(first, last, count)))  # noqa: E731
    axis = arc(-beyond, degrees + beyond, 2000)
    low, high = axis.min(axis=0) - radius_mm - 1, axis.max(axis=0) + radius_mm + 1
    grid = pv.ImageData(dimensions=(np.ceil((high - low) / step_mm) + 1).astype(int), spacing=(step_mm,) * 3, origin=low)
    away = cKDTree(axis).query(np.asarray(grid.points))[0] - radius_mm
    surface = grid.contour([0.0], scalars=away).triangulate().clean()
    line = arc(0, degrees, 80)
    return Surface(np.asarray(surface.points, float), surface.faces.reshape(-1, 4)[:, 1:]), CoronaryTree((Branch(line, np.full(80, radius_mm)),))


def _arc(bend_mm, angle):
    return bend_mm * np.stack([1 - np.cos(angle), np.zeros(len(angle)), np.sin(angle)], axis=1)


def closed_y(radius_mm=1.5, child_radius_mm=1.1, step_mm=0.2) -> tuple[Surface, CoronaryTree]:
    """A trunk along z (20 mm) and a side branch that leaves it at 9 mm: the union of two capsules."""
    trunk = np.stack([np.zeros(41), np.zeros(41), np.linspace(0, 20, 41)], axis=1)
    side = np.array([0, 0, 9.0]) + np.linspace(0, 12, 31)[:, None] * np.array([np.sin(0.8), 0, np.cos(0.8)])
    tree = CoronaryTree((Branch(trunk, np.full(41, radius_mm)), Branch(side, np.full(31, child_radius_mm), parent=0, parent_distance_mm=9.0)))
    low, high = np.array([-3.0, -3.0, -3.0]), np.array([12.0, 3.0, 24.0])
    grid = pv.ImageData(dimensions=(np.ceil((high - low) / step_mm) + 1).astype(int), spacing=(step_mm,) * 3, origin=low)
    away = np.min([capsule(np.asarray(grid.points), trunk, radius_mm), capsule(np.asarray(grid.points), side, child_radius_mm)], axis=0)
    surface = grid.contour([0.0], scalars=away).triangulate().clean()
    triangles = surface.faces.reshape(-1, 4)[:, 1:]
    return Surface(np.asarray(surface.points, float), triangles), tree


def capsule(points, line, radius):
    """Signed distance to a capsule whose axis reaches 1 mm beyond the line's ends."""
    axis = (line[-1] - line[0]) / np.linalg.norm(line[-1] - line[0])
    start, length = line[0] - axis, np.linalg.norm(line[-1] - line[0]) + 2
    along = np.clip((points - start) @ axis, 0, length)
    return np.linalg.norm(points - start - along[:, None] * axis, axis=1) - radius


def cube(n):
    """A unit cube (mm) of 6 n^3 tetrahedra as a FlowMesh whose whole boundary is "wall"."""
    return box((np.linspace(0, 1, n + 1),) * 3)


def bent_cube(n, bend):
    """The cube with the middles of all its surface edges moved at random by up to `bend` of their length; straight for 0."""
    mesh = cube(n)
    if not bend:
        return mesh
    edges = np.unique(np.sort(mesh.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    ends = mesh.points_m[edges]
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1, keepdims=True)
    return replace(mesh, curved_edges=edges, middle_m=ends.mean(axis=1) + bend * length * np.random.default_rng(5).uniform(-1, 1, ends[:, 0].shape))
