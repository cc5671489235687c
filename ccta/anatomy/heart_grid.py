"""To a coarse patient-aligned grid and back: the heart is found at 1.5 mm and drawn at the resolution of the image."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from scipy import ndimage

from ccta.model import HEART_LABELS, Volume


def coarse(volume: Volume, step_mm: float) -> Volume:
    """float32 HU on an isotropic grid whose axes are L, P, S and that holds the whole field of view; -1024 outside it.

    Averages whole blocks of voxels first, so that noise and thin structures do not alias.
    """
    block = np.maximum(1, np.floor(step_mm / volume.spacing_mm + 0.2)).astype(int)
    count = np.array(volume.array.shape) // block
    array = np.empty(count, np.float32)
    for i in range(count[0]):  # a slab at a time: no float copy of the whole image
        slab = volume.array[i * block[0] : (i + 1) * block[0], : count[1] * block[1], : count[2] * block[2]]
        array[i] = slab.reshape(block[0], count[1], block[1], count[2], block[2]).mean(axis=(0, 2, 4))
    scale = np.diag([*block, 1.0])
    scale[:3, 3] = (block - 1) / 2
    affine = volume.affine @ scale
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in volume.array.shape], indexing="ij")).reshape(3, -1).T
    corners = corners @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = np.maximum(1, np.floor((high - low) / step_mm)).astype(int)
    target = np.diag([step_mm, step_mm, step_mm, 1.0])
    target[:3, 3] = low + step_mm / 2
    matrix = np.linalg.inv(affine) @ target
    array = ndimage.affine_transform(array, matrix[:3, :3], offset=matrix[:3, 3], output_shape=tuple(shape), order=1, mode="nearest")
    out = np.abs(np.linalg.inv(volume.affine) @ target)  # whether the grid is turned against the image
    if (np.count_nonzero(out[:3, :3] > 1e-4 * out[:3, :3].max(), axis=1) > 1).any():
        inside = ndimage.affine_transform(np.ones(count, np.uint8), matrix[:3, :3], offset=matrix[:3, 3], output_shape=tuple(shape), order=0, cval=0)
        array[inside == 0] = -1024
    return Volume(array, target, volume.frame_of_reference_uid)


def fine(labels: Volume, volume: Volume, edge_hu: np.ndarray) -> Volume:
    """`labels` (coarse, uint8) on the grid of `volume`: trilinear vote, then the edge of each blood pool moved to the image's own edge.

    edge_hu: (9,) per label, half way between the pool and its surroundings, NaN where the vote stands. Within one coarse step of a pool's border, voxels
    brighter than its edge join the pool, darker ones leave it.
    """
    matrix = np.linalg.inv(labels.affine) @ volume.affine
    out = np.zeros(volume.array.shape, np.uint8)
    _vote(np.pad(labels.array, 1), volume.array, matrix, edge_hu.astype(np.float32), out)
    return volume.with_array(out)


@njit(cache=True, parallel=True)
def _vote(labels, hu, matrix, edge_hu, out):
    """Trilinear vote of the eight neighbours; where they disagree and one is a pool with an edge, the HU decides between pool and the rest."""
    heart = HEART
    for i in prange(out.shape[0]):
        weight = np.zeros(9, np.float32)
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                x = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3] + 1
                y = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3] + 1
                z = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3] + 1
                if x < 0 or y < 0 or z < 0 or x >= labels.shape[0] - 1 or y >= labels.shape[1] - 1 or z >= labels.shape[2] - 1:
                    continue
                a, b, c = int(x), int(y), int(z)
                u, v, w = x - a, y - b, z - c
                first, same = labels[a, b, c], True
                weight[:] = 0
                for n in range(8):
                    p, q, r = n & 1, (n >> 1) & 1, (n >> 2) & 1
                    label = labels[a + p, b + q, c + r]
                    same = same and label == first
                    weight[label] += (u if p else 1 - u) * (v if q else 1 - v) * (w if r else 1 - w)
                out[i, j, k] = first if same else _decide(weight, hu[i, j, k], edge_hu, heart)


@njit(cache=True)
def _decide(weight, hu, edge_hu, heart):
    """The label with the most weight on its own side of the edge: a pool where the voxel is brighter than its edge, else the rest."""
    best, most = -1, np.float32(0.0)
    for label in range(9):
        if weight[label] > most and (edge_hu[label] != edge_hu[label] or hu >= edge_hu[label]):
            best, most = label, weight[label]
    if best < 0:
        return heart
    if edge_hu[best] == edge_hu[best]:
        return best
    pool, most = -1, np.float32(0.1)
    for label in range(9):
        if weight[label] > most and edge_hu[label] == edge_hu[label] and hu >= edge_hu[label]:
            pool, most = label, weight[label]
    return pool if pool >= 0 else best


HEART = HEART_LABELS["heart"]
