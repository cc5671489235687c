"""Lumen and outer-wall contours along every branch, by fitting the blurred image of a vessel to the rays of perpendicular planes.

Per branch: centre the planes, find the lumen's own HU along the healthy part, then take the radii that explain the image best
(contours_model), first a circle per plane by dynamic programming, then a smooth surface r(s, angle); last the outer wall given the lumen.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ccta.anatomy.aortic_edge import aortic_blur_mm
from ccta.anatomy.contours_kernels import CALCIUM_EVIDENCE_HU, RESIDUAL_CAP
from ccta.anatomy.contours_model import (
    RADIUS_STEP_MM,
    RayModel,
    blurred_disc,
    lumen_cost,
    ray_model,
    ray_tissues,
    sample_weight,
    wall_cost,
)
from ccta.anatomy.contours_optics import measured_wall
from ccta.anatomy.contours_rays import Rays, centred_frames, moved_frames, rays_on
from ccta.anatomy.contours_render import neglected_hu
from ccta.anatomy.contours_smooth import best_path, refined_minimum, smooth_surface
from ccta.anatomy.contours_wall import outer_wall
from ccta.anatomy.reformat import Frames
from ccta.errors import Refusal
from ccta.model import CoronaryTree, CrossSections, Volume
from ccta.settings import MeasureSettings

CORRECTIONS = 3
"""Rounds of the image-model correction; calcified 60 % lesions of synthetic vessels no longer move after three."""
RECENTRING_PLANES = 2.0
SMALLEST_RADIUS_MM = 0.05
SMOOTHING_PLANES, WALL_SMOOTHING_PLANES = 2.0, 4.0
"""Standard deviation of the averaging along the branch, planes; the outer wall has less contrast than the lumen and no throats."""
CALCIUM_TRUST = 0.2
"""Against calcium the lumen's edge may hide behind unresolved soft tissue: such rays weigh a fifth."""
WALL_RIDGE = (0.0, 0.0, 0.0, 0.02)
FWHM_PER_SD = 2.3548
OUTPUT_ANGLES = 48
"""A 48-gon has 0.3 % less area than its circle."""
RADIUS_JUMP_COST = 1.0
"""Log-likelihood per 0.1 mm change of radius from plane to plane: a 60 % lesion costs 20, its image gains hundreds."""
SYSTEMATIC_SD_MM = 0.05
"""Error of the radius beyond noise (model, blur, lumen HU), from synthetic vessels."""
CALCIUM_SD_MM = 0.2
"""Further error of the radius times the calcified share of the circumference: nine calcified lesions of development phantoms had 0.1 mm (root mean square)."""


@dataclass(frozen=True, eq=False)
class Fit:
    """One branch on the way: rays and their weights, the lumen's HU (M,), the radius (M, A) mm, and the cost (M, A, K) it was chosen from."""

    rays: Rays
    weight: np.ndarray
    lumen_hu: np.ndarray
    radius_mm: np.ndarray
    cost: np.ndarray


def trace_contours(volume: Volume, tree: CoronaryTree, settings: MeasureSettings) -> list[CrossSections]:
    """Contours on planes every `plane_step_mm` of every branch, in the order of the tree.

    Raises Refusal when the voxels are too large for a coronary lumen.
    """
    if volume.spacing_mm.max() > 1.05:
        raise Refusal(f"contours need voxels of at most 1 mm, this image has {' x '.join(f'{s:.2f}' for s in volume.spacing_mm)} mm")
    rays = [rays_on(volume, centred_frames(volume, branch, settings.plane_step_mm), tree, i) for i, branch in enumerate(tree)]
    noise_hu = measured_noise_hu(rays, settings.plane_step_mm)
    blur_mm = measured_blur_mm(rays, tree, noise_hu, settings)
    model = ray_model(blur_mm, noise_hu, settings)
    wall = measured_wall(rays, [_prior_radius(r, branch) for r, branch in zip(rays, tree, strict=True)], aortic_blur_mm(volume, tree), model, settings)
    fits: list[Fit] = []
    for index, branch in enumerate(tree):
        above = None if branch.parent is None else _lumen_hu_at(fits[branch.parent], branch.parent_distance_mm)
        coarse = fitted_lumen(rays[index], lumen_hu_along(rays[index], _prior_radius(rays[index], branch), above, blur_mm), model)
        again = rays_on(volume, recentred_frames(coarse), tree, index)
        fits.append(fitted_lumen(again, lumen_hu_along(again, coarse.radius_mm.mean(axis=1), above, blur_mm), model))
    fits = [refined(fit, model) for fit in fits]
    walls = [outer_wall(fit.rays, fit.weight, fit.lumen_hu, fit.radius_mm, wall) for fit in fits]
    return [_sections(index, fit, wall_mm, model) for index, (fit, wall_mm) in enumerate(zip(fits, walls, strict=True))]


def recentred_frames(fit: Fit) -> Frames:
    """The planes moved onto the middle of the fitted lumen; the less, the more of the circumference is calcium, which hides where that middle is."""
    seen = np.maximum(1 - 2 * has_calcium(fit.rays, fit.lumen_hu).mean(axis=1), 0)
    shift = (ndimage.gaussian_filter1d(seen * axis, RECENTRING_PLANES, mode="nearest") for axis in centroid_mm(fit.radius_mm))
    return moved_frames(fit.rays.frames, *shift)


def measured_noise_hu(rays: list[Rays], step_mm: float) -> float:
    """Noise in the lumen: median absolute difference of the middle between planes 2 mm apart; at least 10 HU (a model is never perfect)."""
    lag = max(1, round(2.0 / step_mm))
    change = np.concatenate([r.profile_hu[lag:, 0, 0] - r.profile_hu[:-lag, 0, 0] for r in rays])
    return max(10.0, 1.4826 * float(np.median(np.abs(change))) / np.sqrt(2)) if len(change) else 30.0


def measured_blur_mm(rays: list[Rays], tree: CoronaryTree, noise_hu: float, settings: MeasureSettings) -> float:
    """Standard deviation of the point-spread function: the one that explains the edges of the widest planes best.

    Uses up to 150 planes whose radius is beyond 1.2 mm; the setting where there are fewer than 20.
    """
    fallback = settings.psf_fwhm_mm / FWHM_PER_SD
    chosen = [(r, _prior_radius(r, branch)) for r, branch in zip(rays, tree, strict=True)]
    wide = [(r.profile_hu[m], r.own[m], radius[m]) for r, radius in chosen for m in range(0, len(radius), 2) if radius[m] > 1.2]
    if len(wide) < 20:
        return fallback
    wide = wide[:: max(1, len(wide) // 150)]
    profile, own = np.array([p for p, _, _ in wide]), np.array([o for _, o, _ in wide])
    lumen_hu = np.median(profile[:, :, :3], axis=(1, 2))
    trials = np.arange(0.18, 0.56, 0.04)
    cost = []
    for blur_mm in trials:
        model = ray_model(float(blur_mm), noise_hu, settings)
        weight = own * sample_weight(model) * (4 * np.pi * blur_mm**2)
        cost.append(np.median(lumen_cost(profile[:, ::4], weight[:, ::4], lumen_hu, model).min(axis=-1).mean(axis=1)))
    index, _ = refined_minimum(np.array(cost), np.argmin(cost))
    return float(np.interp(index, np.arange(len(trials)), trials))


def lumen_hu_along(rays: Rays, radius_mm: np.ndarray, above_hu: float | None, blur_mm: float) -> np.ndarray:
    """(M,) HU of undiluted lumen: a robust straight line through the middles of planes wide enough to show it, plus its slow departures.

    A middle is divided by what the blur leaves of a disc of that radius. above_hu: the parent's lumen at the take-off, if any.
    """
    s, middle = rays.frames.distance_mm, rays.center_hu
    left = blurred_disc(0.2, np.maximum(radius_mm, 0.1), blur_mm)
    local = ndimage.median_filter(radius_mm, size=81, mode="nearest")
    weight = np.where((left > 0.8) & (radius_mm > 0.8 * local) & rays.own[:, :, :3].all(axis=(1, 2)), left**6, 0.0)
    observed = (middle + 60 * (1 - left)) / np.maximum(left, 0.5) - 60 * (1 - left)
    prior = above_hu if above_hu is not None else float(np.median(observed[weight > 0])) if (weight > 0).any() else float(np.max(middle))
    line = np.full(len(s), prior)
    for _ in range(8):
        robust = weight / (1 + ((observed - line) / 40.0) ** 2)
        line = _shrunk_line(s, observed, robust, prior)
    residual = np.clip(observed - line, -60, 60)
    sigma = 15.0 / max(np.diff(s).mean(), 1e-6)
    slow = ndimage.gaussian_filter1d(robust * residual, sigma, mode="nearest") / (ndimage.gaussian_filter1d(robust, sigma, mode="nearest") + 0.1)
    return np.maximum(line + slow, 120.0)


def _shrunk_line(s, observed, weight, prior):
    """Weighted straight line with weak priors: level `prior` at the start (sd 40 HU), slope 0 (sd 1.5 HU/mm); one datum per mm counts 25 HU."""
    design = np.stack([np.ones_like(s), s - s[0]], axis=1)
    density = weight * np.gradient(s)[:, None].T[0] / 25.0**2
    normal = design.T @ (density[:, None] * design) + np.diag([1 / 40.0**2, 1 / 1.5**2])
    return design @ np.linalg.solve(normal, design.T @ (density * observed) + np.array([prior / 40.0**2, 0.0]))


def fitted_lumen(rays: Rays, lumen_hu: np.ndarray, model: RayModel) -> Fit:
    """The smooth lumen surface of one branch."""
    weight = np.where(rays.own & ~second_rise(rays.profile_hu, lumen_hu), sample_weight(model), 0.0)
    cost = lumen_cost(rays.profile_hu, weight, lumen_hu, model)
    return Fit(rays, weight, lumen_hu, _surface(cost, _trust(rays, lumen_hu)), cost)


def _surface(cost, trust):
    circle = cost.sum(axis=1)
    index, _ = refined_minimum(circle, best_path(circle, RADIUS_JUMP_COST, 3))
    return np.maximum(smooth_surface(cost, index[:, None], trust, SMOOTHING_PLANES) * RADIUS_STEP_MM, SMALLEST_RADIUS_MM)


def refined(fit: Fit, model: RayModel) -> Fit:
    """The fit corrected for what rays cannot know (contours_render), where that matters."""
    profile = fit.rays.profile_hu
    wall = _wall(profile, fit.weight, fit, model)
    correction, step_mm = np.zeros_like(profile), float(np.diff(fit.rays.frames.distance_mm).mean())
    for _ in range(CORRECTIONS):
        tissues = ray_tissues(profile - correction, fit.weight, fit.lumen_hu, (fit.radius_mm, wall), model)
        neglected = neglected_hu(fit.lumen_hu, (fit.radius_mm, wall), tissues, model, step_mm)
        correction = 0.3 * correction + 0.7 * neglected
        planes = ndimage.binary_dilation(abs(correction).max(axis=(1, 2)) > 2 * model.noise_hu, iterations=4)
        if not planes.any():
            break
        cost = fit.cost.copy()
        cost[planes] = lumen_cost((profile - correction)[planes], fit.weight[planes], fit.lumen_hu[planes], model)
        fit = replace(fit, radius_mm=_surface(cost, _trust(fit.rays, fit.lumen_hu)), cost=cost)
        wall = _wall(profile - correction, fit.weight, fit, model)
    return fit


def _wall(profile, weight, fit, model):
    extra = smooth_surface(wall_cost(profile, weight, fit.lumen_hu, fit.radius_mm, model), 0.0, 1.0, WALL_SMOOTHING_PLANES, WALL_RIDGE)
    return fit.radius_mm + (model.normal_steps + np.maximum(extra, 0)) * RADIUS_STEP_MM


def has_calcium(rays: Rays, lumen_hu: np.ndarray) -> np.ndarray:
    """(M, A) True where a ray of this vessel is brighter than its lumen can be."""
    return ((rays.profile_hu > (lumen_hu + CALCIUM_EVIDENCE_HU)[:, None, None]) & rays.own).any(axis=-1)


def _trust(rays, lumen_hu):
    return np.where(has_calcium(rays, lumen_hu), CALCIUM_TRUST, 1.0)


def second_rise(profile_hu: np.ndarray, lumen_hu: np.ndarray) -> np.ndarray:
    """(M, A, J) True from where a ray, having left the lumen, climbs again by more than 100 HU: a vein, a chamber, another vessel.

    Not where it climbs well above the lumen: that is calcium of this vessel.
    """
    lowest = np.minimum.accumulate(profile_hu, axis=-1)
    rise = (profile_hu - lowest > 100) & (lowest < 0.6 * lumen_hu[:, None, None])
    calcium = profile_hu.max(axis=-1) > lumen_hu[:, None] + CALCIUM_EVIDENCE_HU
    return np.maximum.accumulate(rise, axis=-1) & ~calcium[..., None]


def centroid_mm(radius_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(u, v), each (M,): centroid of the contours (M, A), mm."""
    angle = 2 * np.pi * np.arange(radius_mm.shape[1]) / radius_mm.shape[1]
    area = (radius_mm**2).sum(axis=1)
    u, v = ((2 / 3 * (radius_mm**3 * f(angle)).sum(axis=1) / area) for f in (np.cos, np.sin))
    return u, v


def _lumen_hu_at(fit, distance_mm):
    return float(np.interp(distance_mm, fit.rays.frames.distance_mm, fit.lumen_hu))


def _prior_radius(rays, branch):
    return np.interp(rays.frames.distance_mm, branch.distance_mm, branch.radius_mm)


def _sections(index, fit, wall_mm, model):
    """Uncertainty and trust of a fit, and both contours at the output angles."""
    rays, frames = fit.rays, fit.rays.frames
    at = np.clip(np.round(fit.radius_mm / RADIUS_STEP_MM).astype(int), 2, fit.cost.shape[2] - 3)
    shifted = [np.take_along_axis(fit.cost, (at + d)[..., None], axis=-1)[..., 0].sum(axis=1) for d in (-2, -1, 0, 1, 2)]
    curvature = np.maximum(shifted[1] + shifted[3] - 2 * shifted[2], (shifted[0] + shifted[4] - 2 * shifted[2]) / 4)
    noise_sd = RADIUS_STEP_MM / np.sqrt(np.maximum(curvature, 0.05))
    calcified = ndimage.gaussian_filter1d(has_calcium(rays, fit.lumen_hu).mean(axis=1), 2.0, mode="nearest")
    sd = np.sqrt(noise_sd**2 + SYSTEMATIC_SD_MM**2 + (CALCIUM_SD_MM * calcified) ** 2)
    misfit = shifted[2] / (0.5 * RESIDUAL_CAP * np.maximum(fit.weight.sum(axis=(1, 2)), 1e-6))
    seen = rays.own[:, :, :8].all(axis=-1).mean(axis=1)
    reliable = (seen > 0.6) & (misfit < 0.6) & (at.mean(axis=1) < fit.cost.shape[2] - 4) & (sd < 0.4)
    start = int(np.argmax(seen > 0.8))  # before it a side branch lies in its parent's lumen: it keeps the calibre that it has outside
    lumen, wall = resampled_angles(fit.radius_mm), resampled_angles(wall_mm)
    lumen[:start], wall[:start] = lumen[start], wall[start]
    fading = frames.distance_mm > frames.distance_mm[-1] - FWHM_PER_SD * model.blur_mm  # the end of the image's vessel is half surroundings
    if not fading.all():
        lumen[fading], wall[fading] = lumen[~fading][-1], wall[~fading][-1]
    return CrossSections(index, frames.distance_mm, frames.center_mm, frames.normal, frames.axis_u, frames.axis_v, lumen, np.maximum(wall, lumen), sd, reliable)


def resampled_angles(radius_mm: np.ndarray, count: int = OUTPUT_ANGLES) -> np.ndarray:
    """(M, A) -> (M, count) by Fourier interpolation, never below the smallest radius."""
    spectrum = np.fft.rfft(radius_mm, axis=1)
    return np.maximum(np.fft.irfft(spectrum, n=count, axis=1) * count / radius_mm.shape[1], SMALLEST_RADIUS_MM)
