"""How well one mask agrees with another: overlap, distance of the surfaces, topology. Pure functions of arrays; no mask is modified.

Surfaces are voxel-based, as in the published records: the centres of a mask's border voxels (those with one of their 6 neighbours outside the mask, or at
the image's face). Two surfaces of the same object on one grid can thus agree to 0 mm; a shift by one voxel is one voxel's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import euler_number
from skimage.morphology import skeletonize

FULL = np.ones((3, 3, 3), bool)  # 26-connectivity of the object; its background is then 6-connected
PERCENTILE = 95


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    """2 |F n T| / (|F| + |T|) (Dice 1945); 1 where both are empty."""
    total = np.count_nonzero(found) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(found & truth) / total) if total else 1.0


def cl_dice(found: np.ndarray, truth: np.ndarray) -> float:
    """Centerline Dice of (ni, nj, nk) masks (Shit et al., CVPR 2021:16560): harmonic mean of the share of the found skeleton inside the truth (topology
    precision) and of the true skeleton inside what was found (topology sensitivity). 1 where both are empty, 0 where one is.
    """
    box = common_box(found, truth)
    if box is None:
        return 1.0
    found, truth = found[box] > 0, truth[box] > 0
    if not (found.any() and truth.any()):
        return 0.0
    thin, true = skeleton(found), skeleton(truth)
    precision, sensitivity = np.mean(truth[thin]), np.mean(found[true])
    return float(2 * precision * sensitivity / (precision + sensitivity)) if precision + sensitivity else 0.0


def skeleton(mask: np.ndarray) -> np.ndarray:
    """The mask thinned to lines (Lee et al., CVGIP 1994;56:462); itself where the thinning leaves nothing, as of a block of 2 x 2 x 2 voxels."""
    thin = skeletonize(mask) > 0
    return thin if thin.any() else mask


@dataclass(frozen=True)
class SurfaceDistance:
    """hd95_mm: the larger of the two directed 95th percentiles. mean_mm: average symmetric surface distance, over the border voxels of both."""

    hd95_mm: float
    mean_mm: float


def surface_distance(found: np.ndarray, truth: np.ndarray, affine: np.ndarray) -> SurfaceDistance | None:
    """Of two masks on one grid; affine (4, 4): index -> patient mm. None where a mask is empty: there is no distance to nothing."""
    box = common_box(found, truth)
    if box is None or not (found[box].any() and truth[box].any()):
        return None
    ours, theirs = (border_mm(mask[box] > 0, affine) for mask in (found, truth))
    out, back = cKDTree(theirs).query(ours)[0], cKDTree(ours).query(theirs)[0]
    hd95 = max(np.percentile(out, PERCENTILE), np.percentile(back, PERCENTILE))
    return SurfaceDistance(float(hd95), float((out.sum() + back.sum()) / (len(out) + len(back))))


def border_mm(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(N, 3) centres of the border voxels, mm from the first voxel."""
    return np.argwhere(mask & ~ndimage.binary_erosion(mask)) @ affine[:3, :3].T


def betti_numbers(mask: np.ndarray) -> tuple[int, int, int]:
    """(pieces, tunnels, cavities) of the object, 26-connected, its background 6-connected. b1 = b0 + b2 - Euler characteristic."""
    box = common_box(mask, mask)
    if box is None:
        return 0, 0, 0
    solid = np.pad(mask[box] > 0, 1)
    pieces = ndimage.label(solid, FULL)[1]
    cavities = ndimage.label(~solid)[1] - 1  # the outside is one
    return pieces, pieces + cavities - int(euler_number(solid, connectivity=3)), cavities


def betti_errors(found: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """|found - true| of the three Betti numbers."""
    b0, b1, b2 = (abs(a - b) for a, b in zip(betti_numbers(found), betti_numbers(truth), strict=True))
    return b0, b1, b2


def territories(branches: np.ndarray, found: np.ndarray, affine: np.ndarray, reach_mm: float) -> np.ndarray:
    """(ni, nj, nk) uint8: the branch that each voxel of truth or result belongs to. A found voxel outside the truth goes to the nearest true branch, to
    none (0) beyond `reach_mm`. branches: the true lumen, each voxel with its branch's number.
    """
    owner = branches.copy()
    stray = np.argwhere((found > 0) & (branches == 0))
    inside = np.argwhere(branches > 0)
    if len(stray) and len(inside):
        away_mm, nearest = cKDTree(inside @ affine[:3, :3].T).query(stray @ affine[:3, :3].T, distance_upper_bound=reach_mm)
        near = np.isfinite(away_mm)
        owner[tuple(stray[near].T)] = branches[tuple(inside[nearest[near]].T)]
    return owner


def common_box(first: np.ndarray, second: np.ndarray) -> tuple[slice, ...] | None:
    """The smallest box that holds both masks; None where both are empty."""
    spans = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        seen = np.flatnonzero(first.any(axis=others) | second.any(axis=others))
        if not len(seen):
            return None
        spans.append(slice(int(seen[0]), int(seen[-1]) + 1))
    return tuple(spans)
