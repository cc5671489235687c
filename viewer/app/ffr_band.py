"""FFR with its interval at any place, and the drop between two places on one way of the blood."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ccta.errors import CctaError
from cfd.ffr import Reading
from cfd.uncertainty import ffr_intervals
from viewer.app.study import Study
from viewer.app.tool_state import TreePlace
from viewer.app.words import NotPossible

STEP_MM = 5.0
SAMPLES = 300
"""Of the reduced model, for an interval under the pointer; the findings have more (`FlowSettings.interval_samples`). Puts the ends within about 0.004."""


@dataclass(frozen=True, eq=False)
class Band:
    """How far below and above its value FFR could be (90 %), per branch: (places mm, below, above)."""

    branches: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...] = ()

    def around(self, branch: int, distance_mm: float, ffr: float) -> tuple[float, float] | None:
        """Both ends at a place; None where no interval could be had."""
        if not 0 <= branch < len(self.branches):
            return None
        at_mm, below, above = self.branches[branch]
        return max(0.0, ffr - float(np.interp(distance_mm, at_mm, below))), min(1.0, ffr + float(np.interp(distance_mm, at_mm, above)))


def band_of(study: Study) -> Band:
    """The interval along every branch, by the reduced model; some seconds. Empty where flow was not solved, or too few samples could be."""
    if study.pullback is None:
        return Band()
    places = [np.linspace(0.0, branch.length_mm, max(2, round(branch.length_mm / STEP_MM) + 1)) for branch in study.tree]
    readings = [Reading(index, float(at), float(at), 0.0) for index, own in enumerate(places) for at in own]
    try:
        found = ffr_intervals(study.problem, readings, replace(study.settings.flow, interval_samples=SAMPLES))
    except CctaError:
        return Band()
    if not found:
        return Band()
    ends = iter([(found[one].below, found[one].above) for one in readings])
    return Band(tuple((own, *np.array([next(ends) for _ in own]).T) for own in places))


@dataclass(frozen=True)
class Drop:
    """Between two places, in the direction of the blood: distance along the vessel, FFR at both, and the fall of pressure."""

    first: TreePlace
    last: TreePlace
    distance_mm: float
    ffr: tuple[float, float]
    pressure_mmhg: float

    @property
    def delta(self) -> float:
        return self.ffr[0] - self.ffr[1]

    @property
    def text(self) -> str:
        first, last = self.ffr
        return f"ΔFFR {self.delta:.2f} ({first:.2f} → {last:.2f}) · {self.distance_mm:.0f} mm · {self.pressure_mmhg:.0f} mmHg"


def drop_between(study: Study, one: TreePlace, other: TreePlace) -> Drop:
    """What FFR loses between two places. NotPossible where flow was not solved, or no blood runs from one to the other."""
    for first, last in ((one, other), (other, one)):
        distance_mm = downstream_mm(study, first, last)
        if distance_mm is not None:
            break
    else:
        raise NotPossible("not_one_way")
    ffr = [study.ffr_at(place.branch, place.distance_mm) for place in (first, last)]
    if None in ffr:
        raise NotPossible("no_flow_here")
    return Drop(first, last, distance_mm, tuple(ffr), (ffr[0] - ffr[1]) * study.pullback.pa_mmhg)


def downstream_mm(study: Study, first: TreePlace, last: TreePlace) -> float | None:
    """How far `last` lies beyond `first` along the blood's way, mm; None where it does not."""
    way_mm, place = 0.0, last
    while place.branch != first.branch:
        branch = study.branch(place.branch)
        if branch.parent is None:
            return None
        way_mm += place.distance_mm
        place = TreePlace(branch.parent, branch.parent_distance_mm)
    return way_mm + place.distance_mm - first.distance_mm if place.distance_mm >= first.distance_mm else None
