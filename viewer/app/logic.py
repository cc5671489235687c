"""What a click means: pure changes of `ReadingState`. One truth for all views: the cross-hair, and the place on the tree nearest to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cfd.planner import stent_of, stent_over
from viewer.app.state import FIELDS_MM, MODES, WINDOWS, ReadingState
from viewer.app.study import Study
from viewer.app.views.oblique import follow_artery, plane_of, scrolled

FOLLOW_MM = 6.0
"""A click this near to a centerline also moves the place on the tree; farther away only the cross-hair moves (a large artery's radius and a finger)."""


def opened(study: Study) -> ReadingState:
    """The page as it opens: at the worst lesion, else at the first ostium, else in the middle of the image."""
    state = ReadingState()
    if study.stenoses:
        on_lesion(state, study, int(np.argmax([s.diameter_pct for s in study.stenoses])))
    elif len(study.tree):
        on_branch(state, study, 0)
    else:
        middle = study.volume.affine @ [*(np.array(study.volume.array.shape) / 2), 1.0]
        state.position_mm = tuple(map(float, middle[:3]))
    return state


def on_lesion(state: ReadingState, study: Study, index: int) -> None:
    """A row of the findings table: every view goes to the lesion's minimal lumen."""
    stenosis = study.stenoses[int(index)]
    _move(state, study, stenosis.branch, stenosis.position_mm)
    state.lesion = int(index)


def on_branch(state: ReadingState, study: Study, index: int) -> None:
    """Another vessel is chosen: its beginning."""
    _move(state, study, int(index), 0.0)


def on_fraction(state: ReadingState, study: Study, fraction: float) -> None:
    """A click on the pullback curve or along the straightened vessel, as a fraction of the vessel's length."""
    if state.branch >= 0:
        on_distance(state, study, fraction * study.branch(state.branch).length_mm)


def on_hover(state: ReadingState, study: Study, fraction: float) -> None:
    """The pointer over curve or straightened vessel, as a fraction of its length; below 0 where it has left. Only the cross-section follows it."""
    if state.branch >= 0 and np.isfinite(fraction):
        state.hover_mm = float(min(fraction, 1.0) * study.branch(state.branch).length_mm) if fraction >= 0 else -1.0


def on_step(state: ReadingState, study: Study, steps: float) -> None:
    """Along the vessel from plane to plane: the wheel over the cross-section, or the arrow keys."""
    if state.branch < 0:
        return
    section = study.section(state.branch)
    apart_mm = float(np.diff(section.distance_mm).mean()) if section is not None and len(section) > 1 else 0.25
    on_distance(state, study, state.distance_mm + steps * apart_mm)


def on_tightest(state: ReadingState, study: Study) -> None:
    """The minimal lumen of the nearest stenosis of the vessel that is shown."""
    own = [(abs(one.position_mm - state.distance_mm), index) for index, one in enumerate(study.stenoses) if one.branch == state.branch]
    if own:
        on_lesion(state, study, min(own)[1])


def on_next_lesion(state: ReadingState, study: Study, steps: int) -> None:
    """The next or the last row of the table."""
    if study.stenoses:
        on_lesion(state, study, (state.lesion + steps) % len(study.stenoses) if state.lesion >= 0 else 0)


def on_distance(state: ReadingState, study: Study, distance_mm: float) -> None:
    """A place along the vessel that is shown, mm."""
    if state.branch >= 0:
        _move(state, study, state.branch, distance_mm)


def on_slice(state: ReadingState, study: Study, name: str, fraction_x: float, fraction_y: float) -> None:
    """A click into the axial, coronal or sagittal picture (fractions of its width and height)."""
    on_position(state, study, place_in_slice(state, study, name, fraction_x, fraction_y))


def place_in_slice(state: ReadingState, study: Study, name: str, fraction_x: float, fraction_y: float) -> np.ndarray:
    """(3,) patient position of a place in a slice (fractions of its picture)."""
    return plane_of(state, study, name).position_mm(fraction_x, fraction_y)


def on_scroll(state: ReadingState, study: Study, name: str, steps: int) -> None:
    """The wheel over a slice: one voxel along the plane's normal per step."""
    on_position(state, study, scrolled(state, study, name, steps))


def on_position(state: ReadingState, study: Study, position_mm) -> None:
    """A place anywhere in the patient (slice, 3-D tree). ValueError where it is none."""
    place = np.asarray(position_mm, float)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise ValueError(f"a place needs three finite numbers, got {position_mm}")
    state.position_mm = tuple(map(float, place))
    branch, distance_mm, apart_mm = nearest_on_tree(study, position_mm)
    if apart_mm <= FOLLOW_MM:
        state.branch, state.distance_mm = branch, distance_mm
    _arrived(state, study, apart_mm <= FOLLOW_MM)


def on_turn(state: ReadingState, study: Study, degrees: float) -> None:
    """The straightened vessel turns about its own axis."""
    state.cpr_angle_deg = float(state.cpr_angle_deg + degrees) % 360


def on_window_drag(state: ReadingState, study: Study, width_hu: float, level_hu: float) -> None:
    """A drag with the right button: wider to the right, brighter level downwards."""
    if not np.isfinite([width_hu, level_hu]).all():
        raise ValueError(f"a window needs finite numbers, got {width_hu}, {level_hu}")
    state.width_hu = float(np.clip(state.width_hu + width_hu, 10.0, 4000.0))
    state.level_hu = float(np.clip(state.level_hu + level_hu, -1000.0, 2500.0))


def on_mode(state: ReadingState, study: Study, mode: str) -> None:
    """A reading tool, or a centerline point to be moved; the same again ends it."""
    state.mode = mode if mode in MODES and mode != state.mode else ""
    state.draft, state.tools = None, replace(state.tools, pending=None)


def on_escape(state: ReadingState, study: Study) -> None:
    """Leaves what is being drawn or measured."""
    state.draft, state.mode, state.tools = None, "", replace(state.tools, pending=None, places=())


def on_field(state: ReadingState, study: Study, name: str) -> None:
    """Another field of view of the slices, by name."""
    state.field_mm = FIELDS_MM[name]


def on_window(state: ReadingState, study: Study, preset: str) -> None:
    """A window preset by name."""
    state.level_hu, state.width_hu = WINDOWS[preset]


def on_stent(state: ReadingState, study: Study, index: int) -> None:
    """The stent button of a lesion: plans one over it, of the healthy calibre, or takes it away. Goes there."""
    lesion = study.stenoses[int(index)]
    stent = stent_over(study.problem, lesion)
    state.stents = tuple(one for one in state.stents if one != stent) if stent in state.stents else (*state.stents, stent)
    on_lesion(state, study, index)


def on_plan(state: ReadingState, study: Study, text: str) -> None:
    """A stent as the reader writes it (`cfd.planner.stent_of`), added to the plan; nothing written clears the plan. BadInput where it is none."""
    state.stents = (*state.stents, stent_of(text, study.problem, study.stenoses)) if text.strip() else ()
    if state.stents:
        _move(state, study, state.stents[-1].branch, (state.stents[-1].from_mm + state.stents[-1].to_mm) / 2)


def nearest_on_tree(study: Study, position_mm) -> tuple[int, float, float]:
    """(branch, distance along it mm, distance from it mm) of the nearest centerline point; (-1, 0, inf) without a tree."""
    best = (-1, 0.0, float("inf"))
    for index, branch in enumerate(study.tree):
        apart = np.linalg.norm(branch.points_mm - np.asarray(position_mm), axis=1)
        nearest = int(apart.argmin())
        if apart[nearest] < best[2]:
            best = (index, float(branch.distance_mm[nearest]), float(apart[nearest]))
    return best


def place_facts(state: ReadingState, study: Study) -> list[str]:
    """Name of the vessel, distance, diameter and FFR where the pointer or the cross-hair is on it; [] without a tree. What is not known is left out."""
    if state.branch < 0:
        return []
    branch, at_mm = study.branch(state.branch), state.cross_mm
    diameter, ffr = study.diameter_at(state.branch, at_mm), study.ffr_at(state.branch, at_mm)
    facts = [branch.name or f"#{state.branch}", f"{at_mm:.0f} mm"]
    facts += [f"Ø {diameter:.1f} mm"] if diameter is not None else []
    return facts + ([f"FFR {ffr:.2f}"] if ffr is not None else [])


def _move(state: ReadingState, study: Study, branch: int, distance_mm: float) -> None:
    if not np.isfinite(distance_mm):
        raise ValueError(f"a distance must be a finite number, got {distance_mm}")
    state.branch = branch
    state.distance_mm = float(np.clip(distance_mm, 0.0, study.branch(branch).length_mm))
    state.position_mm = tuple(float(value) for value in study.branch(branch).point_at(state.distance_mm))
    follow_artery(state, study)
    _arrived(state, study, True)


def _arrived(state: ReadingState, study: Study, on_vessel: bool) -> None:
    """Another place: what belonged to the last one is closed, and the row of the stenosis that holds it is chosen."""
    state.lesion = lesion_at(study, state) if on_vessel else -1
    state.hover_mm, state.draft, state.tools = -1.0, None, replace(state.tools, pending=None)
    state.mode = "" if state.mode == "brush" else state.mode


def lesion_at(study: Study, state: ReadingState) -> int:
    """Index of the stenosis whose stretch holds the place, -1 where there is none."""
    here = (k for k, one in enumerate(study.stenoses) if one.branch == state.branch and one.entry_mm <= state.distance_mm <= one.exit_mm)
    return next(here, -1)
