"""How sure the coronary network is of what was found: per segment, from its map of the arteries' probability."""

from __future__ import annotations

import numpy as np

from ccta.coordinates import to_index
from ccta.findings import Tree
from ccta.model import CoronaryTree, Unavailable, Volume

SEEN_PERCENT = 50.0
NEAR_MM = 0.5  # a centerline may pass beside the lumen by a voxel


def with_confidence(findings: Tree, tree: CoronaryTree, probability: Volume | Unavailable) -> Tree:
    """The findings with each segment's confidence: share of its length with a probability of an artery of `SEEN_PERCENT` or more within `NEAR_MM`.

    probability: percent, uint8. Where it is Unavailable, so is every confidence, for the same reason.
    """
    if isinstance(probability, Unavailable):
        return findings.model_copy(update={"segments": [segment.model_copy(update={"confidence": probability}) for segment in findings.segments]})
    seen, whole = {}, {}
    for branch in tree:
        steps, of_step = np.diff(branch.distance_mm), branch.segment[:-1]
        agreed = highest_near(probability, 0.5 * (branch.points_mm[:-1] + branch.points_mm[1:])) >= SEEN_PERCENT
        for segment in np.unique(of_step):
            here = of_step == segment
            seen[segment] = seen.get(segment, 0.0) + float(steps[here & agreed].sum())
            whole[segment] = whole.get(segment, 0.0) + float(steps[here].sum())
    segments = [segment.model_copy(update={"confidence": round(seen[segment.id] / whole[segment.id], 3)}) for segment in findings.segments]
    return findings.model_copy(update={"segments": segments})


def highest_near(volume: Volume, points_mm: np.ndarray) -> np.ndarray:
    """(N, 3) -> (N,) largest value at a point and at `NEAR_MM` from it along the axes; 0 outside."""
    apart = NEAR_MM * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
    index = np.rint(to_index(points_mm[:, None] + apart, volume.affine)).astype(int)
    inside = ((index >= 0) & (index < volume.array.shape)).all(axis=2)
    values = np.zeros(index.shape[:2], volume.array.dtype)
    values[inside] = volume.array[tuple(index[inside].T)]
    return values.max(axis=1)
