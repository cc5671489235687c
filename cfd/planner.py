"""Stents planned on a case: FFR before and after. The stented lumen is opened; the microvascular resistances behind the outlets stay as they are.

What a stent cannot do is not modelled: it opens fully, jails no side branch, and the vessel beyond does not dilate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from ccta.errors import BadInput
from ccta.findings import PullbackFile, Stenosis
from ccta.model import SEGMENTS, CoronaryTree, CrossSections, Unavailable
from ccta.units import m_to_mm, mm_to_m
from cfd.ffr import Reading, plan_readings
from cfd.network import solve_network
from cfd.profiles import Profile
from cfd.pullback import FlowModel, pullback_file

DIAMETERS_MM = (2.0, 6.0)  # of coronary stents on the market
EDGE_MM = 1.0  # over which the opened lumen runs out into the native one
GRAMMAR = re.compile(r"(?P<segment>[^:]+)(?::(?P<first>[\d.]+)-(?P<last>[\d.]+))?(?::(?P<diameter>[\d.]+))?")


@dataclass(frozen=True)
class Stent:
    """On a branch of the tree, from_mm to to_mm along it from its origin; its diameter at both ends (a taper between)."""

    branch: int
    from_mm: float
    to_mm: float
    diameter_mm: tuple[float, float]

    def opened_mm(self, distance_mm: np.ndarray, diameter_mm: np.ndarray) -> np.ndarray:
        """(N,) diameters along the branch with the stent in place: never smaller than they are."""
        inside = np.interp(distance_mm, [self.from_mm, self.to_mm], self.diameter_mm)
        beyond = np.maximum(self.from_mm - distance_mm, distance_mm - self.to_mm)
        share = np.clip(1 - beyond / EDGE_MM, 0, 1)
        return np.maximum(diameter_mm, share * inside + (1 - share) * diameter_mm)


def stent_of(text: str, problem: FlowModel, stenoses: Sequence[Stenosis]) -> Stent:
    """A stent from "SEGMENT[:FROM-TO][:DIAMETER]": a segment's number or name, mm along its branch as in the report, mm.

    Without FROM-TO it covers the tightest stenosis of the segment, without DIAMETER it has the healthy calibre at its ends. BadInput says what is wrong.
    """
    match = GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise BadInput(f'a stent is given as SEGMENT:FROM-TO:DIAMETER in mm, for example mLAD:38-52:3.0, or only mLAD; got "{text}"')
    segment = _segment_id(match["segment"].strip())
    branch = _branch_of(problem.tree, segment)
    length = problem.tree.branches[branch].length_mm
    lesions = [one for one in stenoses if one.segment == segment]
    if match["first"]:
        first, last = float(match["first"]), float(match["last"])
    elif lesions:
        worst = stent_over(problem, max(lesions, key=lambda one: one.diameter_pct))
        branch, first, last = worst.branch, worst.from_mm, worst.to_mm
    else:
        raise BadInput(f"{SEGMENTS[segment][0]} has no stenosis; say where the stent lies, for example {SEGMENTS[segment][0]}:20-35")
    if not 0 <= first < last <= length:
        raise BadInput(f"the stent from {first:g} to {last:g} mm does not lie within the branch of {SEGMENTS[segment][0]}, which is {length:.0f} mm long")
    own = problem.tree.branches[branch].distance_mm[problem.tree.branches[branch].segment == segment]
    if last < own.min() or first > own.max():
        raise BadInput(f"{SEGMENTS[segment][0]} runs from {own.min():.0f} to {own.max():.0f} mm along its branch; {first:g}-{last:g} mm does not touch it")
    if not match["diameter"]:
        return Stent(branch, first, last, _healthy_mm(problem.profiles[branch], first, last))
    if not DIAMETERS_MM[0] <= float(match["diameter"]) <= DIAMETERS_MM[1]:
        raise BadInput(f"a coronary stent has a diameter of {DIAMETERS_MM[0]:g} to {DIAMETERS_MM[1]:g} mm, got {match['diameter']}")
    return Stent(branch, first, last, (float(match["diameter"]),) * 2)


def stent_over(problem: FlowModel, lesion: Stenosis) -> Stent:
    """From the lesion's entry to its exit, of the healthy calibre there."""
    first, last = max(lesion.entry_mm, 0.0), min(lesion.exit_mm, problem.tree.branches[lesion.branch].length_mm)
    return Stent(lesion.branch, first, last, _healthy_mm(problem.profiles[lesion.branch], first, last))


def _healthy_mm(profile: Profile, *places_mm: float) -> tuple[float, ...]:
    return tuple(float(m_to_mm(profile.at(profile.healthy_m, mm_to_m(at)))) for at in places_mm)


def _segment_id(word: str) -> int:
    names = {name.lower(): number for number, (name, _) in SEGMENTS.items()}
    number = int(word) if word.isdigit() else names.get(word.lower(), 0)
    if number not in SEGMENTS:
        raise BadInput(f'"{word}" is no coronary segment; give its number, 1 to {max(SEGMENTS)}, or its name, such as {", ".join(list(names)[:3])}, mLAD')
    return number


def _branch_of(tree: CoronaryTree, segment: int) -> int:
    share = [int(np.count_nonzero(branch.segment == segment)) for branch in tree]
    if not max(share, default=0):
        raise BadInput(f"segment {segment} ({SEGMENTS[segment][0]}) was not found in this tree; `tree.segments` in findings.json lists those that were")
    return int(np.argmax(share))


def stented(problem: FlowModel, stents: Sequence[Stent]) -> FlowModel:
    """The flow problem with the stents in place; its outlets and boundary data are those of before."""
    profiles = list(problem.profiles)
    for stent in stents:
        profiles[stent.branch] = _opened(profiles[stent.branch], stent)
    return replace(problem, profiles=profiles)


def _opened(profile: Profile, stent: Stent) -> Profile:
    diameter_mm = stent.opened_mm(m_to_mm(profile.distance_m), m_to_mm(np.sqrt(4 / np.pi * profile.area_m2)))
    return replace(profile, area_m2=np.pi / 4 * mm_to_m(diameter_mm) ** 2)


def stented_sections(sections: Sequence[CrossSections], stents: Sequence[Stent]) -> list[CrossSections]:
    """Contours with a round lumen of the stent's calibre where that is larger than the native one; the outer wall gives way."""
    result = list(sections)
    for stent in stents:
        for k, one in enumerate(result):
            if one.branch == stent.branch:
                opened = stent.opened_mm(one.distance_mm, one.lumen_diameter_mm)[:, None] / 2
                lumen = np.where(opened > one.lumen_diameter_mm[:, None] / 2 + 1e-9, np.maximum(opened, 0.0), one.lumen_radius_mm)
                result[k] = replace(one, lumen_radius_mm=lumen, wall_radius_mm=np.maximum(one.wall_radius_mm, lumen))
    return result


@dataclass(frozen=True)
class Change:
    """FFR at one place before and after. place: a vessel, or a lesion by its segment."""

    place: str
    before: float | Unavailable
    after: float | Unavailable


def planned(problem: FlowModel, stents: Sequence[Stent], stenoses: Sequence[Stenosis], solved: PullbackFile | None = None) -> tuple[list[Change], PullbackFile]:
    """(FFR before and after where it is read, the pullback after). Before: the case's own solution where given; after: that and the reduced model's change."""
    native, opened = _pullback(problem), _pullback(stented(problem, stents))
    before = solved or native
    after = opened if solved is None else _shifted(solved, native, opened)
    return changes(problem.tree, before, after, stenoses), after


def _shifted(solved: PullbackFile, native: PullbackFile, opened: PullbackFile) -> PullbackFile:
    """The solution with the change from native to opened added to FFR and pressure; no pressure above the aortic one."""
    branches = []
    for one, old, new in zip(solved.branches, native.branches, opened.branches, strict=True):
        ffr = np.minimum(np.array(one.ffr) + np.interp(one.distance_mm, new.distance_mm, np.array(new.ffr) - np.array(old.ffr)), 1.0)
        changed = {"ffr": ffr.round(5).tolist(), "pressure_mmhg": (ffr * solved.pa_mmhg).round(3).tolist()}
        branches.append(new.model_copy(update={"distance_mm": one.distance_mm, "points_mm": one.points_mm, **changed, **_on(one.distance_mm, new)}))
    note = "The case's own solution, changed by what the reduced model changes; stents fully open; outlets keep their resistance."
    return opened.model_copy(update={"model": solved.model, "branches": branches, "notes": [note]})


def _on(distance_mm, branch):
    """Flow and calibre of a branch at other stations."""
    values = {name: np.interp(distance_mm, branch.distance_mm, getattr(branch, name)) for name in ("flow_ml_min", "diameter_mm")}
    return {name: one.round(4).tolist() for name, one in values.items()}


def _pullback(problem: FlowModel) -> PullbackFile:
    solution = solve_network(problem.tree, problem.profiles, problem.resistance_pa_s_m3, problem.physiology)
    return pullback_file(problem, solution, "rom", ["Reduced model; stents fully open; outlets keep their resistance."])


def changes(tree: CoronaryTree, before: PullbackFile, after: PullbackFile, stenoses: Sequence[Stenosis]) -> list[Change]:
    """Read at the places of the native tree in both."""
    vessels, lesions = plan_readings(tree, before, stenoses)
    places = [
        *vessels.items(),
        *((f"behind {SEGMENTS[one.segment][0]}, {one.position_mm:.0f} mm", reading) for one, reading in zip(stenoses, lesions, strict=True)),
    ]
    return [Change(place, _value(before, reading), _value(after, reading)) for place, reading in places]


def _value(pullback: PullbackFile, reading: Reading | Unavailable) -> float | Unavailable:
    if isinstance(reading, Unavailable):
        return reading
    branch = pullback.branches[reading.branch]
    return round(reading.value(np.array(branch.distance_mm), np.array(branch.ffr))[0], 4)


def as_json(stents: Sequence[Stent], found: Sequence[Change], after: PullbackFile) -> dict:
    """The content of plan.json."""
    plain = lambda value: {"unavailable": value.reason} if isinstance(value, Unavailable) else value  # noqa: E731
    return {
        "model": after.model,
        "stents": [asdict(one) for one in stents],
        "ffr": [{"place": one.place, "before": plain(one.before), "after": plain(one.after)} for one in found],
        "pullback_after": after.model_dump(mode="json"),
    }
