"""How the Agatston score of the same patient varies with the place of the first slice, from one scan.

Where a slice begins is chance: an artery's calcium is cut now through its middle, now at its edges. Slices are averages over contiguous slabs, so
their running sum along z is known at every slab's border; between borders it is interpolated monotonically (PCHIP, Fritsch and Carlson, SIAM J Numer
Anal 1980;17:238), and slabs that begin elsewhere are differences of it. That keeps the amount of calcium. For thin slices it is the averaging itself.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from ccta.disease.calcium_scoring import REFERENCE_INCREMENT_MM, THIN_MM, score_lesions
from ccta.model import Volume

STARTS = 8  # places of the first slice, evenly over one slice
MARGIN = 3  # slices and pixels about a lesion
LARGEST_MM3 = 100_000.0  # of a lesion's box: one that lies along a whole calcified artery stays below
FLOOR_HU = -1100.0  # below every tissue, so that the running sum only rises


def restarted_scores(volume: Volume, scoring: Volume, labels: np.ndarray, threshold: float) -> dict[int, list[float]]:
    """label -> Agatston at `STARTS` slice starts. volume: as imaged; scoring: what was scored; labels: (its shape) lesions.

    A lesion's voxels are sought where its label is, one pixel around, and in the slices next to it; other labels are left out, and so is what is larger than
    any lesion of an artery (the skeleton is one piece of 250 mL).
    """
    increment = float(volume.spacing_mm[2])
    slab_mm = REFERENCE_INCREMENT_MM if increment < THIN_MM - 1e-3 else increment
    found = {}
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None and np.prod([s.stop - s.start for s in box]) * scoring.voxel_mm3 <= LARGEST_MM3:
            found[label] = _restarted(volume, scoring, labels, (label, box), (threshold, slab_mm))
    return found


def _restarted(volume: Volume, scoring: Volume, labels: np.ndarray, lesion: tuple, rule: tuple[float, float]) -> list[float]:
    (label, box), (threshold, slab_mm) = lesion, rule
    increment = float(volume.spacing_mm[2])
    plane = tuple(slice(max(s.start - MARGIN, 0), s.stop + MARGIN) for s in box[:2])
    first, last = max(box[2].start - MARGIN, 0), min(box[2].stop + MARGIN, labels.shape[2])
    here = labels[(*plane, slice(first, last))]
    own = ndimage.binary_dilation(here == label, np.ones((3, 3, 3))) & ((here == label) | (here == 0))
    low, high = int(first * slab_mm / increment), min(int(np.ceil(last * slab_mm / increment)), volume.array.shape[2])
    hu = volume.array[(*plane, slice(low, high))].astype(np.float64)
    edges_mm = np.arange(low, high + 1) * increment
    total = np.concatenate([np.zeros((*hu.shape[:2], 1)), np.cumsum((hu - FLOOR_HU) * increment, axis=2)], axis=2)
    running = PchipInterpolator(edges_mm, total, axis=2)
    scores = []
    for offset_mm in np.arange(STARTS) * slab_mm / STARTS:
        starts_mm = np.arange(first, last) * slab_mm + offset_mm
        starts_mm = starts_mm[(starts_mm >= edges_mm[0] - 1e-6) & (starts_mm + slab_mm <= edges_mm[-1] + 1e-6)]
        slabs = np.diff(running(np.append(starts_mm, starts_mm[-1:] + slab_mm)), axis=2) / slab_mm + FLOOR_HU if len(starts_mm) else np.empty((0, 0, 0))
        scores.append(_score(slabs, own, scoring, threshold))
    return scores


def _score(slabs: np.ndarray, own: np.ndarray, scoring: Volume, threshold: float) -> float:
    """Agatston of slabs, slab k reaching from slice k into slice k + 1 of `own`."""
    if 0 in slabs.shape:
        return 0.0
    count = slabs.shape[2]
    reach = own[:, :, :count] | np.concatenate([own[:, :, 1:], own[:, :, -1:]], axis=2)[:, :, :count]
    scored = score_lesions(Volume(slabs, scoring.affine), reach.astype(np.int32), threshold)
    return scored[0].agatston if scored else 0.0


def interval(restarts: list[list[float]], agatston: float) -> tuple[float, float]:
    """(lowest, highest) total over the starts, the score itself included."""
    totals = np.sum(restarts, axis=0) if restarts else np.zeros(STARTS)
    return float(min(totals.min(), agatston)), float(max(totals.max(), agatston))
