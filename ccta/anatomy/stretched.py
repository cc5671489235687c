"""Stretched curved-planar reformat: the surface that parallel lines sweep along the vessel, flattened without a change of length (Kanitsar 2002, IEEE Vis)."""

from dataclasses import dataclass

import numpy as np

from ccta.anatomy.reformat import sampled
from ccta.curves import smoothed_curve
from ccta.model import Branch, Volume

STEP_MM = 0.25
MARGIN_MM = 8.0
STRETCHED_COLUMNS = 640


@dataclass(frozen=True, eq=False)
class StretchedFrame:
    """What stays the same while a stretched reformat turns.

    distance_mm, points_mm: (N,), (N, 3) along the branch. middle_mm: (3,) of the picture. across: (2, 3), two unit vectors perpendicular
    to the vessel's main direction. width_mm: along the picture; half_mm: to either side of the middle. pixel_mm: of both directions.
    """

    distance_mm: np.ndarray
    points_mm: np.ndarray
    middle_mm: np.ndarray
    across: np.ndarray
    width_mm: float
    half_mm: float
    pixel_mm: float

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the picture."""
        return 2 * round(self.half_mm / self.pixel_mm) + 1, round(self.width_mm / self.pixel_mm)

    @property
    def height_mm(self) -> float:
        return self.shape[0] * self.pixel_mm


@dataclass(frozen=True, eq=False)
class Stretched:
    """The flattened surface at one angle. line: (3,) unit vector downwards in the picture. unrolled_mm: (N,) place along the picture of each point of the
    frame: a step ds of the centerline takes sqrt(ds^2 - (ds . line)^2), so that every length on the surface is kept."""

    frame: StretchedFrame
    line: np.ndarray
    unrolled_mm: np.ndarray

    def distance_at(self, place_mm) -> np.ndarray:
        """Arc length on the branch at places along the picture, mm; its ends beyond them."""
        return np.interp(place_mm, self.unrolled_mm, self.frame.distance_mm)

    def place_at(self, distance_mm) -> np.ndarray:
        """Place along the picture of arc lengths on the branch, mm."""
        return np.interp(distance_mm, self.frame.distance_mm, self.unrolled_mm)

    def center_at(self, place_mm) -> np.ndarray:
        """(..., 3) centerline at places along the picture."""
        return np.stack([np.interp(place_mm, self.unrolled_mm, self.frame.points_mm[:, axis]) for axis in range(3)], axis=-1)

    def beside_mm(self, positions_mm: np.ndarray) -> np.ndarray:
        """How far below the picture's middle positions (..., 3) lie."""
        return (positions_mm - self.frame.middle_mm) @ self.line

    def position_mm(self, place_mm, lateral_mm) -> np.ndarray:
        """(..., 3) patient position at places along the picture and below its middle: where the linked views go after a click."""
        center = self.center_at(place_mm)
        return center + (lateral_mm - self.beside_mm(center))[..., None] * self.line

    def grid_mm(self) -> np.ndarray:
        """(rows, columns, 3) patient positions of the picture's pixels, NaN where the surface has ended."""
        rows, columns = self.frame.shape
        place = (np.arange(columns) + 0.5) * self.frame.pixel_mm
        lateral = (np.arange(rows) - rows // 2) * self.frame.pixel_mm
        positions = self.position_mm(place[None], lateral[:, None])
        positions[:, place > self.unrolled_mm[-1]] = np.nan
        return positions


def stretched_frame(branch: Branch, columns: int = STRETCHED_COLUMNS) -> StretchedFrame:
    """The branch in its picture: proximal end left, at angle 0 the patient's left downwards (his back, for a vessel that runs to the left)."""
    distance_mm = np.linspace(0, branch.length_mm, max(2, round(branch.length_mm / STEP_MM) + 1))
    points = branch.point_at(distance_mm)
    points = smoothed_curve(points, 1.0) if len(points) > 2 else points
    main = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][0]
    left = np.eye(3)[0] if abs(main[0]) < 0.9 else np.eye(3)[1]
    first = left - (left @ main) * main
    first /= np.linalg.norm(first)
    across = np.stack([first, np.cross(main, first)])
    beside = points @ across.T
    middle = (beside.min(axis=0) + beside.max(axis=0)) / 2
    half_mm = float(np.linalg.norm(beside - middle, axis=1).max()) + MARGIN_MM
    middle_mm = middle @ across + (points.mean(axis=0) @ main) * main
    return StretchedFrame(distance_mm, points, middle_mm, across, branch.length_mm, half_mm, branch.length_mm / columns)


def stretched(frame: StretchedFrame, angle_rad: float) -> Stretched:
    """The surface whose parallel lines run along cos(angle) and sin(angle) of the frame's two directions."""
    line = np.cos(angle_rad) * frame.across[0] + np.sin(angle_rad) * frame.across[1]
    step = np.diff(frame.points_mm, axis=0)
    return Stretched(frame, line, np.concatenate([[0.0], np.cumsum(np.sqrt(np.maximum((step**2).sum(axis=1) - (step @ line) ** 2, 0.0)))]))


def stretched_image(volume: Volume, surface: Stretched) -> np.ndarray:
    """(rows, columns) HU of the flattened surface, proximal end left; air where it has ended."""
    return sampled(volume, surface.grid_mm())
