"""Slices turned about the cross-hair, by hand or along the artery: pure functions of `ViewState.axes`, and the lines that the slices draw in one another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from viewer.app.planes import Plane, bounds_mm, plane_through
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.state import UPRIGHT

NAMES = tuple(UPRIGHT)
LINES = {"axial": "#5df29a", "coronal": "#f09be6", "sagittal": "#f2e394"}
"""Colour of the line that a slice draws in the others."""
GAP = 2.5
"""Half of the gap in the middle of the cross-hair, percent of the picture, so that the vessel stays visible."""
GRIP = 0.86
"""Where a line's end can be taken, as a share of the way from the cross-hair to the edge."""
SCROLL_SIGN = {"axial": 1.0, "coronal": 1.0, "sagittal": -1.0}
"""The wheel goes towards head, back and left, as the patient's axes run."""


def plane_of(state: ReadingState, study: Study, name: str) -> Plane:
    """The slice as it is shown."""
    return plane_through(study.volume, name, state.position_mm, state.field_mm, state.views.axes_of(name))


def on_rotate(state: ReadingState, study: Study, name: str, degrees: float) -> None:
    """The cross-hair's lines turned in one slice: the two others turn about its normal, which stays. Clockwise as seen in it. ValueError for no number."""
    if not np.isfinite(degrees):
        raise ValueError(f"an angle must be a finite number, got {degrees}")
    right, down = state.views.axes_of(name)
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * np.cross(right, down)).as_matrix()
    axes = tuple(state.views.axes_of(one) if one == name else _clean(np.array(state.views.axes_of(one)) @ turn.T) for one in NAMES)
    state.views = replace(state.views, axes=axes, along=False)


def on_along(state: ReadingState, study: Study) -> None:
    """The slices go across and along the artery at the place, and turn with it from there on; the same again ends it and sets them upright."""
    if state.views.along or state.branch < 0:
        on_upright(state, study)
    else:
        state.views = replace(state.views, along=True)
        follow_artery(state, study)


def on_upright(state: ReadingState, study: Study) -> None:
    """Back to the patient's axes."""
    state.views = replace(state.views, axes=tuple(UPRIGHT.values()), along=False)


def follow_artery(state: ReadingState, study: Study) -> None:
    """Where the slices follow the artery: the first lies across it, turned as the cross-section is, the two others along it, its end upwards."""
    if state.views.along and state.branch >= 0:
        u, v, tangent = frame_at(study, state.branch, state.distance_mm)
        axes = tuple(map(_clean, ((u, v), (u, -tangent), (v, -tangent))))
        state.views = replace(state.views, axes=axes)


def frame_at(study: Study, branch: int, distance_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(u, v, tangent) of the plane across a branch that is nearest to a place: that of its contours where it has any."""
    own = study.section(branch) if study.section(branch) is not None else study.frames(branch)
    nearest = int(np.abs(own.distance_mm - distance_mm).argmin())
    return own.axis_u[nearest], own.axis_v[nearest], own.normal[nearest]


def scrolled(state: ReadingState, study: Study, name: str, steps: float) -> np.ndarray:
    """(3,) the cross-hair moved along a slice's normal, one voxel per step, within the image."""
    right, down = state.views.axes_of(name)
    normal = SCROLL_SIGN[name] * np.cross(right, down)
    along = np.linalg.inv(study.volume.affine[:3, :3]) @ normal
    step_mm = 1.0 / np.abs(along).max()
    return np.clip(np.add(state.position_mm, steps * step_mm * normal), *bounds_mm(study.volume))


def tilt_deg(state: ReadingState, name: str) -> float:
    """Angle between a slice and its upright one."""
    normal, upright = (np.cross(*axes) for axes in (state.views.axes_of(name), UPRIGHT[name]))
    return float(np.degrees(np.arccos(np.clip(abs(normal @ upright), 0, 1))))


def cross_hair(state: ReadingState, study: Study, name: str) -> dict:
    """lines: [x1, y1, x2, y2, colour] in a 0-100 box, two halves for each of the other slices, the upper half of the steeper line first.

    grips: [x, y] of the places where the lines' ends can be taken.
    """
    plane = plane_of(state, study, name)
    middle = 100 * np.array(plane.fraction(state.position_mm))
    others = sorted((one for one in NAMES if one != name), key=lambda one: abs(_direction(state, plane, one)[0]))
    lines, grips = [], []
    for one in others:
        direction = _direction(state, plane, one)
        direction = -direction if direction[1] > 0 or (direction[1] == 0 and direction[0] > 0) else direction
        for way in (direction, -direction):
            reach = _reach(middle, way)
            if reach > GAP:
                edge, near = middle + reach * way, middle + GAP * way
                lines.append([*edge.round(2).tolist(), *near.round(2).tolist(), LINES[one]])
                grips.append((middle + GRIP * reach * way).round(2).tolist())
    return {"lines": lines, "grips": grips}


def _direction(state: ReadingState, plane: Plane, other: str) -> np.ndarray:
    """(2,) unit direction in percent of the picture of the line in which another slice cuts this one."""
    line = np.cross(plane.normal, np.cross(*state.views.axes_of(other)))
    inside = np.array([line @ plane.right / plane.size_mm[0], line @ plane.down / plane.size_mm[1]])
    return inside / np.linalg.norm(inside)


def _reach(middle: np.ndarray, way: np.ndarray) -> float:
    """How far it is from a place to the edge of the 0-100 box."""
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(way > 0, (100 - middle) / way, np.where(way < 0, -middle / way, np.inf))
    return float(max(far.min(), 0.0))


def _clean(axes) -> tuple:
    """(right, down) orthonormal, as plain numbers."""
    right = np.asarray(axes[0]) / np.linalg.norm(axes[0])
    down = np.asarray(axes[1]) - (np.asarray(axes[1]) @ right) * right
    return tuple(map(float, right)), tuple(map(float, down / np.linalg.norm(down)))
