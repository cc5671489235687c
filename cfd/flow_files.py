"""What a flow run leaves behind: mesh.msh, flow.vtu, surface.vtp. Millimetres and FFR, for ParaView, the viewer and gmsh. A home of pyvista."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyvista as pv
from scipy.spatial import cKDTree

from ccta.errors import StorageFailed
from ccta.findings import PullbackFile
from ccta.model import Surface
from ccta.polydata import surface_polydata
from ccta.units import m_to_mm, mmhg_to_pa, pa_to_mmhg
from cfd.mesh import FlowMesh, joined, save_mesh

if TYPE_CHECKING:
    from cfd.three_d import TreeFlow


def surface_with_ffr(surface: Surface, pullback: PullbackFile, flows: Sequence[TreeFlow] = ()) -> pv.PolyData:
    """The lumen surface with the point array `ffr`: of the nearest point of the 3-D wall, or of the nearest branch point with the reduced model."""
    if flows:
        points = np.vstack([m_to_mm(one.mesh.points_m) for one in flows])
        values = np.concatenate([one.solution.pressure_pa for one in flows]) / mmhg_to_pa(pullback.pa_mmhg)
    else:
        points = np.vstack([branch.points_mm for branch in pullback.branches])
        values = np.concatenate([branch.ffr for branch in pullback.branches])
    data = surface_polydata(surface)
    data.point_data["ffr"] = values[cKDTree(points).query(surface.points_mm)[1]]
    return data


def wall_with_ffr(flows: Sequence[TreeFlow], pa_mmhg: float) -> pv.PolyData:
    """The walls and openings of the solved trees themselves, with `ffr` and `wall_shear_pa` at each point, `boundary` (0 wall) at each triangle."""
    mesh = joined_mesh(flows)
    data = pv.PolyData.from_regular_faces(m_to_mm(mesh.points_m), mesh.triangles)
    data.point_data["ffr"] = np.concatenate([one.solution.pressure_pa for one in flows]) / mmhg_to_pa(pa_mmhg)
    data.cell_data["boundary"] = mesh.label
    if all(one.solution.wall_shear_pa is not None for one in flows):
        data.point_data["wall_shear_pa"] = np.concatenate([one.solution.wall_shear_pa for one in flows])
    return data.clean()


def flow_grid(flows: Sequence[TreeFlow], pa_mmhg: float) -> pv.UnstructuredGrid:
    """The tetrahedra (mm) with velocity_m_s, pressure_mmhg and ffr at their points."""
    mesh = joined_mesh(flows)
    grid = pv.UnstructuredGrid({pv.CellType.TETRA: mesh.tetrahedra}, m_to_mm(mesh.points_m))
    pressure = np.concatenate([one.solution.pressure_pa for one in flows])
    grid.point_data["velocity_m_s"] = np.vstack([one.solution.velocity_m_s for one in flows])
    grid.point_data["pressure_mmhg"] = pa_to_mmhg(pressure)
    if all(one.solution.wall_shear_pa is not None for one in flows):
        grid.point_data["wall_shear_pa"] = np.concatenate([one.solution.wall_shear_pa for one in flows])
    grid.point_data["ffr"] = pressure / mmhg_to_pa(pa_mmhg)
    return grid


def joined_mesh(flows: Sequence[TreeFlow]) -> FlowMesh:
    """All trees as one mesh. Port names carry the tree: "inlet_0" of the second tree becomes "tree1_inlet_0"."""
    names = [("wall", *(f"tree{k}_{name}" if k else name for name in one.mesh.names[1:])) for k, one in enumerate(flows)]
    return joined([replace(one.mesh, names=own) for one, own in zip(flows, names, strict=True)])


def write_flow_files(out: Path, lumen: Surface, pullback: PullbackFile, flows: Sequence[TreeFlow] = ()) -> None:
    """surface.vtp and pullback.json, in 3-D also mesh.msh and flow.vtu: all of them or none, through a temporary folder. StorageFailed (full disk)."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".writing-") as name:
            folder = Path(name)
            (folder / "pullback.json").write_text(pullback.model_dump_json())
            (wall_with_ffr(flows, pullback.pa_mmhg) if flows else surface_with_ffr(lumen, pullback)).save(folder / "surface.vtp")
            if flows:
                flow_grid(flows, pullback.pa_mmhg).save(folder / "flow.vtu")
                save_mesh(joined_mesh(flows), folder / "mesh.msh")
            for path in sorted(folder.iterdir()):
                path.replace(out / path.name)
    except OSError as error:
        raise StorageFailed(f"{out} could not be written ({error}); free some space or choose another folder") from error
