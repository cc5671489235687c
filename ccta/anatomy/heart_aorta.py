"""The ascending aorta as a stack of bright circles on axial slices, found by gradient voting and dynamic programming.

Grids here are axis-aligned patient grids: axis 0 to the Left, 1 to Posterior, 2 to Superior, isotropic `step_mm`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

RADII_MM = np.arange(8.0, 23.1, 1.5)  # normal ascending aorta 10-20 mm (Wolak, JACC Imaging 2008); larger ones still vote at 23
MIN_GRADIENT_HU_MM = 25.0  # blood at 200 HU against fat, blurred over 4 mm, still gives 60
STEP_COST = 0.08  # of one voxel sideways per slice: the aorta leans by up to 45 degrees, it does not wander


@dataclass(frozen=True, eq=False)
class Tube:
    """Circles stacked in z, from the lowest slice up: slice (K,), center (K, 2) index on the slice, radius_mm (K,), score (K,), hu (K,)."""

    slice: np.ndarray
    center: np.ndarray
    radius_mm: np.ndarray
    score: np.ndarray
    hu: np.ndarray

    @property
    def top(self) -> np.ndarray:
        """(3,) mean index of the upper half: certainly a vessel, whereas the lower end may have run on into a chamber."""
        half = len(self.slice) // 2
        return np.array([*self.center[half:].mean(axis=0), self.slice[half:].mean()])


def circle_scores(hu: np.ndarray, step_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """(score, radius_mm), each of the grid's shape: the part of the best circle about each voxel whose edge is bright inside, dark outside.

    Every voxel with a strong in-plane gradient votes for the centre one radius towards the bright side (Ballard 1981; Loy & Zelinsky 2003).
    """
    gx, gy = (ndimage.gaussian_filter(hu, (1, 1, 0.7), order=o) / step_mm for o in ((1, 0, 0), (0, 1, 0)))
    size = np.hypot(gx, gy)
    ridge = size >= ndimage.maximum_filter(size, (3, 3, 1)) * 0.9
    at = np.array(np.nonzero(ridge & (size > MIN_GRADIENT_HU_MM)))
    way = np.stack([gx[tuple(at)], gy[tuple(at)]]) / size[tuple(at)]
    best, radius = np.zeros(hu.shape, np.float32), np.zeros(hu.shape, np.float32)
    for r in RADII_MM:
        votes = _votes(at, way * (r / step_mm), hu.shape)
        votes = ndimage.gaussian_filter(votes, (1.3, 1.3, 1.0)) * (2 * np.pi * 1.3**2) / (2 * np.pi * r / step_mm)
        better = votes > best
        best[better], radius[better] = votes[better], r
    return best, radius


def _votes(at: np.ndarray, shift: np.ndarray, shape) -> np.ndarray:
    """Votes of edge voxels `at` (3, N) shifted in plane by `shift` (2, N), counted on the grid."""
    target = np.rint(at[:2] + shift).astype(int)
    inside = ((target >= 0) & (target < np.array(shape[:2])[:, None])).all(axis=0)
    flat = np.ravel_multi_index((target[0][inside], target[1][inside], at[2][inside]), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float32)


def bright_tubes(hu: np.ndarray, step_mm: float, blood_hu: float, count: int = 5) -> list[Tube]:
    """The `count` strongest vertical tubes of blood: the running sum of scores that is largest over connected circles in z (Viterbi, then Kadane)."""
    score, radius = circle_scores(hu, step_mm)
    score = np.where(ndimage.uniform_filter(hu, 3) > blood_hu, score, 0)
    tubes = []
    for _ in range(count):
        tube = _strongest_tube(score, radius, hu)
        if len(tube.slice) * step_mm >= 15:
            tubes.append(tube)
        _erase(score, tube, step_mm)
    return tubes


def _strongest_tube(score: np.ndarray, radius: np.ndarray, hu: np.ndarray, threshold: float = 0.35) -> Tube:
    """One tube from top to bottom; `threshold` is the score below which a slice costs."""
    total = np.zeros(score.shape, np.float32)
    total[..., -1] = score[..., -1] - threshold
    for k in range(score.shape[2] - 2, -1, -1):
        sideways = np.maximum(total[..., k + 1] - STEP_COST, 0)
        total[..., k] = score[..., k] - threshold + np.maximum(total[..., k + 1], ndimage.maximum_filter(sideways, (3, 3))).clip(0)
    i, j, k = np.unravel_index(np.argmax(total), total.shape)
    path = [(i, j, k)]
    while k + 1 < score.shape[2]:
        low_i, low_j = max(i - 1, 0), max(j - 1, 0)
        window = total[low_i : i + 2, low_j : j + 2, k + 1] - STEP_COST
        window[i - low_i, j - low_j] += STEP_COST
        if window.max() <= 0:
            break
        di, dj = np.unravel_index(np.argmax(window), window.shape)
        i, j, k = low_i + di, low_j + dj, k + 1
        path.append((i, j, k))
    at = tuple(np.array(path).T)
    return Tube(at[2], np.stack(at[:2], axis=1).astype(float), radius[at], score[at], ndimage.uniform_filter(hu, 3)[at])


def _erase(score: np.ndarray, tube: Tube, step_mm: float) -> None:
    """Zero the scores inside a tube that was found (works on the caller's own array)."""
    x, y = np.ogrid[: score.shape[0], : score.shape[1]]
    for k, (i, j), r in zip(tube.slice, tube.center, tube.radius_mm, strict=True):
        score[(x - i) ** 2 + (y - j) ** 2 <= (r / step_mm) ** 2, k] = 0
