"""LV myocardium by rays from the cavity, and the union of the heart. Grids as in heart_chambers."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.anatomy.distance import distance_to_mask
from ccta.model import HEART_LABELS

MAX_WALL_MM = 20.0  # end-diastolic wall 6-12 mm; hypertrophic up to 20 and more, then cut here
FAT_HU = -10.0  # half way between muscle (100) and epicardial fat (-100)


def closed(mask: np.ndarray, radius_mm: float, step_mm: float) -> np.ndarray:
    """Morphological closing with a ball, by two distance transforms (cheap at any radius)."""
    pad = int(np.ceil(radius_mm / step_mm)) + 1
    wide = np.pad(mask, pad)
    grown = distance_to_mask(wide, step_mm) <= radius_mm
    shut = distance_to_mask(~grown, step_mm) > radius_mm
    return (shut | wide)[pad:-pad, pad:-pad, pad:-pad]


def myocardium(hu: np.ndarray, pools: np.ndarray, step_mm: float) -> np.ndarray:
    """Mask of the LV wall: along rays from the LV's centre, muscle between the cavity and the first fat, lung or other pool.

    pools: labels of the blood. Where a ray meets no edge (diaphragm, liver), the wall is as thick as its neighbours.
    """
    cavity = closed(pools == HEART_LABELS["lv"], 6.0, step_mm) & ((pools == 0) | (pools == HEART_LABELS["lv"]))
    center = np.array(ndimage.center_of_mass(cavity))
    blocked = ((pools > 0) & (pools != HEART_LABELS["lv"])) | (ndimage.gaussian_filter(hu, 0.7) < FAT_HU)
    inner, outer = _ray_walls(cavity, blocked, center, step_mm)
    epicardium = _filled_thickness(outer - inner) + inner
    index = np.indices(hu.shape, dtype=np.float32).reshape(3, -1).T - center.astype(np.float32)
    radius = np.linalg.norm(index, axis=1) * step_mm
    polar = np.arccos(np.clip(index[:, 2] * step_mm / np.maximum(radius, 1e-6), -1, 1))
    azimuth = np.mod(np.arctan2(index[:, 1], index[:, 0]), 2 * np.pi)
    count_polar, count_azimuth = epicardium.shape
    at = [polar / np.pi * count_polar + 0.5, azimuth / (2 * np.pi) * count_azimuth + 1]
    limit = ndimage.map_coordinates(_around_sphere(epicardium), at, order=1, mode="nearest").reshape(hu.shape)
    return (radius.reshape(hu.shape) < limit) & ~cavity & (pools == 0) & ~blocked


def _ray_walls(cavity, blocked, center, step_mm):
    """(inner, outer) radius mm, (48, 96) polar x azimuth: end of the cavity and first blocked place beyond it; outer NaN where none is near."""
    polar, azimuth = (np.arange(48) + 0.5) * np.pi / 48, np.arange(96) * 2 * np.pi / 96
    way = np.stack(np.broadcast_arrays(np.outer(np.sin(polar), np.cos(azimuth)), np.outer(np.sin(polar), np.sin(azimuth)), np.cos(polar)[:, None]), -1)
    radius = np.arange(0, 110, 0.5)
    at = np.rint(center + way[:, :, None, :] * (radius / step_mm)[:, None]).astype(int)
    outside = ((at < 0) | (at >= cavity.shape)).any(axis=-1)
    at = tuple(np.moveaxis(np.clip(at, 0, np.array(cavity.shape) - 1), -1, 0))
    in_cavity, stop = cavity[at] & ~outside, blocked[at] | outside
    last = np.where(in_cavity.any(axis=2), radius.size - 1 - np.argmax(in_cavity[..., ::-1], axis=2), 0)
    inner = radius[last]
    beyond = stop & (np.arange(radius.size) > last[..., None])
    first = np.where(beyond.any(axis=2), radius[np.argmax(beyond, axis=2)], np.inf)
    return inner, np.where(first - inner <= MAX_WALL_MM, first, np.nan)


def _filled_thickness(thickness_mm: np.ndarray) -> np.ndarray:
    """Missing values from their neighbours on the sphere (normalised Gaussian), and no value above 1.6 times its neighbourhood."""
    known = np.isfinite(thickness_mm) & (thickness_mm > 2)
    if not known.any():
        return np.zeros_like(thickness_mm)
    blur = [ndimage.gaussian_filter(np.where(known, w, 0.0), 4, mode=("nearest", "wrap")) for w in (thickness_mm, 1.0)]
    around = np.where(blur[1] > 1e-6, blur[0] / np.maximum(blur[1], 1e-6), np.median(thickness_mm[known]))
    filled = np.where(np.isfinite(thickness_mm), np.minimum(thickness_mm, 1.6 * around), around)
    return ndimage.median_filter(_around_sphere(filled), 3)[1:-1, 1:-1]


def _around_sphere(table: np.ndarray) -> np.ndarray:
    """(polar, azimuth) table with one row more at each pole and one column more at each end of the azimuth."""
    return np.pad(np.pad(table, ((1, 1), (0, 0)), mode="edge"), ((0, 0), (1, 1)), mode="wrap")


def heart_region(labels: np.ndarray, hu: np.ndarray, step_mm: float) -> np.ndarray:
    """Mask of the pericardial sac: chambers and wall closed over 12 mm, 3 mm of right-sided wall included, without lung."""
    parts = np.isin(labels, [HEART_LABELS[n] for n in ("lv", "myocardium", "rv", "la", "ra")])
    wall = distance_to_mask(parts, step_mm) <= 2.5
    sac = closed(parts | (wall & (hu > FAT_HU)), 12.0, step_mm)
    return sac & (ndimage.gaussian_filter(hu, 1.0) > -350)
