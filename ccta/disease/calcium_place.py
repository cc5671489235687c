"""Coronary calcium without a CCTA: a spot is judged by the arteries traced in the fat, the aorta, the valves, and what lies around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.coordinates import cropped, resampled, sample, to_index, to_patient_mm, upright
from ccta.disease.calcium_aorta import AorticTube, find_aorta
from ccta.disease.calcium_courses import fat_tubes, placed, traced
from ccta.disease.calcium_heart import HeartPlace, locate_heart
from ccta.disease.calcium_selection import BONE_MM3, Judge, Spot, Verdict, surroundings
from ccta.errors import Refusal
from ccta.model import Volume

GRID_MM = 2.0
AXIS_PRIOR = (-0.20, -0.25)  # of the ascending aorta, in half extents of the heart from its centre along L and P; SD 0.42. Across, the spine has a say
ROOT_PRIOR = (-0.20, -0.24, 0.50)  # of the aortic root, where the aorta itself does not show
ROOT_RADIUS_MM = 16.0
MARGIN_MM = 8.0  # the arteries run on the surface of the heart, whose outline is known to about three coarse voxels
BOX_MM = np.array([[-40.0, -30.0, -30.0], [40.0, 60.0, 60.0]])  # beyond the heart's extents, low and high
SCATTER_MM = 5.0  # of an artery about its traced way, and of a valve about its place
SIDE_BRANCH_MM = 44.0  # diagonals, marginals and posterior branches reach as far from the three main ways
DOUBT_MM = 20.0  # farther from the ways than this, it is less likely than not an artery's
SURFACE_MM = (5.0, 8.0)  # side branches lie on the muscle, to within a coarse voxel and their own radius; beyond the second, in the outer fat, there are none
ELSEWHERE = float(np.exp(-2.0))  # weight of calcium that is in none of the places known, as much as an artery's at `DOUBT_MM`, or at the end of its reach
REACH_MM = 9.0  # from its traced way without fat around
MUSCLE_FAT, SURE_FAT = 0.15, 0.45  # shares of fat around calcium in muscle or a chamber, and around an artery on the surface
NOISE_LISTED_MM = 10.0  # as near a traced artery, what looks like noise is listed: a reader would score it if it is calcium
NOISE_SD, NOISE_MM3 = 5.0, 8.0  # a million voxels of a heart reach 5 SD; noise makes no larger spots
LEAN_PENALTY = 1.0  # a thin patient's arteries show little fat, so that its absence alone decides nothing
FATTY = 0.3  # share of fat around a coronary lesion; partial volume and a neighbouring chamber leave at least this
LEFT_MAIN_MM = 11.5  # from the aorta's outer wall to the fork; the left main is 11 +- 5 mm long
OSTIA_MM = 6.0  # the ostia lie within this of the level of the root; higher up, what touches the aorta is its wall, in fat or not
ROOT_BELOW_MM = 16.0  # aortic valve below the level of the ostia
DESCENDING_MM = np.arange(8.5, 19.1, 1.5)  # radii of the descending aorta
WALL_MM = 2.5  # a spot in the aortic wall has its middle as near as this to the circle
ANNULUS_MM = 11.0  # the mitral annulus lies inside the circumflex in the groove by this


@dataclass(frozen=True, eq=False)
class HeartMap:
    """What is known of a heart without contrast. ways: vessel -> (N, 3). seen: False where the aorta did not show and the mean anatomy stands in."""

    place: HeartPlace
    aorta: AorticTube
    ways: dict[str, np.ndarray]
    annulus: np.ndarray
    descending: AorticTube | None
    seen: bool


def map_heart(volume: Volume) -> HeartMap:
    """Heart between the lungs, ascending aorta, arteries in the fat, mitral annulus. Raises Refusal when the heart is not found."""
    volume = upright(volume)
    place = locate_heart(volume)
    grid = resampled(_about(volume, place), GRID_MM)
    points = to_patient_mm(np.stack(np.meshgrid(*map(np.arange, grid.array.shape), indexing="ij"), -1), grid.affine)
    off = place.relative(points)
    spine = spine_mm(grid, points, place)
    across = AXIS_PRIOR[0] if spine is None else 0.5 * (AXIS_PRIOR[0] + float(place.relative(np.array([spine[0], 0, 0]))[0]))
    likely = np.exp(-((off[..., 0] - across) ** 2 + (off[..., 1] - AXIS_PRIOR[1]) ** 2) / (2 * 0.42**2)) * (off[..., 2] > 0.15)
    try:
        aorta, seen = find_aorta(grid, likely.astype(np.float32)), True
    except Refusal:
        root = place.center_mm + place.half_mm * ROOT_PRIOR
        aorta, seen = AorticTube(root + np.array([[0, 0, 0], [0, 0, 40.0]]), np.full(2, ROOT_RADIUS_MM)), False
    tubes = fat_tubes(grid)
    ways = traced(tubes, aorta, placed(tubes, aorta, float(np.cbrt(place.half_mm.prod()))))
    return HeartMap(place, aorta, ways, _annulus(ways["LCx"]), descending_aorta(grid, points, spine), seen)


def _about(volume: Volume, place: HeartPlace) -> Volume:
    """The part of the image that holds the heart, the spine behind it and the aorta above it. volume: upright."""
    corners = to_index(place.center_mm + np.array([-1, 1])[:, None] * place.half_mm + BOX_MM, volume.affine)
    return cropped(volume, np.floor(corners[0]), np.ceil(corners[1]) + 1)


def spine_mm(grid: Volume, points: np.ndarray, place: HeartPlace) -> tuple[float, float] | None:
    """(x of its middle, y of its front) of the bone behind the heart. points: (ni, nj, nk, 3) of the grid. None where it is not in the image."""
    bone = points[(grid.array > 200) & (points[..., 1] > place.center_mm[1] + place.half_mm[1])]
    return (float(np.median(bone[:, 0])), float(np.percentile(bone[:, 1], 3))) if len(bone) >= 100 else None


def descending_aorta(grid: Volume, points: np.ndarray, spine: tuple[float, float] | None) -> AorticTube | None:
    """The tube beside the front of the spine, left of its middle. points: (ni, nj, nk, 3) of the grid. None where it does not show."""
    if spine is None:
        return None
    likely = np.exp(-((points[..., 0] - spine[0] - 20) ** 2 + (points[..., 1] - spine[1] + 2) ** 2) / (2 * 16.0**2))
    try:
        return find_aorta(grid, likely.astype(np.float32), DESCENDING_MM)
    except Refusal:
        return None


def _annulus(lcx: np.ndarray) -> np.ndarray:
    """(N, 3) the posterior mitral annulus: the circumflex's way drawn inwards to the middle of the circle that it follows."""
    middle = lcx.mean(axis=0)
    plane = np.linalg.svd(lcx - middle)[2][:2]
    flat = (lcx - middle) @ plane.T
    center = np.linalg.lstsq(np.column_stack([2 * flat, np.ones(len(flat))]), (flat**2).sum(axis=1), rcond=None)[0][:2]
    inward = center - flat
    length = np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-6)
    return middle + (flat + inward / length * np.minimum(ANNULUS_MM, length)) @ plane


def place_judge(volume: Volume, known: HeartMap, blood: tuple[float, float]) -> Judge:
    """Judge by place. blood: (HU, SD) of the heart's blood. Distances in units of their scatter; fat around speaks for an artery and against valves.

    Probability: exp(-d^2 / 2) of the artery over the sum of all arteries, aortic wall, aortic valve, mitral annulus and anywhere else.
    """
    trees = {name: cKDTree(way) for name, way in known.ways.items()}
    annulus = cKDTree(known.annulus)

    def judge(spot: Spot) -> Verdict:
        center = spot.center_mm
        if not _near_heart(known, center):
            return Verdict(reason="outside the heart", nearby=False)
        if spot.size_mm3 > BONE_MM3:
            within = float(known.place.contains(spot.points_mm).mean()) > 0.5  # a ring of ribs has its centre in the heart
            return Verdict(reason=f"bone or device: {spot.size_mm3:.0f} mm3 in one piece", nearby=within)
        apart_mm = {name: float(np.average(tree.query(spot.points_mm)[0], weights=spot.excess)) for name, tree in trees.items()}
        if spot.size_mm3 < NOISE_MM3 and spot.hu.max() < blood[0] + NOISE_SD * blood[1]:
            said = f"noise: {spot.hu.max():.0f} HU, within {NOISE_SD:g} SD ({blood[1]:.0f} HU) of the blood"
            return Verdict(vessel_of(apart_mm, known.aorta, center), 0.0, said, min(apart_mm.values()) <= NOISE_LISTED_MM)
        fat, _ = surroundings(volume, spot.points_mm)
        other_mm = {"mitral annulus": float(annulus.query(center)[0]), **aortic_mm(known, center)}
        outside_mm = float(sample(known.place.outside_mm, center[None])[0])
        return _verdict(vessel_of(apart_mm, known.aorta, center), apart_mm, other_mm, fat, outside_mm)

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


def aortic_mm(known: HeartMap, center: np.ndarray) -> dict[str, float]:
    """Distance of a spot from the wall of the ascending aorta (above the ostia), of the descending one, and from the valve, mm; inf where it does not apply."""
    off = float(known.aorta.off_wall_mm(center[None])[0])
    above = center[2] - known.aorta.root_mm[2]
    wall = "aortic wall above the ostia" if above > OSTIA_MM else "aortic wall"
    found = {wall: max(abs(off) - WALL_MM, 0.0) if above > -OSTIA_MM else np.inf, "aortic valve": np.inf}
    if -ROOT_BELOW_MM < above < 10.0:
        found["aortic valve"] = max(off + 2.0, 0.0)
    if known.descending is not None:
        found["descending aorta"] = max(float(known.descending.off_wall_mm(center[None])[0]) - WALL_MM, 0.0)
    return found


def _verdict(vessel: str, apart_mm: dict[str, float], other_mm: dict[str, float], fat: float, outside_mm: float) -> Verdict:
    """An artery's spot lies on its traced way, or, with fat around, where a side branch may run: on the muscle, `outside_mm` from it at most a few mm."""
    nearest_mm, fatty = min(apart_mm.values()), min(fat / FATTY, 1.0)
    on_muscle = np.interp(outside_mm, SURFACE_MM, [1, 0])
    reach_mm = REACH_MM + (SIDE_BRANCH_MM - REACH_MM) * float(on_muscle * np.clip((fat - MUSCLE_FAT) / (SURE_FAT - MUSCLE_FAT), 0, 1))
    own = 2.0 * nearest_mm / reach_mm + LEAN_PENALTY * (1 - fatty)
    units = {name: mm / (WALL_MM if "wall" in name else SCATTER_MM) + (0.0 if name.endswith("ostia") else fatty) for name, mm in other_mm.items()}
    worst = min(units, key=units.get)
    if units[worst] < own and (nearest_mm <= reach_mm or other_mm[worst] <= 2 * SCATTER_MM):
        return Verdict(vessel, 0.0, f"{worst}: {other_mm[worst]:.0f} mm from its place, {100 * fat:.0f} % fat around")
    if nearest_mm > reach_mm and outside_mm > SURFACE_MM[0]:
        said = f"{outside_mm:.0f} mm outside the muscle and {nearest_mm:.0f} mm from the nearest artery ({vessel})"
        return Verdict(vessel, 0.0, f"pericardium or outer fat: {said}")
    if nearest_mm > reach_mm:
        return Verdict(vessel, 0.0, f"away from the arteries: {nearest_mm:.0f} mm from the nearest ({vessel}), {100 * fat:.0f} % fat around")
    doubt = max(own, 2.0 * nearest_mm / min(reach_mm, DOUBT_MM))
    mine, others = np.exp(-(doubt**2) / 2), sum(np.exp(-(u**2) / 2) for u in units.values())
    rivals = sum(np.exp(-((2.0 * mm / reach_mm) ** 2) / 2) for name, mm in apart_mm.items() if name != vessel and {name, vessel} != {"LM", "LAD"})
    return Verdict(vessel, float(mine / (mine + others + rivals + ELSEWHERE)))


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
