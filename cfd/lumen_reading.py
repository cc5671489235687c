"""Any lumen surface -> a closed one in millimetres that does not cross itself, and in words what was changed for that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pymeshfix
import pyvista as pv
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ccta.errors import BadInput
from ccta.model import Surface
from ccta.polydata import read_polydata
from cfd.lumen_crossing import crossing, extent
from cfd.lumen_cut import boundary_loops, split_edges

FEWEST_TRIANGLES = 20
SMALL_HOLE = 6
"""A hole of fewer edges is a defect of the surface, not an opening of a vessel."""
FOLD = 1.0
"""A patch of triangles that cut one another is a fold of the surface as long as it is no larger than this many calibres."""
LOOSE = 0.01
"""A loose part of less than this share of the area is debris."""
LONGEST, MOST_HALVINGS = 0.5, 12
"""Of the calibre: the longest edge of a surface that is drawn rather than found in an image."""
CALIBRE_MM = (0.8, 60.0)
UNITS = {1.0: "mm", 10.0: "cm", 1000.0: "m"}


@dataclass(frozen=True, eq=False)
class ClosedSurface:
    """data: closed, outward, mm. openings_mm: (K, 3) centres of the openings that were closed. scale: factor from the file's unit. changes: in words."""

    data: pv.PolyData
    openings_mm: np.ndarray
    scale: float
    changes: tuple[str, ...] = ()


def closed_surface(surface: Path | Surface, whole: bool = True) -> ClosedSurface:
    """A file (STL, VTP, PLY, OBJ; m, cm or mm, guessed by the calibre) or a Surface (mm), repaired where needed. Raises BadInput for what is no lumen.

    whole: BadInput where it has more than one part, but for debris; else all parts are kept (known centerlines say what belongs together).
    """
    points, triangles = _triangles(surface)
    is_file, changes = isinstance(surface, str | Path), []
    scale = unit_to_mm(points, triangles) if is_file else 1.0
    if is_file:
        changes.append(f"The surface was read in {UNITS[scale]}, by its calibre of {scale * calibre(points, triangles):.1f} mm.")
    points, triangles = _main_part(points * scale, triangles, changes, whole)
    _demand_no_crossing(points, triangles)
    loops = boundary_loops(triangles)
    openings = np.array([points[loop].mean(axis=0) for loop in loops if len(loop) >= SMALL_HOLE]).reshape(-1, 3)
    if len(loops) or not _is_manifold(triangles) or len(crossing(points, triangles)):
        changes += _defects(points, triangles, loops)
        points, triangles = _closed(points, triangles)
    if signed_volume(points, triangles) < 0:
        triangles = np.ascontiguousarray(triangles[:, ::-1])
    points, triangles = _without_long_edges(points, triangles)
    return ClosedSurface(pv.PolyData.from_regular_faces(points, triangles), openings, scale, tuple(changes))


def _without_long_edges(points, triangles):
    """Edges longer than LONGEST halved until none is: the walls and flat caps of a drawn vessel then have points like any other's; its shape stays."""
    limit = LONGEST * calibre(points, triangles)
    for _ in range(MOST_HALVINGS):
        corner = points[triangles]
        long = np.linalg.norm(np.roll(corner, -1, axis=1) - corner, axis=2) > limit
        if not long.any():
            break
        data = split_edges(points, triangles, long)
        points, triangles = np.asarray(data.points, float), data.faces.reshape(-1, 4)[:, 1:]
    return points, triangles


def signed_volume(points: np.ndarray, triangles: np.ndarray) -> float:
    """Volume inside a closed surface with outward triangles, in the cubed unit of the points (negative when they look inward)."""
    a, b, c = (points[triangles[:, corner]] - points[triangles[0, 0]] for corner in range(3))
    return float(np.einsum("ij,ij->i", np.cross(a, b), c).sum() / 6)


def calibre(points: np.ndarray, triangles: np.ndarray) -> float:
    """4 V / A: the diameter of a tube, and the mean one of a tree, in the unit of the points."""
    corner = points[triangles]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1).sum() / 2
    return 4 * abs(signed_volume(points - points.mean(axis=0), triangles)) / area if area > 0 else 0.0


def unit_to_mm(points: np.ndarray, triangles: np.ndarray) -> float:
    """Factor to mm from the calibre: arteries with or without an aorta are 1-35 mm wide, so 0.1-0.8 is cm and < 0.06 m."""
    found = calibre(points, triangles)
    if not CALIBRE_MM[0] / 1000 <= found <= CALIBRE_MM[1]:
        raise BadInput(f"the surface is {found:.3g} units wide on average; a coronary lumen is 1-35 mm wide, give it in mm, cm or m")
    return 1.0 if found > CALIBRE_MM[0] else 10.0 if found > CALIBRE_MM[1] / 1000 else 1000.0


def _triangles(surface):
    data = read_polydata(surface) if isinstance(surface, str | Path) else pv.PolyData.from_regular_faces(surface.points_mm, surface.triangles)
    data = data.extract_surface(algorithm=None).triangulate().clean() if not isinstance(data, pv.PolyData) else data.triangulate().clean()
    if data.n_cells < FEWEST_TRIANGLES:
        raise BadInput(f"the surface has {data.n_cells} triangles; give the closed or open-ended wall of a vessel tree")
    points = np.asarray(data.points, float)
    if not np.isfinite(points).all():
        raise BadInput("the surface has points whose coordinates are not finite; export it again")
    return points, data.faces.reshape(-1, 4)[:, 1:]


def _main_part(points, triangles, changes, whole):
    """The largest connected part, or, unless the surface is `whole`, all but debris. BadInput where another is none: a repair would silently drop it."""
    edges = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    part = connected_components(sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(points),) * 2), directed=False)[1][triangles[:, 0]]
    corner = points[triangles]
    area = np.bincount(part, np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1))
    large = np.flatnonzero(area > LOOSE * area.sum())
    if len(large) > 1 and whole:
        raise BadInput(
            f"the surface has {len(large)} separate parts; give one file per coronary tree, or join them (beyond an occlusion a branch is a part of its own: "
            "leave it out)"
        )
    debris = np.count_nonzero(area) - len(large)
    left_out = 100 * (1 - area[large].sum() / area.sum())
    changes += [f"{debris} loose pieces of the surface, {left_out:.1g} % of its area, were left out."] if debris else []
    kept, renumbered = np.unique(triangles[np.isin(part, large)], return_inverse=True)
    return points[kept], renumbered.reshape(-1, 3)


def _is_manifold(triangles):
    edges = np.sort(np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    return np.unique(edges, axis=0, return_counts=True)[1].max() <= 2


def _defects(points, triangles, loops):
    """What the repair is about to mend, a sentence each."""
    small, cut = sum(len(loop) < SMALL_HOLE for loop in loops), crossing(points, triangles)
    said = [f"{small} small holes of the surface were closed."] if small else []
    said += [] if _is_manifold(triangles) else ["Edges of the surface that more than two triangles share were repaired."]
    return said + ([f"{len(cut)} triangles that cut one another near {_place(points[triangles[cut]])} mm were replaced."] if len(cut) else [])


def _closed(points, triangles):
    fixer = pymeshfix.MeshFix(points, triangles)
    fixer.repair(joincomp=False, remove_smallest_components=False)
    if len(fixer.faces) == 0:
        raise BadInput("the surface could not be closed (self-intersections or missing parts); repair it in a mesh editor and try again")
    return np.asarray(fixer.points, float), np.asarray(fixer.faces)


def _demand_no_crossing(points, triangles):
    """Small folds can be cut out and closed again. Of a surface that runs through itself nobody can tell what lies inside."""
    cut = crossing(points, triangles)
    if len(cut) and extent(points, triangles[cut]) > FOLD * calibre(points, triangles):
        raise BadInput(
            f"the surface crosses itself: {len(cut)} triangles cut others, around {_place(points[triangles[cut]])} mm; join the vessels there in a mesh "
            "editor (Boolean union), or part them, and try again"
        )


def _place(corners):
    return np.round(corners.reshape(-1, 3).mean(axis=0), 1).tolist()
