"""Layers of tissue into voxels: signed distances on a 2 mm grid, painted in order with partial volume. numba.

Surfaces of organs bend over centimetres, so that linear interpolation of their distance on 2 mm errs by about h^2 / 8R = 0.03 mm.
"""

from functools import reduce
from typing import NamedTuple

import numba
import numpy as np
from scipy import ndimage

from ccta.phantom.shapes import Shape

GRID_MM = 2.0


class Fields(NamedTuple):
    """distance_mm: (L, nx, ny, nz) of the layers, float32, on a grid of GRID_MM from `origin_mm`. texture: (nx, ny, nz), SD 1.

    base: (nx-1, ny-1, nz-1) last layer that covers the whole cell; active: bit l set where layer l may have an edge in the cell.
    """

    origin_mm: np.ndarray
    distance_mm: np.ndarray
    texture: np.ndarray
    base: np.ndarray
    active: np.ndarray


def fields_of(layers: list[Shape], low_mm: np.ndarray, high_mm: np.ndarray, seed: int) -> Fields:
    """Distances of all layers over the box low..high (patient mm). The texture is the same for every box of one seed."""
    low, high = np.floor(low_mm / GRID_MM).astype(int) - 2, np.ceil(high_mm / GRID_MM).astype(int) + 3
    axes = [np.arange(a, b) * GRID_MM for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distance = np.stack([layer(points).astype(np.float32) for layer in layers])
    return fields_from(distance, low * GRID_MM, texture_of(low, high, seed))


def fields_from(distance: np.ndarray, origin_mm: np.ndarray, texture: np.ndarray) -> Fields:
    """Fields of known distances (L, nx, ny, nz) float32 and texture; distances need to be right within 4.5 mm of an edge only."""
    reach = GRID_MM * np.sqrt(3) + 1.0
    corners = [distance[:, i : i - 1 or None, j : j - 1 or None, k : k - 1 or None] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    nearest, farthest = reduce(np.minimum, corners), reduce(np.maximum, corners)
    full = farthest < -reach
    order = np.arange(len(distance))[:, None, None, None]
    base = np.where(full, order, -1).max(0).astype(np.int16)
    edge = (nearest < reach) & ~full & (order > base)
    active = np.sum(np.where(edge, np.int64(1) << order, 0), axis=0)
    return Fields(origin_mm, distance, texture, base, active)


def texture_of(low, high, seed: int) -> np.ndarray:
    """Smooth random field with SD 1 and a correlation length of about 8 mm, fixed in the patient."""
    whole = np.random.default_rng(seed).standard_normal((48, 48, 48)).astype(np.float32)
    axes = [np.arange(a, b) * GRID_MM / 8.0 + 24.0 for a, b in zip(low, high, strict=True)]
    values = ndimage.map_coordinates(whole, np.meshgrid(*axes, indexing="ij"), order=3, mode="grid-wrap")
    return (values / 0.75).astype(np.float32)


@numba.njit(cache=True)
def _lerp(field, cell, weight):
    """Trilinear value in a cell."""
    (i, j, k), (x, y, z) = cell, weight
    near = (field[i, j, k] * (1 - x) + field[i + 1, j, k] * x) * (1 - y) + (field[i, j + 1, k] * (1 - x) + field[i + 1, j + 1, k] * x) * y
    far = (field[i, j, k + 1] * (1 - x) + field[i + 1, j, k + 1] * x) * (1 - y) + (field[i, j + 1, k + 1] * (1 - x) + field[i + 1, j + 1, k + 1] * x) * y
    return near * (1 - z) + far * z


@numba.njit(cache=True)
def _voxel(fields, cell, weight, hu, amplitude, width):
    """HU of one voxel: the layer that fills its cell, then those with an edge there."""
    texture = _lerp(fields.texture, cell, weight)
    first, bits = fields.base[cell], fields.active[cell]
    value = -1000.0 if first < 0 else hu[first] + amplitude[first] * texture
    layer = 0
    while bits:
        if bits & 1:
            cover = min(0.5 - _lerp(fields.distance_mm[layer], cell, weight) / width, 1.0)
            if cover > 0:
                value = value * (1 - cover) + cover * (hu[layer] + amplitude[layer] * texture)
        bits >>= 1
        layer += 1
    return value


@numba.njit(cache=True)
def paint_layers(matrix, shape, fields, hu, amplitude, width):
    """(ni, nj, nk) float32 HU: layers over air, each edge spread over `width` mm. matrix: (3, 4) voxel index -> mm.

    hu, amplitude: (L,) mean and texture of each layer.
    """
    image = np.empty(shape, np.float32)
    origin, base = fields.origin_mm, fields.base
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                x = (matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3] - origin[0]) / GRID_MM
                y = (matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3] - origin[1]) / GRID_MM
                z = (matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3] - origin[2]) / GRID_MM
                a = min(max(int(x), 0), base.shape[0] - 1)
                b = min(max(int(y), 0), base.shape[1] - 1)
                c = min(max(int(z), 0), base.shape[2] - 1)
                image[i, j, k] = _voxel(fields, (a, b, c), (x - a, y - b, z - c), hu, amplitude, width)
    return image
