"""The outer wall beside a known lumen: on each plane the circle that most rays agree on.

A wall that leans on muscle, a vein or a chamber has no border there, and a wedge of muscle before fat looks like plaque on every single ray. But a wall is
round: the rays that end in fat say how it goes on, and those that contradict them cost no more than OUTLIER_COST each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ccta.anatomy.contours_kernels import CALCIUM_EVIDENCE_HU, WALL_CANDIDATES
from ccta.anatomy.contours_model import RADIUS_STEP_MM, blurred_disc, ray_distance_mm
from ccta.anatomy.contours_rays import Rays
from ccta.anatomy.contours_wall_kernels import GAP_STEPS, best_circles, thickness_costs
from ccta.settings import MeasureSettings

FAT_HU = -90.0
"""Epicardial fat at 120 kVp, where the image does not say."""
PLANES = 3.0
"""Standard deviation of the averaging of costs along the branch, planes: an outer wall changes slowly."""
SHIFT_MM = 0.2
"""Between candidates of the circle's middle."""
OUTLIER_COST = 0.6
"""Log-likelihood beyond which a ray says no more. By trial on development phantoms: at twice as much, muscle beside the right coronary artery became wall."""
THICKNESS_PRICE = 0.1
"""Mean log-likelihood per ray that a millimetre of wall must gain: where nothing is seen the wall is normal. By trial, as above."""
VEIN_FROM_MM, VEIN_TO_MM, VEIN_HU, VEIN_OF_LUMEN, VEIN_MOST = 0.7, 1.4, 150.0, 0.65, 0.5
"""Such a stretch beyond the lumen, out of its blur, in which soft plaque is darker than this (91 + 3 x 22 HU, see TISSUE_HU) and calcium mostly brighter than
this share of the lumen: a vein that touches the artery."""
MOUTH_MM, MOUTH_SPREAD = 1.5, (9, 5)
"""Beside the lumen another vessel of the tree hides the wall, also on the planes and angles about it: a mouth flares."""
FAT_WITHIN_MM, FAT_SEEN_HU = 3.4, -30.0
"""Beyond the lumen: a ray that finds nothing as dark, fat with some blur, leans on muscle or a chamber."""
MUSCLE_SPREAD = (5, 5)
"""Planes and angles about such a ray that tell nothing either: there muscle ends as a wedge, whose border to fat looks like the wall's."""


@dataclass(frozen=True, eq=False)
class WallModel:
    """disc: (K, J) D(r_j, R_k) with R_k = k RADIUS_STEP_MM (contours_model); outer: D(r_j, R_k + normal_mm). The normal wall has wall_hu and is
    normal_mm thick; fat lies about it."""

    disc: np.ndarray
    outer: np.ndarray
    blur_mm: float
    noise_hu: float
    wall_hu: float
    normal_mm: float
    candidates: int

    @property
    def tables(self) -> tuple:
        return self.disc, self.outer

    @property
    def constants(self) -> tuple:
        return self.noise_hu, self.wall_hu, self.normal_mm / RADIUS_STEP_MM, FAT_HU


def wall_model(blur_mm: float, noise_hu: float, normal_mm: float, settings: MeasureSettings) -> WallModel:
    """The tables of discs for radii up to the largest lumen plus the thickest wall."""
    candidates = round(settings.max_lumen_radius_mm / RADIUS_STEP_MM) + 1
    radius = np.arange(candidates + WALL_CANDIDATES + GAP_STEPS[-1] + 2)[:, None] * RADIUS_STEP_MM
    disc, outer = (np.ascontiguousarray(blurred_disc(ray_distance_mm()[None], r, blur_mm)) for r in (np.maximum(radius, 1e-3), radius + normal_mm))
    return WallModel(disc, outer, blur_mm, noise_hu, settings.normal_wall_hu, normal_mm, candidates)


def outer_wall(rays: Rays, weight: np.ndarray, lumen_hu: np.ndarray, radius_mm: np.ndarray, model: WallModel) -> np.ndarray:
    """(M, A) radius of the outer wall, mm. weight: (M, A, J) of the samples; lumen_hu: (M,); radius_mm: (M, A) of the lumen."""
    inner = radius_mm + model.normal_mm
    cost = thickness_costs(rays.profile_hu, weight, lumen_hu, radius_mm / RADIUS_STEP_MM, model.tables, model.constants)
    cost[hidden_rays(rays, lumen_hu, radius_mm)] = 0.0
    cost = ndimage.gaussian_filter1d(_by_radius(cost, inner), PLANES, axis=0, mode="nearest")
    cost = np.minimum(cost - cost.min(axis=-1, keepdims=True), OUTLIER_COST)
    circle = best_circles(cost, inner, _middle_mm(inner), (RADIUS_STEP_MM, SHIFT_MM), THICKNESS_PRICE)
    circle = ndimage.gaussian_filter1d(circle, PLANES / 2, axis=0, mode="nearest")
    return np.maximum(_radii(circle, radius_mm.shape[1]), inner)


def hidden_rays(rays: Rays, lumen_hu: np.ndarray, radius_mm: np.ndarray) -> np.ndarray:
    """(M, A) True where a ray tells nothing of the wall: beside the lumen it meets another vessel of the tree, a vein, or muscle without fat."""
    beyond = ray_distance_mm() - radius_mm[..., None]
    met = (~rays.own & (beyond > 0) & (beyond < MOUTH_MM)).any(axis=-1)
    window = (beyond > VEIN_FROM_MM) & (beyond < VEIN_TO_MM)
    hu = np.where(window, rays.profile_hu, 0).sum(axis=-1) / np.maximum(window.sum(axis=-1), 1)
    hu = ndimage.median_filter(np.pad(hu, ((0, 0), (1, 1)), mode="wrap"), size=3, mode="nearest")[:, 1:-1]
    vein = (hu > VEIN_HU) & (hu < VEIN_OF_LUMEN * lumen_hu[:, None])
    vein &= vein.mean(axis=1, keepdims=True) < VEIN_MOST  # all round it is calcium or dense plaque
    clear = ndimage.uniform_filter(ndimage.median_filter(rays.profile_hu, size=(3, 1, 1), mode="nearest"), (1, 1, 3), mode="nearest")
    muscle = np.where((beyond > 0) & (beyond < FAT_WITHIN_MM), clear, np.inf).min(axis=-1) > FAT_SEEN_HU
    calcium = (clear > lumen_hu[:, None, None] + CALCIUM_EVIDENCE_HU).any(axis=-1)
    spread = [ndimage.maximum_filter(part, size, mode=("nearest", "wrap")) for part, size in ((met, MOUTH_SPREAD), (muscle & ~calcium, MUSCLE_SPREAD))]
    return vein | spread[0] | (spread[1] & ~calcium)


def _by_radius(cost, inner_mm):
    """(M, A, T) costs by thickness beyond `inner_mm` -> (M, A, Q) by radius in steps from 0; within it the normal wall's, beyond the thickest that one's."""
    q = np.arange(int(np.ceil(inner_mm.max() / RADIUS_STEP_MM)) + WALL_CANDIDATES + 2)
    at = np.clip(q - inner_mm[..., None] / RADIUS_STEP_MM, 0, WALL_CANDIDATES - 1.001)
    low = at.astype(int)
    left, right = (np.take_along_axis(cost, low + d, axis=-1) for d in (0, 1))
    return left + (at - low) * (right - left)


def _middle_mm(radius_mm):
    """(M, 2) centroid of the contours."""
    angle = 2 * np.pi * np.arange(radius_mm.shape[1]) / radius_mm.shape[1]
    area = (radius_mm**2).sum(axis=1)
    return np.stack([2 / 3 * (radius_mm**3 * f(angle)).sum(axis=1) / area for f in (np.cos, np.sin)], axis=1)


def _radii(circle, angles):
    """(M, A) radii about the origin of circles (x, y, radius)."""
    angle = 2 * np.pi * np.arange(angles) / angles
    x, y, radius = (part[:, None] for part in circle.T)
    along, across = x * np.cos(angle) + y * np.sin(angle), x * np.sin(angle) - y * np.cos(angle)
    return along + np.sqrt(np.maximum(radius**2 - across**2, 0))
