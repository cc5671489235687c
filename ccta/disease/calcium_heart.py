"""Where the heart lies in a non-contrast CT, from the lungs that frame it. No enhancement, no network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.morphology import ball, convex_hull_image

from ccta.coordinates import resampled, to_index, to_patient_mm, upright
from ccta.errors import Refusal
from ccta.model import Volume

GRID_MM = 3.0
LUNG_HU = (-960.0, -500.0)  # aerated lung; air outside the body lies below
TISSUE_HU = -300.0
MIN_LUNG_ML = 100.0  # a cardiac field of view shows far more of each lung
MIN_RADIUS_MM = 25.0  # of the largest ball between the lungs; an adult heart holds 35-50 mm
CORE = 0.5  # of that ball: smaller balls sweep out the chambers, but not the spine, the sternum or the descending aorta
SOFT_HU = -30.0  # above: muscle and blood; below: fat
FRAME_SLICES = 5  # lungs within 6 mm above and below frame a slice: low on the heart they no longer reach round its front
BONE_HU = 130.0
MIN_SPINE_MM3, SPINE_COAT_MM = 5000.0, 9.0  # half a vertebral body; discs and the posterior longitudinal tissue
FAT_COAT_MM = 9.0  # epicardial fat, in which the arteries run


@dataclass(frozen=True, eq=False)
class HeartPlace:
    """center_mm: (3,) LPS. half_mm: (3,) half extent along L, P, S. region: mask of the heart with its pericardium on a coarse grid.

    outside_mm: on the same grid, distance from the muscle and the blood, mm; 0 inside.
    """

    center_mm: np.ndarray
    half_mm: np.ndarray
    region: Volume
    outside_mm: Volume

    def contains(self, points_mm: np.ndarray) -> np.ndarray:
        """(N, 3) -> (N,) bool."""
        index = np.rint(to_index(points_mm, self.region.affine)).astype(int)
        inside = ((index >= 0) & (index < self.region.array.shape)).all(axis=1)
        result = np.zeros(len(index), bool)
        result[inside] = self.region.array[tuple(index[inside].T)]
        return result

    def relative(self, points_mm: np.ndarray) -> np.ndarray:
        """(N, 3) position in half extents from the centre, along L, P, S."""
        return (np.asarray(points_mm) - self.center_mm) / self.half_mm


def locate_heart(volume: Volume) -> HeartPlace:
    """The heart is the tissue between the lungs that large balls sweep out.

    Per axial slice the convex hull of the lungs minus the lungs is the mediastinum with the front of the spine. The largest ball of soft tissue
    in it is the heart's core; what balls of `CORE` of its radius reach from there, and the fat around, is the heart with its pericardium.
    Raises Refusal where the lungs or such a ball are not seen.
    """
    coarse = resampled(upright(volume), GRID_MM)
    lungs = _lungs(coarse.array)
    between = np.zeros_like(lungs)
    frame = ndimage.maximum_filter1d(lungs, FRAME_SLICES, axis=2)
    for k in range(lungs.shape[2]):
        if lungs[:, :, k].sum() * GRID_MM**2 > 1000:  # mm2; fewer do not frame anything
            between[:, :, k] = convex_hull_image(frame[:, :, k]) & ~lungs[:, :, k]
    between &= ~_spine(coarse, lungs)
    soft = ndimage.binary_closing(np.pad(between & (coarse.array > SOFT_HU), 3), ball(2))[3:-3, 3:-3, 3:-3] & between
    depth_mm = ndimage.distance_transform_edt(np.pad(soft, 1))[1:-1, 1:-1, 1:-1] * GRID_MM
    depth_mm[:, :, ~_heart_levels(lungs)] = 0
    radius_mm = float(depth_mm.max())
    if radius_mm < MIN_RADIUS_MM:
        raise Refusal(f"the heart was not found between the lungs (the largest ball there has a radius of {radius_mm:.0f} mm)")
    core, _ = ndimage.label(depth_mm >= CORE * radius_mm)
    core = core == core[np.unravel_index(np.argmax(depth_mm), core.shape)]
    from_core_mm = ndimage.distance_transform_edt(~core) * GRID_MM
    muscle = (from_core_mm <= CORE * radius_mm) & soft
    tissue = to_patient_mm(np.argwhere(muscle), coarse.affine)
    low, high = np.percentile(tissue, [2, 98], axis=0)
    region = Volume((from_core_mm <= CORE * radius_mm + FAT_COAT_MM) & ~lungs, coarse.affine)
    outside_mm = Volume((ndimage.distance_transform_edt(~muscle) * GRID_MM).astype(np.float32), coarse.affine)
    return HeartPlace((low + high) / 2, (high - low) / 2, region, outside_mm)


def _spine(coarse: Volume, lungs: np.ndarray) -> np.ndarray:
    """Large dense bodies behind the middle of the lungs, with the tissue that lies on them."""
    parts, count = ndimage.label(ndimage.binary_opening(coarse.array > BONE_HU, ball(1)))
    back_mm = to_patient_mm(np.argwhere(lungs), coarse.affine)[:, 1].mean()
    spine = np.zeros(count + 1, bool)
    for label, box in enumerate(ndimage.find_objects(parts), 1):
        index = np.argwhere(parts[box] == label) + [s.start for s in box]
        spine[label] = len(index) * GRID_MM**3 > MIN_SPINE_MM3 and to_patient_mm(index, coarse.affine)[:, 1].mean() > back_mm
    return ndimage.distance_transform_edt(~spine[parts]) * GRID_MM <= SPINE_COAT_MM if spine.any() else np.zeros_like(lungs)


def _lungs(hu: np.ndarray) -> np.ndarray:
    """Lung voxels, smoothed over their vessels. Raises Refusal when less than two lungs' worth is there."""
    aerated = ndimage.binary_opening((hu > LUNG_HU[0]) & (hu < LUNG_HU[1]), ball(2))
    parts, count = ndimage.label(aerated)
    sizes_ml = np.bincount(parts.ravel(), minlength=count + 1) * GRID_MM**3 / 1000
    sizes_ml[0] = 0
    kept = (sizes_ml > MIN_LUNG_ML) & ~_under_the_body(hu, parts, count)
    if sizes_ml[kept].sum() < 2 * MIN_LUNG_ML:
        raise Refusal(f"the lungs that frame the heart were not found ({sizes_ml[kept].sum():.0f} mL of lung in the image)")
    return ndimage.binary_closing(np.pad(kept[parts], 3, mode="edge"), ball(3))[3:-3, 3:-3, 3:-3]


def _under_the_body(hu: np.ndarray, parts: np.ndarray, count: int) -> np.ndarray:
    """(count + 1,) True for components of air behind which there is hardly any body: foam of the table or its mat. hu: upright."""
    tissue, found = ndimage.label(hu > TISSUE_HU)
    if not found:
        return np.zeros(count + 1, bool)
    body = tissue == 1 + np.argmax(np.bincount(tissue.ravel())[1:])
    behind = np.maximum.accumulate(body[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(ndimage.mean(behind, parts, np.arange(count + 1))) < 0.1


def _heart_levels(lungs: np.ndarray) -> np.ndarray:
    """(nk,) slices that can hold the middle of the heart: below, where the liver takes the lungs' place, they fill less than half of their largest slice."""
    area = lungs.sum(axis=(0, 1))
    return area >= 0.5 * area.max()
