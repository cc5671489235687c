"""What the pointer means while a tool is chosen: pure changes of the tools' part of `ReadingState`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from viewer.app import logic
from viewer.app.measuring import Corners, measured
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.surfaces import surface_of
from viewer.app.tool_state import Measure, Pending, TreePlace
from viewer.app.views.curved import curve_of, curved_at
from viewer.app.words import NotPossible

CLOSE = 0.025
"""A corner this near to the first one (in fractions of the picture) closes an outline."""
NEAR_VESSEL_MM = 2.5
"""The pointer this near to a centerline, or within the vessel's own radius, is on the vessel."""


def on_stroke(state: ReadingState, study: Study, view: str, ends: Corners, done: bool) -> None:
    """A length or an ellipse being drawn by a drag, and the measurement where the drag ends. A mere click draws nothing."""
    if state.mode not in ("length", "ellipse"):
        return
    if not done:
        _pend(state, Pending(state.mode, view, _finite(ends)))
        return
    _pend(state, None)
    try:
        _add(state, measured(study, state, state.mode, view, _finite(ends)))
    except NotPossible as reason:
        if reason.key != "too_small":
            raise


def on_corner(state: ReadingState, study: Study, view: str, x: float, y: float) -> None:
    """A click while an angle or an outline is drawn: one more corner; the third ends an angle, one at the first corner closes an outline."""
    if state.mode not in ("angle", "polygon"):
        return
    (place,) = _finite(((x, y),))
    corners = fixed_corners(state, view)
    if state.mode == "polygon" and len(corners) >= 3 and np.hypot(*np.subtract(place, corners[0])) < CLOSE:
        on_close(state, study)
        return
    corners = (*corners, place)
    if state.mode == "angle" and len(corners) == 3:
        _pend(state, None)
        _add(state, measured(study, state, "angle", view, corners))
        return
    _pend(state, Pending(state.mode, view, corners))


def on_corner_to(state: ReadingState, study: Study, view: str, x: float, y: float) -> None:
    """The pointer moves on while corners are set: the last side follows it."""
    pending = state.tools.pending
    if pending is not None and pending.view == view and pending.kind in ("angle", "polygon"):
        _pend(state, replace(pending, corners=(*fixed_corners(state, view), *_finite(((x, y),))), loose=True))


def on_close(state: ReadingState, study: Study) -> None:
    """The outline ends at its first corner. NotPossible where it has fewer than three."""
    pending = state.tools.pending
    corners = fixed_corners(state, pending.view) if pending is not None and pending.kind == "polygon" else ()
    if len(corners) < 3:
        raise NotPossible("three_corners")
    _pend(state, None)
    _add(state, measured(study, state, "polygon", pending.view, corners))


def fixed_corners(state: ReadingState, view: str) -> Corners:
    """The corners set so far in this picture, without the one that follows the pointer."""
    pending = state.tools.pending
    if pending is None or pending.view != view or pending.kind != state.mode:
        return ()
    return pending.corners[:-1] if pending.loose else pending.corners


def on_forget(state: ReadingState, study: Study, index: int) -> None:
    """A measurement deleted; -1 is the last one."""
    kept = list(state.tools.measures)
    if -1 <= int(index) < len(kept) and kept:
        kept.pop(int(index))
        state.tools = replace(state.tools, measures=tuple(kept))


def on_measure(state: ReadingState, study: Study, index: int) -> None:
    """A row of the list of measurements: every view goes there."""
    if not 0 <= int(index) < len(state.tools.measures):
        return
    one = state.tools.measures[int(index)]
    if 0 <= one.vessel < len(study.tree):
        logic.on_branch(state, study, one.vessel)
        state.cpr_angle_deg, state.views = one.angle_deg, replace(state.views, curved=one.curved)
        along_mm = one.flat_mm[0][0]
        logic.on_distance(state, study, float(curve_of(state, study).distance_at(along_mm)) if one.curved else along_mm)
    else:
        logic.on_position(state, study, np.mean(one.points_mm, axis=0))


def on_place(state: ReadingState, study: Study) -> None:
    """While an FFR drop is taken, the place that was just gone to is its next end; a third place begins anew."""
    if state.mode != "drop" or state.branch < 0:
        return
    if study.pullback is None:
        raise NotPossible("no_flow_here")
    places = state.tools.places if len(state.tools.places) < 2 else ()
    state.tools = replace(state.tools, places=(*places, TreePlace(state.branch, state.distance_mm)))


def vessel_at(study: Study, position_mm) -> TreePlace | None:
    """The place on the tree that a position lies at; None away from every vessel."""
    branch, distance_mm, apart_mm = logic.nearest_on_tree(study, position_mm)
    if branch < 0:
        return None
    radius_mm = (study.diameter_at(branch, distance_mm) or 0.0) / 2
    return TreePlace(branch, distance_mm) if apart_mm <= max(NEAR_VESSEL_MM, radius_mm) else None


def place_under(study: Study, state: ReadingState, view: str, x: float, y: float) -> TreePlace | None:
    """The place on the tree under the pointer in a picture, or on the curve."""
    if view in ("cpr", "curve", "cross"):
        if state.branch < 0:
            return None
        fraction = curved_at(state, study, x) if view == "cpr" and state.views.curved else float(np.clip(x, 0, 1))
        return TreePlace(state.branch, state.cross_mm if view == "cross" else fraction * study.branch(state.branch).length_mm)
    surface = surface_of(study, state, view)
    return vessel_at(study, surface.position_mm(x, y)) if surface is not None else None


def _add(state: ReadingState, measure: Measure) -> None:
    state.tools = replace(state.tools, measures=(*state.tools.measures, measure))


def _pend(state: ReadingState, pending: Pending | None) -> None:
    state.tools = replace(state.tools, pending=pending)


def _finite(corners) -> Corners:
    """As pairs of numbers. ValueError where one is none."""
    pairs = tuple((float(x), float(y)) for x, y in corners)
    if not np.isfinite(pairs).all():
        raise ValueError(f"a place in a picture needs two finite numbers, got {corners}")
    return pairs
