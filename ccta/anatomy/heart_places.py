"""Heart chambers that a network names and the image draws: its map at 2 mm says which blood is whose, the HU where each pool ends.

Grids as in heart_chambers, isotropic `step_mm`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from ccta.anatomy.distance import distance_to_mask
from ccta.anatomy.heart_chambers import OTHER
from ccta.anatomy.heart_wall import FAT_HU, myocardium
from ccta.coordinates import resampled_like
from ccta.model import HEART_LABELS, VESSELS, Volume
from ccta.tissues import PLACES, PlaceMap

POOLS = ("lv", "rv", "la", "ra", "aorta", "pulmonary_artery")
CHAMBERS = ("lv", "rv", "la", "ra")
GREAT = [HEART_LABELS["aorta"], HEART_LABELS["pulmonary_artery"]]
POOL_CODES = [HEART_LABELS[name] for name in POOLS]
ARTERIES = [PLACES[name] for name in VESSELS]
INSIDE_MM = 2.5  # from a place's border: its own HU, without the neighbour's
SURE_ML = 5.0  # of a left ventricle and an aorta, so deep inside: less is no heart
FILLED_HU = 80.0  # of the left heart's blood above its wall: a CT with contrast
DIM_HU = 40.0  # of another pool: below, the image shows no edge and the network's border stands
REACH_MM = 4.0  # that a pool's edge may lie outside the network's
DEEP_MM = 6.0  # from a great vessel's place's border: surely that vessel; it is 8 mm and more in radius
THREAD_MM = 2.4  # half of the width of what is no part of a pool
APART_MM = 2.0  # from a pool: bright blood farther off is another vessel's
WALL_MM = 3.0  # that muscle may lie outside the network's left ventricle


@dataclass(frozen=True, eq=False)
class Named:
    """place: (ni, nj, nk) uint8 PLACES on the heart's grid. hu: there. level_hu: of each pool that has an inside. wall_hu: of the myocardium."""

    place: np.ndarray
    hu: np.ndarray
    step_mm: float
    level_hu: dict[str, float]
    wall_hu: float


def named(places: PlaceMap, grid: Volume, hu: np.ndarray) -> Named | None:
    """What the map says on a patient grid of HU; None where it holds no left heart that is filled with contrast."""
    best, place = np.zeros(hu.shape, np.float32), np.zeros(hu.shape, np.uint8)
    for code, probability in enumerate(places.probability):
        here = resampled_like(Volume(probability.astype(np.float32), places.affine), grid, outside=float(code == 0)).array
        place[here > best] = code
        np.maximum(best, here, out=best)
    step = float(grid.spacing_mm[0])
    inside = {name: hu[distance_to_mask(place != PLACES[name], step) > INSIDE_MM] for name in POOLS}
    muscle = hu[distance_to_mask(place != PLACES["myocardium"], step) > step]
    if not muscle.size:
        return None
    level, wall = {name: float(np.median(values)) for name, values in inside.items() if values.size}, float(np.median(muscle))
    sure = all(inside[name].size * step**3 > 1000 * SURE_ML and level[name] > wall + FILLED_HU for name in ("lv", "aorta"))
    return Named(place, hu, step, level, wall) if sure else None


def placed_pools(found: Named) -> np.ndarray:
    """uint8 label map of the blood pools, HEART_LABELS and OTHER: blood goes to the nearest place; the inside of a chamber is blood however dim."""
    edge = np.full(OTHER + 1, np.inf)
    for name, level in found.level_hu.items():
        edge[HEART_LABELS[name]] = (level + found.wall_hu) / 2 if level > found.wall_hu + DIM_HU else -np.inf
    bright = found.hu > edge[np.isfinite(edge)].min()
    pool, artery = np.isin(found.place, POOL_CODES), np.isin(found.place, ARTERIES)
    apart = (distance_to_mask(pool, found.step_mm) > APART_MM) & (found.place != PLACES["myocardium"])
    seeds = np.where(pool, found.place, np.where(bright & (apart | artery), OTHER, 0))
    away, nearest = ndimage.distance_transform_edt(seeds == 0, return_indices=True)
    owner = np.where(away * found.step_mm < REACH_MM, seeds[tuple(nearest)], 0)
    owner[~pool & np.isneginf(edge[owner])] = 0
    blood = (found.hu > edge[owner]) | (bright & (owner == OTHER))
    for name in CHAMBERS:
        blood |= (distance_to_mask(found.place != PLACES[name], found.step_mm) > INSIDE_MM) & (found.hu > FAT_HU)
    return _solid(_great_vessels(np.where(blood, owner, 0).astype(np.uint8), found), found.step_mm)


def _great_vessels(pools: np.ndarray, found: Named) -> np.ndarray:
    """Aorta and pulmonary artery parted where the image shows a wall: the flood of their blood from what is deep inside each place."""
    both, seeds = np.isin(pools, GREAT), np.zeros(pools.shape, np.int32)
    for code in GREAT:
        seeds[both & (distance_to_mask(found.place != code, found.step_mm) > DEEP_MM)] = code
    flooded = watershed(-distance_to_mask(~both, found.step_mm), seeds, mask=both)
    return np.where(both & (flooded > 0), flooded, pools).astype(np.uint8)


def _solid(pools: np.ndarray, step_mm: float) -> np.ndarray:
    """Each pool as its largest piece that is more than a thread."""
    out = np.where(pools == OTHER, OTHER, 0).astype(np.uint8)
    for code in POOL_CODES:
        mask = pools == code
        core, count = ndimage.label(distance_to_mask(~mask, step_mm) > THREAD_MM)
        if count:
            core = core == 1 + np.argmax(np.bincount(core.ravel())[1:])
            out[mask & (distance_to_mask(core, step_mm) <= THREAD_MM + step_mm)] = code
    return out


def placed_wall(found: Named, pools: np.ndarray) -> np.ndarray:
    """Mask of the LV wall: muscle along rays from the cavity (heart_wall) that lies near the network's left ventricle, and the inside of its myocardium."""
    ventricle = np.isin(found.place, [PLACES["lv"], PLACES["myocardium"]])
    rays = myocardium(found.hu, pools, found.step_mm) & (distance_to_mask(ventricle, found.step_mm) <= WALL_MM)
    inner = (distance_to_mask(found.place != PLACES["myocardium"], found.step_mm) > found.step_mm) & (found.hu > FAT_HU)
    return (rays | inner) & (pools == 0)
