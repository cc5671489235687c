"""What a 3-D solution says along the tree and on the wall, and its files for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvista as pv
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.curves import resampled_curve
from ccta.model import CoronaryTree
from ccta.units import m_to_mm, pa_to_mmhg
from cfd.lumen import Lumen

STEP_MM = 0.5


@dataclass(frozen=True, eq=False)
class AlongBranch:
    """(M,) each, from the branch's origin: distance_mm; pressure_pa, mean of the cross-section; flow_m3_s; diameter_mm of the circle with its area."""

    distance_mm: np.ndarray
    pressure_pa: np.ndarray
    flow_m3_s: np.ndarray
    diameter_mm: np.ndarray


def flow_along_tree(solution, lumen: Lumen) -> list[AlongBranch]:
    """Per branch of `lumen.tree` (in its order) what a pressure wire pulled along it would see.

    Pressure: volume mean over the cells nearest to each centerline station, `STEP_MM` apart; at the ports exactly the port's. Flow: sum of the outlets
    downstream, which the solver balances exactly. Area: volume of those cells per length (inside a parent's lumen the parent's share is missing).
    solution: cfd.navier_stokes.FlowSolution.
    """
    tree, mesh = lumen.tree, solution.mesh
    stations = [resampled_curve(branch.points_mm, STEP_MM) for branch in tree]
    first = np.cumsum([0, *(len(one) for one in stations)])
    corner = m_to_mm(mesh.points_m)[mesh.tetrahedra]
    volume = np.abs(np.linalg.det(corner[:, 1:] - corner[:, :1])) / 6
    _, station = cKDTree(np.vstack(stations)).query(corner.mean(axis=1))
    count = first[-1]
    slab = np.bincount(station, volume, count)
    weighted = np.bincount(station, volume * solution.pressure_pa[mesh.tetrahedra].mean(axis=1), count)
    flow = branch_flows(solution, lumen)
    result = []
    for index, branch in enumerate(tree):
        part = slice(first[index], first[index + 1])
        s = np.linspace(0, branch.length_mm, len(stations[index]))
        pressure, diameter = _smoothed(slab[part], weighted[part], s[1])
        pressure = _through_ports(s, pressure, [port for port in lumen.ports if port.branch == index], solution)
        result.append(AlongBranch(s, pressure, flow(index, s), diameter))
    return result


def branch_flows(solution, lumen: Lumen):
    """A function (branch, distance_mm) -> flow there: the outlets that lie downstream of it."""
    tree: CoronaryTree = lumen.tree
    total = np.array([solution.port_flow_m3_s[port.name] for port in sorted(lumen.outlets, key=lambda port: port.branch)])
    for index in range(len(tree) - 1, 0, -1):
        total[tree.branches[index].parent] += total[index]

    def flow(index: int, distance_mm: np.ndarray) -> np.ndarray:
        here = np.full(len(distance_mm), total[index])
        for child in tree.children(index):
            here[distance_mm > tree.branches[child].parent_distance_mm] -= total[child]
        return here

    return flow


def _smoothed(volume, weighted, step_mm):
    """(pressure, diameter) over a window of about three stations; empty stations are interpolated."""
    wide = ndimage.gaussian_filter1d(volume, 1.0, mode="nearest")
    pressure = ndimage.gaussian_filter1d(weighted, 1.0, mode="nearest") / np.maximum(wide, 1e-12)
    known = np.flatnonzero(wide > 1e-6 * wide.max())
    every = np.arange(len(volume))
    area = np.interp(every, known, wide[known]) / step_mm
    return np.interp(every, known, pressure[known]), 2 * np.sqrt(area / np.pi)


def _through_ports(distance_mm, pressure, ports, solution):
    """The pressure with the ports' own values at and beyond them."""
    for port in ports:
        beyond = distance_mm <= port.distance_mm if port.kind == "inlet" else distance_mm >= port.distance_mm
        pressure = np.where(beyond, solution.port_pressure_pa[port.name], pressure)
    return pressure


def _arrays(data, solution, points, aortic_pressure_pa):
    data.point_data["velocity_m_s"] = solution.velocity_m_s[points]
    data.point_data["pressure_pa"] = solution.pressure_pa[points]
    data.point_data["pressure_mmhg"] = pa_to_mmhg(solution.pressure_pa[points])
    data.point_data["ffr"] = solution.pressure_pa[points] / aortic_pressure_pa


def flow_grid(solutions: Sequence, aortic_pressure_pa: float) -> pv.UnstructuredGrid:
    """All trees as one grid, patient mm, with velocity_m_s, pressure_pa, pressure_mmhg and ffr."""
    grids = []
    for solution in solutions:
        grid = pv.UnstructuredGrid({pv.CellType.TETRA: solution.mesh.tetrahedra}, m_to_mm(solution.mesh.points_m))
        _arrays(grid, solution, slice(None), aortic_pressure_pa)
        grids.append(grid)
    return grids[0] if len(grids) == 1 else pv.merge(grids, merge_points=False)


def wall_map(solutions: Sequence, aortic_pressure_pa: float) -> pv.PolyData:
    """The walls of all trees (without caps) with the same arrays, patient mm."""
    walls = []
    for solution in solutions:
        triangles = solution.mesh.boundary("wall")
        points, renumbered = np.unique(triangles, return_inverse=True)
        wall = pv.PolyData.from_regular_faces(m_to_mm(solution.mesh.points_m[points]), renumbered.reshape(-1, 3))
        _arrays(wall, solution, points, aortic_pressure_pa)
        walls.append(wall)
    return walls[0] if len(walls) == 1 else pv.append_polydata(*walls) if hasattr(pv, "append_polydata") else walls[0].append_polydata(*walls[1:])


def save_flow(solutions: Sequence, aortic_pressure_pa: float, flow_path: Path | None, surface_path: Path | None) -> None:
    """flow.vtu and surface.vtp (either may be None)."""
    if flow_path is not None:
        flow_grid(solutions, aortic_pressure_pa).save(flow_path)
    if surface_path is not None:
        wall_map(solutions, aortic_pressure_pa).save(surface_path)
