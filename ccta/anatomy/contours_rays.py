"""The rays that the contours are fitted to: planes centred on the lumen, samples outwards, and which of them belong to another vessel."""

from dataclasses import dataclass, replace

import numba
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.anatomy.contours_model import ANGLES, ray_distance_mm
from ccta.anatomy.contours_smooth import best_track
from ccta.anatomy.reformat import Frames, cross_section_stack, frames_along, sampled
from ccta.curves import rotation_minimising_frames, smoothed_curve
from ccta.model import Branch, CoronaryTree, Volume

TRACK_PIXEL_MM, TRACK_HALF_MM = 0.3, 2.4
TRACK_CALCIUM_HU = 60.0
"""Above the lumen, in an image averaged over about a voxel: calcium. By trial on development phantoms of 15-35 HU noise; 100 let the track run onto calcium."""
CALCIUM_BLUR_MM = 0.75
"""Along the vessel, the reach of a calcification's fading end, which is as bright as lumen."""
VESSEL_EDGE_MM = 0.4
"""Margin about another vessel in which its blur still reaches (somewhat more than one standard deviation of the point-spread function)."""


@dataclass(frozen=True, eq=False)
class Rays:
    """profile_hu: (M, A, J) along rays of `frames`; own: (M, A, J) False where another vessel of the tree lies."""

    frames: Frames
    profile_hu: np.ndarray
    own: np.ndarray

    @property
    def center_hu(self) -> np.ndarray:
        """(M,) mean within 0.4 mm of the middle, HU."""
        return np.average(self.profile_hu[:, :, :3].mean(axis=1), axis=1, weights=ray_distance_mm()[:3])


def rays_on(volume: Volume, frames: Frames, tree: CoronaryTree, index: int) -> Rays:
    """Cubic samples of the image along the rays of every plane of branch `index`."""
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    u_mm, v_mm = np.cos(angle)[:, None] * ray_distance_mm(), np.sin(angle)[:, None] * ray_distance_mm()
    position = frames.positions_mm(u_mm, v_mm)
    return Rays(frames, sampled(volume, position, cubic=True).astype(float), ~in_other_vessel(position, frames, tree, index))


def centred_frames(volume: Volume, branch: Branch, step_mm: float) -> Frames:
    """Planes along the branch, each moved in its plane onto the bright middle of the lumen by the best smooth track.

    A pixel's cost falls with the mean HU at two scales (a narrow rest lumen, the middle of a wide one), relative to the lumen of the
    surroundings; calcium counts as dark, so that the track passes beside it.
    """
    frames = frames_along(branch, step_mm)
    stack = cross_section_stack(volume, frames, TRACK_HALF_MM, TRACK_PIXEL_MM)
    middle = stack.shape[1] // 2
    clear = ndimage.gaussian_filter(stack, (0.5 / step_mm, 1.0, 1.0), mode="nearest")
    near = clear[:, middle - 2 : middle + 3, middle - 2 : middle + 3].max(axis=(1, 2))
    lumen_hu = np.maximum(ndimage.percentile_filter(near, 40, size=max(3, round(30 / step_mm)), mode="nearest"), 100.0)[:, None, None]
    reach = np.ones((1 + 2 * round(CALCIUM_BLUR_MM / step_mm), 3, 3), bool) & ndimage.generate_binary_structure(2, 1)
    calcium = ndimage.binary_dilation(clear > lumen_hu + TRACK_CALCIUM_HU, reach)
    bright = np.where(calcium, 0.3 * lumen_hu, np.clip(stack, -100, lumen_hu)) / lumen_hu
    scales = [ndimage.gaussian_filter(bright, (0.5, s / TRACK_PIXEL_MM, s / TRACK_PIXEL_MM)) for s in (0.35, 0.9)]
    offset_mm = (np.arange(stack.shape[1]) - middle) * TRACK_PIXEL_MM
    away = offset_mm[:, None] ** 2 + offset_mm[None] ** 2
    limit = np.maximum(1.0, 0.8 * np.interp(frames.distance_mm, branch.distance_mm, branch.radius_mm) + 0.3)[:, None, None]
    cost = -10 * (scales[0] + scales[1]) + 2 * away + np.where(away > limit**2, 1e3, 0)
    track = ndimage.gaussian_filter1d(offset_mm[best_track(cost, 0.5)], 2.0, axis=0, mode="nearest")
    return moved_frames(frames, track[:, 1], track[:, 0])


def moved_frames(frames: Frames, u_mm: np.ndarray, v_mm: np.ndarray) -> Frames:
    """The planes moved by (M,) in-plane offsets, turned to stay perpendicular to the (smoothed) new centerline."""
    center = frames.center_mm + u_mm[:, None] * frames.axis_u + v_mm[:, None] * frames.axis_v
    normal, u, v = rotation_minimising_frames(smoothed_curve(center, 1.5))
    return replace(frames, center_mm=center, normal=normal, axis_u=u, axis_v=v)


def in_other_vessel(position_mm: np.ndarray, frames: Frames, tree: CoronaryTree, index: int) -> np.ndarray:
    """(M, A, J) True where a sample lies in another branch, a string of spheres of its radius plus the blur's reach.

    A child's spheres count from where it has left this lumen (so the opening is masked, not the vessel); a parent's all count.
    """
    spheres = [_spheres(tree, other, index) for other in range(len(tree)) if other != index]
    centers = np.vstack([np.zeros((0, 3)), *(c for c, _ in spheres)])
    radii = np.concatenate([np.zeros(0), *(r for _, r in spheres)])
    if len(centers) == 0:
        return np.zeros(position_mm.shape[:-1], bool)
    reach = ray_distance_mm()[-1] + radii.max()
    near = cKDTree(centers).query_ball_point(frames.center_mm, reach)
    start = np.concatenate([[0], np.cumsum([len(found) for found in near])])
    return _inside(position_mm, centers, radii, start, np.concatenate([np.asarray(found, np.int64) for found in near]))


def _spheres(tree, other, index):
    branch, own = tree.branches[other], tree.branches[index]
    s = np.arange(0, branch.length_mm, 0.4)
    center, radius = branch.point_at(s), np.interp(s, branch.distance_mm, branch.radius_mm)
    if own.parent != other:
        distance, nearest = cKDTree(own.points_mm).query(center)
        outside = distance > own.radius_mm[nearest]
        center, radius = center[outside], radius[outside]
    return center, radius + VESSEL_EDGE_MM


@numba.njit(cache=True, nogil=True)
def _inside(position, centers, radii, start, members):
    planes, angles, samples, _ = position.shape
    out = np.zeros((planes, angles, samples), np.bool_)
    for m in range(planes):
        for a in range(angles):
            for j in range(samples):
                for n in members[start[m] : start[m + 1]]:
                    d = position[m, a, j] - centers[n]
                    if d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < radii[n] * radii[n]:
                        out[m, a, j] = True
                        break
    return out
