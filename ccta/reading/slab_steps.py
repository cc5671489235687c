"""Steps between slabs: places where the patient moved between two heart beats of a step-and-shoot scan, so that the image jumps sideways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ccta.coordinates import to_patient_mm
from ccta.model import Volume

GRID_MM = 1.5  # in-plane averaging against noise
EDGE_SHARE = 0.15  # of the pixels, those with the steepest edges: they change most when the image jumps
NEIGHBOURS = 9  # slices whose median change is what anatomy alone would do
MIN_RATIO, MIN_SIGMA = 1.6, 8.0  # times the neighbours' median change, and robust deviations above it


@dataclass(frozen=True)
class Step:
    """A place where the image jumps. ratio: change between the two slices over its neighbours' median."""

    z_mm: float
    ratio: float

    @property
    def sentence(self) -> str:
        how = f"{self.ratio:.1f} times the usual change"
        return f"step at z = {self.z_mm:.1f} mm: the image jumps between two slices ({how}); vessels there are displaced, not narrowed"


def slab_steps(volume: Volume, heart: Volume) -> list[Step]:
    """The steps within the heart. Empty without heart labels or with fewer than 20 slices of it.

    Between neighbouring slices the mean absolute change at the steepest edges varies slowly with anatomy; a jump stands out from its neighbours.
    """
    inside = np.argwhere(heart.array[::4, ::4].any(axis=(0, 1))).ravel()
    if len(inside) < 20:
        return []
    change = edge_changes_hu(volume, heart, int(inside[0]), int(inside[-1]) + 1)
    usual = ndimage.median_filter(change, NEIGHBOURS, mode="nearest")
    spread = 1.4826 * np.median(np.abs(change - usual))
    jumps = np.flatnonzero((change > MIN_RATIO * usual) & (change - usual > MIN_SIGMA * spread))
    return [Step(_z_mm(volume, int(inside[0] + jump)), float(change[jump] / usual[jump])) for jump in jumps]


def edge_changes_hu(volume: Volume, heart: Volume, first: int, last: int) -> np.ndarray:
    """(last - first - 1,) mean |slice k+1 - slice k| over the steepest edges in the heart's box, HU."""
    rows, columns = (np.flatnonzero((heart.array[:, :, first:last] > 0).any(axis=axes)) for axes in ((1, 2), (0, 2)))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    step = np.maximum(1, np.round(GRID_MM / volume.spacing_mm[:2])).astype(int)
    previous, changes = None, []
    for k in range(first, last):
        smooth = ndimage.uniform_filter(np.clip(volume.array[*box, k], -200, 600).astype(np.float32), tuple(step))[:: step[0], :: step[1]]
        if previous is not None:
            steep = sum(np.abs(g) for g in np.gradient((smooth + previous) / 2))
            edge = steep >= np.quantile(steep, 1 - EDGE_SHARE)
            changes.append(float(np.abs(smooth - previous)[edge].mean()))
        previous = smooth
    return np.array(changes)


def _z_mm(volume: Volume, k: int) -> float:
    """Patient z between slices k and k + 1, in the middle of the image."""
    return float(to_patient_mm([(volume.array.shape[0] - 1) / 2, (volume.array.shape[1] - 1) / 2, k + 0.5], volume.affine)[2])
