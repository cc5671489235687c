"""Blood pools of the heart: a watershed of the distance transform whose seeds are named by where they lie about the aortic root and the LV.

Grids: axis 0 to the Left, 1 to Posterior, 2 to Superior, isotropic `step_mm`. Boxes of relative position are taken from normal anatomy in
supine patients; they only have to hold the deepest point of a chamber, the borders come from the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.graph import route_through_array
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

from ccta.anatomy.heart_aorta import Tube
from ccta.errors import Refusal
from ccta.model import HEART_LABELS

OTHER = 99  # blood that is not the heart's: veins, descending aorta, bone
MUSCLE_HU = (30.0, 170.0)  # myocardium in arterial phase 80-130 HU, with partial volume and noise


@dataclass(frozen=True, eq=False)
class Pools:
    """The blood on a patient grid: hu, blood (mask), depth_mm to its edge, and its peaks (P, 3) index."""

    hu: np.ndarray
    blood: np.ndarray
    depth_mm: np.ndarray
    peaks: np.ndarray
    step_mm: float


def find_pools(hu: np.ndarray, blood: np.ndarray, contrast_hu: float, step_mm: float) -> Pools:
    """Depth and peaks of the blood mask; thin dark walls between two pools (black top-hat over 7.5 mm) count as an edge."""
    ball = ndimage.iterate_structure(ndimage.generate_binary_structure(3, 1), 2)
    wall, _ = ndimage.label(blood & (ndimage.grey_closing(hu, footprint=ball) - hu > 0.2 * contrast_hu))
    large = np.bincount(wall.ravel()) * step_mm**3 > 300
    large[0] = False
    depth = ndimage.distance_transform_edt(blood & ~large[wall]) * step_mm
    depth = (ndimage.gaussian_filter(depth, 1.0) * blood).astype(np.float32)
    peaks = peak_local_max(depth, min_distance=max(1, round(7 / step_mm)), threshold_abs=5.0, exclude_border=False)
    return Pools(hu, blood, depth, peaks, step_mm)


def left_ventricle(pools: Pools, aorta: Tube) -> int:
    """Index of the peak of the LV: below the aorta, the pool with the most muscle 3 to 9 mm outside it. Raises Refusal."""
    seeds = np.zeros(pools.blood.shape, np.int32)
    seeds[tuple(pools.peaks.T)] = np.arange(1, len(pools.peaks) + 1)
    basin = watershed(-pools.depth_mm, seeds, mask=pools.blood)
    outside, nearest = ndimage.distance_transform_edt(basin == 0, return_indices=True)
    shell = (outside * pools.step_mm > 3) & (outside * pools.step_mm < 9)
    owner = basin[tuple(nearest[:, shell])]
    muscle = (pools.hu[shell] > MUSCLE_HU[0]) & (pools.hu[shell] < MUSCLE_HU[1])
    count = np.bincount(owner, minlength=len(pools.peaks) + 1)
    hits = np.bincount(owner, muscle, minlength=len(pools.peaks) + 1)
    volume_ml = np.bincount(basin.ravel(), minlength=len(pools.peaks) + 1) * pools.step_mm**3 / 1000
    offset = (pools.peaks - aorta.top) * pools.step_mm
    allowed = (offset[:, 2] < -15) & (offset[:, 0] > -20) & (np.linalg.norm(offset, axis=1) < 150) & (volume_ml[1:] > 10)
    allowed &= pools.depth_mm[tuple(pools.peaks.T)] > 8  # a ventricle, not a rib among its muscles
    score = np.where(allowed, hits[1:] ** 2 / np.maximum(count[1:], 1), 0)
    if len(score) == 0 or not score.max() > 0:
        raise Refusal("no left ventricle was found below the aorta: no large enhanced pool has a muscular wall; the scan must hold the whole heart")
    return int(np.argmax(score))


def aortic_valve(pools: Pools, aorta: Tube, lv_peak: np.ndarray) -> tuple[np.ndarray, float]:
    """(index (3,) of the valve, width mm): 4 mm above the narrowest place on the widest way from the ascending aorta into the LV. Raises Refusal."""
    inner_mm = ndimage.distance_transform_edt(pools.blood) * pools.step_mm  # closed leaflets do not block it
    cost = 1 / np.maximum(inner_mm[::2, ::2, ::2], 0.05) ** 3  # every other voxel is enough for a way 10 mm wide
    start, end = (np.minimum(np.rint(at / 2).astype(int), np.array(cost.shape) - 1) for at in (aorta.top, lv_peak))
    way = 2 * np.array(route_through_array(cost, start, end, geometric=True)[0])
    width_mm = float(inner_mm[tuple(way.T)].min())
    below = way[:, 2] < aorta.top[2] - 8 / pools.step_mm
    if not below.any() or width_mm < 2:
        raise Refusal("the aorta does not open into the left ventricle in this image: the aortic valve is outside it or hidden by an artefact")
    depth = np.where(below & (np.linalg.norm(way - lv_peak, axis=1) * pools.step_mm > 12), inner_mm[tuple(way.T)], np.inf)
    return way[max(0, int(np.argmin(depth)) - round(4 / (2 * pools.step_mm)))].astype(float), width_mm


def wall_hu(pools: Pools, lv_peak: np.ndarray) -> float:
    """Median HU of the myocardium: muscle 3 to 6 mm outside the blood within 60 mm of the LV's centre."""
    outside = ndimage.distance_transform_edt(~pools.blood) * pools.step_mm
    near = sum((x - c) ** 2 for x, c in zip(np.ogrid[tuple(slice(n) for n in outside.shape)], lv_peak, strict=True)) < (60 / pools.step_mm) ** 2
    muscle = pools.hu[near & (outside > 3) & (outside < 6) & (pools.hu > 50) & (pools.hu < MUSCLE_HU[1])]
    return float(np.median(muscle)) if muscle.size else 100.0


def with_dim_blood(pools: Pools, wall: float, aorta_hu: float) -> Pools:
    """The pools with washed-out blood of the right heart added, where there is any.

    It is brighter than the wall by 20 HU, 3 mm clear of bright blood, and more than 8 mL of it are deeper than 3 mm: a chamber, not an edge.
    """
    bright = pools.hu > (wall + aorta_hu) / 2
    dim = (ndimage.gaussian_filter(pools.hu, 0.8) > wall + 20) & (ndimage.distance_transform_edt(~bright) * pools.step_mm > 3)
    core, _ = ndimage.label(ndimage.distance_transform_edt(dim) * pools.step_mm > 3)
    large = np.bincount(core.ravel()) * pools.step_mm**3 > 8000
    large[0] = False
    core = large[core]
    if not core.any():
        return pools
    dim &= ndimage.distance_transform_edt(~core) * pools.step_mm <= 3.5
    return find_pools(pools.hu, pools.blood | dim, aorta_hu - wall, pools.step_mm)


def _axis(aorta: Tube, pools: Pools, top_only: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the tube's axis in the blood; `top_only`: its upper half, since the lower end may be the outflow tract."""
    keep = aorta.slice >= (aorta.slice[len(aorta.slice) // 2] if top_only else 0)
    at = (*np.rint(aorta.center[keep]).astype(int).T, aorta.slice[keep])
    inside = pools.blood[at]
    return tuple(a[inside] for a in at)


def name_seeds(pools: Pools, lv_peak: np.ndarray, valve: np.ndarray) -> np.ndarray:
    """Label map of the places deeper than 4 mm that are certain, 0 where the flood from its neighbours has to decide."""
    at = np.argwhere(pools.depth_mm > 4)
    left, posterior, superior = ((at - valve) * pools.step_mm).T
    depth = pools.depth_mm[tuple(at.T)]
    apical = 0.8 * left - 0.55 * posterior - 0.2 * superior  # across the atrioventricular plane, towards the ventricles
    near_left, near_right = (width[tuple(at.T)] for width in _widths(pools, lv_peak, valve))
    right_heart, left_heart = near_right > 1.25 * near_left, near_left > 1.25 * near_right
    low = (superior < 4) & (superior > -95)
    rules = {
        "lv": left_heart & low & (apical > 28) & (depth > 6),
        "rv": right_heart & low & (apical > 16) & (posterior < 5) & (posterior > -80),
        "ra": ~left_heart & (apical < -10) & (left < -12) & (left > -75) & (superior < 12) & (superior > -60) & (posterior < 14),
        "pulmonary_artery": ~left_heart & (superior > 18) & (superior < 75) & (left > 8) & (left < 55) & (posterior > -45) & (posterior < 12),
        "la": ~right_heart & (posterior > 18) & (posterior < 60) & (left < 15) & (left > -40) & (apical < 0) & (superior < 20) & (depth > 8),
    }
    label = np.zeros(len(at), int)
    for name, rule in rules.items():
        label[rule] = HEART_LABELS[name]
    behind = (superior > 30) & (posterior >= 12) & (posterior < 45) & (np.abs(left) < 25)  # right pulmonary artery behind the aorta
    label[behind & ~left_heart] = HEART_LABELS["pulmonary_artery"]
    vein = (superior > 24) & (left < -26) & (posterior > -15)  # superior vena cava, right pulmonary veins
    far = (posterior > 65) | (posterior < -90) | (np.abs(left - 10) > 95) | (superior < -105) | (superior > 75)
    seeds, peak = np.zeros(pools.blood.shape, np.int32), np.zeros(pools.blood.shape, bool)
    peak[tuple(pools.peaks.T)] = True
    label[(vein | far | ((posterior > 40) & (label == 0))) & peak[tuple(at.T)]] = OTHER
    seeds[tuple(at.T)] = label
    return seeds


def _widths(pools: Pools, lv_peak: np.ndarray, valve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth of the narrowest place on the widest way to the LV, and to the right ventricle: which heart a pool belongs to.

    The widest way is a grey-scale reconstruction (Vincent 1993). The right ventricle is the deep pool in front that is worst connected to the LV.
    """
    to_left = _widest(pools.depth_mm, lv_peak)
    left, posterior, superior = ((pools.peaks - valve) * pools.step_mm).T
    depth = pools.depth_mm[tuple(pools.peaks.T)]
    front = (posterior < -12) & (superior < 10) & (superior > -90) & (left > -15) & (left < 75) & (posterior > -80)
    alone = np.where(front, depth * (1 - to_left[tuple(pools.peaks.T)] / depth), 0)
    if not (front.any() and alone.max() > 1):
        return to_left, np.zeros_like(to_left)
    return to_left, _widest(pools.depth_mm, pools.peaks[np.argmax(alone)])


def _widest(depth: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """Largest depth d such that a way deeper than d leads from each voxel to `peak`."""
    marker = np.zeros_like(depth)
    marker[tuple(peak)] = depth[tuple(peak)]
    return reconstruction(marker, depth)


def chambers(pools: Pools, aorta: Tube, others: list[Tube], lv_peak: np.ndarray, valve: np.ndarray) -> np.ndarray:
    """uint8 label map of the blood pools: HEART_LABELS without myocardium and heart; other blood is OTHER."""
    seeds = name_seeds(pools, lv_peak, valve)
    seeds[tuple(lv_peak)] = HEART_LABELS["lv"]
    for tube in others:
        left, posterior = (tube.center.mean(axis=0) - valve[:2]) * pools.step_mm
        if posterior > 40 or (left < -15 and tube.slice.mean() > valve[2]):  # descending aorta, superior vena cava
            seeds[_axis(tube, pools, top_only=False)] = OTHER
    axis = np.zeros(pools.blood.shape, bool)
    above = aorta.slice > valve[2] + 8 / pools.step_mm
    axis[(*np.rint(aorta.center[above]).astype(int).T, aorta.slice[above])] = True
    away_mm, radius_mm = ndimage.distance_transform_edt(~axis) * pools.step_mm, np.median(aorta.radius_mm)
    seeds[away_mm < 1.3 * radius_mm] = 0
    seeds[(away_mm < 0.6 * radius_mm) & pools.blood] = HEART_LABELS["aorta"]
    flooded = watershed(-pools.depth_mm, seeds, mask=pools.blood).astype(np.uint8)
    return _without_vessels(flooded, aorta, pools.step_mm)


def _without_vessels(labels: np.ndarray, aorta: Tube, step_mm: float) -> np.ndarray:
    """Each chamber as its largest piece after an opening (pulmonary veins, lung vessels go to OTHER); the aorta only about its own axis."""
    out = np.where(labels > 0, OTHER, 0).astype(np.uint8)
    for name, radius_mm in {"lv": 2.5, "rv": 1.0, "ra": 1.0, "la": 5.0, "pulmonary_artery": 4.0, "aorta": 4.0}.items():
        mask = labels == HEART_LABELS[name]
        if name == "aorta":
            mask = mask & _near_axis(aorta, mask.shape, step_mm)
        core, count = ndimage.label(ndimage.distance_transform_edt(mask) * step_mm > radius_mm)
        if count:
            core = core == 1 + np.argmax(np.bincount(core.ravel())[1:])
            out[mask & (ndimage.distance_transform_edt(~core) * step_mm <= radius_mm + step_mm)] = HEART_LABELS[name]
    return out


def _near_axis(aorta: Tube, shape, step_mm: float) -> np.ndarray:
    """Mask of the places within 1.6 radii (at least 24 mm) of the tube's axis on its slices, and below it about its lowest centre."""
    mask = np.zeros(shape, bool)
    x, y = np.ogrid[: shape[0], : shape[1]]
    reach = np.maximum(24.0, 1.6 * np.median(aorta.radius_mm)) / step_mm
    for k in range(int(aorta.slice[-1]) + 1):
        i, j = aorta.center[max(0, k - int(aorta.slice[0]))]
        mask[..., k] = (x - i) ** 2 + (y - j) ** 2 <= reach**2
    return mask
