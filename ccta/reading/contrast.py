"""Is there contrast medium in a CT? Seen in the image, because headers often name an agent for the non-contrast series of the same study too."""

import numpy as np
from scipy import ndimage

BLOOD_HU = (180, 800)
"""Arterial enhancement of a CCTA; unenhanced blood is 30-60 HU. Vertebral spongiosa (100-250 HU) overlaps, bones are thin or small in the slice."""

POOL_RADIUS_MM = 7.0  # a disc of this radius fits into the left heart and the aortic root, not into ribs, sternum or the pedicles
POOL_AREA_MM2 = 600.0  # of opened area per slice: one aortic root; enhanced hearts have 2000-8000
HEART_AREA_MM2 = 1600.0  # beyond the largest vertebral body (some 1200 mm2 [check]): an enhanced atrium or ventricle with what is beside it
GRID_MM = 1.5


def has_contrast(slices_hu: list[np.ndarray], pixel_mm: float) -> bool:
    """True when at least a third of the slices (rows, columns), HU, hold a homogeneous enhanced area, and a sixth one as large as only the heart has.

    The spongiosa of dense vertebrae looks like enhanced blood, but no vertebra is that large; a scan without the heart reads as no contrast.
    """
    areas = np.array([_pool_area_mm2(hu, pixel_mm) for hu in slices_hu])
    return bool(len(areas)) and float(np.mean(areas > POOL_AREA_MM2)) >= 1 / 3 and float(np.mean(areas > HEART_AREA_MM2)) >= 1 / 6


def _pool_area_mm2(hu: np.ndarray, pixel_mm: float) -> float:
    """Area of enhanced, smooth regions that a disc of `POOL_RADIUS_MM` can sweep."""
    step = max(1, round(GRID_MM / pixel_mm))
    grid_mm = step * pixel_mm
    small = ndimage.uniform_filter(hu.astype(np.float32), step)[::step, ::step]
    blood = (small > BLOOD_HU[0]) & (small < BLOOD_HU[1])
    core = ndimage.distance_transform_edt(np.pad(blood, 1))[1:-1, 1:-1] * grid_mm > POOL_RADIUS_MM
    if not core.any():
        return 0.0
    opened = ndimage.distance_transform_edt(~core) * grid_mm <= POOL_RADIUS_MM
    return float(opened.sum()) * grid_mm**2
