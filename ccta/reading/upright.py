"""Volumes with patient axes: sagittal and coronal stacks are turned without loss, tilted and oblique ones are resampled."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.errors import BadInput
from ccta.model import Volume

KEPT_TURN_DEG = 3.0  # a rotation this small is left in the affine: resampling would blur more than it straightens
KEPT_SHEAR_DEG = 0.5  # rounded positions; distances in a volume sheared by this are wrong by less than 1 %
MAX_GROWTH = 8.0  # times the stack's own voxels: a cube turned by 45 degrees about two axes needs 4
AIR_HU = -1024


def axial_last(volume: Volume) -> Volume:
    """Axes permuted (never flipped) so that i, j, k run closest to left-right, front-back, head-foot. Values stay as they are."""
    direction = np.abs(_directions(volume.affine))
    k = int(np.argmax(direction[2]))
    rest = [axis for axis in range(3) if axis != k]
    i, j = rest if direction[0, rest[0]] >= direction[0, rest[1]] else rest[::-1]
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, [i, j, k]]
    return Volume(volume.array.transpose(i, j, k), affine, volume.frame_of_reference_uid)


def upright(volume: Volume) -> tuple[Volume, str]:
    """(the volume with axes along the patient's, what was done to it or ''). Trilinear; -1024 HU where the stack does not reach.

    Along each patient axis the new spacing is the finest that the stack itself has in that direction: min over its axes a of spacing_a / |cosine_a|.
    """
    turned = axial_last(volume)
    turn, shear = off_axis_deg(turned.affine)
    if turn <= KEPT_TURN_DEG and shear <= KEPT_SHEAR_DEG:
        return turned, ""
    target, shape = _grid(turned)
    matrix = np.linalg.inv(turned.affine) @ target
    array = np.empty(shape[::-1], np.int16).T  # a slice array[:, :, k] is contiguous, as in any volume that is read
    for k in range(shape[2]):  # slice by slice: no copy of the stack in another type
        array[:, :, k] = _slice(turned.array, matrix[:3, :2], matrix[:3, 2] * k + matrix[:3, 3], shape[:2])
    word = "sheared (tilted gantry)" if shear > KEPT_SHEAR_DEG else "oblique"
    said = f"the stack is {word}, {max(turn, shear):.1f} degrees off the patient's axes: resampled to them"
    return Volume(array, target, volume.frame_of_reference_uid), said


def off_axis_deg(affine: np.ndarray) -> tuple[float, float]:
    """(largest angle of an index axis from its patient axis, largest departure from right angles between index axes), degrees."""
    direction = _directions(affine)
    turn = np.degrees(np.arccos(np.clip(np.abs(np.diag(direction)), 0, 1))).max()
    dots = [abs(direction[:, a] @ direction[:, b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    return float(turn), float(np.degrees(np.arcsin(np.clip(dots, 0, 1))).max())


def _directions(affine: np.ndarray) -> np.ndarray:
    return affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)


def _grid(volume: Volume) -> tuple[np.ndarray, tuple[int, int, int]]:
    """(affine, shape) of the patient-aligned box about the voxel centres. BadInput where the box would be absurdly larger than the stack."""
    cosine = np.abs(_directions(volume.affine))
    spacing = (volume.spacing_mm / np.maximum(cosine, 1e-9)).min(axis=1)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in volume.array.shape], indexing="ij")).reshape(3, -1).T @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = tuple(int(n) for n in np.floor((high - low) / spacing + 1e-6) + 1)
    if np.prod(shape, dtype=float) > MAX_GROWTH * volume.array.size:
        raise BadInput(
            f"The stack lies so obliquely ({off_axis_deg(volume.affine)[0]:.0f} degrees off the patient's axes) that a box about it has "
            f"{shape[0]} x {shape[1]} x {shape[2]} voxels. Choose an axial reconstruction with `ccta list`."
        )
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    return affine, shape


def _slice(array: np.ndarray, matrix: np.ndarray, offset: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """One slice: values at matrix @ (i, j) + offset."""
    i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    index = matrix[:, 0, None, None] * i + matrix[:, 1, None, None] * j + offset[:, None, None]
    border = np.array(array.shape)[:, None, None] - 1
    index = np.where(np.abs(index - np.clip(index, 0, border)) < 1e-6, np.clip(index, 0, border), index)  # rounding at the stack's faces
    return ndimage.map_coordinates(array, index, order=1, mode="constant", cval=AIR_HU, output=np.int16)
