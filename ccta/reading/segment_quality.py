"""A 1-5 score of image quality per coronary segment, and what it means for each task: motion blur, contrast to noise, contours that are guesses, steps.

Motion is measured where it shows: in the width of the vessel's edge. A still edge is as wide as the scanner's blur (0.7-1.0 mm); an artery that travels
d mm while a slice is taken has edges d mm wide on two sides (RCA: up to 70 mm/s, Achenbach 2000, Radiology 216:457).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ccta.coordinates import sample
from ccta.findings import Quality
from ccta.model import SEGMENTS, CoronaryTree, CrossSections, Unavailable, Volume

ANGLES = 24
STEP_MM = 0.1
INWARD_MM, OUTWARD_MM = 2.0, 2.0  # along a ray, from the lumen's edge: a smear of 3 mm still fits
SMOOTH_MM = 0.2  # along the ray, against noise
PLANE_EVERY_MM = 1.0
MIN_DROP_HU = 150.0  # between lumen and surroundings, for an edge whose width means something
FILLED = 0.7  # of the aorta's HU: arteries that are still and 1.5 mm wide reach it through the scanner's blur
MAX_WALL_MM = 1.0  # thicker wall is plaque: its edge is not the lumen's
MIN_EDGES, MIN_PLANES = 6, 3
MOVED_SHARE = 0.8  # quantile over the rays of a plane: motion widens the edges on two sides only
GRADED_MM = 1.5  # diameter; smaller segments are not graded (CLINICAL: CAD-RADS 2.0)

EDGE_MM = (1.45, 1.7, 2.1, 2.5)  # wider than each costs one point: blur alone gives 0.9-1.3 mm; at 2.5 mm the edge is as wide as the artery
CNR = (14.0, 10.0, 7.0, 4.0)  # lower than each costs one point: 4 is where lumen and fat overlap within two standard deviations each
RELIABLE = (0.85, 0.7, 0.5, 0.25)  # share of planes with a contour that is no guess: less than each costs one point
STEP_SCORE = 3  # best score of a segment that crosses a step between slabs
NAMED = 3  # segments in one sentence
SEGMENT_WORDS = ("non-diagnostic", "poor")  # of score 1 and 2


@dataclass(frozen=True)
class SegmentQuality:
    """score: 1 non-diagnostic to 5 excellent; because: what lowered it. edge_mm: width of the lumen's edge, None where no free edge is seen."""

    score: int
    because: str
    edge_mm: float | None


def segment_qualities(volume: Volume, tree: CoronaryTree, sections: list[CrossSections], quality: Quality) -> dict[int, SegmentQuality]:
    """SCCT id -> quality, for every segment of at least `GRADED_MM` diameter with at least `MIN_PLANES` planes. The lowest of its partial scores."""
    found = {}
    for planes in sections:
        branch = tree.branches[planes.branch]
        ids = np.array([branch.segment_at(d) for d in planes.distance_mm])
        edges = edge_widths_mm(volume, planes, quality.aorta_hu or None)
        lumen_hu = sample(volume, planes.center_mm)
        for segment in (int(s) for s in np.unique(ids) if s in SEGMENTS):
            own = ids == segment
            if own.sum() >= MIN_PLANES and np.median(planes.lumen_diameter_mm[own]) >= GRADED_MM:
                new = _scored(edges[own], lumen_hu[own], planes.reliable[own], _crosses(planes.center_mm[own], quality.steps_mm), quality)
                if segment not in found or new.score < found[segment].score:
                    found[segment] = new
    return found


def edge_widths_mm(volume: Volume, planes: CrossSections, aorta_hu: float | None = None) -> np.ndarray:
    """(M,) width of the lumen's edge per plane, mm: (inner - outer HU) over the steepest slope, upper quintile over the rays; NaN where too few are free.

    The inner HU is at least `FILLED` of the aorta's: an artery smeared over more than its own diameter is dim and would look sharp by itself.
    Every plane nearest to a whole `PLANE_EVERY_MM` is measured, the others are NaN.
    """
    widths = np.full(len(planes), np.nan)
    chosen = np.unique(np.searchsorted(planes.distance_mm, np.arange(planes.distance_mm[0], planes.distance_mm[-1], PLANE_EVERY_MM)))
    offset = np.arange(-INWARD_MM, OUTWARD_MM + STEP_MM / 2, STEP_MM)
    turn = 2 * np.pi * np.arange(ANGLES) / ANGLES
    for plane in chosen:
        pick = np.round(np.arange(ANGLES) * planes.lumen_radius_mm.shape[1] / ANGLES).astype(int)
        radius, wall = planes.lumen_radius_mm[plane, pick], planes.wall_radius_mm[plane, pick]
        way = np.cos(turn)[:, None] * planes.axis_u[plane] + np.sin(turn)[:, None] * planes.axis_v[plane]
        along = np.maximum(radius[:, None] + offset, 0.0)
        hu = sample(volume, planes.center_mm[plane] + along[..., None] * way[:, None, :])
        hu = ndimage.gaussian_filter1d(hu, SMOOTH_MM / STEP_MM, axis=1)
        inside = np.maximum(hu[:, offset <= 0].max(axis=1), FILLED * (aorta_hu or -1024.0))
        outside = hu[:, offset >= 0].min(axis=1)
        slope = (-np.diff(hu, axis=1)).max(axis=1) / STEP_MM
        free = (inside - outside > MIN_DROP_HU) & (wall - radius < MAX_WALL_MM)
        if free.sum() >= MIN_EDGES:
            width = (inside - outside) / np.maximum(slope, 1.0)
            widths[plane] = np.quantile(np.minimum(width, INWARD_MM + OUTWARD_MM)[free], MOVED_SHARE)
    return widths


def _crosses(center_mm: np.ndarray, steps_mm: list[float]) -> bool:
    """Whether the planes pass the height of a step."""
    return any(center_mm[:, 2].min() <= z <= center_mm[:, 2].max() for z in steps_mm)


def _scored(edges_mm: np.ndarray, lumen_hu: np.ndarray, reliable: np.ndarray, step: bool, quality: Quality) -> SegmentQuality:
    seen = edges_mm[np.isfinite(edges_mm)]
    edge = float(np.median(seen)) if len(seen) >= MIN_PLANES else None
    parts = [(5 - sum(reliable.mean() < limit for limit in RELIABLE), f"{100 * (1 - reliable.mean()):.0f} % of its contours are guesses")]
    if edge is not None:
        parts.append((5 - sum(edge > limit for limit in EDGE_MM), f"motion or blur: its edges are {edge:.1f} mm wide"))
    if quality.noise_hu and quality.fat_hu:
        cnr = float((np.median(lumen_hu) - quality.fat_hu) / quality.noise_hu)
        parts.append((5 - sum(cnr < limit for limit in CNR), f"contrast-to-noise ratio {cnr:.1f}"))
    if step:
        parts.append((STEP_SCORE, "a step between slabs crosses it"))
    score = int(min(score for score, _ in parts))
    return SegmentQuality(score, ", ".join(words for part, words in parts if part == score and score < 5), edge)


def with_segments(quality: Quality, found: dict[int, SegmentQuality]) -> Quality:
    """`quality` with the segments' scores, motion in mm, and what they mean for anatomy, plaque and FFR in its verdicts.

    A non-diagnostic segment refuses FFR where it lies in a main artery (everything behind it depends on it) and is left to CAD-RADS N for anatomy.
    """
    bad = {s: q for s, q in sorted(found.items()) if q.score == 1}
    poor = {s: q for s, q in sorted(found.items()) if q.score == 2}
    main = {s: q for s, q in bad.items() if s in (1, 2, 3, 5, 6, 7, 8, 11, 13)}
    verdict = dict(quality.verdict)
    for task in ("anatomy", "plaque", "ffr"):
        said = [f"limited: {_named(bad)} non-diagnostic"] * bool(bad) + [f"limited: {_named(poor)} poor"] * bool(poor)
        if task == "ffr" and main:
            said[0] = f"not possible: {_named(main)} non-diagnostic"
        kept = [s for s in verdict.get(task, "good").split("; ") if s != "good" and not s.endswith(SEGMENT_WORDS)]  # not those of an earlier run
        verdict[task] = "; ".join(sorted([*kept, *said], key=lambda s: not s.startswith("not"))) or "good"
    worst = {s: q.edge_mm for s, q in found.items() if q.edge_mm is not None}
    motion = max(worst.values()) if worst else Unavailable("no artery has a free edge whose width could be measured")
    scores = {str(s): q.score for s, q in sorted(found.items())}
    return quality.model_copy(update={"segments": scores, "segments_because": _reasons(found), "edge_mm": motion, "verdict": verdict})


def _reasons(found: dict[int, SegmentQuality]) -> dict[str, str]:
    return {str(s): q.because for s, q in sorted(found.items()) if q.because and q.score <= 3}


def _named(found: dict[int, SegmentQuality]) -> str:
    """'mRCA (motion or blur: its edges are 2.8 mm wide) is'."""
    names = [f"{SEGMENTS[s][0]} ({q.because})" for s, q in list(found.items())[:NAMED]]
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{', '.join(names)}{more} {'is' if len(found) == 1 else 'are'}"
