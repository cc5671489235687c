"""Editing by hand: what is being drawn, and the edit that it becomes. Pure changes of `ReadingState` and values; nothing is written here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ccta import editing
from ccta.edits import ContourEdit, LesionEdit, NameEdit, PointEdit
from ccta.model import SEGMENTS, CrossSections
from viewer.app.state import HANDLES, Draft, ReadingState
from viewer.app.study import Study
from viewer.app.words import NotPossible

RADII_MM = (0.1, 5.5)
"""A handle stays within the picture of the cross-section."""
NEW_LESION_MM = 8.0
"""Length of a stenosis that is added at a place; its borders follow from the contours when these are corrected."""


def begin(state: ReadingState, study: Study, contour: str) -> None:
    """Opens the contour nearest to the place for drawing; a second time closes it. NotPossible where there is none."""
    if state.draft is not None and state.draft.contour == contour:
        state.draft = None
        return
    section = study.section(state.branch)
    if section is None or contour not in ("lumen", "wall"):
        raise NotPossible("no_contour_here")
    plane = int(np.argmin(np.abs(section.distance_mm - state.distance_mm)))
    state.draft, state.hover_mm, state.mode = Draft(contour, state.branch, plane), -1.0, ""


def drag(state: ReadingState, study: Study, handle: int, x_mm: float, y_mm: float) -> None:
    """A control point pulled to a place in the plane (u, v mm from its center): its distance from the center counts, its angle stays."""
    draft = state.draft
    if draft is None:
        raise NotPossible("choose_contour")
    handle, radius = int(handle) % HANDLES, float(np.hypot(float(x_mm), float(y_mm)))
    if not np.isfinite(radius):
        raise ValueError(f"a control point needs finite coordinates, got {x_mm}, {y_mm}")
    base = handle_radii_mm(pushed_radius_mm(draft, study.section(draft.branch)))
    change = list(draft.change_mm)
    change[handle] = float(np.clip(radius, *RADII_MM) - base[handle])
    state.draft = replace(draft, change_mm=tuple(change))


def radii_of(draft: Draft, section: CrossSections) -> np.ndarray:
    """(A,) the contour as it stood when drawing began."""
    return getattr(section, f"{draft.contour}_radius_mm")[draft.plane]


def pushed_radius_mm(draft: Draft, section: CrossSections) -> np.ndarray:
    """(A,) the contour with what the brush did, before any control point was pulled."""
    return radii_of(draft, section) + (np.array(draft.pushed_mm) if draft.pushed_mm else 0.0)


def handle_radii_mm(radius_mm: np.ndarray) -> np.ndarray:
    """(HANDLES,) polar radii (A,) at the angles of the control points."""
    place = np.arange(HANDLES) * len(radius_mm) / HANDLES
    return np.interp(place, np.arange(len(radius_mm) + 1), np.append(radius_mm, radius_mm[0]))


def drawn_radius_mm(draft: Draft, section: CrossSections) -> np.ndarray:
    """(A,) the contour as drawn: each control point moves its surroundings as far as the next one, by a raised cosine.

    These bumps add up to one, so that equal changes at all points move the contour as a whole.
    """
    radius = pushed_radius_mm(draft, section)
    angle = np.arange(len(radius)) * HANDLES / len(radius)
    apart = np.abs(angle[:, None] - np.arange(HANDLES))
    apart = np.minimum(apart, HANDLES - apart)
    bump = np.where(apart < 1, 0.5 * (1 + np.cos(np.pi * apart)), 0.0)
    return np.clip(radius + bump @ np.array(draft.change_mm), *RADII_MM)


def handle_places(draft: Draft, section: CrossSections) -> np.ndarray:
    """(HANDLES, 2) control points, mm from the center along u and v."""
    angle = 2 * np.pi * np.arange(HANDLES) / HANDLES
    return handle_radii_mm(drawn_radius_mm(draft, section))[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def contour_edit(state: ReadingState, study: Study, by: str) -> ContourEdit:
    """What was drawn, as an edit; the draft is closed. NotPossible where nothing was drawn."""
    draft = state.draft
    if draft is None or not draft.changed:
        raise NotPossible("nothing_drawn")
    section = study.section(draft.branch)
    before, after = (section.contour_mm(draft.plane, radius) for radius in (radii_of(draft, section), drawn_radius_mm(draft, section)))
    place = _place(study, draft.branch, float(section.distance_mm[draft.plane]), by)
    state.draft, state.mode = None, ""
    center = _point(section.center_mm[draft.plane])
    return ContourEdit(**place, center_mm=center, contour=draft.contour, before_mm=[_point(p) for p in before], after_mm=[_point(p) for p in after])


def name_edit(state: ReadingState, study: Study, segment: int, by: str) -> NameEdit:
    """The segment at the place gets another name. NotPossible where that is its name already."""
    branch = study.branch(state.branch)
    before = branch.segment_at(state.distance_mm)
    if int(segment) not in SEGMENTS or before == int(segment):
        raise NotPossible("other_name")
    center = _point(branch.points_mm[int(np.argmin(np.abs(branch.distance_mm - state.distance_mm)))])
    return NameEdit(**_place(study, state.branch, state.distance_mm, by), center_mm=center, before_id=before, after_id=int(segment))


def point_edit(state: ReadingState, study: Study, position_mm, by: str) -> PointEdit:
    """The centerline at the place shall run through another position. NotPossible where it is too far away to be meant."""
    branch = study.branch(state.branch)
    start = branch.points_mm[int(np.argmin(np.abs(branch.distance_mm - state.distance_mm)))]
    if not np.linalg.norm(np.subtract(position_mm, start)) <= 2 * RADII_MM[1]:
        raise NotPossible("point_too_far")
    state.mode = ""
    return PointEdit(**_place(study, state.branch, state.distance_mm, by), center_mm=_point(start), after_mm=_point(position_mm))


def lesion_edit(state: ReadingState, study: Study, action: str, by: str, percent: str = "") -> LesionEdit:
    """The chosen stenosis deleted or regraded, or one added at the place. NotPossible where none is chosen or the degree is no number from 0 to 100."""
    if action == "add":
        if study.section(state.branch) is None:
            raise NotPossible("no_contour_here")
        center = _point(study.branch(state.branch).point_at(state.distance_mm))
        return LesionEdit(**_place(study, state.branch, state.distance_mm, by), center_mm=center, length_mm=NEW_LESION_MM)
    if not 0 <= state.lesion < len(study.stenoses):
        raise NotPossible("choose_stenosis")
    chosen = study.stenoses[state.lesion]
    after = _percent(percent) if action == "regrade" else None
    place = _place(study, chosen.branch, chosen.position_mm, by)
    return LesionEdit(**place, center_mm=chosen.center_mm, before_pct=chosen.diameter_pct, after_pct=after)


def _percent(text: str) -> float:
    try:
        value = float(str(text).strip().rstrip("%").replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise NotPossible("bad_degree", text=str(text).strip() or "–")
    return value


def _place(study: Study, branch: int, distance_mm: float, by: str) -> dict:
    """by, at, and the place in words, as each edit begins. NotPossible without a name."""
    if not by.strip():
        raise NotPossible("needs_name")
    own = study.branch(branch)
    segment = own.segment_at(distance_mm)
    vessel = SEGMENTS[segment][1] if segment in SEGMENTS else ""
    return {"by": by.strip(), "at": editing.now(), "place": f"{own.name or f'branch {branch}'} {distance_mm:.0f} mm", "vessel": vessel}


def _point(position_mm) -> tuple[float, float, float]:
    return tuple(round(float(value), 3) for value in position_mm)
