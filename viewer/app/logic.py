"""What a click means: pure changes of `ReadingState`. One truth for all views: the cross-hair, and the place on the tree nearest to it."""

from __future__ import annotations

import numpy as np

from cfd.planner import stent_of, stent_over
from viewer.app.planes import bounds_mm, plane_through, through_axis
from viewer.app.state import FIELDS_MM, WINDOWS, ReadingState
from viewer.app.study import Study

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


def on_distance(state: ReadingState, study: Study, distance_mm: float) -> None:
    """A place along the vessel that is shown, mm."""
    if state.branch >= 0:
        _move(state, study, state.branch, distance_mm)


def on_slice(state: ReadingState, study: Study, name: str, fraction_x: float, fraction_y: float) -> None:
    """A click into the axial, coronal or sagittal picture (fractions of its width and height)."""
    on_position(state, study, plane_through(study.volume, name, state.position_mm, state.field_mm).position_mm(fraction_x, fraction_y))


def on_scroll(state: ReadingState, study: Study, name: str, steps: int) -> None:
    """The wheel over a slice: one voxel along the plane's normal per step."""
    axis = through_axis(name)
    low, high = bounds_mm(study.volume)
    step_mm = float(np.abs(study.volume.affine[axis, :3]).max())
    position = np.array(state.position_mm)
    position[axis] = np.clip(position[axis] + steps * step_mm, low[axis], high[axis])
    on_position(state, study, position)


def on_position(state: ReadingState, study: Study, position_mm) -> None:
    """A place anywhere in the patient (slice, 3-D tree). ValueError where it is none."""
    place = np.asarray(position_mm, float)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise ValueError(f"a place needs three finite numbers, got {position_mm}")
    state.position_mm = tuple(map(float, place))
    branch, distance_mm, apart_mm = nearest_on_tree(study, position_mm)
    if apart_mm <= FOLLOW_MM:
        state.branch, state.distance_mm = branch, distance_mm
        _touch(state, study)
    state.lesion = -1


def on_turn(state: ReadingState, study: Study, degrees: float) -> None:
    """The straightened vessel turns about its own axis."""
    state.cpr_angle_deg = float(state.cpr_angle_deg + degrees) % 360


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


def _move(state: ReadingState, study: Study, branch: int, distance_mm: float) -> None:
    state.branch = branch
    state.distance_mm = float(np.clip(distance_mm, 0.0, study.branch(branch).length_mm))
    state.position_mm = tuple(float(value) for value in study.branch(branch).point_at(state.distance_mm))
    state.lesion = -1
    _touch(state, study)


def _touch(state: ReadingState, study: Study) -> None:
    """The sentence about the place: vessel, distance, diameter, FFR."""
    branch = study.branch(state.branch)
    parts = [f"{branch.name or f'branch {state.branch}'} {state.distance_mm:.0f} mm"]
    diameter, ffr = study.diameter_at(state.branch, state.distance_mm), study.ffr_at(state.branch, state.distance_mm)
    parts += [f"Ø {diameter:.1f} mm"] if diameter is not None else []
    parts += [f"FFR {ffr:.2f}"] if ffr is not None else []
    state.place_text = " · ".join(parts)
