"""Dense spots of a non-contrast CT as candidates for coronary calcium: metal and lung are told apart here, and, where a CCTA has the tree, the arteries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.coordinates import sample, to_patient_mm
from ccta.curves import resampled_curve, tangents
from ccta.disease.calcium_scoring import AGATSTON_HU, MIN_AREA_MM2
from ccta.model import SEGMENTS, VESSELS, Branch, CoronaryTree, Volume

BONE_MM3 = 5000.0  # the heaviest single coronary calcifications reach 1000-2000 mm3; ribs and vertebrae exceed this
NEARBY_MM = 20.0  # rejected spots farther from the arteries are bone or lung and are counted, not listed
OSTIUM_MM = 2.0  # beyond an ostium's rim by more than this, a spot belongs to the aortic wall or valve
SHELL_MM = 6.0  # the surroundings of a spot: epicardial fat, blood or lung
LUNG_HU = -250.0  # upper limit
MAX_LUNG = 0.6  # an artery on the surface of the heart has lung on one side at most
DENSE_HU, METAL_HU = 1600.0, 2500.0  # at 120 kVp: some heavy calcium exceeds the first, none the second in slices of 3 mm
SATURATED_HU = 3050.0  # where 12-bit images end
STENT_HU, STENT_LENGTH_MM, STENT_RADIUS_MM = 700.0, 14.0, 3.0  # at 120 kVp, on average along its ridge; calcium as long and thin varies more
MAX_POINTS = 2000  # of one component that are looked at


@dataclass(frozen=True)
class Verdict:
    """On one component. reason: '' when it is coronary calcium. nearby: worth a line in the list of rejected ones. note: what to check."""

    vessel: str = ""
    probability: float = 0.0
    reason: str = ""
    nearby: bool = True
    note: str = ""


@dataclass(frozen=True, eq=False)
class Spot:
    """One component. points_mm: (N, 3), at most `MAX_POINTS` of its voxels. hu: (N,). excess: (N,) HU above the threshold, + 1. size_mm3: of all of it."""

    points_mm: np.ndarray
    hu: np.ndarray
    excess: np.ndarray
    size_mm3: float

    @property
    def center_mm(self) -> np.ndarray:
        """(3,) weighted by the excess."""
        return np.average(self.points_mm, axis=0, weights=self.excess)


Judge = Callable[[Spot], Verdict]


def judged_components(volume: Volume, threshold: float, judge: Judge) -> tuple[np.ndarray, dict[int, Verdict]]:
    """(label map of the 3-D components, 26-neighbours, that are large enough to count, verdict per label). What lies in the lung is rejected."""
    above = volume.array >= threshold
    labels, count = ndimage.label(above, np.ones((3, 3, 3), int))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    pixel_mm2 = float(np.linalg.norm(np.cross(volume.affine[:3, 0], volume.affine[:3, 1])))
    kept = sizes * pixel_mm2 >= MIN_AREA_MM2 - 1e-9
    kept[0] = False
    renamed = np.zeros(count + 1, np.int32)
    renamed[kept] = np.arange(1, kept.sum() + 1)
    labels = renamed[labels]
    verdicts = {}
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        index = np.argwhere(labels[box] == label)
        size_mm3 = len(index) * volume.voxel_mm3
        index = index[:: max(1, len(index) // MAX_POINTS)] + [s.start for s in box]
        hu = volume.array[tuple(index.T)].astype(float)
        spot = Spot(to_patient_mm(index, volume.affine), hu, hu - threshold + 1, size_mm3)
        verdict = judge(spot)
        if not verdict.reason:
            verdict = metal_verdict(spot, verdict, threshold / AGATSTON_HU, float(volume.spacing_mm[2]))
        lung = 0.0 if verdict.reason else lung_share(volume, spot.points_mm)
        in_lung = f"in the lung (vessel or scar): {100 * lung:.0f} % of its surroundings are air"
        verdicts[label] = verdict if lung <= MAX_LUNG else Verdict(verdict.vessel, 0.0, in_lung)
    return labels, verdicts


def metal_verdict(spot: Spot, verdict: Verdict, scale: float, increment_mm: float = 3.0) -> Verdict:
    """An accepted spot rejected as metal, or with a note where it is as dense as metal and as heavy calcium. scale: HU of calcium over that at 120 kVp."""
    metal = looks_metallic(spot, scale, increment_mm)
    if metal:
        return Verdict(verdict.vessel, 0.0, metal)
    return replace(verdict, note=f"possible metal ({spot.hu.max():.0f} HU): check") if spot.hu.max() >= DENSE_HU * scale else verdict


def looks_metallic(spot: Spot, scale: float = 1.0, increment_mm: float = 3.0) -> str:
    """Why a spot is a stent or another device, '' for calcium: metal, or a straight thin tube with a long stretch that is evenly bright.

    Calcified plaque differs along the vessel; the struts of a stent do not. scale: HU of calcium over that at 120 kVp. increment_mm: of the slices.
    """
    if spot.hu.max() >= min(METAL_HU * scale, SATURATED_HU):
        return f"stent or other metal: {spot.hu.max():.0f} HU"
    centered = spot.points_mm - spot.center_mm
    if spot.hu.max() < STENT_HU * scale or len(centered) < 20:
        return ""
    way = np.linalg.svd(centered, full_matrices=False)[2]
    if np.sqrt(np.mean(np.sum((centered @ way[1:].T) ** 2, axis=1))) > STENT_RADIUS_MM:
        return ""
    along, width_mm = centered @ way[0], max(2.0, increment_mm)
    bins = np.floor((along - along.min()) / width_mm).astype(int)
    ridge = ndimage.maximum(spot.hu, bins, np.arange(bins.max() + 1))
    runs, count = ndimage.label(ridge > max(STENT_HU * scale, 0.5 * ridge.max()))
    for run in range(1, count + 1):
        stretch = ridge[runs == run]
        if len(stretch) * width_mm >= STENT_LENGTH_MM and stretch.std() <= 0.2 * stretch.mean():
            return f"stent: {len(stretch) * width_mm:.0f} mm long, evenly {stretch.mean():.0f} HU"
    return ""


def lung_share(volume: Volume, spot_mm: np.ndarray) -> float:
    """Share of air within `SHELL_MM` of the spot's outline, on a 1.5-mm grid."""
    center = spot_mm.mean(axis=0)
    radius = float(np.linalg.norm(spot_mm - center, axis=1).max()) + SHELL_MM
    axis = np.arange(-radius, radius + 0.1, 1.5)
    grid = center + np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    near = cKDTree(spot_mm).query(grid)[0]
    hu = sample(volume, grid[(near > 1.5) & (near < SHELL_MM)])
    return float((hu <= LUNG_HU).mean()) if len(hu) else 0.0


def tree_judge(tree: CoronaryTree, reach_mm: float) -> Judge:
    """Accepts what lies within `reach_mm` of an artery's wall and gives it to that artery.

    `reach_mm` allows for breathing and phase differences between the two scans. A spot is rejected when it is bone-sized, too far, or when it
    lies off the end of an ostium (aortic wall, aortic valve). Probability: logistic in the distance to the wall, 0.5 at `reach_mm`.
    """
    lines = [resampled_curve(b.points_mm, 0.5) for b in tree]
    points = np.vstack(lines)
    radius = np.concatenate([_resampled_radius(b, len(line)) for b, line in zip(tree, lines, strict=True)])
    vessels = np.concatenate([_vessels_along(tree, i, line) for i, line in enumerate(lines)])
    ostium = np.concatenate([np.arange(len(line)) == (0 if b.parent is None else -1) for b, line in zip(tree, lines, strict=True)])
    forward = np.concatenate([tangents(line) for line in lines])
    nearest = cKDTree(points)

    def judge(spot: Spot) -> Verdict:
        spot_mm, weights, size_mm3 = spot.points_mm, spot.excess, spot.size_mm3
        distance, index = nearest.query(spot_mm)
        offset = float(np.average(np.maximum(distance - radius[index], 0), weights=weights))
        votes = {v: float(weights[vessels[index] == v].sum()) for v in VESSELS}
        vessel = max(votes, key=votes.get)
        nearby = offset <= NEARBY_MM and size_mm3 <= BONE_MM3
        if size_mm3 > BONE_MM3:
            return Verdict(vessel, 0.0, f"bone or device: {size_mm3:.0f} mm3 in one piece", nearby)
        if offset > reach_mm:
            return Verdict(vessel, 0.0, f"away from the arteries: {offset:.0f} mm from the wall of the nearest artery ({vessel})", nearby)
        off_end = ostium[index] & (np.einsum("ij,ij->i", spot_mm - points[index], forward[index]) < OSTIUM_MM)
        if weights[off_end].sum() > 0.5 * weights.sum() and offset > OSTIUM_MM:
            return Verdict(vessel, 0.0, f"aortic wall or valve: {offset:.0f} mm beyond the rim of the {vessel} ostium", True)
        certainty = votes[vessel] / sum(votes.values())
        return Verdict(vessel, float(certainty / (1 + np.exp((offset - reach_mm) / 1.5))))

    return judge


def _resampled_radius(branch: Branch, count: int) -> np.ndarray:
    s = branch.distance_mm
    return np.interp(np.linspace(0, s[-1], count), s, branch.radius_mm)


def _vessels_along(tree: CoronaryTree, index: int, line: np.ndarray) -> np.ndarray:
    """(len(line),) vessel of each point: by its segment, else by the branch's name, else that of the trunk it comes from."""
    branch = tree.branches[index]
    fallback, above = "", index
    while not fallback and above is not None:
        parent = tree.branches[above]
        named = parent.name if parent.name in VESSELS else next((SEGMENTS[s][1] for s in parent.segment[::-1] if s in SEGMENTS), "")
        fallback, above = named, parent.parent
    fallback = fallback or "LAD"
    wanted = np.linspace(0, branch.length_mm, len(line))
    nearest = np.abs(branch.distance_mm[None, :] - wanted[:, None]).argmin(axis=1)
    return np.array([SEGMENTS[s][1] if s in SEGMENTS else fallback for s in branch.segment[nearest]])
