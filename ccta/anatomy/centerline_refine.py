"""Centerlines moved into the middle of the lumen, their radii, their ends and their junctions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ccta.anatomy.distance import distance_to_mask
from ccta.anatomy.ostia import Blood
from ccta.coordinates import sample
from ccta.curves import resampled_curve, rotation_minimising_frames, smoothed_curve, tangents
from ccta.model import CORONARY_LABELS, Branch, Volume, arc_length_mm, polar_area_mm2
from ccta.settings import TreeSettings

FAT_HU = -100.0
ANGLES = 24  # rays per plane: the circle's area to 1 %
RAY_STEP_MM = 0.15  # a third of a voxel
RAY_END_MM = 5.0


@dataclass(frozen=True, eq=False)
class Lumen:
    """The image as the refinement reads it: HU between fat and blood, calcium counted as blood (`vessel`) or as tissue (`channel`)."""

    vessel: Volume
    channel: Volume

    @classmethod
    def of(cls, volume: Volume, coronary: Volume, blood: Blood) -> Lumen:
        """From HU and coronary labels; smoothed by 0.3 mm against noise.

        From 0.4 to 1.2 mm outside the label brightness is faded out, so that a vein or a chamber that touches the artery is not followed.
        """
        inside = np.argwhere(coronary.array > 0)
        margin = np.ceil(2 * RAY_END_MM / volume.spacing_mm).astype(int)
        low, high = np.maximum(inside.min(axis=0) - margin, 0), inside.max(axis=0) + margin + 1
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        affine = volume.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ low
        hu = np.clip(volume.array[box].astype(np.float32), FAT_HU, blood.mean_hu + 2 * blood.sd_hu)
        outside_mm = distance_to_mask(coronary.array[box] > 0, volume.spacing_mm)
        hu = FAT_HU + (hu - FAT_HU) * np.clip((1.2 - outside_mm) / 0.8, 0, 1).astype(np.float32)
        calcium = coronary.array[box] == CORONARY_LABELS["calcified"]
        sigma = 0.3 / volume.spacing_mm
        return cls(Volume(ndimage.gaussian_filter(hu, sigma), affine), Volume(ndimage.gaussian_filter(np.where(calcium, 0.0, hu), sigma), affine))


def refined(points_mm: np.ndarray, parent: int | None, lumen: Lumen, settings: TreeSettings) -> Branch:
    """The curve moved to the centroid of the half-maximum contour on its perpendicular planes, repeatedly, with area-equivalent radii."""
    for _ in range(settings.refinements):
        offset, _ = plane_contours(points_mm, lumen.vessel)
        moved = smoothed_curve(points_mm + offset, settings.smoothing_mm)
        points_mm = resampled_curve(moved, settings.step_mm)
    _, radius = plane_contours(points_mm, lumen.channel)
    return Branch(points_mm, radius, parent)


def plane_contours(points_mm: np.ndarray, image: Volume) -> tuple[np.ndarray, np.ndarray]:
    """(offset_mm (N, 3) from each point to its contour's centroid, radius_mm (N,) of the circle with its area).

    On each of the rays the border lies where HU falls half-way from the centre's level to the lowest value within the ray's first descent
    (full width at half maximum, each ray with its own surroundings). Rays that leave through a branch are held to 1.5 times the plane's median.
    """
    _, u, v = rotation_minimising_frames(points_mm)
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    direction = np.cos(angle)[:, None] * u[:, None, :] + np.sin(angle)[:, None] * v[:, None, :]
    along = np.arange(0, RAY_END_MM, RAY_STEP_MM)
    hu = sample(image, points_mm[:, None, None] + along[:, None] * direction[:, :, None, :], outside=FAT_HU)
    level = ndimage.median_filter(hu[:, :, :4].max(axis=2).mean(axis=1), 9, mode="nearest")
    radius = _half_maximum(hu, level, along)
    middle = ndimage.median_filter(np.median(radius, axis=1), 5, mode="nearest")
    radius = np.clip(radius, 0.0, 1.5 * middle[:, None])
    radius = ndimage.median_filter(radius, (1, 3), mode="wrap")
    weight = radius**3 / 3
    area = np.maximum((radius**2).sum(axis=1) / 2, 1e-6)
    offset = np.einsum("na,nax->nx", weight, direction) / area[:, None]
    return offset, np.sqrt(polar_area_mm2(radius) / np.pi)


def _half_maximum(hu: np.ndarray, level: np.ndarray, along: np.ndarray) -> np.ndarray:
    """(N, A) radius at which each ray of hu (N, A, R) first falls below the middle of `level` (N,) and the ray's valley, interpolated."""
    lowest = np.minimum.accumulate(hu, axis=2)
    risen = (lowest < 0.75 * level[:, None, None]) & (hu > lowest + 0.35 * (level[:, None, None] - lowest))
    stop = np.where(risen.any(axis=2), np.argmax(risen, axis=2), hu.shape[2] - 1)
    valley = np.take_along_axis(lowest, stop[:, :, None], axis=2)[:, :, 0]
    border = 0.5 * (level[:, None] + valley)
    below = hu < border[:, :, None]
    first = np.where(below.any(axis=2), np.argmax(below, axis=2), hu.shape[2] - 1)
    after = np.take_along_axis(hu, first[:, :, None], axis=2)[:, :, 0]
    before = np.take_along_axis(hu, np.maximum(first - 1, 0)[:, :, None], axis=2)[:, :, 0]
    share = np.clip((before - border) / np.maximum(before - after, 1e-3), 0, 1)
    return np.where(first == 0, 0.0, along[first] - RAY_STEP_MM * (1 - share))


def attached(branch: Branch, branches: list[Branch], settings: TreeSettings) -> Branch:
    """A child that begins on its parent's centerline: from where it leaves the parent's lumen, straight back along its own direction."""
    if branch.parent is None:
        return branch
    parent = branches[branch.parent]
    gap = np.linalg.norm(branch.points_mm[:, None] - parent.points_mm[None], axis=2)
    nearest = gap.argmin(axis=1)
    inside = np.flatnonzero(gap.min(axis=1) < parent.radius_mm[nearest] + 0.3)
    leaves = min(int(inside[inside < len(branch.points_mm) // 2].max(initial=-1)) + 1, len(branch.points_mm) - 2)
    exit_mm, at = branch.points_mm[leaves], int(nearest[leaves])
    heading = tangents(branch.points_mm)[min(leaves + 2, len(branch.points_mm) - 1)]
    reach = 2.5 * parent.radius_mm[at] + 0.5
    near = np.flatnonzero(np.linalg.norm(parent.points_mm - exit_mm, axis=1) < gap[leaves, at] + reach)
    back = parent.points_mm[near] - exit_mm
    off_line = np.linalg.norm(back - (back @ heading)[:, None] * heading, axis=1) + 0.5 * np.linalg.norm(back, axis=1)
    start = int(near[off_line.argmin()])
    bridge = resampled_curve(np.vstack([parent.points_mm[start], exit_mm]), settings.step_mm)[:-1]
    points = np.vstack([bridge, branch.points_mm[leaves:]])
    radius = np.concatenate([np.full(len(bridge), branch.radius_mm[leaves]), branch.radius_mm[leaves:]])
    return replace(_smoothed(points, radius, settings), parent=branch.parent, parent_distance_mm=float(parent.distance_mm[start]))


def _smoothed(points_mm: np.ndarray, radius_mm: np.ndarray, settings: TreeSettings) -> Branch:
    """Equal steps and no kink at the joint."""
    even = resampled_curve(points_mm, settings.step_mm)
    radius = np.interp(arc_length_mm(even), arc_length_mm(points_mm), radius_mm)
    return Branch(smoothed_curve(even, settings.smoothing_mm), radius)


def ended(branches: list[Branch], settings: TreeSettings) -> list[Branch]:
    """Each branch up to where its diameter (mean over 3 mm) stays under `min_diameter_mm`, but not before its last child; segment arrays empty."""
    kept = []
    for n, branch in enumerate(branches):
        width = max(1, round(3.0 / settings.step_mm))
        wide = 2 * ndimage.uniform_filter1d(branch.radius_mm, width, mode="nearest") >= settings.min_diameter_mm
        children = [b.parent_distance_mm for b in branches if b.parent == n]
        last = max(int(np.flatnonzero(wide).max(initial=0)), int(np.searchsorted(branch.distance_mm, max(children, default=0.0))), 1)
        kept.append(replace(branch, points_mm=branch.points_mm[: last + 1], radius_mm=branch.radius_mm[: last + 1], segment=np.zeros(0, int)))
    return kept
