"""Coronary calcium without a CCTA: a spot is judged by the arteries traced in the fat, the aorta, the valves, and what lies around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.coordinates import resampled, sample, to_patient_mm
from ccta.disease.calcium_aorta import AorticTube, find_ascending_aorta
from ccta.disease.calcium_courses import fat_tubes, placed, traced
from ccta.disease.calcium_heart import HeartPlace, locate_heart, upright
from ccta.disease.calcium_selection import BONE_MM3, Judge, Verdict, surroundings
from ccta.errors import Refusal
from ccta.model import VESSELS, Volume

GRID_MM = 2.0
AXIS_PRIOR = (-0.20, -0.25)  # of the ascending aorta, in half extents of the heart from its centre along L and P; SD 0.5
ROOT_PRIOR = (-0.20, -0.24, 0.50)  # of the aortic root, where the aorta itself does not show
ROOT_RADIUS_MM = 16.0
MARGIN_MM = 8.0  # the arteries run on the surface of the heart, whose outline is known to about three coarse voxels
SCATTER_MM = 5.0  # of an artery about its traced way, and of a valve about its place
SIDE_BRANCH_MM = 32.0  # diagonals, marginals and posterior branches reach as far from the three main ways
FATTY = 0.2  # share of fat around a coronary lesion; partial volume and a neighbouring chamber leave at least this
LEFT_MAIN_MM = 9.0  # from the aorta's wall to the fork: 10 +- 5 mm along the vessel
ROOT_BELOW_MM = 16.0  # aortic valve below the level of the ostia
WALL_MM = 2.5  # a spot in the aortic wall has its middle as near as this to the circle
ANNULUS_MM = 11.0  # the mitral annulus lies inside the circumflex in the groove by this


@dataclass(frozen=True, eq=False)
class HeartMap:
    """What is known of a heart without contrast. ways: vessel -> (N, 3). seen: False where the aorta did not show and the mean anatomy stands in."""

    place: HeartPlace
    aorta: AorticTube
    ways: dict[str, np.ndarray]
    annulus: np.ndarray
    seen: bool


def map_heart(volume: Volume) -> HeartMap:
    """Heart between the lungs, ascending aorta, arteries in the fat, mitral annulus. Raises Refusal when the heart is not found."""
    volume = upright(volume)
    place = locate_heart(volume)
    grid = resampled(volume, GRID_MM)
    points = to_patient_mm(np.stack(np.meshgrid(*map(np.arange, grid.array.shape), indexing="ij"), -1), grid.affine)
    off = place.relative(points)
    likely = np.exp(-((off[..., 0] - AXIS_PRIOR[0]) ** 2 + (off[..., 1] - AXIS_PRIOR[1]) ** 2) / (2 * 0.5**2)) * (off[..., 2] > 0.15)
    try:
        aorta, seen = find_ascending_aorta(grid, likely.astype(np.float32)), True
    except Refusal:
        root = place.center_mm + place.half_mm * ROOT_PRIOR
        aorta, seen = AorticTube(root + np.array([[0, 0, 0], [0, 0, 40.0]]), np.full(2, ROOT_RADIUS_MM)), False
    tubes = fat_tubes(grid)
    ways = traced(tubes, aorta, placed(tubes, aorta, float(np.cbrt(place.half_mm.prod()))))
    return HeartMap(place, aorta, ways, _annulus(ways["LCx"]), seen)


def _annulus(lcx: np.ndarray) -> np.ndarray:
    """(N, 3) the posterior mitral annulus: the circumflex's way drawn inwards to the middle of the circle that it follows."""
    middle = lcx.mean(axis=0)
    plane = np.linalg.svd(lcx - middle)[2][:2]
    flat = (lcx - middle) @ plane.T
    center = np.linalg.lstsq(np.column_stack([2 * flat, np.ones(len(flat))]), (flat**2).sum(axis=1), rcond=None)[0][:2]
    inward = center - flat
    length = np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-6)
    return middle + (flat + inward / length * np.minimum(ANNULUS_MM, length)) @ plane


def place_judge(volume: Volume, known: HeartMap) -> Judge:
    """Judge by place. Distances in units of their scatter; a spot without fat around is set farther from every artery, one in fat farther from valves.

    Probability: exp(-d^2 / 2) of the artery over the sum of all arteries, aortic wall, aortic valve and mitral annulus.
    """
    trees = {name: cKDTree(way) for name, way in known.ways.items()}
    annulus = cKDTree(known.annulus)

    def judge(spot_mm: np.ndarray, weights: np.ndarray, size_mm3: float) -> Verdict:
        center = np.average(spot_mm, axis=0, weights=weights)
        if not _near_heart(known, center):
            return Verdict(reason="outside the heart", nearby=False)
        if size_mm3 > BONE_MM3:
            within = float(known.place.contains(spot_mm).mean()) > 0.5  # a ring of ribs has its centre in the heart
            return Verdict(reason=f"bone or device: {size_mm3:.0f} mm3 in one piece", nearby=within)
        fat, _ = surroundings(volume, spot_mm)
        apart_mm = {name: float(np.average(tree.query(spot_mm)[0], weights=weights)) for name, tree in trees.items()}
        vessel = vessel_of(apart_mm, known.aorta, center)
        other_mm = {"mitral annulus": float(annulus.query(center)[0]), **aortic_mm(known.aorta, center)}
        return _verdict(vessel, apart_mm, other_mm, min(fat / FATTY, 1.0), fat)

    return judge


def vessel_of(apart_mm: dict[str, float], aorta: AorticTube, center: np.ndarray) -> str:
    """The nearest way; on the left, within `LEFT_MAIN_MM` of the aorta's wall it is the left main, farther the LAD or the LCx."""
    nearest = min(apart_mm, key=apart_mm.get)
    if nearest == "RCA":
        return nearest
    off_wall = float(aorta.off_wall_mm(center[None])[0])
    if off_wall < LEFT_MAIN_MM and apart_mm["LM"] < 2 * SCATTER_MM + 2:
        return "LM"
    return min(("LAD", "LCx"), key=apart_mm.get) if nearest == "LM" else nearest


def aortic_mm(aorta: AorticTube, center: np.ndarray) -> dict[str, float]:
    """Distance of a spot from the aortic wall (above the ostia) and from the valve (inside, below them), mm; inf where it does not apply."""
    off = float(aorta.off_wall_mm(center[None])[0])
    above = center[2] - aorta.root_mm[2]
    wall = max(abs(off) - WALL_MM, 0.0) if above > -4.0 else np.inf
    valve = max(off + 2.0, 0.0) if -ROOT_BELOW_MM < above < 10.0 else np.inf
    return {"aortic wall": wall, "aortic valve": valve}


def _verdict(vessel: str, apart_mm: dict[str, float], other_mm: dict[str, float], fatty: float, fat: float) -> Verdict:
    nearest_mm = min(apart_mm.values())
    if nearest_mm > SIDE_BRANCH_MM:
        return Verdict(vessel, 0.0, f"away from the arteries: {nearest_mm:.0f} mm from the nearest ({vessel})")
    side = max(nearest_mm - SCATTER_MM, 0.0) / SIDE_BRANCH_MM  # a side branch in fat may be far from the main way
    own = np.hypot(min(nearest_mm, SCATTER_MM) / SCATTER_MM, 1.5 * side) + 1.5 * (1 - fatty)
    units = {name: mm / SCATTER_MM + 1.0 * fatty for name, mm in other_mm.items()}
    worst = min(units, key=units.get)
    odds = {name: np.exp(-(u**2) / 2) for name, u in units.items()}
    if units[worst] < own:
        return Verdict(vessel, 0.0, f"{worst}: {other_mm[worst]:.0f} mm from its place, {100 * fat:.0f} % fat around")
    if own > 2.2:
        return Verdict(vessel, 0.0, f"away from the arteries: {nearest_mm:.0f} mm from the nearest ({vessel}), {100 * fat:.0f} % fat around")
    mine = np.exp(-(own**2) / 2)
    rivals = sum(np.exp(-((mm / SCATTER_MM) ** 2) / 2) for name, mm in apart_mm.items() if name != vessel and {name, vessel} != {"LM", "LAD"})
    return Verdict(vessel, float(mine / (mine + sum(odds.values()) + rivals)))


def _near_heart(known: HeartMap, center: np.ndarray) -> bool:
    offsets = MARGIN_MM * np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])
    return bool(known.place.contains(center + offsets).any())


def blood_hu(volume: Volume, place: HeartPlace) -> tuple[float, float]:
    """(median, SD) of the heart's blood and muscle, HU: the noise of single voxels, robust against fat and calcium."""
    core = ndimage.binary_erosion(place.region.array, iterations=4)
    points = to_patient_mm(np.argwhere(core if core.any() else place.region.array), place.region.affine)
    hu = sample(volume, points, order=0)
    soft = hu[(hu > -60) & (hu < 160)]
    middle = float(np.median(soft)) if soft.size else 40.0
    return middle, float(1.4826 * np.median(np.abs(soft - middle))) if soft.size else 0.0


__all__ = ["VESSELS", "HeartMap", "blood_hu", "map_heart", "place_judge"]
