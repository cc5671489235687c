"""The voxels inside a closed surface, and cheapest paths over them. Of the box around a tree few voxels are inside: only these are searched."""

from __future__ import annotations

import itertools

import numpy as np
import pyvista as pv
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkImagingGeneral import vtkImageEuclideanDistance
from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

from ccta.errors import BadInput

MOST_VOXELS = 30_000_000
FAR = 1e12  # squared voxels
LOOSE = 0.01
"""A loose part of less than this share of the volume is debris."""


def voxels(surface: pv.PolyData) -> tuple[np.ndarray, np.ndarray, float]:
    """`inside_mask` of a closed surface in one connected part. BadInput for loose parts, or where nothing is inside."""
    inside, origin, step = inside_mask(surface)
    parts, count = ndimage.label(inside, np.ones((3, 3, 3)))
    volume = np.bincount(parts.ravel())[1:] if count else np.zeros(0)
    if count == 0:
        raise BadInput("the surface encloses nothing that could hold blood; give the closed or open-ended wall of a vessel tree")
    if (volume > LOOSE * volume.sum()).sum() > 1:
        raise BadInput(
            f"the surface has {int((volume > LOOSE * volume.sum()).sum())} separate parts; give one file per coronary tree, or join them "
            f"(beyond an occlusion, or a place narrower than {step:.2g} mm, a branch is a part of its own: leave it out)"
        )
    return parts == 1 + int(np.argmax(volume)), origin, step


def inside_mask(surface: pv.PolyData) -> tuple[np.ndarray, np.ndarray, float]:
    """(inside mask indexed x, y, z; origin (3,), step) of a closed surface."""
    size = np.ptp(np.asarray(surface.points), axis=0)
    step = float(max(0.25, (np.prod(size + 2) / MOST_VOXELS) ** (1 / 3)))
    origin = np.asarray(surface.points).min(axis=0) - 2 * step
    shape = (np.ceil(size / step) + 5).astype(int)
    stencil = vtkPolyDataToImageStencil()
    stencil.SetInputData(surface)
    stencil.SetOutputOrigin(origin)
    stencil.SetOutputSpacing((step,) * 3)
    stencil.SetOutputWholeExtent(0, int(shape[0]) - 1, 0, int(shape[1]) - 1, 0, int(shape[2]) - 1)
    image = vtkImageStencilToImage()
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.Update()
    return vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape(shape[::-1]).T > 0, origin, step


class VoxelGraph:
    """The N inside voxels of a mask (indexed x, y, z, outside at its border), each joined to its 26 neighbours. index: (N, 3). step: mm."""

    def __init__(self, inside: np.ndarray, step: float):
        self.inside, self.step, self.index = inside, step, np.argwhere(inside)
        self._number = np.full(inside.shape, -1, np.int32)
        self._number[inside] = np.arange(len(self.index), dtype=np.int32)
        flat, strides = self._number.ravel(), np.array([inside.shape[1] * inside.shape[2], inside.shape[2], 1])
        at, first, second, length = self.index @ strides, [], [], []
        for direction in itertools.product((-1, 0, 1), repeat=3):
            if direction > (0, 0, 0):
                other = flat[at + np.dot(direction, strides)]
                first.append(np.flatnonzero(other >= 0).astype(np.int32))
                second.append(other[first[-1]])
                length.append(np.full(len(first[-1]), step * np.linalg.norm(direction), np.float32))
        self._first, self._second, self._length = (np.concatenate(part) for part in (first, second, length))

    def cheapest(self, cost: np.ndarray, root: tuple) -> tuple[np.ndarray, np.ndarray]:
        """((N,) cost of the cheapest path from the voxel `root`, infinite where there is none; (N,) the voxel before on it). cost: (N,) per mm."""
        weight = self._length * (cost[self._first] + cost[self._second]) / 2
        edges = sparse.csr_matrix((weight, (self._first, self._second)), shape=(len(self.index),) * 2)
        return dijkstra(edges, directed=False, indices=self._number[tuple(root)], return_predecessors=True)

    def path(self, before: np.ndarray, end: tuple) -> np.ndarray:
        """(K, 3) voxels from the root of `before` to a voxel."""
        steps = [self._number[tuple(end)]]
        while before[steps[-1]] >= 0:
            steps.append(before[steps[-1]])
        return self.index[steps[::-1]]

    def depth(self) -> np.ndarray:
        """Distance of every voxel of the mask to the nearest outside one, mm; 0 outside."""
        image = pv.ImageData(dimensions=self.inside.shape)
        image.point_data["inside"] = self.inside.ravel(order="F").astype(np.uint8)
        distance = vtkImageEuclideanDistance()
        distance.SetInputData(image)
        distance.SetMaximumDistance(FAR)
        distance.Update()
        squared = vtk_to_numpy(distance.GetOutput().GetPointData().GetScalars()).reshape(self.inside.shape, order="F")
        return self.step * np.sqrt(squared, dtype=np.float32)
