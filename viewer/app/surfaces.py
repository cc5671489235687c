"""The flat pictures as surfaces in the patient: where a place of a picture lies, and where a position falls in it. What is measured is measured there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccta.anatomy.reformat import Frames
from viewer.app.pictures import cross_half_mm, planes_at
from viewer.app.planes import AXES, Plane
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.oblique import plane_of

FLAT = (*AXES, "cross")
"""Pictures that are planes of the patient, in which every length, angle and area is true."""
MEASURED = (*FLAT, "cpr")
SAME_ANGLE_DEG = 2.0


@dataclass(frozen=True, eq=False)
class Straightened:
    """The vessel laid out straight at one angle: x along it, y beside it. frames: one plane per column of the picture."""

    branch: int
    angle_deg: float
    frames: Frames
    half_width_mm: float

    @property
    def length_mm(self) -> float:
        return float(self.frames.distance_mm[-1])

    def flat_mm(self, fraction_x: float, fraction_y: float) -> tuple[float, float]:
        """(along the vessel, beside it) in mm of a place in the picture."""
        return float(fraction_x) * self.length_mm, (2 * float(fraction_y) - 1) * self.half_width_mm

    def fraction_of_flat(self, along_mm: float, beside_mm: float) -> tuple[float, float]:
        """Where a place (along, beside) falls in the picture."""
        return along_mm / self.length_mm, 0.5 + 0.5 * beside_mm / self.half_width_mm

    def position_mm(self, fraction_x: float, fraction_y: float) -> np.ndarray:
        """(3,) patient position of a place in the picture."""
        along_mm, beside_mm = self.flat_mm(fraction_x, fraction_y)
        row = int(np.clip(np.searchsorted(self.frames.distance_mm, along_mm), 0, len(self.frames) - 1))
        angle = np.deg2rad(self.angle_deg)
        return self.frames.center_mm[row] + beside_mm * (np.cos(angle) * self.frames.axis_u[row] + np.sin(angle) * self.frames.axis_v[row])


Surface = Plane | Straightened


def surface_of(study: Study, state: ReadingState, view: str) -> Surface | None:
    """The surface that a picture shows now; None where it shows nothing that can be measured."""
    if view in AXES:
        return plane_of(state, study, view)
    if view not in MEASURED or state.branch < 0 or (view == "cpr" and state.views.curved):
        return None
    return cross_plane(study, state) if view == "cross" else straightened(study, state)


def cross_plane(study: Study, state: ReadingState) -> Plane:
    """The cross-section as it is drawn: u to the right, v downwards."""
    (frames, _), half_mm = planes_at(study, state.branch, [state.cross_mm]), cross_half_mm(study, state)
    right, down = frames.axis_u[0], frames.axis_v[0]
    return Plane(frames.center_mm[0] - half_mm * (right + down), right, down, (2 * half_mm, 2 * half_mm))


def straightened(study: Study, state: ReadingState) -> Straightened:
    """The straightened vessel as it is turned now."""
    grid, frames = study.straight(state.branch)
    return Straightened(state.branch, state.cpr_angle_deg, frames, grid.half_width_mm)


def depth_mm(plane: Plane, positions_mm: np.ndarray) -> np.ndarray:
    """(N,) distances of positions (N, 3) from a plane."""
    return np.abs((np.asarray(positions_mm, float) - plane.origin_mm) @ np.cross(plane.right, plane.down))
