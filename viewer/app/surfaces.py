"""The flat pictures as surfaces in the patient: where a place of a picture lies, and where a position falls in it. What is measured is measured there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccta.anatomy.reformat import Frames
from ccta.anatomy.stretched import Stretched
from viewer.app.pictures import cross_half_mm, planes_at
from viewer.app.planes import AXES, Plane
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.curved import curve_of
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


@dataclass(frozen=True, eq=False)
class Curved:
    """The curved vessel at one angle: a surface unrolled, so that a straight line in the picture is as long as it is on the surface."""

    branch: int
    angle_deg: float
    surface: Stretched

    def flat_mm(self, fraction_x: float, fraction_y: float) -> tuple[float, float]:
        """(along the picture, below its middle) in mm of a place in it."""
        frame = self.surface.frame
        return float(fraction_x) * frame.width_mm, (float(fraction_y) - 0.5) * frame.height_mm

    def fraction_of_flat(self, along_mm: float, below_mm: float) -> tuple[float, float]:
        """Where a place (along, below) falls in the picture."""
        frame = self.surface.frame
        return along_mm / frame.width_mm, 0.5 + below_mm / frame.height_mm

    def position_mm(self, fraction_x: float, fraction_y: float) -> np.ndarray:
        """(3,) patient position of a place in the picture, NaN beyond the surface's end."""
        along_mm, below_mm = self.flat_mm(fraction_x, fraction_y)
        if not 0 <= along_mm <= self.surface.unrolled_mm[-1]:
            return np.full(3, np.nan)
        return self.surface.position_mm(np.float64(along_mm), np.float64(below_mm))


Surface = Plane | Straightened | Curved
LAID_OUT = (Straightened, Curved)
"""Of a vessel; lengths alone are true in them."""


def surface_of(study: Study, state: ReadingState, view: str) -> Surface | None:
    """The surface that a picture shows now; None where it shows nothing that can be measured."""
    if view in AXES:
        return plane_of(state, study, view)
    if view not in MEASURED or state.branch < 0:
        return None
    if view == "cpr" and state.views.curved:
        return Curved(state.branch, state.cpr_angle_deg, curve_of(state, study))
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
