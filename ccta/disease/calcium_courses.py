"""Where the coronary arteries run in a non-contrast CT: a known tree turned into the patient by the grooves of fat, then traced in them.

Arteries show without contrast as thin soft structures in fat. A reference tree is placed at the aortic root, turned, shifted and scaled until its
arteries lie on such structures (`placed`), and each artery is then the cheapest way through them near its place (`traced`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from skimage.graph import MCP_Geometric
from skimage.morphology import ball

from ccta.coordinates import to_index, to_patient_mm
from ccta.curves import resampled_curve, smoothed_curve
from ccta.disease.calcium_aorta import AorticTube
from ccta.model import Volume

REFERENCE = {
    "LM": ((12, 7, 1), (24, 11, 1)),
    "LAD": ((24, 11, 1), (34, 7, 0), (44, 0, -4), (51, -10, -9), (56, -22, -15), (60, -34, -22), (64, -45, -31), (66, -53, -43), (67, -58, -57), (68, -59, -71),
            (70, -54, -85)),
    "LCx": ((24, 11, 1), (30, 17, -6), (37, 24, -13), (43, 31, -20), (46, 37, -29), (46, 41, -40), (44, 43, -51)),
    "RCA": ((7, -15, -2), (4, -19, -6), (-2, -23, -12), (-8, -26, -20), (-13, -29, -29), (-17, -31, -38), (-20, -33, -47), (-22, -33, -57), (-21, -29, -67),
            (-18, -22, -75), (-13, -12, -80), (-6, 0, -80)),
}  # fmt: skip
"""One patient's tree, rounded: mm from the middle of the aortic root along L, P, S."""
SPREAD = np.array([18, 12, 16, 0.08, 6, 8, 8])  # SD of hearts about it, whichever way they lean: three angles (degrees), log of the size, three shifts (mm)
PRIOR_WEIGHT = 0.06
WEIGHT = {"LM": 0.4, "LAD": 0.8, "LCx": 1.0, "RCA": 1.0}
BLURS_MM = (5.0, 2.4)  # first a wide catch, then the place
TUBE_RADIUS_MM = 6.0  # thinner soft structures in fat count
CONTRAST_HU = 60.0  # of an artery of 3-4 mm, averaged with its fat
FAT_HU = (-200.0, -30.0)
CORRIDOR_MM = 20.0  # about a course, in which its way is sought
NORMAL_HALF_MM = 50.0


@dataclass(frozen=True, eq=False)
class FatTubes:
    """On the coarse grid: tube (0-1, thin and soft with fat around), fat (share within 5 mm), lung."""

    grid: Volume
    tube: np.ndarray
    fat: np.ndarray
    lung: np.ndarray


def fat_tubes(grid: Volume) -> FatTubes:
    """What is brighter than its surroundings after a morphological opening (white top-hat) and has fat near it. grid: HU, 2 mm."""
    step = float(grid.spacing_mm[0])
    hu = np.clip(grid.array, -120, CONTRAST_HU).astype(np.float32)
    thin = hu - ndimage.grey_opening(hu, footprint=ball(round(TUBE_RADIUS_MM / step)))
    fatty = (grid.array > FAT_HU[0]) & (grid.array < FAT_HU[1])
    fat = ndimage.uniform_filter(fatty.astype(np.float32), round(10.0 / step))
    tube = np.clip(thin / CONTRAST_HU, 0, 1) * np.clip(fat / 0.3, 0, 1)
    return FatTubes(grid, tube, fat, grid.array < -300)


def placed(tubes: FatTubes, aorta: AorticTube, half_mm: float) -> dict[str, np.ndarray]:
    """vessel -> (N, 3) course of the reference tree in this patient, 2 mm steps. half_mm: mean half extent of the heart."""
    size = float(np.clip(half_mm / NORMAL_HALF_MM, 0.85, 1.2))
    lines = {name: size * resampled_curve(np.array(line, float), 2.5) for name, line in REFERENCE.items()}
    points = np.vstack(list(lines.values()))
    weight = np.concatenate([np.full(len(line), WEIGHT[name]) for name, line in lines.items()])
    best = None
    for blur_mm in BLURS_MM:
        seen = _evidence(tubes, blur_mm)

        def cost(q, seen=seen):
            shown = ndimage.map_coordinates(seen, to_index(_moved(points, aorta, q), tubes.grid.affine).T, order=1, cval=0.0)
            return -float(weight @ shown) / weight.sum() + PRIOR_WEIGHT * float(np.sum((q / SPREAD) ** 2))

        starts = [best] if best is not None else sorted(_starts(), key=cost)[:8]
        reach = 0.5 if best is None else 0.25
        best = min((_descended(cost, start, reach) for start in starts), key=cost)
    return {name: resampled_curve(_moved(line, aorta, best), 2.0) for name, line in lines.items()}


def _evidence(tubes: FatTubes, blur_mm: float) -> np.ndarray:
    """The tubes blurred for a wider catch, 1 where most of them lie; all 0 in a patient without fat, who then keeps the mean anatomy."""
    blurred = ndimage.gaussian_filter(tubes.tube, blur_mm / float(tubes.grid.spacing_mm[0]))
    strong = blurred[tubes.tube > 0.3]
    return np.minimum(blurred / np.percentile(strong, 80), 1.0) if strong.size else blurred


def _moved(points: np.ndarray, aorta: AorticTube, q: np.ndarray) -> np.ndarray:
    return aorta.root_mm + q[4:] + np.exp(q[3]) * Rotation.from_rotvec(q[:3], degrees=True).apply(points)


def _starts() -> list[np.ndarray]:
    return [np.array([a, b, c, 0, 0, 0, 0], float) for a in (-18, 0, 18) for b in (-10, 10) for c in (-18, 0, 18)]


def _descended(cost, start: np.ndarray, reach: float) -> np.ndarray:
    simplex = start + np.vstack([np.zeros(7), np.diag(reach * SPREAD)])
    return minimize(cost, start, method="Nelder-Mead", options={"initial_simplex": simplex, "maxiter": 250}).x


def traced(tubes: FatTubes, aorta: AorticTube, course: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """vessel -> (N, 3) way through the fat, 1 mm steps. The LAD and the RCA begin on the aorta, the LCx on the LAD; what is before its origin is the LM."""
    left = np.vstack([course["LM"], course["LAD"][1:]])
    right = _way(tubes, aorta, course["RCA"], _on_wall(aorta, course["RCA"]))
    lad = _way(tubes, aorta, left, _on_wall(aorta, left))
    lcx = _way(tubes, aorta, np.vstack([course["LM"][-2:], course["LCx"][1:]]), lambda p: cKDTree(lad[6:25]).query(p)[0] < 1.8)
    fork = int(np.clip(cKDTree(lad).query(lcx[0])[1], 4, 25))
    return {"LM": lad[: fork + 1], "LAD": lad[fork:], "LCx": lcx, "RCA": right}


def _on_wall(aorta: AorticTube, line: np.ndarray):
    """Where an artery may begin: on the aorta's wall within 12 mm of its course's beginning."""
    return lambda points: (np.abs(aorta.off_wall_mm(points)) < 2.5) & (np.linalg.norm(points - line[0], axis=1) < 12.0)


def _way(tubes: FatTubes, aorta: AorticTube, line: np.ndarray, begins) -> np.ndarray:
    """The cheapest way from where `begins` to the course's end through what looks like an artery; leaving the course by more than 11-15 mm costs."""
    affine, shape = tubes.grid.affine, tubes.grid.array.shape
    low = np.clip(np.floor(to_index(line.min(0) - CORRIDOR_MM, affine)), 0, np.array(shape) - 2).astype(int)
    high = np.clip(np.ceil(to_index(line.max(0) + CORRIDOR_MM, affine)) + 1, low + 2, shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    points = to_patient_mm(np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high, strict=True)], indexing="ij"), -1), affine)
    apart, nearest = cKDTree(line).query(points)
    speed = 0.05 + 1.5 * tubes.tube[box] + 0.3 * np.clip(2 * tubes.fat[box], 0, 1)
    cost = (1 + (apart / np.minimum(11 + 0.15 * nearest, 15)) ** 2) / speed
    flat = points.reshape(-1, 3)
    inside = (aorta.off_wall_mm(flat) < -1).reshape(cost.shape)
    cost = np.where(tubes.lung[box] | inside, 20 * cost, cost)
    seeds = np.argwhere(begins(flat).reshape(cost.shape))
    if len(seeds) == 0:
        seeds = np.array(np.unravel_index(np.argmin(np.linalg.norm(points - line[0], axis=-1)), cost.shape))[None]
    paths = MCP_Geometric(cost)
    paths.find_costs(seeds)
    near_end = np.linalg.norm(points - line[-1], axis=-1)
    end = np.unravel_index(np.argmin(np.where(near_end < max(15.0, near_end.min() + 1), cost, np.inf)), cost.shape)
    way = to_patient_mm(np.array(paths.traceback(end)) + low, affine)
    return line if len(way) < 4 else resampled_curve(smoothed_curve(resampled_curve(way, 2.0), 3.0), 1.0)
