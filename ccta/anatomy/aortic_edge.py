"""The image's own point-spread function, from the aortic root: an edge between blood and a wall thick enough to be seen, beside the coronary ostia.

A coronary wall is thinner than the blur, so that its image does not tell how much of its spread is wall and how much is blur; the aorta's (1.5-2 mm) does.
"""

import numpy as np
from scipy import special

from ccta.anatomy.reformat import sampled
from ccta.curves import tangents
from ccta.model import CoronaryTree, Volume

INTO_AORTA_MM = 9.0  # from the ostium to about the middle of a root of 30 mm
POOL_MM = 2.0  # about that place, whose mean is the blood's HU
MIN_BLOOD_HU = 150.0
DIRECTIONS, RAY_STEP_MM, RAY_END_MM = 800, 0.3, 22.0
GRADIENT_MM = 0.6  # on either side of the edge, for its normal
ACROSS_MM = np.arange(-1.25, 0.76, 0.1)
"""Along the edge's normal, outwards: from undisturbed blood to a third of the aortic wall."""
WALL_OF_BLOOD = 0.35  # a wall darker than this share of the blood; brighter is an ostium, a leaflet, another pool
SHIFTS_MM = np.arange(-0.4, 0.41, 0.05)
BLURS_MM = np.arange(0.08, 1.0, 0.02)
MIN_EDGES = 60


def aortic_blur_mm(volume: Volume, tree: CoronaryTree) -> float | None:
    """Standard deviation of the point-spread function (voxels included), mm; None where too little of the aortic root's edge is seen, or it is sharper or more
    blurred than any scanner's.

    Per place of the edge: HU(x) = wall + (blood - wall) Phi((x0 - x) / blur), with wall, blood and x0 of its own; one blur for all.
    """
    profiles = [_edge_profiles(volume, branch.points_mm[0] - INTO_AORTA_MM * tangents(branch.points_mm)[0]) for branch in tree if branch.parent is None]
    profile = np.vstack([np.zeros((0, len(ACROSS_MM))), *profiles])
    if len(profile) < MIN_EDGES:
        return None
    cost = np.array([np.mean(_misfit(profile, blur_mm)) for blur_mm in BLURS_MM])
    at = int(np.argmin(cost))
    if at in (0, len(cost) - 1):
        return None
    left, middle, right = cost[at - 1 : at + 2]
    shift = np.clip(0.5 * (left - right) / max(left - 2 * middle + right, 1e-9), -0.5, 0.5)
    return float(BLURS_MM[at] + shift * (BLURS_MM[1] - BLURS_MM[0]))


def _edge_profiles(volume: Volume, middle_mm: np.ndarray) -> np.ndarray:
    """(N, len(ACROSS_MM)) HU across the edge of the pool about `middle_mm`, where blood meets a wall and nothing else."""
    n = np.arange(DIRECTIONS) + 0.5
    polar, turn = np.arccos(1 - 2 * n / DIRECTIONS), np.pi * (1 + 5**0.5) * n
    way = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1)
    along = np.arange(0, RAY_END_MM, RAY_STEP_MM)
    hu = _cubic(volume, middle_mm + along[:, None] * way[:, None])
    blood = float(hu[:, along < POOL_MM].mean())
    if blood < MIN_BLOOD_HU:
        return np.zeros((0, len(ACROSS_MM)))
    below = hu < 0.6 * blood
    first = np.argmax(below, axis=1)
    edge = (middle_mm + along[first][:, None] * way)[below.any(axis=1) & (first > 0)]
    normal = _outward(volume, edge)
    profile = _cubic(volume, edge[:, None] + ACROSS_MM[:, None] * normal[:, None])
    inner, outer = profile[:, ACROSS_MM < -0.8].mean(axis=1), profile[:, ACROSS_MM > 0.6].mean(axis=1)
    return profile[(abs(inner - blood) < 0.15 * blood) & (outer < WALL_OF_BLOOD * blood) & (outer > -0.1 * blood)]


def _outward(volume: Volume, edge_mm: np.ndarray) -> np.ndarray:
    """(N, 3) unit vectors down the image's gradient."""
    steps = GRADIENT_MM * np.eye(3)
    ahead, behind = (_cubic(volume, edge_mm[:, None] + sign * steps) for sign in (1, -1))
    slope = behind - ahead
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)


def _misfit(profile: np.ndarray, blur_mm: float) -> np.ndarray:
    """(N,) sum of squared residuals of the best blurred step at the best shift."""
    best = np.full(len(profile), np.inf)
    for shift in SHIFTS_MM:
        step = special.ndtr((shift - ACROSS_MM) / blur_mm)
        design = np.stack([step, 1 - step], axis=1)
        solve = np.eye(len(step)) - design @ np.linalg.pinv(design)
        best = np.minimum(best, ((profile @ solve) ** 2).sum(axis=1))
    return best


def _cubic(volume: Volume, position_mm: np.ndarray) -> np.ndarray:
    return sampled(volume, position_mm, cubic=True).astype(float)
