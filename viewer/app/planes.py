"""Slices through the cross-hair along the patient's axes, drawn as radiologists hang them: patient's right on the left, head up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccta.anatomy.reformat import sampled
from ccta.coordinates import to_patient_mm
from ccta.model import Volume

AXES = {"axial": (0, 1, 2, 1), "coronal": (0, 2, 1, -1), "sagittal": (1, 2, 0, -1)}
"""Plane: LPS axis to the right, LPS axis downwards, axis through the plane, sign of the downward axis."""

EDGES = {"axial": "RLAP", "coronal": "RLHF", "sagittal": "APHF"}
"""Letters at the left, right, upper and lower edge: right, left, anterior, posterior, head, feet."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A rectangular slice. origin_mm: (3,) patient position of the top left corner. right, down: (3,) unit vectors. size_mm: (width, height)."""

    origin_mm: np.ndarray
    right: np.ndarray
    down: np.ndarray
    size_mm: tuple[float, float]

    def position_mm(self, fraction_x: float, fraction_y: float) -> np.ndarray:
        """Patient position of a place in the picture (0-1 from the left, 0-1 from the top)."""
        return self.origin_mm + fraction_x * self.size_mm[0] * self.right + fraction_y * self.size_mm[1] * self.down

    def fraction(self, position_mm: np.ndarray) -> tuple[float, float]:
        """Where a patient position falls in the picture (projected)."""
        offset = np.asarray(position_mm) - self.origin_mm
        return float(offset @ self.right / self.size_mm[0]), float(offset @ self.down / self.size_mm[1])


def bounds_mm(volume: Volume) -> np.ndarray:
    """(2, 3) lowest and highest patient position of the image, mm."""
    corners = np.array(np.meshgrid(*([-0.5, n - 0.5] for n in volume.array.shape), indexing="ij")).reshape(3, -1).T
    positions = to_patient_mm(corners, volume.affine)
    return np.stack([positions.min(axis=0), positions.max(axis=0)])


def through_axis(name: str) -> int:
    """The patient axis (0 left, 1 posterior, 2 head) that a slice is perpendicular to."""
    return AXES[name][2]


def plane_through(volume: Volume, name: str, position_mm, field_mm: float = 0.0) -> Plane:
    """The axial, coronal or sagittal plane through a position: as large as the image, or a square of `field_mm` about the position."""
    right_axis, down_axis, through, sign = AXES[name]
    low, high = bounds_mm(volume)
    origin = np.array(low, float)
    origin[through] = np.clip(position_mm[through], low[through] + 1e-3, high[through] - 1e-3)
    origin[down_axis] = low[down_axis] if sign > 0 else high[down_axis]
    extent = high - low
    if field_mm:
        extent = np.full(3, field_mm)
        origin[right_axis], origin[down_axis] = position_mm[right_axis] - field_mm / 2, position_mm[down_axis] - sign * field_mm / 2
    return Plane(origin, np.eye(3)[right_axis], sign * np.eye(3)[down_axis], (float(extent[right_axis]), float(extent[down_axis])))


def plane_image(volume: Volume, plane: Plane, pixel_mm: float) -> np.ndarray:
    """(rows, columns) HU of a plane, pixel centres."""
    columns, rows = (max(1, round(size / pixel_mm)) for size in plane.size_mm)
    x = (np.arange(columns) + 0.5) / columns * plane.size_mm[0]
    y = (np.arange(rows) + 0.5) / rows * plane.size_mm[1]
    points = plane.origin_mm + y[:, None, None] * plane.down + x[None, :, None] * plane.right
    return sampled(volume, points)


def windowed(hu: np.ndarray, level_hu: float, width_hu: float) -> np.ndarray:
    """HU -> uint8 grey: level in the middle, width from black to white (DICOM PS3.3 C.11.2.1.2)."""
    return np.clip((hu - level_hu) / width_hu * 255 + 127.5, 0, 255).astype(np.uint8)
