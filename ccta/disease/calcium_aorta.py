"""The ascending aorta in a non-contrast CT: a stack of circles of blood in fat, followed from above down to where the heart closes round it.

Grids here are upright: axis 0 to the Left, 1 to Posterior, 2 to Superior, isotropic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ccta.coordinates import cropped, to_patient_mm
from ccta.errors import Refusal
from ccta.model import Volume

RADII_MM = np.arange(12.0, 24.1, 1.5)  # outer wall; ascending aorta 13-20 mm (Wolak et al., JACC Imaging 2008;1:200), aneurysms beyond; the SVC is below
CLIP_HU = (-120.0, 60.0)  # between fat and blood: calcium, bone and lung count no more than fat against blood
MIN_GRADIENT_HU_MM = 6.0  # a thin plane of fat, averaged with its neighbours, leaves this
FULL_GRADIENT_HU_MM = 25.0  # an edge of blood against plain fat
STEP_COST = 0.06  # of one voxel sideways, or of one step of the radius, per slice
END_SCORE = 0.22  # part of the circle that shows; below it the chambers lie against the vessel on most sides
MIN_LENGTH_MM = 12.0
LEAST_LIKELY = 0.02  # where the axis may lie; farther off it is not sought


@dataclass(frozen=True, eq=False)
class AorticTube:
    """Circles from the lowest up: center_mm (K, 3), radius_mm (K,) of the outer wall. Below the lowest, the axis goes on as it leans there."""

    center_mm: np.ndarray
    radius_mm: np.ndarray

    @property
    def root_mm(self) -> np.ndarray:
        """(3,) centre of the lowest circle, about the level of the coronary ostia."""
        return self.center_mm[0]

    @property
    def direction(self) -> np.ndarray:
        """(3,) unit vector of the flow in the lowest 25 mm."""
        near = self.center_mm[self.center_mm[:, 2] <= self.center_mm[0, 2] + 25.0]
        slope = np.polyfit(near[:, 2], near[:, :2], 1)[0] if len(near) > 2 else np.zeros(2)
        way = np.array([*np.clip(slope, -1.0, 1.0), 1.0])
        return way / np.linalg.norm(way)

    def off_wall_mm(self, points_mm: np.ndarray) -> np.ndarray:
        """(N, 3) -> (N,) horizontal distance from the outer wall, negative inside."""
        points_mm = np.asarray(points_mm)
        z = points_mm[:, 2]
        axis = np.stack([np.interp(z, self.center_mm[:, 2], self.center_mm[:, n]) for n in (0, 1)], axis=1)
        lean = self.direction[:2] / self.direction[2]
        axis += np.minimum(z - self.center_mm[0, 2], 0)[:, None] * lean
        return np.linalg.norm(points_mm[:, :2] - axis, axis=1) - np.interp(z, self.center_mm[:, 2], self.radius_mm)


def find_aorta(grid: Volume, search: np.ndarray, radii_mm: np.ndarray = RADII_MM) -> AorticTube:
    """grid: upright, 2 mm, HU. search: (ni, nj, nk) 0-1, how likely the axis is to lie there. Raises Refusal where no such vessel shows."""
    step = float(grid.spacing_mm[0])
    likely = np.argwhere(search > LEAST_LIKELY)
    if len(likely):
        margin = int(np.ceil(radii_mm[-1] / step)) + 4
        low, high = np.maximum(likely.min(axis=0) - margin, 0), likely.max(axis=0) + margin + 1
        grid, search = cropped(grid, low, high), search[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    score = circle_scores(grid.array, step, radii_mm)
    score *= search
    index, radius = _best_path(score, radii_mm)
    if len(index) * step < MIN_LENGTH_MM:
        raise Refusal("the ascending aorta was not found above the heart: the slices must reach above the coronary ostia")
    center_mm = to_patient_mm(ndimage.gaussian_filter1d(index.astype(float), 1.0, axis=0, mode="nearest"), grid.affine)
    return AorticTube(center_mm, ndimage.gaussian_filter1d(radius, 1.5, mode="nearest"))


def circle_scores(hu: np.ndarray, step_mm: float, radii_mm: np.ndarray = RADII_MM) -> np.ndarray:
    """(R, ni, nj, nk) part of the circle of each radius about each voxel whose edge is bright inside and dark outside, on axial slices.

    Every voxel with an in-plane gradient votes for the centre one radius towards the bright side (Ballard 1981; Loy and Zelinsky 2003).
    """
    hu = np.clip(hu, *CLIP_HU)
    gx, gy = (ndimage.gaussian_filter(hu, (1, 1, 0.7), order=o) / step_mm for o in ((1, 0, 0), (0, 1, 0)))
    size = np.hypot(gx, gy)
    ridge = size >= ndimage.maximum_filter(size, (3, 3, 1)) * 0.9
    at = np.array(np.nonzero(ridge & (size > MIN_GRADIENT_HU_MM)))
    weight = np.minimum(size[tuple(at)] / FULL_GRADIENT_HU_MM, 1.0)
    way = np.stack([gx[tuple(at)], gy[tuple(at)]]) / size[tuple(at)]
    result = np.empty((len(radii_mm), *hu.shape), np.float32)
    for n, radius in enumerate(radii_mm):
        votes = _votes(at, way * (radius / step_mm), weight, hu.shape)
        result[n] = ndimage.gaussian_filter(votes, (1.3, 1.3, 1.0)) * (1.3**2 * step_mm / radius)
    return result


def _votes(at: np.ndarray, shift: np.ndarray, weight: np.ndarray, shape) -> np.ndarray:
    """Votes of edge voxels `at` (3, N), shifted in plane by `shift` (2, N), summed on the grid."""
    target = np.rint(at[:2] + shift).astype(int)
    inside = ((target >= 0) & (target < np.array(shape[:2])[:, None])).all(axis=0)
    flat = np.ravel_multi_index((target[0][inside], target[1][inside], at[2][inside]), shape)
    return np.bincount(flat, weight[inside], minlength=int(np.prod(shape))).reshape(shape).astype(np.float32)


def _best_path(score: np.ndarray, radii_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((K, 3) index, (K,) radius mm) of the vertical tube with the largest sum of (score - END_SCORE), from its lowest slice up (Viterbi)."""
    total = score - END_SCORE
    for k in range(score.shape[3] - 2, -1, -1):
        sideways = ndimage.maximum_filter(total[..., k + 1], (3, 3, 3)) - STEP_COST
        total[..., k] += np.maximum(np.maximum(total[..., k + 1], sideways), 0)
    state = np.unravel_index(np.argmax(total), total.shape)
    path = [state]
    while state[3] + 1 < score.shape[3]:
        low = [max(s - 1, 0) for s in state[:3]]
        window = total[(*(slice(a, s + 2) for a, s in zip(low, state[:3], strict=True)), state[3] + 1)] - STEP_COST
        here = tuple(s - a for a, s in zip(low, state[:3], strict=True))
        window[here] += STEP_COST
        if window.max() <= 0:
            break
        moved = np.unravel_index(np.argmax(window), window.shape)
        state = (*(a + m for a, m in zip(low, moved, strict=True)), state[3] + 1)
        path.append(state)
    found = np.array(path)
    return found[:, 1:], radii_mm[found[:, 0]]
