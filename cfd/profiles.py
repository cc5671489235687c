"""What the flow models know of each branch: lumen area and healthy calibre along it. SI; stations are equally spaced from the branch's origin."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls

from ccta.curves import smoothed_curve, tangents
from ccta.findings import Stenosis
from ccta.model import Branch, CoronaryTree, CrossSections, arc_length_mm
from ccta.units import mm2_to_m2, mm_to_m

STEP_MM = 0.25  # resolves the throat of a lesion of 2 mm
SMALLEST_AREA_MM2 = 0.03  # diameter 0.2 mm: an occluded lumen is held open by this much, so that its resistance is finite
HEALTHY_QUANTILE = 0.6  # above the median, because disease narrows and rarely widens


@dataclass(frozen=True, eq=False)
class Profile:
    """One branch. All (N,): distance_m from its origin, area_m2 of the lumen, area_sd_m2 (one standard deviation), healthy_m: expected normal diameter,
    curvature_1_m of the centerline, smoothed over about a diameter, because flow needs that far to answer to a bend.

    start_m: where the branch has left its parent's lumen (0 at an ostium).
    side_share: (N,) share of the tree's whole flow that has left up to each station through branches too small to be seen; empty: none does.
    expansion_factor: of the loss behind narrowings; 1 but in the samples of an interval.
    """

    distance_m: np.ndarray
    area_m2: np.ndarray
    area_sd_m2: np.ndarray
    healthy_m: np.ndarray
    curvature_1_m: np.ndarray
    start_m: float = 0.0
    side_share: np.ndarray = field(default_factory=lambda: np.empty(0))
    expansion_factor: float = 1.0

    def at(self, values: np.ndarray, distance_m: float) -> float:
        """Linear interpolation of one of the arrays at a distance, clamped to the branch."""
        return float(np.interp(distance_m, self.distance_m, values))


def branch_profiles(
    tree: CoronaryTree, sections: Sequence[CrossSections] | None = None, stenoses: Sequence[Stenosis] = (), lumen_sd_mm: float = 0.1
) -> list[Profile]:
    """A profile per branch, from the reliable contours, or from the branch's radii where a branch has fewer than two of them.

    stenoses: their stretches do not count as healthy. lumen_sd_mm: uncertainty of the radius where the contours do not state one.
    """
    by_branch = {one.branch: one for one in sections or ()}
    return [_profile(tree, index, by_branch.get(index), [one for one in stenoses if one.branch == index], lumen_sd_mm) for index in range(len(tree))]


def _profile(tree, index, section, stenoses, lumen_sd_mm):
    branch = tree.branches[index]
    distance = np.linspace(0, branch.length_mm, max(3, int(np.ceil(branch.length_mm / STEP_MM)) + 1))
    known_mm, diameter, sd = _measured(branch, section, lumen_sd_mm)
    diameter, sd = np.interp(distance, known_mm, diameter), np.interp(distance, known_mm, sd)
    takeoffs = [(tree.branches[child].parent_distance_mm, _radius_at(branch, tree.branches[child].parent_distance_mm)) for child in tree.children(index)]
    start = 0.0
    if branch.parent is not None:
        start = min(_radius_at(tree.branches[branch.parent], branch.parent_distance_mm), 0.5 * branch.length_mm)
        diameter[distance < start] = np.interp(start, distance, diameter)
    diameter = without_bulges(distance, diameter, takeoffs)
    healthy = healthy_diameter(distance, diameter, [mm for mm, _ in takeoffs], _lesion_free(distance, start, stenoses))
    area = np.maximum(np.pi / 4 * diameter**2, SMALLEST_AREA_MM2)
    bends = curvature_1_mm(branch.point_at(distance), float(np.median(diameter))) / mm_to_m(1.0)
    return Profile(mm_to_m(distance), mm2_to_m2(area), mm2_to_m2(np.pi * diameter * sd), mm_to_m(healthy), bends, mm_to_m(start))


def curvature_1_mm(points_mm: np.ndarray, sigma_mm: float) -> np.ndarray:
    """(N,) curvature |dT/ds| of a curve (N, 3) in equal steps, smoothed over `sigma_mm`, 1/mm."""
    smooth = smoothed_curve(points_mm, sigma_mm)
    s = arc_length_mm(smooth)
    return np.linalg.norm(np.gradient(tangents(smooth), s, axis=0), axis=1) if s[-1] > 0 else np.zeros(len(s))


def _measured(branch: Branch, section, lumen_sd_mm):
    if section is not None:
        use = section.reliable
        if np.count_nonzero(use) >= 2:
            return section.distance_mm[use], section.lumen_diameter_mm[use], section.lumen_sd_mm[use]
    return branch.distance_mm, 2 * branch.radius_mm, np.full(len(branch.radius_mm), lumen_sd_mm)


def _radius_at(branch: Branch, distance_mm: float) -> float:
    return float(np.interp(distance_mm, branch.distance_mm, branch.radius_mm))


def _lesion_free(distance_mm, start_mm, stenoses):
    free = distance_mm >= start_mm
    for one in stenoses:
        free &= (distance_mm < one.entry_mm) | (distance_mm > one.exit_mm)
    return free


def without_bulges(distance_mm: np.ndarray, diameter_mm: np.ndarray, takeoffs: Sequence[tuple[float, float]]) -> np.ndarray:
    """Where a branch leaves, a plane cuts both lumens: within one radius of each (position, radius) the diameter is at most the line between the ends."""
    result = diameter_mm.copy()
    for position, radius in takeoffs:
        ends = np.clip([position - radius, position + radius], 0, distance_mm[-1])
        inside = (distance_mm > ends[0]) & (distance_mm < ends[1])
        line = np.interp(distance_mm[inside], ends, np.interp(ends, distance_mm, diameter_mm))
        result[inside] = np.minimum(result[inside], line)
    return result


def healthy_diameter(distance_mm: np.ndarray, diameter_mm: np.ndarray, takeoffs_mm: Sequence[float], free: np.ndarray) -> np.ndarray:
    """Expected normal diameter along a branch, (N,): d0 - b s - sum_k c_k H(s - s_k) with b, c_k >= 0, a taper with a step down where a branch leaves.

    Quantile regression by reweighted non-negative least squares on the stations that are `free` of lesions (all of them if fewer than a fifth is), so that
    a lesion that nobody has marked pulls it little as long as it is shorter than the healthy rest. The result is at least the smallest measured diameter.
    """
    if np.count_nonzero(free) < 0.2 * len(free):
        free = np.ones(len(free), bool)
    length = distance_mm[-1]
    apart = [mm for mm in takeoffs_mm if 3 < mm < length - 3]  # a step at the very end cannot be told from noise
    rows = np.column_stack([np.ones(len(distance_mm)), 1 - distance_mm / length, *[(distance_mm < mm).astype(float) for mm in apart]])
    x, y = rows[free], diameter_mm[free]
    weight = np.ones(len(y))
    for _ in range(30):
        root = np.sqrt(weight)
        fit = nnls(x * root[:, None], y * root)[0]
        residual = y - x @ fit
        weight = np.where(residual > 0, HEALTHY_QUANTILE, 1 - HEALTHY_QUANTILE) / np.maximum(np.abs(residual), 0.02)
    return np.maximum(rows @ fit, max(diameter_mm[free].min(), 0.2))
