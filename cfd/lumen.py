"""The lumen that blood flows through: a closed surface in SI with flat, named inlet and outlets, made from a case or from any surface file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyvista as pv

from ccta.model import Branch, CoronaryTree, Surface
from ccta.polydata import read_polydata
from ccta.units import mm_to_m
from cfd.lumen_centerlines import tree_from_centerlines
from cfd.lumen_cut import CutFailed, Plane, cut_and_capped
from cfd.lumen_inlet import AUTO, demand_start, wanted_inlet
from cfd.lumen_mending import bridged, smoothed_if_rough
from cfd.lumen_reading import closed_surface, signed_volume
from cfd.lumen_skeleton import centerlines_of

CASE_INSET_MM = 0.3
"""The case's surface reaches 1 mm beyond the first and last section; cutting this far inside them is clean and loses nothing."""
MOST_MOVES = 12


@dataclass(frozen=True, eq=False)
class Port:
    """A flat opening. name: "inlet_0", "outlet_3" ..., numbered by the branch of the whole tree that begins or ends there.

    center_m, direction (outward unit normal): (3,). radius_m: of the circle with its area.

    branch: index of the branch of `Lumen.tree` that begins (inlet) or ends (outlet) here; distance_mm: arc length of the plane on it.
    """

    name: str
    center_m: np.ndarray
    direction: np.ndarray
    radius_m: float
    branch: int
    distance_mm: float

    @property
    def kind(self) -> str:
        return self.name.split("_")[0]


@dataclass(frozen=True, eq=False)
class Lumen:
    """One connected artery tree. points_m: (N, 3). triangles: (T, 3), outward. label: (T,) 0 wall, k + 1 cap of ports[k].

    tree: its centerlines (mm). branch_index: number of each of its branches in the whole tree (the case's, or all trees of a surface in order).
    notes: in words, what was found in the surface and changed for it, the same for all trees of one surface.
    """

    points_m: np.ndarray
    triangles: np.ndarray
    label: np.ndarray
    ports: tuple[Port, ...]
    tree: CoronaryTree
    branch_index: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def outlets(self) -> tuple[Port, ...]:
        return tuple(port for port in self.ports if port.kind == "outlet")


def lumens_from_case(surface: Surface, tree: CoronaryTree) -> tuple[Lumen, ...]:
    """One lumen per ostium, from the case's closed surface (all arteries in one Surface, mm) and its tree. Raises BadInput."""
    data, said = smoothed_if_rough(pv.PolyData.from_regular_faces(surface.points_mm, surface.triangles))
    lumens = []
    for root in (index for index, branch in enumerate(tree) if branch.parent is None):
        part, index = subtree(tree, root)
        lumens.append(_cut_or_bridged(data, part, lambda branch, at_root: CASE_INSET_MM, index))
    return tuple(replace(lumen, notes=(*said, *lumen.notes)) for lumen in lumens)


def _cut_or_bridged(data: pv.PolyData, tree: CoronaryTree, inset, index: tuple[int, ...]) -> Lumen:
    """`_cut`; where it fails because the surface has a gap along the centerlines, again with the gap bridged."""
    try:
        return _cut(data, tree, inset, index)
    except CutFailed:
        whole, said = bridged(data, tree)
        if not said:
            raise
    return replace(_cut(whole, tree, inset, index), notes=tuple(said))


def lumens_from_surface(surface: Path | Surface, centerlines: Sequence[Path | pv.PolyData] = (), inlet: str = AUTO) -> tuple[Lumen, ...]:
    """One lumen per coronary tree of any lumen surface: a file (STL, VTP, PLY, OBJ; m, cm or mm) or a Surface (mm); open-ended or closed.

    centerlines: VMTK polylines in the surface's unit, one file per tree, each line from the inlet (or the aorta, which is cut off) to one outlet;
    without them they are computed; along given ones, gaps of the surface are bridged. inlet: "auto", the number of an end, or "x,y,z" in the surface's unit
    (`cfd.lumen_inlet`). Raises BadInput with what is wrong with the surface.
    """
    read = closed_surface(surface, whole=not centerlines)
    data, smoothed = smoothed_if_rough(read.data)
    wanted = wanted_inlet(inlet, read.scale)
    if centerlines:
        lines = [_scaled(read_polydata(one) if isinstance(one, str | Path) else one.copy(), read.scale) for one in centerlines]
        said = demand_start(wanted, lines)
    else:
        lines, said = centerlines_of(data, read.openings_mm, wanted)
    trees = [tree_from_centerlines(one) for one in lines]
    first = np.cumsum([0, *(len(tree) for tree in trees)])
    numbers = [tuple(range(k, k + len(tree))) for tree, k in zip(trees, first[:-1], strict=True)]
    lumens = [_cut_or_bridged(data, tree, _inset(read.openings_mm), number) for tree, number in zip(trees, numbers, strict=True)]
    notes = [*read.changes, *smoothed, *said, *(note for lumen in lumens for note in lumen.notes)]
    return tuple(replace(lumen, notes=tuple(notes)) for lumen in lumens)


def subtree(tree: CoronaryTree, root: int) -> tuple[CoronaryTree, tuple[int, ...]]:
    """(the branches that descend from `root`, their indices in `tree`)."""
    index = [root]
    for branch in range(root + 1, len(tree)):
        if tree.branches[branch].parent in index:
            index.append(branch)
    parents = {old: new for new, old in enumerate(index)}
    return CoronaryTree(tuple(replace(tree.branches[i], parent=parents.get(tree.branches[i].parent)) for i in index), tree.dominance), tuple(index)


def _inset(openings_mm):
    """How far inside a branch's end its cut lies: where the lumen has its calibre, and half a radius (a whole one behind a rounded tip) farther."""

    def inset(branch: Branch, at_root: bool) -> float:
        away, radius = (branch.distance_mm, branch.radius_mm) if at_root else (branch.length_mm - branch.distance_mm[::-1], branch.radius_mm[::-1])
        own = float(np.median(radius[away <= max(min(5.0, 0.3 * branch.length_mm), away[1])]))  # a short branch is soon inside its parent
        full = float(away[np.argmax(radius >= 0.8 * own)])
        end = branch.points_mm[0 if at_root else -1]
        open_here = len(openings_mm) and np.linalg.norm(openings_mm - end, axis=1).min() < 2 * own
        return full + own * (0.5 if at_root or open_here else 1.0)

    return inset


def _cut(data: pv.PolyData, tree: CoronaryTree, inset, index: tuple[int, ...]) -> Lumen:
    """The lumen between the ports of one tree; a cut that fails is moved inward by half a radius, a few times."""
    wanted = [(f"inlet_{index[0]}", 0, True)] + [(f"outlet_{name}", k, False) for k, name in enumerate(index)]
    depth = np.array([inset(tree.branches[branch], at_root) for _, branch, at_root in wanted])
    axis = np.vstack([branch.points_mm for branch in tree]), np.concatenate([branch.radius_mm for branch in tree])
    for move in range(MOST_MOVES + 1):
        planes = [_plane(name, tree.branches[branch], at_root, inward) for (name, branch, at_root), inward in zip(wanted, depth, strict=True)]
        try:
            points, triangles, label = cut_and_capped(data, planes, axis)
            break
        except CutFailed as error:
            if move == MOST_MOVES:
                raise
            depth[error.plane] += 0.5 * planes[error.plane].radius_mm
    if signed_volume(points, triangles) < 0:
        triangles = np.ascontiguousarray(triangles[:, ::-1])
    ports = []
    for k, ((name, branch, at_root), plane) in enumerate(zip(wanted, planes, strict=True)):
        cap = points[triangles[label == k + 1]]
        area = np.linalg.norm(np.cross(cap[:, 1] - cap[:, 0], cap[:, 2] - cap[:, 0]), axis=1).sum() / 2
        distance = depth[k] if at_root else tree.branches[branch].length_mm - depth[k]
        ports.append(Port(name, mm_to_m(plane.center_mm), plane.direction, mm_to_m(float(np.sqrt(area / np.pi))), branch, float(distance)))
    return Lumen(mm_to_m(points), triangles, label, tuple(ports), tree, index)


def _plane(name, branch: Branch, at_root: bool, depth_mm: float) -> Plane:
    """The plane `depth_mm` inside an end of a branch, across the centerline's direction over about one radius."""
    s = branch.distance_mm
    radius = float(branch.radius_mm[0 if at_root else -1])
    at = min(depth_mm, 0.4 * s[-1]) if at_root else s[-1] - min(depth_mm, 0.4 * s[-1])
    ends = branch.point_at(np.clip([at - radius, at + radius], 0, s[-1]))
    direction = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    return Plane(name, branch.point_at(at), -direction if at_root else direction, float(np.interp(at, s, branch.radius_mm)))


def _scaled(lines: pv.PolyData, scale: float) -> pv.PolyData:
    if scale != 1.0:
        lines.points = lines.points * scale
        for name in lines.point_data:
            if "Radius" in name:
                lines.point_data[name] = lines.point_data[name] * scale
    return lines
