"""Analytic vessels for the tests of contours, surfaces and stenoses: an arc-shaped tube in fat with a stated radius profile, blurred and noisy."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ccta.model import Branch, CrossSections, Volume

ARC_RADIUS_MM = 45.0
SPACING_MM = np.array([0.4, 0.4, 0.5])


@dataclass(frozen=True)
class Tube:
    """healthy_mm: radius at both ends (tapering linearly); each lesion: (middle_mm, length_mm, diameter_pct, plaque_hu, eccentricity 0..1)."""

    healthy_mm: tuple[float, float] = (1.5, 1.5)
    length_mm: float = 40.0
    lesions: tuple[tuple, ...] = ()
    lumen_hu: float = 400.0
    wall_mm: float = 0.4
    myocardium: bool = False

    def healthy(self, s):
        return np.interp(s, [0, self.length_mm], self.healthy_mm)

    def narrowing(self, s):
        """(radius, offset of the lumen's middle, plaque HU) at arc length s; a raised-cosine narrowing per lesion."""
        radius, offset, hu = self.healthy(s), np.zeros_like(s), np.full_like(s, 60.0)
        for middle, length, percent, plaque_hu, eccentricity in self.lesions:
            shape = np.where(abs(s - middle) < length / 2, 0.5 + 0.5 * np.cos(2 * np.pi * (s - middle) / length), 0)
            lost = percent / 100 * shape * self.healthy(s)
            radius, offset = radius - lost, offset + eccentricity * lost
            hu = np.where(abs(s - middle) < length / 2, plaque_hu, hu)
        return radius, offset, hu


def arc_points(s):
    angle = (np.asarray(s) - 20) / ARC_RADIUS_MM
    return np.stack([ARC_RADIUS_MM * np.sin(angle), ARC_RADIUS_MM * (np.cos(angle) - 1), np.zeros_like(angle)], axis=-1)


def _fine_image(tube, grid):
    """HU on the fine grid: fat, myocardium below, wall, plaque, lumen; edges shaded over 0.2 mm."""
    x, y, z = grid
    s = 20 + ARC_RADIUS_MM * np.arctan2(x, y + ARC_RADIUS_MM)
    lateral = np.hypot(x, y + ARC_RADIUS_MM) - ARC_RADIUS_MM
    radius, offset, plaque_hu = tube.narrowing(s)
    image = np.where(z < -2.2, 110.0, -90.0) if tube.myocardium else np.full(s.shape, -90.0)
    outer = tube.healthy(s) + tube.wall_mm
    inside = (np.clip((edge - distance) / 0.2 + 0.5, 0, 1) * ((s > -1) & (s < tube.length_mm + 1)) for edge, distance in (
        (outer, np.hypot(lateral, z)), (radius, np.hypot(lateral - offset, z))))  # fmt: skip
    deposit = np.where((plaque_hu > 350) & (lateral > 0), 60.0, plaque_hu)  # calcium on one side only, from which the lumen is pushed away
    for share, hu in zip(inside, (deposit, tube.lumen_hu), strict=True):
        image = image + share * (hu - image)
    return image


def scan_tube(tube, noise_hu=25.0, fwhm_mm=0.7, seed=1):
    """(Volume, true centerline Branch) of the tube, tilted against the voxel grid, at 0.4 x 0.4 x 0.5 mm."""
    rng = np.random.default_rng(seed)
    rotation = Rotation.from_rotvec(rng.normal(0, 0.4, 3)).as_matrix()
    s = np.arange(0, tube.length_mm + 1e-6, 0.5)
    corners = arc_points(s) @ rotation.T
    low, high = corners.min(0) - 6, corners.max(0) + 6
    shape = np.ceil((high - low) / SPACING_MM).astype(int)
    factor = np.array([2, 2, 2])
    fine = [low[i] + (np.arange(shape[i] * factor[i])) * SPACING_MM[i] / factor[i] for i in range(3)]
    position = np.stack(np.meshgrid(*fine, indexing="ij"), axis=-1) @ rotation
    image = _fine_image(tube, np.moveaxis(position, -1, 0)).astype(np.float32)
    image = ndimage.gaussian_filter(image, fwhm_mm / 2.3548 / (SPACING_MM / factor))[::2, ::2, ::2]
    grain = ndimage.gaussian_filter(rng.normal(size=image.shape), 0.6)
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = low
    volume = Volume((image + noise_hu * grain / grain.std()).round().astype(np.int16), affine)
    return volume, Branch(corners, tube.healthy(s), name="LAD")


def jittered(branch, sd_mm=0.2, seed=2):
    """The centerline with a smooth random error of `sd_mm` per axis, as an extraction would give it."""
    error = ndimage.gaussian_filter1d(np.random.default_rng(seed).normal(size=branch.points_mm.shape), 4, axis=0)
    return Branch(branch.points_mm + sd_mm * error / error.std(), branch.radius_mm, name=branch.name)


def true_sections(tube, branch, step_mm=0.25, angles=48):
    """CrossSections of the analytic lumen (concentric lesions only) along the branch."""
    from ccta.anatomy.reformat import frames_along

    frames = frames_along(branch, step_mm, smoothing_mm=0.01)
    radius = np.repeat(tube.narrowing(frames.distance_mm)[0][:, None], angles, axis=1)
    wall = np.repeat(tube.healthy(frames.distance_mm)[:, None] + tube.wall_mm, angles, axis=1)
    count = len(frames)
    return CrossSections(
        0, frames.distance_mm, frames.center_mm, frames.normal, frames.axis_u, frames.axis_v, radius, wall, np.full(count, 0.05), np.ones(count, bool)
    )
