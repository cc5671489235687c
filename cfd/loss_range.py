"""Where the reduced model's loss behind a narrowing holds: within the 3-D solutions that it was fitted to (losses.py). What lies outside is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ccta.units import m_to_mm, mm_to_m, mmhg_to_pa
from cfd.losses import expansion_coefficient_1_m4, reynolds_length_m
from cfd.network import Solution
from cfd.profiles import Profile
from cfd.pullback import FlowModel, branch_labels

DEGREE, LENGTH_MM, REYNOLDS = (0.40, 0.70), (6.0, 14.0), (370.0, 780.0)
"""Of the diameter; from beginning to end of a cosine; in the throat."""
FORK = 3.0
"""Diameters behind a throat within which a branch leaves: the fit knows straight tubes only. In 3-D the jet of a 55 % stenosis in a left main that divides 1.1
diameters behind the throat goes into one daughter; FFR in the other is 0.03 lower than by the reduced model, in the first 0.009."""
LEAST_DEGREE = 0.15  # less is no narrowing
LEAST_DROP_PA = mmhg_to_pa(2.0)  # what costs less than the fit's own error needs no word
OUTSIDE = 2.0  # times the error inside the range


@dataclass(frozen=True)
class Narrowing:
    """One narrowing of a branch, throat at `at_mm`. degree: of the healthy diameter. length_mm: of the cosine with the same width at half its depth.

    reynolds: in the throat. drop_pa: lost behind it for good and in its jet, right behind it. fork: healthy diameters from the throat to the next branch.
    """

    branch: int
    at_mm: float
    degree: float
    length_mm: float
    reynolds: float
    drop_pa: float
    fork: float = np.inf

    @property
    def inside(self) -> bool:
        """Whether the loss was fitted to such narrowings, or costs too little to matter."""
        known = zip((round(self.degree, 2), round(self.length_mm), self.reynolds), (DEGREE, LENGTH_MM, REYNOLDS), strict=True)
        return self.drop_pa < LEAST_DROP_PA or (self.fork > FORK and all(low <= value <= high for value, (low, high) in known))


def narrowings(problem: FlowModel, solution: Solution) -> list[Narrowing]:
    """Every stretch of a branch that is LEAST_DEGREE narrower than its healthy calibre, beyond the parent's lumen."""
    found = []
    for index, (profile, flow) in enumerate(zip(problem.profiles, solution.flow_m3_s, strict=True)):
        diameter = np.sqrt(4 / np.pi * profile.area_m2)
        degree = np.where(profile.distance_m >= profile.start_m, 1 - diameter / profile.healthy_m, 0.0)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], degree > LEAST_DEGREE, [False]]).astype(int)))
        leave_m = np.array([mm_to_m(problem.tree.branches[child].parent_distance_mm) for child in problem.tree.children(index)])
        found += [_narrowing(index, profile, (degree, diameter, flow), (run, leave_m), problem.physiology) for run in edges.reshape(-1, 2)]
    return found


def _narrowing(index, profile: Profile, along, where, physiology) -> Narrowing:
    degree, diameter, flow = along
    (first, last), leave_m = where
    throat = first + int(np.argmax(degree[first:last]))
    deep = degree > 0.5 * degree[throat]
    left, right = (int(np.argmin(np.append(side, False))) for side in (deep[throat::-1], deep[throat:]))  # stations on each side, the throat in both
    reynolds = reynolds_length_m(flow, physiology.density_kg_m3, physiology.viscosity_pa_s)
    lost = expansion_coefficient_1_m4(profile.distance_m, profile.area_m2, reynolds)
    drop = 0.5 * physiology.density_kg_m3 * flow[throat] ** 2 * (lost[first:last].max() - lost[first])
    length = 2 * (left + right - 1) * m_to_mm(profile.distance_m[1] - profile.distance_m[0])
    at_m, healthy_m = profile.distance_m[throat], profile.healthy_m[throat]
    fork = np.min(leave_m[leave_m >= at_m] - at_m, initial=np.inf) / healthy_m
    return Narrowing(index, m_to_mm(at_m), float(degree[throat]), float(length), float(reynolds[throat] / diameter[throat]), float(drop), float(fork))


def range_notes(problem: FlowModel, found: Sequence[Narrowing]) -> list[str]:
    """A sentence for each narrowing that the loss was not fitted to."""
    names = branch_labels(problem.tree)
    return [
        f"The narrowing of {names[one.branch]} at {one.at_mm:.0f} mm ({100 * one.degree:.0f} % of the diameter, about {one.length_mm:.0f} mm long, "
        f"Reynolds number {one.reynolds:.0f} in its throat{_fork(one)}) lies outside the range in which the reduced model's loss was fitted to 3-D solutions "
        f"({_span(DEGREE, 100)} %, {_span(LENGTH_MM)} mm, {_span(REYNOLDS)}, no branch near): its error counts twice in the interval."
        for one in found
        if not one.inside
    ]


def _fork(one: Narrowing) -> str:
    return f", a branch {one.fork:.1f} diameters behind it" if one.fork <= FORK else ""


def _span(limits: tuple[float, float], factor: float = 1.0) -> str:
    return f"{factor * limits[0]:.0f}-{factor * limits[1]:.0f}"


def loss_spread(problem: FlowModel, found: Sequence[Narrowing], loss_sd: float) -> np.ndarray:
    """(B,) relative standard deviation of the loss behind narrowings, per branch: doubled where one of its narrowings lies outside the range."""
    spread = np.full(len(problem.profiles), loss_sd)
    spread[[one.branch for one in found if not one.inside]] *= OUTSIDE
    return spread
