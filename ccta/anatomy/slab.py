"""Thick slabs: the brightest, the mean or the darkest value through a slab about a plane. Serial numba code that releases the GIL."""

import numba
import numpy as np

from ccta.anatomy.reformat import OUTSIDE_HU
from ccta.model import Volume

KINDS = {"mip": 0, "mean": 1, "minip": 2}
"""Maximum intensity, mean and minimum intensity projection (Napel et al., J Comput Assist Tomogr 1992;16:832)."""

FEW_LAYERS, COARSE_PIXEL = 8, 0.75
"""Where there are more layers, and pixels are no smaller than this share of a voxel, the nearest voxel is read: a quarter of the time, and no difference that
could be seen through so many layers."""

BITS = 32
ONE = float(1 << BITS)


def projected(volume: Volume, corner_mm: np.ndarray, across_mm: np.ndarray, down_mm: np.ndarray, shape: tuple[int, int], slab: tuple[str, float]) -> np.ndarray:
    """(rows, columns) HU through a slab of (one of `KINDS`, thickness in mm), half of it on either side of the plane.

    corner_mm: (3,) patient position of the first pixel's centre. across_mm, down_mm: (3,) from a pixel to the next one in its row and column. Layers lie
    no farther apart than the smallest voxel edge; samples outside the image are left out.
    """
    kind, thickness_mm = slab
    normal = np.cross(across_mm, down_mm)
    normal = normal / np.linalg.norm(normal)
    count = 1 + int(np.ceil(max(thickness_mm, 0.0) / volume.spacing_mm.min()))
    apart = normal * (max(thickness_mm, 0.0) / max(1, count - 1))
    turn = np.linalg.inv(volume.affine)
    first = turn[:3, :3] @ (corner_mm - apart * (count - 1) / 2) + turn[:3, 3]
    steps = np.stack([turn[:3, :3] @ step for step in (across_mm, down_mm, apart)])
    coarse = count > FEW_LAYERS and np.linalg.norm(across_mm) >= COARSE_PIXEL * volume.spacing_mm.min()
    kernel = _project_nearest if coarse else _project
    return kernel(volume.array, first, steps, np.array([shape[1], shape[0], count]), KINDS[kind])


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "arcp"})
def _project(array, first, steps, counts, kind):
    ni, nj, nk = array.shape
    columns, rows, layers = counts
    out = np.empty((rows, columns), np.float32)
    for row in range(rows):
        for column in range(columns):
            x = first[0] + row * steps[1, 0] + column * steps[0, 0]
            y = first[1] + row * steps[1, 1] + column * steps[0, 1]
            z = first[2] + row * steps[1, 2] + column * steps[0, 2]
            total, highest, lowest, inside = 0.0, -np.inf, np.inf, 0
            for _ in range(layers):
                if -0.5 <= x <= ni - 0.5 and -0.5 <= y <= nj - 0.5 and -0.5 <= z <= nk - 0.5:
                    value = _linear(array, min(max(x, 0.0), ni - 1.0), min(max(y, 0.0), nj - 1.0), min(max(z, 0.0), nk - 1.0))
                    total += value
                    highest, lowest = max(highest, value), min(lowest, value)
                    inside += 1
                x += steps[2, 0]
                y += steps[2, 1]
                z += steps[2, 2]
            out[row, column] = _chosen(kind, total, highest, lowest, inside)
    return out


@numba.njit(cache=True, nogil=True)
def _project_nearest(array, first, steps, counts, kind):
    """As `_project`, of the nearest voxels. Places are whole numbers of 2^-32 voxel, so that where a line enters and leaves the image is exact and no sample is
    asked for it. A row is made layer by layer, so that neighbours in the picture are read one after the other."""
    columns, rows, layers = counts
    start, step = np.round((first + 0.5) * ONE).astype(np.int64), np.round(steps * ONE).astype(np.int64)
    out, best, inside = np.empty((rows, columns), np.float32), np.empty(columns, np.float64), np.empty(columns, np.int64)
    for row in range(rows):
        best[:] = 0.0 if kind == 1 else -np.inf if kind == 0 else np.inf
        inside[:] = 0
        for layer in range(layers):
            _across(array, start + row * step[1] + layer * step[2], step[0], kind, best, inside)
        for column in range(columns):
            out[row, column] = _chosen(kind, best[column], best[column], best[column], inside[column])
    return out


@numba.njit(cache=True, nogil=True)
def _across(array, at, step, kind, best, inside):
    """One layer of one row, into the values and numbers of samples of its pixels."""
    low, high = _inside(array, at, step, len(best))
    x, y, z = at + low * step
    for column in range(low, high):
        value = np.float64(array[np.uint32(x >> BITS), np.uint32(y >> BITS), np.uint32(z >> BITS)])
        best[column] = max(best[column], value) if kind == 0 else min(best[column], value) if kind == 2 else best[column] + value
        inside[column] += 1
        x += step[0]
        y += step[1]
        z += step[2]


@numba.njit(cache=True, nogil=True, inline="always")
def _inside(array, at, step, count):
    """(low, high): of `count` samples, those in the image are low <= i < high."""
    low, high = 0, count
    for axis in range(3):
        low, high = _within(at[axis], step[axis], array.shape[axis], low, high)
    return low, max(low, high)


@numba.njit(cache=True, nogil=True, inline="always")
def _within(at, step, count, low, high):
    """The part of low <= i < high in which at + i step lies in an axis of so many voxels."""
    end = count << BITS
    if step == 0:
        return (low, high) if 0 <= at < end else (0, 0)
    if step > 0:
        return max(low, -(at // step)), min(high, -((at - end) // step))
    return max(low, (end - at) // step + 1), min(high, at // -step + 1)


@numba.njit(cache=True, nogil=True, inline="always")
def _chosen(kind, total, highest, lowest, inside):
    if inside == 0:
        return OUTSIDE_HU
    if kind == 1:
        return total / inside
    return highest if kind == 0 else lowest


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "arcp"}, inline="always")
def _linear(array, x, y, z):
    """Trilinear value at an index inside the array."""
    i, j, k = int(x), int(y), int(z)
    i1, j1, k1 = min(i + 1, array.shape[0] - 1), min(j + 1, array.shape[1] - 1), min(k + 1, array.shape[2] - 1)
    fx, fy, fz = np.float32(x - i), np.float32(y - j), np.float32(z - k)
    gx, gy, gz = np.float32(1) - fx, np.float32(1) - fy, np.float32(1) - fz
    low = gx * (gy * array[i, j, k] + fy * array[i, j1, k]) + fx * (gy * array[i1, j, k] + fy * array[i1, j1, k])
    high = gx * (gy * array[i, j, k1] + fy * array[i, j1, k1]) + fx * (gy * array[i1, j, k1] + fy * array[i1, j1, k1])
    return gz * low + fz * high
