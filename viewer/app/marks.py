"""Measurements and FFR places as marks on the pictures: SVG paths in a 0-100 box and their texts. `MARKS` is the template that draws them."""

from __future__ import annotations

import numpy as np

from viewer.app.ffr_band import Drop, drop_between
from viewer.app.measuring import measured
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.surfaces import LAID_OUT, MEASURED, SAME_ANGLE_DEG, Curved, Surface, depth_mm, surface_of
from viewer.app.tool_state import Measure
from viewer.app.words import NotPossible

IN_PLANE_MM = 0.6
"""A measurement is drawn where all of it lies this near to the plane of a picture: a voxel of a coronary CT."""
TEXT_BEFORE = 60
"""Percent of the width: texts of what lies beyond stand before it, where `ROOM_BEFORE` leaves them room."""
ROOM_BEFORE = 25
CLOSED = ("polygon", "ellipse")
CLOSED_SIGN = " Z"
"""Ends a path that goes back to its first place."""

MARKS = """<svg viewBox="0 0 100 100" preserveAspectRatio="none">
<path v-for="m in marks_NAME" :key="m.key" :d="m.d" :class="m.i < 0 ? 'mark drawing' : 'mark'" fill="none" vector-effect="non-scaling-stroke" /></svg>
<div v-for="m in marks_NAME" :key="'t' + m.key" class="mark-text" :class="m.before ? 'before' : ''" :style="`left: ${m.x}%; top: ${m.y}%`">{{ m.text }}</div>"""
"""NAME stands for the picture."""

DROP = """<svg viewBox="0 0 100 100" preserveAspectRatio="none">
<line v-for="(x, i) in drop.x" :key="i" :x1="x" :x2="x" y1="0" y2="100" class="drop" vector-effect="non-scaling-stroke" /></svg>
<div v-for="(x, i) in drop.x" :key="'d' + i" class="drop-letter" :style="`left: ${x}%`">{{ drop.letters[i] }}</div>"""


def marks(study: Study, state: ReadingState, view: str) -> list[dict]:
    """What is measured in one picture: {i: number in the list (-1: being drawn), key, d: path, text, x, y: place of the text in percent}."""
    tools = state.tools
    if not tools.measures and tools.pending is None:
        return []
    surface = surface_of(study, state, view)
    if surface is None:
        return []
    found = [_mark(index, one.kind, _fractions(one, surface), one.text) for index, one in enumerate(tools.measures) if _lies_in(one, surface)]
    return found + _drawing(study, state, view)


def _drawing(study: Study, state: ReadingState, view: str) -> list[dict]:
    """What is being drawn, with what it would measure."""
    pending = state.tools.pending
    if pending is None or pending.view != view:
        return []
    surface, text, fractions = surface_of(study, state, view), "", np.array(pending.corners)
    try:
        if pending.kind != "polygon" and (pending.kind != "angle" or len(pending.corners) == 3):
            one = measured(study, state, pending.kind, view, pending.corners)
            text, fractions = one.text, _fractions(one, surface)
    except NotPossible:
        pass
    return [_mark(-1, pending.kind if pending.kind == "ellipse" else "open", fractions, text)]


def _lies_in(one: Measure, surface: Surface) -> bool:
    if isinstance(surface, LAID_OUT):
        turned = abs((one.angle_deg - surface.angle_deg + 180) % 360 - 180)
        anywhere = not one.curved and bool(one.flat_mm) and one.flat_mm[0][1] == one.flat_mm[1][1]
        return (one.vessel, one.curved) == (surface.branch, isinstance(surface, Curved)) and (turned <= SAME_ANGLE_DEG or anywhere)
    return one.vessel < 0 and float(depth_mm(surface, one.points_mm).max()) <= IN_PLANE_MM


def _fractions(one: Measure, surface: Surface) -> np.ndarray:
    if isinstance(surface, LAID_OUT):
        return np.array([surface.fraction_of_flat(*place) for place in one.flat_mm])
    return np.array([surface.fraction(np.array(point)) for point in one.points_mm])


def _mark(index: int, kind: str, fractions: np.ndarray, text: str) -> dict:
    places = (100 * fractions).round(2)
    path = "M" + " L".join(f"{x},{y}" for x, y in places) + (CLOSED_SIGN if kind in CLOSED else "")
    first, last = places[np.argmin(places[:, 0])], places[np.argmax(places[:, 0])]
    x, y = (float(np.clip(value, 2, 92)) for value in (last if last[0] <= TEXT_BEFORE or first[0] < ROOM_BEFORE else first))
    return {"i": index, "key": f"{index}", "d": path, "text": text.replace(" · ", "\n"), "x": x, "y": y, "before": bool(last[0] > TEXT_BEFORE)}


def all_marks(study: Study, state: ReadingState) -> dict[str, list[dict]]:
    """Page state of every picture that can be measured in."""
    return {f"marks_{view}": marks(study, state, view) for view in MEASURED}


def measure_rows(state: ReadingState, say: dict[str, str]) -> list[list[str]]:
    """(kind and picture, text) per measurement."""
    where = lambda one: one.view if one.view != "cpr" else "curved_short" if one.curved else "straightened_short"  # noqa: E731
    return [[f"{say[f'tool_{one.kind}']}, {say[where(one)]}", one.text] for one in state.tools.measures]


def drop_shown(study: Study, state: ReadingState, say: dict[str, str]) -> dict:
    """The places of an FFR drop on the vessel that is shown, and what lies between them in words."""
    places = state.tools.places
    if not places or max(place.branch for place in places) >= len(study.tree):
        return {"x": [], "letters": [], "text": "", "why": ""}
    order, text, why = list(places), "", ""
    if len(places) == 2:
        try:
            drop: Drop = drop_between(study, *places)
            order, text = [drop.first, drop.last], drop.text
        except NotPossible as reason:
            why = reason.said(say)
    own = [(100 * place.distance_mm / study.branch(place.branch).length_mm, "AB"[k]) for k, place in enumerate(order) if place.branch == state.branch]
    return {"x": [x for x, _ in own], "letters": [letter for _, letter in own], "text": text, "why": why}
