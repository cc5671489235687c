"""Slices through the cross-hair: along the patient's axes, hung as radiologists do (patient's right on the left, head up), or turned about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccta.anatomy.slab import projected
from ccta.coordinates import to_patient_mm
from ccta.model import Volume
from viewer.app.views.state import UPRIGHT

AXES = {"axial": (0, 1, 2, 1), "coronal": (0, 2, 1, -1), "sagittal": (1, 2, 0, -1)}
"""Upright plane: LPS axis to the right, LPS axis downwards, axis through the plane, sign of the downward axis."""

NOTCH_DEG = 22.5
"""A direction is named by every axis from which it is at most 67.5 degrees away: RA is right and anterior."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A rectangular slice. origin_mm: (3,) patient position of the top left corner. right, down: (3,) unit vectors. size_mm: (width, height)."""

    origin_mm: np.ndarray
    right: np.ndarray
    down: np.ndarray
    size_mm: tuple[float, float]

    @property
    def normal(self) -> np.ndarray:
        """(3,) unit vector away from the viewer."""
        return np.cross(self.right, self.down)

    def position_mm(self, fraction_x: float, fraction_y: float) -> np.ndarray:
        """Patient position of a place in the picture (0-1 from the left, 0-1 from the top)."""
        return self.origin_mm + fraction_x * self.size_mm[0] * self.right + fraction_y * self.size_mm[1] * self.down

    def fraction(self, position_mm: np.ndarray) -> tuple[float, float]:
        """Where a patient position falls in the picture (projected)."""
        offset = np.asarray(position_mm) - self.origin_mm
        return float(offset @ self.right / self.size_mm[0]), float(offset @ self.down / self.size_mm[1])

    def pixels(self, pixel_mm: float) -> tuple[int, int]:
        """(rows, columns) of pixels about as large as that."""
        columns, rows = (max(1, round(size / pixel_mm)) for size in self.size_mm)
        return rows, columns

    def grid_mm(self, pixel_mm: float) -> np.ndarray:
        """(rows, columns, 3) patient positions of the pixels' centres."""
        rows, columns = self.pixels(pixel_mm)
        x, y = (np.arange(columns) + 0.5) / columns * self.size_mm[0], (np.arange(rows) + 0.5) / rows * self.size_mm[1]
        return self.origin_mm + y[:, None, None] * self.down + x[None, :, None] * self.right


def bounds_mm(volume: Volume) -> np.ndarray:
    """(2, 3) lowest and highest patient position of the image, mm."""
    corners = np.array(np.meshgrid(*([-0.5, n - 0.5] for n in volume.array.shape), indexing="ij")).reshape(3, -1).T
    positions = to_patient_mm(corners, volume.affine)
    return np.stack([positions.min(axis=0), positions.max(axis=0)])


def plane_through(volume: Volume, name: str, position_mm, field_mm: float = 0.0, axes=None) -> Plane:
    """The slice of that name through a position: as large as the image, or a square of `field_mm` about the position.

    axes: its (right, down) where it is turned; its size stays and its middle is the image's, so that nothing jumps while it turns.
    """
    right, down = (np.array(direction, float) for direction in axes or UPRIGHT[name])
    low, high = bounds_mm(volume)
    position, normal = np.asarray(position_mm, float), np.cross(right, down)
    through = (np.clip(position, low + 1e-3, high - 1e-3) @ normal) * normal
    center = position if field_mm else (low + high) / 2
    center = center - (center @ normal) * normal + through
    right_axis, down_axis, _, _ = AXES[name]
    width, height = (field_mm, field_mm) if field_mm else (float((high - low)[right_axis]), float((high - low)[down_axis]))
    return Plane(center - width / 2 * right - height / 2 * down, right, down, (width, height))


def direction_name(direction) -> str:
    """Letters of a patient direction (LPS): L or R, A or P, H or F, the nearest axis first, at most two."""
    letters = [("RL"[int(value > 0)] if axis == 0 else "AP"[int(value > 0)] if axis == 1 else "FH"[int(value > 0)]) for axis, value in enumerate(direction)]
    size = np.abs(np.asarray(direction, float))
    order = np.argsort(-size, kind="stable")[:2]
    return "".join(letters[axis] for axis in order if size[axis] > np.sin(np.deg2rad(NOTCH_DEG)))


def edge_letters(right, down) -> list[str]:
    """Directions at the left, right, upper and lower edge of a picture."""
    right, down = np.asarray(right), np.asarray(down)
    return [direction_name(one) for one in (-right, right, -down, down)]


def plane_image(volume: Volume, plane: Plane, pixel_mm: float, slab: tuple[str, float] = ("mean", 0.0)) -> np.ndarray:
    """(rows, columns) HU of a plane, or through a slab about it (`ccta.anatomy.slab.KINDS`, mm), pixel centres."""
    rows, columns = plane.pixels(pixel_mm)
    across, down = plane.size_mm[0] / columns * plane.right, plane.size_mm[1] / rows * plane.down
    return projected(volume, plane.origin_mm + across / 2 + down / 2, across, down, (rows, columns), slab)


def windowed(hu: np.ndarray, level_hu: float, width_hu: float) -> np.ndarray:
    """HU -> uint8 grey: level in the middle, width from black to white (DICOM PS3.3 C.11.2.1.2)."""
    return np.clip((hu - level_hu) / width_hu * 255 + 127.5, 0, 255).astype(np.uint8)
