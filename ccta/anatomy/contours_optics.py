"""What the outer wall's fit needs to know of the scan, measured in the scan: its blur, and how thick the patient's healthy wall is.

The lumen's edge is fitted by the blur that explains coronary edges best with a wall as in the settings: errors of both make up for each other there, and a
throat is read better than with the true blur. The outer wall, which such a pair puts too far in, is fitted by the aorta's blur and the patient's own wall.
"""

from __future__ import annotations

import numpy as np

from ccta.anatomy.contours_model import RayModel, sample_weight
from ccta.anatomy.contours_rays import Rays
from ccta.anatomy.contours_smooth import refined_minimum
from ccta.anatomy.contours_wall import WallModel, wall_model
from ccta.anatomy.contours_wall_kernels import healthy_costs
from ccta.settings import MeasureSettings

WIDE_MM = 1.2
"""Radius of a lumen from which its edge is an edge rather than a spot."""
MAX_PLANES, MIN_PLANES = 300, 20
MIN_RAYS = 6
"""Of a plane's twelve that end in fat: only there does the outer border show."""
WALL_SD_MM, WALL_ERROR_MM = 0.1, 0.15
"""How healthy walls differ between people; how far off the measured one was on ten development phantoms: 0.02 mm of blur make 0.1 mm, 20 HU 0.03 mm."""
WALLS_MM = np.arange(0.1, 0.71, 0.1)
"""Candidate thicknesses of a healthy coronary wall; published ones run from 0.3 to 0.75 mm."""


def measured_wall(rays: list[Rays], radius_mm: list[np.ndarray], aortic_blur_mm: float | None, lumen: RayModel, settings: MeasureSettings) -> WallModel:
    """The model of this scan's and patient's outer wall: the thickness that explains wide planes best, given the aorta's blur.

    rays, radius_mm: per branch, the latter (M,) a first guess of the lumen. A thin wall's image tells its thickness times its contrast at first order and
    its square at second order, so that the HU is left as in the settings. Without the aorta's blur or wide planes, blur and wall are those of `lumen`'s fit;
    where no ray ends in fat, the wall is that of the settings.
    """
    wide = _wide_planes(rays, radius_mm)
    if wide is None or aortic_blur_mm is None:
        return wall_model(lumen.blur_mm, lumen.noise_hu, settings.normal_wall_mm, settings)
    cost = [_cost(wide, wall_model(aortic_blur_mm, lumen.noise_hu, float(wall), settings)) for wall in WALLS_MM]
    if not np.isfinite(cost).all():
        return wall_model(aortic_blur_mm, lumen.noise_hu, settings.normal_wall_mm, settings)
    index, _ = refined_minimum(np.array(cost), np.argmin(cost))
    seen_mm = float(np.interp(index, np.arange(len(WALLS_MM)), WALLS_MM))
    normal_mm = settings.normal_wall_mm + (seen_mm - settings.normal_wall_mm) / (1 + (WALL_ERROR_MM / WALL_SD_MM) ** 2)
    return wall_model(aortic_blur_mm, lumen.noise_hu, normal_mm, settings)


def _wide_planes(rays, radius_mm):
    """(profile (N, 12, J), own (N, 12, J)) of up to MAX_PLANES planes; None where there are too few."""
    chosen = [(r.profile_hu[m, ::2], r.own[m, ::2]) for r, radius in zip(rays, radius_mm, strict=True) for m in range(0, len(radius), 2) if radius[m] > WIDE_MM]
    if len(chosen) < MIN_PLANES:
        return None
    chosen = chosen[:: max(1, len(chosen) // MAX_PLANES)]
    return np.array([profile for profile, _ in chosen]), np.array([own for _, own in chosen])


def _cost(wide, model):
    """Median over planes of the mean misfit of their rays into fat; residuals in noise units."""
    profile, own = wide
    weight = own * sample_weight(model) * (4 * np.pi * model.blur_mm**2)
    cost = healthy_costs(profile, weight, np.median(profile[:, :, :3], axis=(1, 2)), model.tables, model.constants, model.candidates)
    into_fat = np.isfinite(cost)
    enough = into_fat.sum(axis=1) >= MIN_RAYS
    return float(np.median(np.where(into_fat, cost, 0)[enough].sum(axis=1) / into_fat[enough].sum(axis=1))) if enough.any() else np.inf
