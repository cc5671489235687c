"""Voxel index <-> patient LPS millimetres, sampling and resampling. The only place where an index meets a millimetre."""

import numpy as np
from scipy import ndimage

from ccta.errors import Refusal
from ccta.model import Volume
from ccta.threads import in_slabs


def to_patient_mm(index, affine) -> np.ndarray:
    """(..., 3) voxel index (i, j, k) -> (..., 3) patient LPS position, mm."""
    return np.asarray(index) @ affine[:3, :3].T + affine[:3, 3]


def to_index(points_mm, affine) -> np.ndarray:
    """(..., 3) patient LPS position, mm -> (..., 3) fractional voxel index."""
    return (np.asarray(points_mm) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T


def sample(volume: Volume, points_mm, order: int = 1, outside: float = -1024.0) -> np.ndarray:
    """Interpolated values at (..., 3) patient positions; shape (...). order 0 nearest, 1 linear, 3 cubic."""
    index = to_index(points_mm, volume.affine)
    flat = index.reshape(-1, 3).T
    values = ndimage.map_coordinates(volume.array, flat, order=order, mode="constant", cval=outside, output=np.float32, prefilter=order > 1)
    return values.reshape(index.shape[:-1])


def resampled(volume: Volume, spacing_mm: float, order: int = 1) -> Volume:
    """The same field of view on an isotropic grid along the same axes. Edges keep their place in millimetres (no half-voxel drift).

    Averages first where the new grid is coarser, so that thin structures do not alias (not for order 0: labels).
    """
    factor = spacing_mm / volume.spacing_mm
    shape = tuple(np.maximum(1, np.round(np.array(volume.array.shape) / factor).astype(int)))
    scale = np.diag([*factor, 1.0])
    scale[:3, 3] = (factor - 1) / 2
    source = volume.array
    if order > 0:
        sigma = np.where(factor > 1, 0.42 * np.sqrt(np.maximum(factor**2 - 1, 0)), 0)
        source = ndimage.gaussian_filter(source.astype(np.float32), sigma) if sigma.any() else source.astype(np.float32)
    array = _on_grid(source, scale, shape, order, "nearest")
    return Volume(array, volume.affine @ scale, volume.frame_of_reference_uid)


def resampled_like(volume: Volume, target: Volume, order: int = 1, outside: float = 0.0) -> Volume:
    """`volume` on the grid of `target`, `outside` where it does not reach. order 0 for labels."""
    matrix = np.linalg.inv(volume.affine) @ target.affine
    array = _on_grid(volume.array, matrix, target.array.shape, order, "constant", outside)
    return Volume(array, target.affine, target.frame_of_reference_uid)


def _on_grid(source: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...], order: int, mode: str, outside: float = 0.0) -> np.ndarray:
    """ndimage.affine_transform by slabs; matrix (4, 4) takes a new index to one of `source`. Along the same axes it is a zoom, which takes half the time."""
    out = np.empty(shape, source.dtype)
    turn = matrix[:3, :3]
    if np.array_equal(turn, np.diag(np.diag(turn))):
        turn = np.diag(turn)
    if order > 1:
        return ndimage.affine_transform(source, turn, offset=matrix[:3, 3], output_shape=shape, order=order, mode=mode, cval=outside)

    def slab(part: slice) -> None:
        offset = matrix[:3, 3] + matrix[:3, 0] * part.start
        ndimage.affine_transform(
            source, turn, offset=offset, output=out[part], output_shape=out[part].shape, order=order, mode=mode, cval=outside, prefilter=False
        )

    in_slabs(slab, shape[0])
    return out


def cropped(volume: Volume, low, high) -> Volume:
    """The box of voxels low <= index < high (clamped to the volume), with its place in the patient kept."""
    low = np.clip(np.asarray(low, int), 0, volume.array.shape)
    high = np.clip(np.asarray(high, int), low, volume.array.shape)
    affine = volume.affine.copy()
    affine[:3, 3] = to_patient_mm(low, volume.affine)
    return Volume(volume.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], affine, volume.frame_of_reference_uid)


def upright(volume: Volume) -> Volume:
    """The same image with its axes running to L, P and S (permuted and flipped, not resampled); exact for axial slices of any patient position."""
    order = [int(np.argmax(np.abs(volume.affine[row, :3]))) for row in range(3)]
    if sorted(order) != [0, 1, 2]:
        raise Refusal("the image lies too obliquely in the patient for axial slices to be told from others")
    array, affine = volume.array.transpose(order), volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, order]
    for axis in range(3):
        if affine[axis, axis] < 0:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    return Volume(array, affine, volume.frame_of_reference_uid)
