"""Reduced-order model: steady flow through a coronary tree with measured areas and resistance outlets. SI, numba.

Branches are cut into pieces where others leave. Unknown per piece is its flow Q; along it the total pressure P = p + rho/2 (Q/A)^2 falls by
linear Q + quadratic Q|Q| (losses.py). At a bifurcation P is common up to the junction loss and flow is conserved; an ostium has P = aortic pressure (the
aorta is wide: blood there is slow); an outlet has p = P_v + R Q. Newton's step is exact elimination from the outlets to the ostium and back, O(pieces).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from ccta.errors import SolverFailed
from ccta.model import CoronaryTree
from ccta.units import m_to_mm, mm_to_m
from cfd import losses
from cfd.losses import junction_coefficient_1_m4
from cfd.physiology import Physiology
from cfd.profiles import Profile

TOLERANCE = 1e-12
MOST_STEPS = 200
SIDE_STEP_M = 5e-3  # the flow through invisible side branches leaves in steps of this length


@dataclass(frozen=True, eq=False)
class Pieces:
    """The tree cut at its bifurcations, (P,) each, parents before children.

    branch; first, last: station range (inclusive) on the branch's profile; parent: piece or -1 at an ostium; outlet: branch whose end this is, or -1.
    side_share: share of the tree's whole flow that leaves at the piece's end through branches too small to be seen.
    turn: (P, 2) cosine (at least 0) and sine of the angle by which flow turns into the piece from its parent; (1, 0) where a branch goes on.
    """

    branch: np.ndarray
    first: np.ndarray
    last: np.ndarray
    parent: np.ndarray
    outlet: np.ndarray
    side_share: np.ndarray
    turn: np.ndarray


@dataclass(frozen=True, eq=False)
class Solution:
    """Per branch, on the stations of its profile: (N,) flow_m3_s and mean static pressure_pa. outlet_flow_m3_s: (B,)."""

    flow_m3_s: list[np.ndarray]
    pressure_pa: list[np.ndarray]
    outlet_flow_m3_s: np.ndarray
    inlet_flow_m3_s: np.ndarray
    """(B,): what enters at each ostium, 0 for a branch without one."""
    side_flow_m3_s: np.ndarray | float = 0.0
    """(B,): what leaves on the way through branches too small to be seen."""


def cut_at_bifurcations(tree: CoronaryTree, profiles: Sequence[Profile]) -> Pieces:
    """Pieces of all branches. A child attaches to the piece of its parent that ends where the child begins."""
    rows, piece_ending = [], {}
    for index, branch in enumerate(tree):
        end = len(profiles[index].distance_m) - 1
        cuts = {_cut(profiles[index], tree.branches[child].parent_distance_mm) for child in tree.children(index)}
        cuts = sorted(cuts | set(_side_cuts(profiles[index])))
        parent = -1 if branch.parent is None else piece_ending[branch.parent, _cut(profiles[branch.parent], branch.parent_distance_mm)]
        for first, last in zip([0, *cuts], [*cuts, end], strict=True):
            rows.append((index, first, last, parent, index if last == end else -1))
            parent = len(rows) - 1
            piece_ending[index, last] = parent
    turn = np.array([_turn(tree, profiles, branch) if first == 0 else (1.0, 0.0) for branch, first, *_ in rows])
    return Pieces(*np.array(rows, np.int64).T, _side_shares(rows, profiles), turn)


def _turn(tree: CoronaryTree, profiles: Sequence[Profile], index: int) -> tuple[float, float]:
    """(cosine, sine) of the angle between a branch, over one diameter from where it has left its parent's lumen, and the parent over one before it leaves."""
    branch = tree.branches[index]
    if branch.parent is None:
        return 1.0, 0.0
    parent, start_mm, at = tree.branches[branch.parent], m_to_mm(profiles[index].start_m), branch.parent_distance_mm
    wide = 2 * float(np.interp(at, parent.distance_mm, parent.radius_mm))
    calibre = 2 * float(np.interp(start_mm, branch.distance_mm, branch.radius_mm))
    ways = [
        np.diff(one.point_at(np.clip([first, last], 0.0, one.length_mm)), axis=0)[0]
        for one, first, last in ((parent, at - wide, at), (branch, start_mm, start_mm + calibre))
    ]
    length = np.linalg.norm(ways[0]) * np.linalg.norm(ways[1])
    cosine = float(np.clip(ways[0] @ ways[1] / length, 0.0, 1.0)) if length > 0 else 1.0  # a turn back costs no more than one by a right angle
    return cosine, float(np.sqrt(1 - cosine**2))


def _side_cuts(profile: Profile) -> range:
    """Stations at which a vessel that loses flow on its way is cut, SIDE_STEP_M apart."""
    step = max(1, round(SIDE_STEP_M / (profile.distance_m[1] - profile.distance_m[0])))
    return range(step, len(profile.distance_m) - step, step) if len(profile.side_share) else range(0)


def _side_shares(rows, profiles) -> np.ndarray:
    """(P,) what leaves along each piece does so at its end; what leaves along the last piece of a branch, at its beginning, for its end is an outlet."""
    shares = np.zeros(len(rows))
    for k, (branch, first, last, parent, outlet) in enumerate(rows):
        if len(profiles[branch].side_share):
            shares[k if outlet < 0 else parent] += profiles[branch].side_share[last] - profiles[branch].side_share[first]
    return shares


def _cut(profile: Profile, position_mm: float) -> int:
    """Station nearest to a distance, never the first or the last."""
    return int(np.clip(np.argmin(np.abs(profile.distance_m - mm_to_m(position_mm))), 1, len(profile.distance_m) - 2))


def solve_network(tree: CoronaryTree, profiles: Sequence[Profile], resistance_pa_s_m3: np.ndarray, physiology: Physiology) -> Solution:
    """Steady solution. resistance_pa_s_m3: (B,) of each branch's end. SolverFailed if the flows do not settle."""
    return solve_pieces(cut_at_bifurcations(tree, profiles), profiles, resistance_pa_s_m3, physiology)


def solve_pieces(pieces: Pieces, profiles: Sequence[Profile], resistance_pa_s_m3: np.ndarray, physiology: Physiology) -> Solution:
    """`solve_network` for a tree that is cut already (one cut serves many samples)."""
    along, laws, flow, start = _settled(pieces, profiles, resistance_pa_s_m3, physiology)
    return _along_branches(pieces, profiles, along, (flow, start - laws.entry * flow * np.abs(flow)), physiology)


@dataclass(frozen=True, eq=False)
class PieceLaws:
    """(P,) each, of the solution's own jets and bends: total pressure falls by linear Q + (entry + quadratic + exit) Q|Q|.

    entry: at the junction; exit: rho / 2 A^2 at outlets, where the outlet's law is one of static pressure.
    """

    linear_pa_s_m3: np.ndarray
    quadratic_pa_s2_m6: np.ndarray
    entry: np.ndarray
    exit: np.ndarray


def piece_laws(pieces: Pieces, profiles: Sequence[Profile], resistance_pa_s_m3: np.ndarray, physiology: Physiology) -> tuple[PieceLaws, np.ndarray]:
    """(laws, (P,) flow_m3_s) of the steady solution, for a 0-D network of the same tree."""
    _, laws, flow, _ = _settled(pieces, profiles, resistance_pa_s_m3, physiology)
    return laws, flow


def _settled(pieces, profiles, resistance_pa_s_m3, physiology):
    """(losses along each branch, laws, flow and total pressure at the start of each piece).

    The reach of a jet and the friction in a bend depend on the flow: it is taken from the flow without epicardial losses first, then from the solution,
    which is solved again. Where a branch leaves within a jet, the pressure that the jet gives back behind it can feed a solution in which blood comes out of
    that branch, or none at all: then nothing is given back on that branch and those before it.
    """
    lost, every = set(), set(range(len(profiles)))  # branches whose jets give nothing back
    while True:
        found = _settled_with(lost, pieces, profiles, resistance_pa_s_m3, physiology)
        backwards = every if found is None else _fed_backwards(pieces, found[2])
        if not backwards:
            return found
        if lost == every:
            raise SolverFailed(f"the reduced model did not settle in {MOST_STEPS} steps; check the tree's radii and the outlet resistances")
        lost = every if backwards <= lost else lost | backwards


def _fed_backwards(pieces, flow) -> set[int]:
    """Branches with flow towards the aorta, and those before them."""
    found = set()
    for k in np.flatnonzero(flow < -1e-9 * flow.max()):
        while k >= 0:
            found.add(int(pieces.branch[k]))
            k = pieces.parent[k]
    return found


def _settled_with(lost, pieces, profiles, resistance_pa_s_m3, physiology):
    """None where Newton's method does not settle."""
    ends = np.where(pieces.outlet >= 0, resistance_pa_s_m3[pieces.outlet], 0.0)
    aside = pieces.side_share / physiology.total_resistance_pa_s_m3  # conductance
    pressures = (physiology.aortic_pressure_pa, physiology.distal_pressure_pa)
    half_density = 0.5 * physiology.density_kg_m3
    flow = _unhindered_flow(pieces.parent, (ends, aside), pressures[0] - pressures[1])
    area_in, area_out = _end_areas(pieces, profiles)
    entry = half_density * _entry_losses(pieces.parent, flow, (area_in, area_out), pieces.turn, losses.JUNCTION_LOSS)
    leaving = half_density / area_out**2 * (ends > 0)
    for _ in range(2):
        along = [branch_losses(profile, q, physiology) for profile, q in zip(profiles, _on_branches(pieces, profiles, flow), strict=True)]
        for index in lost:
            along[index] = along[index][0], np.minimum.accumulate(along[index][1][::-1])[::-1]
        rows = list(zip(pieces.branch, pieces.first, pieces.last, strict=True))
        linear, quadratic = (np.array([along[b][kind][j] - along[b][kind][i] for b, i, j in rows]) for kind in (0, 1))
        flow, start, steps = _solve(pieces.parent, linear, quadratic + entry + leaving, (ends, aside), flow, pressures)
        if steps < 0:
            return None
    return along, PieceLaws(linear, quadratic, entry, leaving), flow, start


def branch_losses(profile: Profile, flow_m3_s: np.ndarray, physiology: Physiology) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative (linear, quadratic) loss coefficients along a branch, (N,) each; nothing is lost inside the parent's lumen. flow: (N,)."""
    reynolds = losses.reynolds_length_m(flow_m3_s, physiology.density_kg_m3, physiology.viscosity_pa_s)
    bends = losses.curvature_factor(reynolds, profile.area_m2, profile.curvature_1_m)
    resistance = losses.viscous_resistance_pa_s_m3(profile.distance_m, profile.area_m2, physiology.viscosity_pa_s, bends)
    expansion = losses.expansion_coefficient_1_m4(profile.distance_m, profile.area_m2, reynolds)
    return np.maximum(resistance - profile.at(resistance, profile.start_m), 0.0), 0.5 * physiology.density_kg_m3 * profile.expansion_factor * expansion


def _on_branches(pieces, profiles, values):
    """One value per piece -> per branch an array over its stations."""
    result = [np.empty(len(profile.distance_m)) for profile in profiles]
    for k, (b, i, j) in enumerate(zip(pieces.branch, pieces.first, pieces.last, strict=True)):
        result[b][i : j + 1] = values[k]
    return result


def _end_areas(pieces, profiles):
    """Areas at the proximal and distal end of each piece, (P,) each, taken one radius away from the bifurcation."""
    area_in, area_out = np.empty(len(pieces.branch)), np.empty(len(pieces.branch))
    for k, (b, i, j) in enumerate(zip(pieces.branch, pieces.first, pieces.last, strict=True)):
        s, area = profiles[b].distance_m, profiles[b].area_m2
        area_in[k] = np.interp(min(s[i] + np.sqrt(area[i] / np.pi), s[j]), s, area)
        area_out[k] = area[j] if pieces.outlet[k] >= 0 else np.interp(max(s[j] - np.sqrt(area[j] / np.pi), s[i]), s, area)
    return area_in, area_out


def _along_branches(pieces, profiles, along, solved, physiology):
    flow = _on_branches(pieces, profiles, solved[0])
    pressure = [np.empty(len(one.distance_m)) for one in profiles]
    outlet, inlet, aside = np.zeros(len(profiles)), np.zeros(len(profiles)), np.zeros(len(profiles))
    for k, (b, i, j) in enumerate(zip(pieces.branch, pieces.first, pieces.last, strict=True)):
        q, part = solved[0][k], slice(i, j + 1)
        linear, quadratic = (values[part] - values[i] for values in along[b])
        total = solved[1][k] - linear * q - quadratic * q * abs(q)
        pressure[b][part] = total - losses.dynamic_pressure_pa(q, profiles[b].area_m2[part], physiology.density_kg_m3)
        aside[b] += pieces.side_share[k] * (total[-1] - physiology.distal_pressure_pa) / physiology.total_resistance_pa_s_m3
        if pieces.outlet[k] >= 0:
            outlet[b] = q
        if pieces.parent[k] < 0:
            inlet[b] = q
    return Solution(flow, pressure, outlet, inlet, aside)


@njit(cache=True)
def _unhindered_flow(parent, ends, drop_pa):
    """(P,) flow of each piece if the epicardial arteries had no resistance."""
    resistance, aside = ends
    flow = drop_pa * aside
    for k in range(len(parent) - 1, -1, -1):
        if resistance[k] > 0:
            flow[k] += drop_pa / resistance[k]
        if parent[k] >= 0:
            flow[parent[k]] += flow[k]
    return flow


@njit(cache=True)
def _entry_losses(parent, flow, areas, turn, junction_loss):
    """(P,) junction coefficient of each piece, 1/m4.

    Taken at the flow shares without epicardial losses: then each loss grows with its own flow alone, and Newton's method converges on any tree.
    """
    result = np.zeros(len(parent))
    for k in range(len(parent)):
        if parent[k] >= 0:
            result[k] = junction_coefficient_1_m4(flow[k], flow[parent[k]], areas[0][k], areas[1][parent[k]], turn[k], junction_loss)
    return result


@njit(cache=True)
def _solve(parent, linear, quadratic, ends, flow, pressures_pa):
    """(flow, total pressure at the start, steps or -1) per piece.

    quadratic: all losses with Q|Q|, the exit's dynamic pressure included. ends: resistance, > 0 at outlets and 0 elsewhere, and the conductance of the side
    branches at the end of each piece. flow: first guess. pressures_pa: aortic, distal.
    """
    resistance, aside = ends
    count, flow = len(parent), flow.copy()
    start, level, slope = np.empty(count), np.empty(count), np.empty(count)
    for step in range(MOST_STEPS):
        conductance, weighted = aside.copy(), aside * pressures_pa[1]
        for k in range(count - 1, -1, -1):  # total pressure at the start of a piece = level + slope Q
            if resistance[k] > 0:
                level[k], slope[k] = pressures_pa[1], resistance[k]
            else:
                level[k], slope[k] = weighted[k] / conductance[k], 1.0 / conductance[k]
            level[k] -= quadratic[k] * flow[k] * abs(flow[k])
            slope[k] += linear[k] + 2 * quadratic[k] * abs(flow[k])
            if parent[k] >= 0:
                conductance[parent[k]] += 1.0 / slope[k]
                weighted[parent[k]] += level[k] / slope[k]
        change = total = 0.0
        for k in range(count):
            up = parent[k]
            start[k] = pressures_pa[0] if up < 0 else (flow[up] + weighted[up]) / conductance[up]
            new = (start[k] - level[k]) / slope[k]
            change, total = max(change, abs(new - flow[k])), max(total, new)
            flow[k] = new
        if change <= TOLERANCE * total:
            return flow, start, step + 1
    return flow, start, -1
