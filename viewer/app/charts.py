"""The pullback chart as SVG paths in a 0-100 box: FFR and diameter against distance, with the grey zone and the lesions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ccta.model import SEGMENTS, Branch
from cfd.planner import Stent
from viewer.app.study import Study

FFR_RANGE = (0.4, 1.08)
"""Of the axis; room above 1.0 for the names of the segments."""
GREY_ZONE = (0.75, 0.80)
"""FFR-CT reading: <= 0.75 positive, 0.76-0.80 grey, > 0.80 negative (CLINICAL)."""

RISE = 0.01
"""Of FFR, that the page explains."""

EMPTY = {
    "length_mm": 0, "ffr": "", "planned": "", "stents": [], "diameter": "", "reference": "", "lesions": [], "segments": [], "grey": [0, 0],
    "ffr_ticks": [], "mm_ticks": [], "along_ticks": [], "recovers": False,
}  # fmt: skip


def chart(study: Study, branch: int, stents: Sequence[Stent] = ()) -> dict:
    """Paths and places for one branch; every y and x is 0-100. Keys as in EMPTY; lesions, segments and stents: (start, width, name)."""
    if branch < 0:
        return EMPTY
    length_mm = study.branch(branch).length_mm
    curve = study.pullback.branches[branch] if study.pullback else None
    section = study.section(branch)
    reference = study.reference_diameter_mm(branch) if section is not None else None
    after = study.planned(stents)[1].branches[branch] if stents else None
    max_mm = float(np.ceil(max(section.lumen_diameter_mm.max(), np.nanmax(reference)))) if section is not None else 5.0
    return {
        "length_mm": length_mm,
        "ffr": _path(curve.distance_mm, curve.ffr, length_mm, FFR_RANGE) if curve and curve.ffr else "",
        "recovers": bool(curve and curve.ffr) and recovers(curve.ffr),
        "planned": _path(after.distance_mm, after.ffr, length_mm, FFR_RANGE) if after else "",
        "stents": [_span(s.from_mm, s.to_mm, length_mm, "stent") for s in stents if s.branch == branch],
        "diameter": _path(section.distance_mm, section.lumen_diameter_mm, length_mm, (0, max_mm)) if section is not None else "",
        "reference": _path(section.distance_mm, reference, length_mm, (0, max_mm)) if section is not None else "",
        "lesions": [_span(s.entry_mm, s.exit_mm, length_mm, f"{s.diameter_pct:.0f} %") for s in study.stenoses if s.branch == branch],
        "segments": _segments(study.branch(branch)),
        "grey": [_up(GREY_ZONE[1], FFR_RANGE), _up(GREY_ZONE[0], FFR_RANGE)],
        "ffr_ticks": [[_up(value, FFR_RANGE), f"{value:.1f}"] for value in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)] if curve and curve.ffr else [],
        "mm_ticks": [[_up(value, (0, max_mm)), f"{value}"] for value in range(1, int(max_mm) + 1)],
        "along_ticks": [[100 * at / length_mm, f"{at}"] for at in range(0, int(length_mm) + 1, 20 if length_mm > 60 else 10)],
    }


def recovers(ffr: Sequence[float]) -> bool:
    """True where FFR rises along the vessel by more than `RISE`: it is the static pressure's, of which a throat's fast blood has less."""
    return bool(np.max(np.asarray(ffr) - np.minimum.accumulate(ffr)) > RISE)


def _span(start_mm: float, end_mm: float, length_mm: float, name: str) -> list:
    return [100 * start_mm / length_mm, 100 * (end_mm - start_mm) / length_mm, name]


def _segments(branch: Branch) -> list[list]:
    """Where each SCCT segment begins, how long it is, and its short name."""
    s, change = branch.distance_mm, np.flatnonzero(np.diff(branch.segment)) + 1
    starts, ends = [0, *change], [*change, len(s) - 1]
    names = [SEGMENTS.get(int(branch.segment[start]), ("",))[0] for start in starts]
    return [_span(s[a], s[b], s[-1], name) for a, b, name in zip(starts, ends, names, strict=True)]


def _up(value: float, limits: tuple[float, float]) -> float:
    """A value as a height in the box, 0 at the top."""
    return float(100 - 100 * (np.clip(value, *limits) - limits[0]) / (limits[1] - limits[0]))


def _path(x, y, length_mm: float, limits: tuple[float, float]) -> str:
    points = [(100 * a / length_mm, _up(b, limits)) for a, b in zip(x, y, strict=True) if np.isfinite(b)]
    return "M" + " L".join(f"{a:.2f},{b:.2f}" for a, b in points) if points else ""
