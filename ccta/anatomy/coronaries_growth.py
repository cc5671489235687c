"""Arteries as minimal paths: a front that leaves the aortic root through tubular, bright tissue, and the branches that it finds."""

from dataclasses import dataclass
from heapq import heappop, heappush

import numba
import numpy as np
from scipy import ndimage

from ccta.model import Unavailable

NOT_ASKED = Unavailable("the coronary network was not asked")


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the image says about arteries, on one isotropic grid.

    image_hu: lightly smoothed. tube: contrast of the equivalent tube over that of a perfect artery, 0..1. radius_mm: of that tube.
    allowed: voxels that a path may enter. source: blood of the aortic root, from which paths start. blood_hu: its level.
    seen: (2, ni, nj, nk) what a network says of lumen and calcified plaque, 0..1, or why it was not asked. judged: `tube` holds its word too.
    """

    image_hu: np.ndarray
    tube: np.ndarray
    radius_mm: np.ndarray
    allowed: np.ndarray
    source: np.ndarray
    spacing_mm: float
    blood_hu: float
    seen: np.ndarray | Unavailable = NOT_ASKED
    judged: bool = False


def vessel_about(seen: np.ndarray) -> np.ndarray:
    """(2, ni, nj, nk) probabilities -> (ni, nj, nk) float32: the largest of lumen or calcified plaque at a voxel and its 26 neighbours."""
    return ndimage.maximum_filter(seen[0].astype(np.float32) + seen[1], 3)


@dataclass(frozen=True, eq=False)
class Front:
    """Minimal paths from the source: parent flat index (-1: not reached, own index: source) and way length in mm of every voxel."""

    parent: np.ndarray
    length_mm: np.ndarray

    def way(self, index: int) -> list[int]:
        """Flat indices from a voxel back to the source."""
        found = [index]
        while self.parent[found[-1]] != found[-1]:
            found.append(int(self.parent[found[-1]]))
        return found


def advance(evidence: Evidence, good_tube: float, bridge_mm: float) -> Front:
    """The front from the aortic root at a cost of 1 / (tube^2 + 0.01) per mm; it gives up `bridge_mm` beyond the last good voxel of its way."""
    cost = 1.0 / (evidence.tube.astype(np.float32) ** 2 + 0.01)
    return front_from(evidence.source, cost, evidence.allowed, evidence.tube >= good_tube, bridge_mm / evidence.spacing_mm, evidence.spacing_mm)


def front_from(source: np.ndarray, cost: np.ndarray, allowed: np.ndarray, good: np.ndarray, bridge_voxels: float, spacing_mm: float) -> Front:
    """Dijkstra over 26 neighbours: cheapest ways through allowed voxels with at most `bridge_voxels` in a row that are not good."""
    parent, length = _dijkstra(cost.astype(np.float32).ravel(), allowed.ravel(), source.ravel(), good.ravel(), np.array(cost.shape), bridge_voxels)
    return Front(parent, length * spacing_mm)


@numba.njit(cache=True)
def _dijkstra(cost, allowed, source, good, shape, bridge):
    """(parent, way length in voxels). The way's length since its last good voxel may not exceed `bridge` voxels."""
    n = cost.size
    total = np.full(n, np.inf, np.float32)
    parent = np.full(n, -1, np.int32)
    length = np.zeros(n, np.float32)
    gap = np.zeros(n, np.float32)
    done = np.zeros(n, np.bool_)
    nj, nk = shape[1], shape[2]
    heap = [(np.float32(0), np.int64(0))]
    heap.pop()
    for index in range(n):
        if source[index]:
            total[index] = 0
            parent[index] = index
            heappush(heap, (np.float32(0), np.int64(index)))
    while len(heap) > 0:
        _, here = heappop(heap)
        if done[here]:
            continue
        done[here] = True
        i, j, k = here // (nj * nk), (here // nk) % nj, here % nk
        for di in range(-1, 2):
            for dj in range(-1, 2):
                for dk in range(-1, 2):
                    a, b, c = i + di, j + dj, k + dk
                    if a < 0 or b < 0 or c < 0 or a >= shape[0] or b >= nj or c >= nk:
                        continue
                    there = (a * nj + b) * nk + c
                    if done[there] or source[there] or not allowed[there]:
                        continue
                    step = np.float32(np.sqrt(di * di + dj * dj + dk * dk))
                    since = np.float32(0) if good[there] else gap[here] + step
                    new = total[here] + step * np.float32(0.5) * (cost[there] + (cost[here] if not source[here] else cost[there]))
                    if since <= bridge and new < total[there]:
                        total[there], parent[there], gap[there], length[there] = new, here, since, length[here] + step
                        heappush(heap, (new, there))
    return parent, length


def find_branches(evidence: Evidence, front: Front, settings) -> list[np.ndarray]:
    """Accepted ways as (N, 3) voxel indices, proximal to distal: each begins at the source or on an earlier one.

    The farthest unexplained good voxel is traced back until it meets what is known; the new piece is cut where it stops to look like an artery and
    kept if it is longer than the parent's radius + `coronary_min_branch_mm`.
    """
    shape = evidence.tube.shape
    tube, radius = evidence.tube.ravel(), evidence.radius_mm.ravel()
    candidates = np.flatnonzero((tube >= settings.coronary_good_tube) & (front.parent >= 0) & ~evidence.source.ravel())
    candidates = candidates[np.argsort(-front.length_mm[candidates])]
    explained = np.zeros(tube.size, bool)
    on_tree = np.zeros(tube.size, bool)
    branches = []
    for tip in candidates:
        if explained[tip]:
            continue
        way = front.way(int(tip))
        meets = next((n for n, index in enumerate(way) if on_tree[index]), len(way) - 1)
        piece = np.array(way[meets::-1])
        covered = explained[piece] | evidence.source.ravel()[piece]
        end = artery_end(piece, covered, evidence, front, settings)
        mark_balls(explained, piece[end:], np.full(len(piece) - end, 1.0), shape, evidence.spacing_mm)
        new_mm = np.ptp(front.length_mm[piece[:end]][~covered[:end]]) if (~covered[:end]).any() else 0.0
        if new_mm >= settings.coronary_min_branch_mm:
            kept = piece[:end]
            branches.append(np.stack(np.unravel_index(kept, shape), axis=1))
            on_tree[kept] = True
            mark_balls(explained, kept, 1.5 * radius[kept] + 1.0, shape, evidence.spacing_mm)
        else:
            mark_balls(explained, piece, np.full(len(piece), 1.0), shape, evidence.spacing_mm)
    return branches


def artery_end(piece: np.ndarray, covered: np.ndarray, evidence: Evidence, front: Front, settings) -> int:
    """Number of voxels of a piece (flat indices, proximal first) that look like an artery, counted up to the last that does.

    Over 5 mm: the mean tube must stay good, and where the tube is wide enough for its true level (radius >= 1 mm) the blood may not fall under
    `coronary_min_blood` of the aorta's, which is a vein's level. A weak stretch is forgiven when at least twice its length of artery follows.
    """
    step_mm = max(front.length_mm[piece[-1]] - front.length_mm[piece[0]], 1e-3) / max(len(piece) - 1, 1)
    width = max(1, round(5.0 / step_mm))
    tube = ndimage.uniform_filter1d(evidence.tube.ravel()[piece].astype(float), width, mode="nearest")
    level = ndimage.median_filter(evidence.image_hu.ravel()[piece].astype(float), width, mode="nearest") / evidence.blood_hu
    wide = ndimage.median_filter(evidence.radius_mm.ravel()[piece].astype(float), width, mode="nearest") >= 1.0
    score = np.where((tube >= settings.coronary_min_tube) & ~(wide & (level < settings.coronary_min_blood)), 1.0, -2.0)
    score[covered] = np.minimum(score[covered], 0.0)  # the parent's own lumen says nothing new; a vein beside it still speaks against
    gain = np.cumsum(score)
    return int(np.argmax(gain)) + 1 if gain.max() > 0 else 0


def mark_balls(marked: np.ndarray, indices, radius_mm, shape, spacing_mm: float, value=True) -> None:
    """Sets the unset (zero) elements of `marked` (flat) to `value` in the balls of `radius_mm` about flat indices."""
    if len(indices):
        _mark_balls(marked, np.asarray(indices, np.int64), np.asarray(radius_mm, np.float64) / spacing_mm, np.array(shape), value)


@numba.njit(cache=True)
def _mark_balls(marked, indices, radius, shape, value):
    nj, nk = shape[1], shape[2]
    for n in range(len(indices)):
        i, j, k = indices[n] // (nj * nk), (indices[n] // nk) % nj, indices[n] % nk
        reach = int(np.ceil(radius[n]))
        for a in range(max(0, i - reach), min(shape[0], i + reach + 1)):
            for b in range(max(0, j - reach), min(nj, j + reach + 1)):
                for c in range(max(0, k - reach), min(nk, k + reach + 1)):
                    there = (a * nj + b) * nk + c
                    if not marked[there] and (a - i) ** 2 + (b - j) ** 2 + (c - k) ** 2 <= radius[n] ** 2:
                        marked[there] = value
