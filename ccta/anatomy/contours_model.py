"""What a blurred vessel looks like along a ray, and how well each candidate radius explains the rays of an image.

A ray from the vessel's middle crosses lumen (L), wall or plaque (W) and background (B). Blurred by a Gaussian point-spread function of
standard deviation sigma, a disc of radius R has at distance r from its middle the value (Marcum Q; noncentral chi-squared)

    D(r, R) = P(|r e + n| < R),  n ~ N(0, sigma^2 I),       so that       I(r) = B + (W - B) D(r, R_wall) + (L - W) D(r, R).

L is known from the vessel's healthy part, so a narrow lumen is measured by how much of L is left (densitometry), a wide one by its edge.
W and B are solved per ray. Calcium is a wall with W far above L, bare or under a soft cover: its blooming is then explained by the model
instead of eating lumen.
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
COVER_STEPS = np.array([2, 4, 7, 11, 15])
"""Candidate thicknesses of soft plaque between lumen and calcium, in radius steps."""
CALCIUM_EVIDENCE_HU = 100.0
"""Above the lumen by four standard deviations of a usual noise."""
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


def ray_tissues(profile_hu, weight, lumen_hu, radii_mm, model: RayModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(wall HU, background HU, soft cover between lumen and calcium, mm), each (M, A), for radii_mm = (lumen, outer wall), each (M, A)."""
    radius, wall = (r / RADIUS_STEP_MM for r in radii_mm)
    extra = np.clip(wall - radius - model.normal_steps, 0, WALL_CANDIDATES - 1)
    wall_hu, background_hu, cover = _ray_tissues(profile_hu, weight, lumen_hu, radius, extra, model.disc, model.constants)
    return wall_hu, background_hu, cover * RADIUS_STEP_MM


@numba.njit(cache=True, nogil=True)
def _clip_wall(wall, lumen):
    """The allowed wall HU nearest to `wall`."""
    wall = min(max(wall, WALL_HU_MIN), WALL_HU_MAX)
    if abs(wall - lumen) < WALL_GAP_HU:
        wall = lumen - WALL_GAP_HU if wall < lumen else lumen + WALL_GAP_HU
    return wall


@numba.njit(cache=True, nogil=True)
def _ray_fit(y, w, known, discs, lumen, constants, solved):
    """(least cost, wall HU, background HU) of one ray: y = known + wall (outer - middle) + background (1 - outer), discs = (middle, outer).

    The wall's HU is solved, or that of the normal wall.
    """
    middle, outer = discs
    noise, wall, _ = constants
    saa, sab, sbb, say, sby = 1e-9, 0.0, 1e-9, 0.0, 0.0
    for j in range(y.size):
        if w[j] > 0:
            a, b = outer[j] - middle[j], 1 - outer[j]
            rest = y[j] - known[j]
            saa += w[j] * a * a
            sab += w[j] * a * b
            sbb += w[j] * b * b
            say += w[j] * a * rest
            sby += w[j] * b * rest
    if solved:
        ridge = 1e-3 * sbb + 1e-6
        determinant = (saa + ridge) * (sbb + 1e-6) - sab * sab
        wall = _clip_wall((say * (sbb + 1e-6) - sab * sby) / determinant, lumen)
    background = min(max((sby - sab * wall) / (sbb + 1e-6), BACKGROUND_HU_MIN), BACKGROUND_HU_MAX)
    cost = 0.0
    for j in range(y.size):
        if w[j] > 0:
            model = known[j] + wall * (outer[j] - middle[j]) + background * (1 - outer[j])
            cost += w[j] * min(((y[j] - model) / noise) ** 2, RESIDUAL_CAP)
    return 0.5 * cost, wall, background


@numba.njit(cache=True, nogil=True)
def _has_calcium(y, w, lumen):
    """True where two neighbouring samples of a ray are brighter than lumen can be."""
    pair = np.minimum(y[:-1], y[1:])
    return np.max(np.where(w[:-1] > 0, pair, -np.inf)) > lumen + CALCIUM_EVIDENCE_HU


@numba.njit(cache=True, nogil=True)
def _covered(y, w, inner, rows, lumen, constants):
    """Best fit with calcium under a soft cover: (cost, wall HU, background HU, cover steps). rows: discs from the lumen's edge outwards.

    The calcium reaches from the cover to the outer wall, rows[-1]; the cover has the HU of the normal wall.
    """
    best = (np.inf, 0.0, 0.0, 0)
    for cover in COVER_STEPS:
        if cover < len(rows) - 1:
            known = lumen * inner + constants[1] * (rows[cover] - inner)
            cost, wall, background = _ray_fit(y, w, known, (rows[cover], rows[-1]), lumen, constants, True)
            if wall > lumen and cost < best[0]:
                best = (cost, wall, background, cover)
    return best


@numba.njit(cache=True, nogil=True)
def _lumen_cost(profile, weight, lumen, disc, constants, candidates):
    normal = constants[2]
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, candidates), np.float32)
    for m in range(planes):
        for a in range(angles):
            y, w, calcium = profile[m, a], weight[m, a], _has_calcium(profile[m, a], weight[m, a], lumen[m])
            for k in range(candidates):
                known = lumen[m] * disc[k]
                best = _ray_fit(y, w, known, (disc[k], disc[k + normal]), lumen[m], constants, False)[0]
                for t in PLAQUE_STEPS:
                    best = min(best, PLAQUE_COST + _ray_fit(y, w, known, (disc[k], disc[k + normal + t]), lumen[m], constants, True)[0])
                    if calcium:
                        best = min(best, PLAQUE_COST + _covered(y, w, disc[k], disc[k : k + normal + t + 1], lumen[m], constants)[0])
                out[m, a, k] = best
    return out


@numba.njit(cache=True, nogil=True)
def _wall_cost(profile, weight, lumen, radius, disc, constants):
    normal = constants[2]
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, WALL_CANDIDATES), np.float32)
    for m in range(planes):
        for a in range(angles):
            y, w, calcium = profile[m, a], weight[m, a], _has_calcium(profile[m, a], weight[m, a], lumen[m])
            k = int(radius[m, a])
            f = radius[m, a] - k
            rows = (1 - f) * disc[k : k + normal + WALL_CANDIDATES] + f * disc[k + 1 : k + normal + WALL_CANDIDATES + 1]
            for t in range(WALL_CANDIDATES):
                best = _ray_fit(y, w, lumen[m] * rows[0], (rows[0], rows[normal + t]), lumen[m], constants, t > 0)[0]
                if calcium:
                    best = min(best, _covered(y, w, rows[0], rows[: normal + t + 1], lumen[m], constants)[0])
                out[m, a, t] = best + (PLAQUE_COST if t > 0 else 0.0)
    return out


@numba.njit(cache=True, nogil=True)
def _ray_tissues(profile, weight, lumen, radius, extra, disc, constants):
    normal = constants[2]
    planes, angles, _ = profile.shape
    out = np.zeros((3, planes, angles))
    for m in range(planes):
        for a in range(angles):
            y, w = profile[m, a], weight[m, a]
            k, steps = int(radius[m, a]), normal + int(extra[m, a] + 0.5)
            f = radius[m, a] - k
            rows = (1 - f) * disc[k : k + steps + 1] + f * disc[k + 1 : k + steps + 2]
            cost, wall, background = _ray_fit(y, w, lumen[m] * rows[0], (rows[0], rows[-1]), lumen[m], constants, extra[m, a] >= 1)
            cover = 0
            if _has_calcium(y, w, lumen[m]):
                found = _covered(y, w, rows[0], rows, lumen[m], constants)
                if found[0] < cost:
                    _, wall, background, cover = found
            out[0, m, a], out[1, m, a], out[2, m, a] = wall, background, cover
    return out
