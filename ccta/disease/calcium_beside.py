"""May the coronary tree of a CCTA say where the arteries are in a calcium scan? Only where both scans share their coordinates."""

from __future__ import annotations

import numpy as np

from ccta.coordinates import to_index
from ccta.model import CoronaryTree, Unavailable, Volume

MIN_INSIDE = 0.5  # of the tree's length; a calcium scan holds the heart, and 2-3 cm less at its ends leave most of the arteries inside


def tree_beside(tree: CoronaryTree, ccta: Volume, calcium: Volume) -> CoronaryTree | Unavailable:
    """The tree, or why it cannot be used: positions of two frames of reference cannot be compared (PS3.3 C.7.4.1), and a tree outside the scan is of no use.

    ccta, calcium: their geometry counts, not their values. An unknown frame of reference ('') is no reason against: then the place alone decides.
    """
    ours, theirs = calcium.frame_of_reference_uid, ccta.frame_of_reference_uid
    if ours and theirs and ours != theirs:
        return Unavailable("the calcium scan and the CCTA have different frames of reference, so that their positions cannot be compared")
    points_mm = np.concatenate([np.zeros((0, 3)), *(branch.points_mm for branch in tree)])
    index = to_index(points_mm, calcium.affine)
    inside = ((index >= -0.5) & (index <= np.array(calcium.array.shape) - 0.5)).all(axis=1)
    if len(inside) and inside.mean() < MIN_INSIDE:
        return Unavailable(f"{100 * inside.mean():.0f} % of it lies inside the calcium scan: the two scans are not of one place")
    return tree
