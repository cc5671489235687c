"""What a blurred vessel looks like along a ray, and how well each candidate radius explains the rays of an image.

A ray from the vessel's middle crosses lumen (L), wall or plaque (W) and background (B). Blurred by a Gaussian point-spread function of
standard deviation sigma, a disc of radius R has at distance r from its middle the value (Marcum Q; noncentral chi-squared)

    D(r, R) = P(|r e + n| < R),  n ~ N(0, sigma^2 I),       so that       I(r) = B + (W - B) D(r, R_wall) + (L - W) D(r, R).

L is known from the vessel's healthy part, so a narrow lumen is measured by how much of L is left (densitometry), a wide one by its edge.
W and B are solved per ray. Calcium is a wall with W far above L: its blooming is then explained by the model instead of eating lumen.
"""

from dataclasses import dataclass

import numba
import numpy as np
from scipy import special

from ccta.settings import MeasureSettings

RAY_STEP_MM, RAY_SAMPLES, ANGLES = 0.15, 32, 24
RADIUS_STEP_MM = 0.1
PLAQUE_STEPS = np.array([3, 7, 12, 19])
"""Candidate plaque thicknesses of the lumen fit, in radius steps beyond the normal wall."""
WALL_CANDIDATES = 28
"""Candidate thicknesses of the wall fit: normal wall plus 0 ... 2.7 mm."""
WALL_HU_MIN, WALL_HU_MAX, WALL_GAP_HU = -20.0, 2500.0, 80.0
"""Soft plaque and the densest calcium; a wall within the gap of the lumen's HU could not be told from lumen."""
BACKGROUND_HU_MIN, BACKGROUND_HU_MAX = -160.0, 200.0
"""Fat to enhanced myocardium."""
PLAQUE_COST = 0.15
"""Log-likelihood that a ray must gain before plaque is assumed where a normal wall would do."""
RESIDUAL_CAP = 9.0
"""Squared residual in noise units beyond which a sample says no more (other vessels, veins)."""


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
    return _lumen_cost(profile_hu, weight, lumen_hu, model.disc, model.constants, model.candidates)


def wall_cost(profile_hu, weight, lumen_hu, radius_mm, model: RayModel) -> np.ndarray:
    """(M, A, T) negative log-likelihood of a wall t RADIUS_STEP_MM thicker than normal outside the known lumen radius_mm (M, A)."""
    return _wall_cost(profile_hu, weight, lumen_hu, radius_mm / RADIUS_STEP_MM, model.disc, model.constants)


def ray_tissues(profile_hu, weight, lumen_hu, radii_mm, model: RayModel) -> tuple[np.ndarray, np.ndarray]:
    """(wall HU, background HU), each (M, A), that fit the rays best for radii_mm = (lumen, outer wall), each (M, A)."""
    radius, wall = (r / RADIUS_STEP_MM for r in radii_mm)
    extra = np.clip(wall - radius - model.normal_steps, 0, WALL_CANDIDATES - 1)
    return _ray_tissues(profile_hu, weight, lumen_hu, radius, extra, model.disc, model.constants)


@numba.njit(cache=True, nogil=True)
def _clip_wall(wall, lumen):
    """The allowed wall HU nearest to `wall`."""
    wall = min(max(wall, WALL_HU_MIN), WALL_HU_MAX)
    if abs(wall - lumen) < WALL_GAP_HU:
        wall = lumen - WALL_GAP_HU if wall < lumen else lumen + WALL_GAP_HU
    return wall


@numba.njit(cache=True, nogil=True)
def _ray_fit(y, w, inner, outer, lumen, noise, wall_hu):
    """(least cost, wall HU, background HU) of one ray for given lumen and wall discs; wall_hu NaN: solved, else fixed."""
    saa, sab, sbb, say, sby = 1e-9, 0.0, 1e-9, 0.0, 0.0
    for j in range(y.size):
        if w[j] > 0:
            a, b = outer[j] - inner[j], 1 - outer[j]
            rest = y[j] - lumen * inner[j]
            saa += w[j] * a * a
            sab += w[j] * a * b
            sbb += w[j] * b * b
            say += w[j] * a * rest
            sby += w[j] * b * rest
    wall = wall_hu
    if np.isnan(wall):
        ridge = 1e-3 * sbb + 1e-6
        determinant = (saa + ridge) * (sbb + 1e-6) - sab * sab
        wall = _clip_wall((say * (sbb + 1e-6) - sab * sby) / determinant, lumen)
    background = min(max((sby - sab * wall) / (sbb + 1e-6), BACKGROUND_HU_MIN), BACKGROUND_HU_MAX)
    cost = 0.0
    for j in range(y.size):
        if w[j] > 0:
            model = lumen * inner[j] + wall * (outer[j] - inner[j]) + background * (1 - outer[j])
            cost += w[j] * min(((y[j] - model) / noise) ** 2, RESIDUAL_CAP)
    return 0.5 * cost, wall, background


@numba.njit(cache=True, nogil=True)
def _lumen_cost(profile, weight, lumen, disc, constants, candidates):
    noise, wall_hu, normal = constants
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, candidates), np.float32)
    for m in range(planes):
        for a in range(angles):
            y, w = profile[m, a], weight[m, a]
            for k in range(candidates):
                best = _ray_fit(y, w, disc[k], disc[k + normal], lumen[m], noise, wall_hu)[0]
                for t in PLAQUE_STEPS:
                    best = min(best, PLAQUE_COST + _ray_fit(y, w, disc[k], disc[k + normal + t], lumen[m], noise, np.nan)[0])
                out[m, a, k] = best
    return out


@numba.njit(cache=True, nogil=True)
def _wall_cost(profile, weight, lumen, radius, disc, constants):
    noise, wall_hu, normal = constants
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, WALL_CANDIDATES), np.float32)
    for m in range(planes):
        for a in range(angles):
            y, w = profile[m, a], weight[m, a]
            k = int(radius[m, a])
            f = radius[m, a] - k
            inner = (1 - f) * disc[k] + f * disc[k + 1]
            for t in range(WALL_CANDIDATES):
                outer = (1 - f) * disc[k + normal + t] + f * disc[k + normal + t + 1]
                fixed = wall_hu if t == 0 else np.nan
                out[m, a, t] = _ray_fit(y, w, inner, outer, lumen[m], noise, fixed)[0] + (PLAQUE_COST if t > 0 else 0.0)
    return out


@numba.njit(cache=True, nogil=True)
def _ray_tissues(profile, weight, lumen, radius, extra, disc, constants):
    noise, wall_hu, normal = constants
    planes, angles, _ = profile.shape
    wall, background = np.empty((planes, angles)), np.empty((planes, angles))
    for m in range(planes):
        for a in range(angles):
            k, k2 = int(radius[m, a]), int(radius[m, a] + normal + extra[m, a])
            f, f2 = radius[m, a] - k, radius[m, a] + normal + extra[m, a] - k2
            inner = (1 - f) * disc[k] + f * disc[k + 1]
            outer = (1 - f2) * disc[k2] + f2 * disc[k2 + 1]
            fixed = wall_hu if extra[m, a] < 1.0 else np.nan
            _, wall[m, a], background[m, a] = _ray_fit(profile[m, a], weight[m, a], inner, outer, lumen[m], noise, fixed)
    return wall, background
