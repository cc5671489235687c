"""Where FFR is read, and what it is there: PullbackFile + stenoses -> findings.Ffr. Distances in mm along the branch, as in pullback.json.

Rules: read 10-20 mm beyond the lower border of a lesion, never at the very end of a vessel, not where the lumen is below 1.5 mm (SCCT consensus,
Norgaard et al., JACC Cardiovasc Imaging 2017;10:541 [check]).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ccta.findings import Ffr, LesionFfr, PullbackBranch, PullbackFile, Stenosis, VesselFfr
from ccta.model import CoronaryTree, Unavailable
from cfd.physiology import Physiology

BEYOND_MM = (10.0, 20.0)
END_MARGIN_MM = 5.0
SMALLEST_DIAMETER_MM = 1.5
LEFT_MAIN = 5


@dataclass(frozen=True)
class Reading:
    """FFR is the mean over [from_mm, to_mm] of a branch; its delta is taken from before_mm."""

    branch: int
    from_mm: float
    to_mm: float
    before_mm: float

    @property
    def at_mm(self) -> float:
        return (self.from_mm + self.to_mm) / 2

    def value(self, distance_mm, ffr) -> tuple[float, float]:
        """(FFR, delta FFR) on a curve (N,), (N,)."""
        mean = float(np.mean(np.interp(np.linspace(self.from_mm, self.to_mm, 21), distance_mm, ffr)))
        return mean, float(np.interp(self.before_mm, distance_mm, ffr)) - mean


@dataclass(frozen=True)
class Interval:
    """below, above: distances of the 90 % interval's ends from the value, both >= 0. causes: {cause: share of the variance}, which sum to 1."""

    below: float
    above: float
    causes: dict[str, float]


def lesion_reading(branch: PullbackBranch, lesion: Stenosis, next_entry_mm: float = np.inf) -> Reading | Unavailable:
    """10-20 mm beyond the lesion's lower border, sooner where the next lesion begins. Unavailable where vessel or calibre end before."""
    first = min(lesion.exit_mm + BEYOND_MM[0], max(next_entry_mm, lesion.exit_mm))
    last = min(lesion.exit_mm + BEYOND_MM[1], branch.distance_mm[-1] - END_MARGIN_MM, max(next_entry_mm, first))
    if last < first:
        return Unavailable(
            f"the vessel was followed only {branch.distance_mm[-1] - lesion.exit_mm:.0f} mm beyond the lesion; FFR is read 10-20 mm beyond it, not at the end"
        )
    return _readable(branch, Reading(lesion.branch, first, last, lesion.entry_mm))


def vessel_reading(branch: PullbackBranch, index: int, start_mm: float) -> Reading | Unavailable:
    """A vessel without a lesion: the last stretch of up to 10 mm that is at least 1.5 mm wide all the way, short of the end."""
    distance, diameter = np.array(branch.distance_mm), np.array(branch.diameter_mm)
    narrow = np.flatnonzero((distance > start_mm) & (_smoothed(diameter) < SMALLEST_DIAMETER_MM))
    last = min(distance[-1] - END_MARGIN_MM, distance[narrow[0]] - 1.0 if len(narrow) else np.inf)
    if last <= start_mm + END_MARGIN_MM:
        return Unavailable(f"the lumen is at least {SMALLEST_DIAMETER_MM} mm wide only over the first {max(0.0, last - start_mm):.0f} mm")
    return Reading(index, max(start_mm, last - 10.0), float(last), start_mm)


def _readable(branch, reading):
    middle = np.linspace(reading.from_mm, reading.to_mm, 21)
    diameter = float(np.median(np.interp(middle, branch.distance_mm, branch.diameter_mm)))
    if diameter < SMALLEST_DIAMETER_MM:
        return Unavailable(f"the lumen is {diameter:.1f} mm wide where FFR would be read; below {SMALLEST_DIAMETER_MM} mm CT does not support it")
    return reading


def _smoothed(values, width=9):
    """Running median, so that one noisy contour does not end a vessel."""
    padded = np.pad(values, width // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)


def plan_readings(tree: CoronaryTree, pullback: PullbackFile, stenoses: Sequence[Stenosis]) -> tuple[dict, list]:
    """({vessel: Reading | Unavailable}, one Reading | Unavailable per stenosis)."""
    lesions = [lesion_reading(pullback.branches[one.branch], one, _next_entry(stenoses, one)) for one in stenoses]
    vessels: dict[str, Reading | Unavailable] = {}
    for vessel in ("LM", "LAD", "LCx", "RCA"):
        index = _main_branch(tree, vessel)
        if index is None:
            continue
        own = [(one.exit_mm, k) for k, one in enumerate(stenoses) if one.branch == index and one.vessel == vessel]
        vessels[vessel] = lesions[max(own)[1]] if own else _healthy_reading(tree, pullback, vessel, index)
        if own and isinstance(vessels[vessel], Reading):
            reading = vessels[vessel]
            vessels[vessel] = Reading(index, reading.from_mm, reading.to_mm, _vessel_start_mm(tree, vessel, index))
    return vessels, lesions


def _healthy_reading(tree, pullback, vessel, index):
    if vessel != "LM":
        return vessel_reading(pullback.branches[index], index, _vessel_start_mm(tree, vessel, index))
    end = _left_main_end_mm(tree, index)
    return Reading(index, max(0.0, end - 2.0), end, 0.0)


def _main_branch(tree, vessel):
    """The branch of that name; the left main is the beginning of one. None where the tree has none."""
    if vessel == "LM":
        return next((index for index, branch in enumerate(tree) if branch.parent is None and np.any(branch.segment == LEFT_MAIN)), None)
    return next((index for index, branch in enumerate(tree) if branch.name == vessel), None)


def _left_main_end_mm(tree, index):
    branch = tree.branches[index]
    return float(branch.distance_mm[branch.segment == LEFT_MAIN].max(initial=0.0))


def _vessel_start_mm(tree, vessel, index):
    return 0.0 if vessel == "LM" else _left_main_end_mm(tree, index)


def _next_entry(stenoses, lesion):
    return min((one.entry_mm for one in stenoses if one.branch == lesion.branch and one.entry_mm >= lesion.exit_mm), default=np.inf)


def ffr_findings(pullback: PullbackFile, stenoses: Sequence[Stenosis], readings: tuple[dict, list], intervals: dict, physiology: Physiology) -> Ffr:
    """FFR per vessel and per lesion. readings: of `plan_readings`. intervals: {Reading: Interval}."""
    vessels, lesions = readings
    curves = {index: (np.array(one.distance_mm), np.array(one.ffr)) for index, one in enumerate(pullback.branches)}
    return Ffr(
        model=pullback.model,
        pa_mmhg=pullback.pa_mmhg,
        flow_ml_min=sum(port.flow_ml_min for port in pullback.inlets),
        vessels={name: VesselFfr(**_values(reading, curves, intervals), at_mm=_at_mm(reading)) for name, reading in vessels.items()},
        lesions=[LesionFfr(segment=one.segment, **_values(reading, curves, intervals)) for one, reading in zip(stenoses, lesions, strict=True)],
        assumptions=[*physiology.assumptions, *pullback.notes],
    )


def _at_mm(reading):
    return reading if isinstance(reading, Unavailable) else round(reading.at_mm, 2)


def _values(reading, curves, intervals):
    if isinstance(reading, Unavailable):
        return {"ffr": reading, "low": reading, "high": reading, "delta": reading}
    value, delta = reading.value(*curves[reading.branch])
    found = {"ffr": round(value, 4), "delta": round(delta, 4)}
    if reading in intervals:
        interval = intervals[reading]
        found |= {"low": round(max(value - interval.below, 0.0), 4), "high": round(min(value + interval.above, max(1.0, value)), 4)}
        found["causes"] = {cause: round(share, 3) for cause, share in interval.causes.items()}
    return found
