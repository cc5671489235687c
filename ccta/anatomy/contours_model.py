"""What a blurred vessel looks like along a ray, and how well each candidate radius explains the rays of an image.

A ray from the vessel's middle crosses lumen (L), wall or plaque (W) and background (B). Blurred by a Gaussian point-spread function of
standard deviation sigma, a disc of radius R has at distance r from its middle the value (Marcum Q; noncentral chi-squared)

    D(r, R) = P(|r e + n| < R),  n ~ N(0, sigma^2 I),       so that       I(r) = B + (W - B) D(r, R_wall) + (L - W) D(r, R).

L is known from the vessel's healthy part, so a narrow lumen is measured by how much of L is left (densitometry), a wide one by its edge.
W and B are solved per ray. Calcium is a wall with W far above L, bare or under a soft cover: its blooming is then explained by the model
instead of eating lumen.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from ccta.anatomy.contours_kernels import WALL_CANDIDATES, lumen_costs, tissues, wall_costs
from ccta.settings import MeasureSettings

RAY_STEP_MM, RAY_SAMPLES, ANGLES = 0.15, 32, 24
RADIUS_STEP_MM = 0.1


@dataclass(frozen=True, eq=False)
class RayModel:
    """disc: (K, J) D(r_j, R_k) with R_k = k RADIUS_STEP_MM. The normal wall has wall_hu and is normal_steps radius steps thick."""

    disc: np.ndarray
    blur_mm: float
    noise_hu: float
    wall_hu: float
    normal_steps: int
    candidates: int

    @property
    def constants(self) -> tuple:
        return self.noise_hu, self.wall_hu, self.normal_steps


def ray_distance_mm() -> np.ndarray:
    """(J,) distances of the samples along a ray, mm."""
    return (np.arange(RAY_SAMPLES) + 0.5) * RAY_STEP_MM


def blurred_disc(distance_mm, radius_mm, blur_mm) -> np.ndarray:
    """D(r, R): value at `distance_mm` from the middle of a unit disc of `radius_mm` blurred by `blur_mm` (broadcast)."""
    return special.chndtr((radius_mm / blur_mm) ** 2, 2, (distance_mm / blur_mm) ** 2)


def ray_model(blur_mm: float, noise_hu: float, settings: MeasureSettings) -> RayModel:
    """The table of discs for radii up to the largest lumen plus the thickest wall."""
    candidates = round(settings.max_lumen_radius_mm / RADIUS_STEP_MM) + 1
    normal_steps = max(1, round(settings.normal_wall_mm / RADIUS_STEP_MM))
    radius = np.arange(candidates + normal_steps + WALL_CANDIDATES + 1) * RADIUS_STEP_MM
    disc = blurred_disc(ray_distance_mm()[None], np.maximum(radius, 1e-3)[:, None], blur_mm)
    return RayModel(np.ascontiguousarray(disc), blur_mm, noise_hu, settings.normal_wall_hu, normal_steps, candidates)


def sample_weight(model: RayModel) -> np.ndarray:
    """(J,) independent measurements that a sample stands for: its share of the plane over the area 4 pi sigma^2 of one noise grain."""
    area = ray_distance_mm() * RAY_STEP_MM * 2 * np.pi / ANGLES
    return area / (4 * np.pi * model.blur_mm**2)


def lumen_cost(profile_hu, weight, lumen_hu, model: RayModel) -> np.ndarray:
    """(M, A, K) negative log-likelihood of each candidate lumen radius k RADIUS_STEP_MM, the best wall and background taken per ray.

    profile_hu, weight: (M, A, J), weight 0 where another vessel lies. lumen_hu: (M,).
    """
    return lumen_costs(profile_hu, weight, lumen_hu, model.disc, model.constants, model.candidates)


def wall_cost(profile_hu, weight, lumen_hu, radius_mm, model: RayModel) -> np.ndarray:
    """(M, A, T) negative log-likelihood of a wall t RADIUS_STEP_MM thicker than normal outside the known lumen radius_mm (M, A)."""
    return wall_costs(profile_hu, weight, lumen_hu, radius_mm / RADIUS_STEP_MM, model.disc, model.constants)


def ray_tissues(profile_hu, weight, lumen_hu, radii_mm, model: RayModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(wall HU, background HU, soft cover between lumen and calcium, mm), each (M, A), for radii_mm = (lumen, outer wall), each (M, A)."""
    radius, wall = (r / RADIUS_STEP_MM for r in radii_mm)
    extra = np.clip(wall - radius - model.normal_steps, 0, WALL_CANDIDATES - 1)
    wall_hu, background_hu, cover = tissues(profile_hu, weight, lumen_hu, (radius, extra), model.disc, model.constants)
    return wall_hu, background_hu, cover * RADIUS_STEP_MM
