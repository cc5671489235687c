"""Trees, contours and surfaces as VTP files that ParaView, Slicer and VMTK open. Together with the viewer's scenes the home of vtk.

vtk is loaded by the function that needs it: every command knows the Case, few write one of these files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ccta.errors import BadInput
from ccta.model import CoronaryTree, CrossSections, Surface

if TYPE_CHECKING:
    import pyvista as pv

SECTION_ARRAYS = ("distance_mm", "center_mm", "normal", "axis_u", "axis_v", "lumen_sd_mm", "reliable")


def tree_polydata(tree: CoronaryTree) -> pv.PolyData:
    """One polyline per branch; point arrays MaximumInscribedSphereRadius (VMTK's name; mm) and segment, cell arrays branch and parent."""
    import pyvista as pv

    starts = np.cumsum([0, *(len(branch.points_mm) for branch in tree)])
    lines = [np.concatenate([[len(b.points_mm)], np.arange(start, start + len(b.points_mm))]) for b, start in zip(tree, starts[:-1], strict=True)]
    data = pv.PolyData(np.vstack([b.points_mm for b in tree]), lines=np.concatenate(lines))
    data.point_data["MaximumInscribedSphereRadius"] = np.concatenate([b.radius_mm for b in tree])
    data.point_data["segment"] = np.concatenate([b.segment for b in tree])
    data.cell_data["branch"] = np.arange(len(tree))
    data.cell_data["parent"] = np.array([-1 if b.parent is None else b.parent for b in tree])
    return data


def sections_polydata(sections: list[CrossSections]) -> pv.PolyData:
    """Two closed polylines per plane, lumen (kind 0) then outer wall (kind 1); the planes' frames as cell arrays."""
    import pyvista as pv

    sections = [one for one in sections if len(one)]
    points, cells, size = [], {name: [] for name in (*SECTION_ARRAYS, "branch", "kind")}, []
    for one in sections:
        for index in range(len(one)):
            for kind, radius_mm in enumerate((one.lumen_radius_mm[index], one.wall_radius_mm[index])):
                points.append(one.contour_mm(index, radius_mm))
                size.append(len(radius_mm))
                for name in SECTION_ARRAYS:
                    cells[name].append(getattr(one, name)[index])
                cells["branch"].append(one.branch)
                cells["kind"].append(kind)
    starts = np.cumsum([0, *size[:-1]])
    lines = [np.concatenate([[n + 1], np.arange(start, start + n), [start]]) for start, n in zip(starts, size, strict=True)]
    data = pv.PolyData(np.vstack(points), lines=np.concatenate(lines))
    for name, values in cells.items():
        values = np.array(values)
        data.cell_data[name] = values.astype(np.uint8) if values.dtype == bool else values
    return data


def sections_from_polydata(data: pv.PolyData, branch_count: int) -> list[CrossSections]:
    """The inverse of `sections_polydata`: one CrossSections per branch, empty ones where a branch has no plane."""
    angles = data.n_points // max(1, data.n_cells)
    points = np.asarray(data.points, float).reshape(-1, angles, 3)
    cells = {name: np.asarray(data.cell_data[name]) for name in (*SECTION_ARRAYS, "branch", "kind")}
    radius = np.linalg.norm(points - cells["center_mm"][:, None], axis=2)
    result = []
    for branch in range(branch_count):
        lumen = (cells["branch"] == branch) & (cells["kind"] == 0)
        wall = (cells["branch"] == branch) & (cells["kind"] == 1)
        frame = {name: cells[name][lumen] for name in SECTION_ARRAYS}
        frame["reliable"] = frame["reliable"].astype(bool)
        result.append(CrossSections(branch, lumen_radius_mm=radius[lumen], wall_radius_mm=radius[wall], **frame))
    return result


def surface_polydata(surface: Surface) -> pv.PolyData:
    """A triangle surface as VTK polygons."""
    import pyvista as pv

    return pv.PolyData.from_regular_faces(surface.points_mm, surface.triangles)


def surface_from_polydata(data: pv.PolyData) -> Surface:
    """VTK polygons as triangles; point data is dropped."""
    triangles = data.triangulate()
    return Surface(np.asarray(triangles.points, float), triangles.faces.reshape(-1, 4)[:, 1:].copy())


def read_polydata(path: Path) -> pv.PolyData:
    """A VTP, STL, PLY or OBJ file; BadInput if it is none."""
    import pyvista as pv

    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} does not exist; give a surface or centerline file (VTP, STL, PLY, OBJ)")
    if path.suffix.lower() not in {".vtp", ".stl", ".ply", ".obj", ".vtk"}:
        raise BadInput(f"{path} is not a surface file that can be read; give VTP, STL, PLY, OBJ or VTK")
    try:
        data = pv.read(path)
    except Exception as error:  # vtk readers raise what they like
        raise BadInput(f"{path} cannot be read as a surface ({error}); export it again") from error
    if not isinstance(data, pv.PolyData) or data.n_points == 0:
        raise BadInput(f"{path} holds no surface or lines; export it again as VTP or STL")
    return data
