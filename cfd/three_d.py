"""The 3-D model on a whole coronary circulation: lumen, mesh and Navier-Stokes per connected tree; the answer along the branches, like the reduced model's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ccta.curves import tangents
from ccta.errors import BadSettings
from ccta.settings import FlowSettings
from ccta.units import m_to_mm, mm_to_m
from cfd.flow_problem import AxisFlow, FlowBoundary, FlowSolution
from cfd.lumen import Lumen
from cfd.mesh import FlowMesh, MeshSettings, build_mesh
from cfd.network import Solution
from cfd.physiology import DEFAULT_CUFF_MMHG
from cfd.pullback import FlowModel
from cfd.ranks import PROCESSES, solve_by_ranks
from cfd.steady import solve_steady

JET_DIAMETERS = 10.0  # of the vessel behind a narrowing, in which its jet has broken up or spread
JET_RATIO = 1.5  # of areas: behind a narrowing of 18 % of the diameter and more


@dataclass(frozen=True, eq=False)
class TreeFlow:
    """One connected tree solved in 3-D."""

    lumen: Lumen
    solution: FlowSolution

    @property
    def branches(self) -> tuple[int, ...]:
        """Indices of the lumen's branches in the whole tree."""
        return self.lumen.branch_index

    @property
    def mesh(self) -> FlowMesh:
        return self.solution.mesh


def solve_trees(problem: FlowModel, lumens: Sequence[Lumen], reduced: Solution, settings: FlowSettings, progress: Callable[..., None]) -> tuple[TreeFlow, ...]:
    """Each tree that begins at an ostium, one after the other. reduced: where its inlet's static pressure and the first guess come from.

    Raises BadSettings for a solver that there is not, or that several processes cannot share.
    """
    if settings.solver not in ("everyday", "reference"):
        raise BadSettings(f'flow.solver is "everyday" or "reference", got {settings.solver!r}')
    if PROCESSES.get() > 1 and (settings.solver == "reference" or settings.model == "3d-pulsatile"):
        raise BadSettings('--processes works with the steady everyday solver (model 3d, flow.solver = "everyday"); leave it out for the others')
    count = len(lumens)
    parts = [_part(progress, f"tree {k + 1} of {count}: ", k / count, 1 / count) for k in range(count)]
    return tuple(_solve_tree(problem, lumen, reduced, settings, part) for lumen, part in zip(lumens, parts, strict=True))


def _solve_tree(problem, lumen, reduced, settings, progress):
    mesh = build_mesh(lumen, MeshSettings(elements_per_diameter=settings.elements_per_diameter), progress=lambda text: progress(f"mesh, {text}", 0.0))
    resistance = {port.name: float(problem.resistance_pa_s_m3[lumen.branch_index[port.branch]]) for port in lumen.outlets}
    boundary = FlowBoundary(_inlet_pressure_pa(problem, reduced, lumen), problem.physiology.distal_pressure_pa, resistance, wall_flow(problem, reduced, lumen))
    tell = lambda text, share: progress(text, 0.1 + 0.9 * share)  # noqa: E731
    if settings.solver == "reference" and settings.model != "3d-pulsatile":
        from cfd import navier_stokes  # DOLFINx loads, and compiles, only when it is wanted

        if boundary.wall_flow is not None:
            raise BadSettings('flow.side_branches needs flow.solver = "everyday"; the reference solver has solid walls')

        return TreeFlow(lumen, navier_stokes.solve_steady(mesh, boundary, problem.physiology, progress=tell))
    if settings.model == "3d-pulsatile":
        from cfd.pulsatile_3d import solve_pulsatile_tree

        cuff = (settings.systolic_mmhg, settings.diastolic_mmhg) if settings.systolic_mmhg else DEFAULT_CUFF_MMHG
        return TreeFlow(lumen, solve_pulsatile_tree(problem, (lumen, mesh), boundary, axis_flow(problem, reduced, lumen), cuff, tell))
    solve = solve_by_ranks if PROCESSES.get() > 1 else solve_steady
    return TreeFlow(lumen, solve(mesh, boundary, problem.physiology, axis_flow(problem, reduced, lumen), progress=tell))


def axis_flow(problem: FlowModel, reduced: Solution, lumen: Lumen) -> AxisFlow:
    """The reduced solution on the stations of one tree, without those inside a parent's lumen; slabs one local diameter long."""
    rows, first = [], 0
    for index in lumen.branch_index:
        profile = problem.profiles[index]
        use = profile.distance_m >= profile.start_m
        s = profile.distance_m[use]
        points_mm = problem.tree.branches[index].point_at(m_to_mm(s))
        radius = np.sqrt(profile.area_m2[use] / np.pi)
        diameters = np.concatenate([[0.0], np.cumsum(np.diff(s) / (radius[1:] + radius[:-1]))])
        count = max(1, round(diameters[-1]))
        slab = first + np.minimum((diameters / max(diameters[-1], 1e-12) * count).astype(int), count - 1)
        first += count
        flow, pressure = reduced.flow_m3_s[index][use], reduced.pressure_pa[index][use]
        rows.append((points_mm, tangents(points_mm), m_to_mm(radius), flow, pressure, slab, in_jet(problem, index)[use]))
    return AxisFlow(*(np.concatenate(values) for values in zip(*rows, strict=True)))


def in_jet(problem: FlowModel, index: int) -> np.ndarray:
    """(N,) 1 on the stations of a branch behind a narrowing, its own or its parents', where blood may still be JET_RATIO as fast as the vessel there asks."""
    profile = problem.profiles[index]
    s, area, branch = profile.distance_m, profile.area_m2, problem.tree.branches[index]
    while branch.parent is not None:
        above, leaves_m = problem.profiles[branch.parent], mm_to_m(branch.parent_distance_mm)
        before = above.distance_m < leaves_m
        s, area = np.concatenate([above.distance_m[before] - leaves_m, s]), np.concatenate([above.area_m2[before], area])
        s, branch = s - s[0], problem.tree.branches[branch.parent]
    reach = JET_DIAMETERS * 2 * np.sqrt(area / np.pi)
    own = range(len(s) - len(profile.distance_m), len(s))
    return np.array([float(area[(s >= s[i] - reach[i]) & (s <= s[i])].min() * JET_RATIO < area[i]) for i in own])


def wall_flow(problem: FlowModel, reduced: Solution, lumen: Lumen) -> tuple[np.ndarray, np.ndarray] | None:
    """((K, 3) places mm, (K,) m3/s) that leaves through branches too small to be seen, as much as in the reduced model; None where nothing does."""
    places, flows = [], []
    for index in lumen.branch_index:
        profile = problem.profiles[index]
        if not len(profile.side_share):
            return None
        places.append(problem.tree.branches[index].point_at(m_to_mm(profile.distance_m)))
        flows.append(reduced.side_flow_m3_s[index] * np.diff(_side_part(profile), prepend=0.0))
    return np.vstack(places), np.concatenate(flows)


def _side_part(profile) -> np.ndarray:
    """(N,) part of what a branch loses on its way that has left up to each station."""
    return profile.side_share / profile.side_share[-1] if profile.side_share[-1] > 0 else np.linspace(0.0, 1.0, len(profile.side_share))


def _inlet_pressure_pa(problem, reduced, lumen):
    """Mean static pressure at the inlet plane: aortic less what the blood's acceleration out of the aorta takes, by the reduced model."""
    inlet = next(port for port in lumen.ports if port.kind == "inlet")
    index = lumen.branch_index[inlet.branch]
    return float(np.interp(mm_to_m(inlet.distance_mm), problem.profiles[index].distance_m, reduced.pressure_pa[index]))


def along_branches(problem: FlowModel, flows: Sequence[TreeFlow], reduced: Solution) -> Solution:
    """Flow and mean static pressure of the 3-D solutions on the stations of the branches' profiles. reduced: has what leaves on the way."""
    count = len(problem.tree)
    flow, pressure = [np.empty(0)] * count, [np.empty(0)] * count
    outlet, inlet = np.zeros(count), np.zeros(count)
    for one in flows:
        for port in one.lumen.ports:
            target = inlet if port.kind == "inlet" else outlet
            target[one.branches[port.branch]] = one.solution.port_flow_m3_s[port.name]
        for index, values in zip(one.branches, _station_pressure_pa(problem, one), strict=True):
            pressure[index] = values
    aside = np.zeros(count) + reduced.side_flow_m3_s
    for index in range(count):
        flow[index] = _flow_along(problem, (outlet, aside), index)
    return Solution(flow, pressure, outlet, inlet, aside)


def _flow_along(problem, leaving, index):
    """Each station carries the flow of all outlets beyond it, and of the side branches too small to be seen."""
    (outlet, aside), profile = leaving, problem.profiles[index]
    flow = np.full(len(profile.distance_m), outlet[index])
    if len(profile.side_share):
        flow += aside[index] * (1 - _side_part(profile))
    for child in problem.tree.children(index):
        flow[profile.distance_m <= mm_to_m(problem.tree.branches[child].parent_distance_mm)] += _flow_along(problem, leaving, child)[0]
    return flow


def _station_pressure_pa(problem, one: TreeFlow):
    """Per branch of the tree, (N,): volume-weighted mean pressure of the tetrahedra that are nearest to each station.

    Stations beyond a cut end, or inside the parent's lumen, belong to no tetrahedra: they take the nearest known value of their own branch, and at a
    branch's beginning the line from the parent's pressure.
    """
    stations, owner, known = [], [], []
    ports = {(port.branch, port.kind): port.distance_mm for port in one.lumen.ports}
    for k, index in enumerate(one.branches):
        profile = problem.profiles[index]
        s_mm = m_to_mm(profile.distance_m)
        use = (profile.distance_m >= profile.start_m) & (s_mm >= ports.get((k, "inlet"), 0.0)) & (s_mm <= ports.get((k, "outlet"), np.inf))
        known.append(use)
        stations.append(problem.tree.branches[index].point_at(s_mm[use]))
        owner.append(np.count_nonzero(use))
    mesh = one.mesh
    corners = mesh.points_m[mesh.tetrahedra]
    volume = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6
    mean = one.solution.pressure_pa[mesh.tetrahedra].mean(axis=1)
    nearest = cKDTree(np.vstack(stations)).query(m_to_mm(corners.mean(axis=1)))[1]
    total = np.bincount(nearest, volume, minlength=sum(owner))
    weighted = np.bincount(nearest, volume * mean, minlength=sum(owner))
    parts = zip(np.split(total, np.cumsum(owner)[:-1]), np.split(weighted, np.cumsum(owner)[:-1]), strict=True)
    return _completed(problem, one, known, list(parts))


def _completed(problem, one, known, parts):
    result = []
    for k, (index, (total, weighted)) in enumerate(zip(one.branches, parts, strict=True)):
        s = problem.profiles[index].distance_m
        at, full = s[known[k]], total > 0
        x, y = at[full], weighted[full] / total[full]
        parent = one.lumen.tree.branches[k].parent
        if parent is not None:
            position = mm_to_m(problem.tree.branches[index].parent_distance_mm)
            x, y = np.append(0.0, x), np.append(np.interp(position, problem.profiles[one.branches[parent]].distance_m, result[parent]), y)
        result.append(np.interp(s, x, y))
    return result


def _part(progress, title, begin, length):
    return lambda text, share=None: progress(title + text, None if share is None else begin + length * share)
