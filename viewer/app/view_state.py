"""The reading state as it is kept in the case and restored: place, vessel, window, zoom, turn, measurements, planned stents, and the page's choices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import TypeAdapter, ValidationError

from viewer.app import logic
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.logic import checked

STATE = TypeAdapter(ReadingState)
CHOICES = ("window", "field", "colour_by", "language", "tab")
"""The page's own choices that belong to the view."""


def kept(reading: ReadingState, choices: dict) -> dict:
    """What is written. What is being drawn, where the pointer is, the volume rendering and a compared phase (which take time) are not."""
    at_rest = replace(
        reading, hover_mm=-1.0, mode="", draft=None, tools=replace(reading.tools, pending=None), views=replace(reading.views, scene="tree", phase=-1)
    )
    return {"reading": STATE.dump_python(at_rest, mode="json"), "page": {name: choices[name] for name in CHOICES if name in choices}}


def restored(study: Study, view: dict | None) -> tuple[ReadingState, dict] | None:
    """(state, choices) of what was kept, brought in line with the study as it is now; None where it is no view, or its place is not in this study."""
    try:
        reading = STATE.validate_python((view or {})["reading"])
        choices = {name: str(value) for name, value in dict(view.get("page", {})).items() if name in CHOICES}
    except (ValidationError, KeyError, TypeError, ValueError):
        return None
    numbers = [*reading.position_mm, reading.distance_mm, reading.level_hu, reading.width_hu, reading.field_mm, reading.cpr_angle_deg]
    if not np.isfinite(numbers).all() or not (-1 <= reading.branch < len(study.tree)) or (reading.branch < 0) != (len(study.tree) == 0):
        return None
    if reading.branch >= 0:
        reading.distance_mm = float(np.clip(reading.distance_mm, 0.0, study.branch(reading.branch).length_mm))
    reading.views = checked(study, reading.views)
    reading.lesion = logic.lesion_at(study, reading)
    reading.stents = tuple(one for one in reading.stents if 0 <= one.branch < len(study.tree) and study.pullback is not None)
    places = tuple(one for one in reading.tools.places if 0 <= one.branch < len(study.tree))
    measures = tuple(one for one in reading.tools.measures if one.vessel < len(study.tree))
    reading.tools = replace(reading.tools, places=places, measures=measures)
    return reading, choices


def reset(study: Study, reading: ReadingState) -> ReadingState:
    """As the case opens, with what was measured."""
    fresh = logic.opened(study)
    fresh.tools = replace(fresh.tools, measures=reading.tools.measures)
    return fresh
