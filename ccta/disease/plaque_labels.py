"""Plaque as a label map on the image's grid, from its polar samples."""

import numpy as np

from ccta.coordinates import to_index
from ccta.disease.plaque import SampledPlaque
from ccta.model import PLAQUE_LABELS, Volume


def plaque_labels(sampled: SampledPlaque, volume: Volume) -> Volume:
    """uint8 labels (PLAQUE_LABELS) of the voxels that plaque fills at least by half, each with the class that fills most of it.

    The measured volumes come from the samples; a voxel map rounds them to whole voxels.
    """
    count, size = len(PLAQUE_LABELS), volume.array.size
    index, weight = [np.zeros(0, int)], [np.zeros(0)]
    for branch in sampled.branches:
        held = branch.volume_mm3 > 0
        voxel = np.rint(to_index(branch.position_mm[held], volume.affine)).astype(int)
        inside = np.all((voxel >= 0) & (voxel < volume.array.shape), axis=1)
        kind = np.searchsorted(sampled.limits_hu, branch.hu[held][inside])
        index.append(np.ravel_multi_index(tuple(voxel[inside].T), volume.array.shape) + kind * size)
        weight.append(branch.volume_mm3[held][inside])
    place, inverse = np.unique(np.concatenate(index), return_inverse=True)
    filled_mm3 = np.bincount(inverse, np.concatenate(weight), len(place))
    voxels, own = np.unique(place % size, return_inverse=True)
    by_class = np.zeros((len(voxels), count))
    by_class[own, place // size] = filled_mm3
    labels = np.zeros(size, np.uint8)
    labels[voxels] = np.where(by_class.sum(axis=1) >= volume.voxel_mm3 / 2, by_class.argmax(axis=1) + 1, 0)
    return volume.with_array(labels.reshape(volume.array.shape))
