"""Agatston, volume and mass of given regions: what the contours hold, nothing selected or rejected here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ccta.coordinates import to_patient_mm
from ccta.model import Volume

AGATSTON_HU = 130.0  # at 120 kVp (Agatston et al., J Am Coll Cardiol 1990;15:827)
BAND_HU = (130.0, 200.0, 300.0, 400.0)  # lower limits of the weights 1-4 at 120 kVp
MIN_AREA_MM2 = 1.0
REFERENCE_INCREMENT_MM = 3.0
THIN_MM = 2.5  # below this, noise alone exceeds the threshold: slices are averaged first

THRESHOLD_AT_KVP = {70.0: 207.0, 80.0: 177.0, 100.0: 147.0, 120.0: 130.0}
"""Threshold that gives the 120-kVp score (Grani et al., Int J Cardiovasc Imaging 2018, and Marwan 2013, [check]); linear between, none above 120."""


@dataclass(frozen=True)
class LesionScore:
    """One region, scored. label: its value in the label map. center_mm: HU-weighted over the scored voxels."""

    label: int
    agatston: float
    volume_mm3: float
    mass_mg: float
    peak_hu: float
    center_mm: tuple[float, float, float]


def threshold_hu(kvp: float | None) -> tuple[float, str]:
    """(threshold, sentence that says why). The weight bands scale with it: 200, 300, 400 HU become the same multiples of the threshold."""
    if kvp is None:
        return AGATSTON_HU, "130 HU (tube voltage unknown, 120 kVp assumed)"
    if kvp >= 120:
        return AGATSTON_HU, "130 HU" if kvp == 120 else f"130 HU (not adapted: no published threshold at {kvp:g} kVp)"
    if kvp < 70:
        return THRESHOLD_AT_KVP[70.0], f"207 HU (that of 70 kVp; none is published at {kvp:g} kVp)"
    value = float(np.interp(kvp, list(THRESHOLD_AT_KVP), list(THRESHOLD_AT_KVP.values())))
    return value, f"{value:.0f} HU, adapted to {kvp:g} kVp"


def agatston_weight(peak_hu, threshold: float = AGATSTON_HU) -> np.ndarray:
    """Density factor 0-4 of a lesion's peak in one slice: 130-199, 200-299, 300-399, >= 400 HU, scaled to the threshold."""
    return np.digitize(peak_hu, np.array(BAND_HU) * threshold / AGATSTON_HU)


def contiguous_slabs(volume: Volume, slab_mm: float = REFERENCE_INCREMENT_MM) -> Volume:
    """Thin slices averaged to contiguous slabs, each slice by the part of it that lies in the slab. float32.

    A last slab is kept when at least half of it is imaged.
    """
    increment = float(volume.spacing_mm[2])
    depth = volume.array.shape[2]
    count = max(1, int(np.floor(depth * increment / slab_mm + 0.5)))
    edges = np.arange(depth + 1) * increment
    slabs = np.empty((*volume.array.shape[:2], count), np.float32)
    for s in range(count):
        overlap = np.clip(np.minimum(edges[1:], (s + 1) * slab_mm) - np.maximum(edges[:-1], s * slab_mm), 0, None)
        inside = np.flatnonzero(overlap)
        slabs[:, :, s] = np.average(volume.array[:, :, inside], axis=2, weights=overlap[inside])
    affine = volume.affine.copy()
    affine[:3, 2] *= slab_mm / increment
    affine[:3, 3] = to_patient_mm([0, 0, (slab_mm / increment - 1) / 2], volume.affine)
    return Volume(slabs, affine, volume.frame_of_reference_uid)


def slab_labels(volume: Volume, labels: np.ndarray, slab_mm: float = REFERENCE_INCREMENT_MM) -> np.ndarray:
    """Regions drawn on thin slices, on the slabs of `contiguous_slabs`: a pixel of a slab belongs to the region of any of its slices (largest number)."""
    increment, depth = float(volume.spacing_mm[2]), volume.array.shape[2]
    count = max(1, int(np.floor(depth * increment / slab_mm + 0.5)))
    slabs = np.zeros((*labels.shape[:2], count), labels.dtype)
    home = np.clip(((np.arange(depth) + 0.5) * increment / slab_mm).astype(int), 0, count - 1)
    for k in range(depth):
        np.maximum(slabs[:, :, home[k]], labels[:, :, k], out=slabs[:, :, home[k]])
    return slabs


def score_lesions(volume: Volume, labels: np.ndarray, threshold: float = AGATSTON_HU, mass_factor: float = 1e-3) -> list[LesionScore]:
    """One LesionScore per label > 0 that holds calcium, in ascending order of label.

    volume: HU, slices along k, contiguous. labels: its shape, integer regions. mass_factor: mg / (HU mm3).
    Per slice: 2-D components (8-neighbours) of HU >= threshold within the region; those of >= 1 mm2 count with
    area x weight(peak) x increment / 3 mm. The increment is the distance between slice positions. Volume and mass use the same components.
    """
    if labels.shape != volume.array.shape:
        raise ValueError(f"regions of shape {labels.shape} do not fit an image of shape {volume.array.shape}")
    scores = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        hu = np.asarray(volume.array[box], np.float64)
        found = _score_box(hu, (labels[box] == label) & (hu >= threshold), volume, threshold)
        if found is None:
            continue
        agatston, scored = found
        voxel_mm3, weights = volume.voxel_mm3, hu[scored]
        index = np.average(np.argwhere(scored), axis=0, weights=weights) + [s.start for s in box]
        center_mm = tuple(map(float, to_patient_mm(index, volume.affine)))
        mass_mg = float(mass_factor * weights.sum() * voxel_mm3)
        scores.append(LesionScore(label, agatston, float(scored.sum() * voxel_mm3), mass_mg, float(weights.max()), center_mm))
    return scores


def _score_box(hu: np.ndarray, above: np.ndarray, volume: Volume, threshold: float) -> tuple[float, np.ndarray] | None:
    """(Agatston, mask of the voxels in components that count) or None where no component reaches 1 mm2."""
    in_plane = np.zeros((3, 3, 3), int)
    in_plane[:, :, 1] = 1
    components, count = ndimage.label(above, in_plane)
    if not count:
        return None
    of, peak = components[above], np.full(count + 1, -np.inf)
    np.maximum.at(peak, of, hu[above])
    pixel_mm2 = float(np.linalg.norm(np.cross(volume.affine[:3, 0], volume.affine[:3, 1])))
    area_mm2 = np.bincount(of, minlength=count + 1)[1:] * pixel_mm2
    counts = area_mm2 >= MIN_AREA_MM2 - 1e-9
    if not counts.any():
        return None
    increment_mm = float(volume.spacing_mm[2])
    agatston = float(np.sum((area_mm2 * agatston_weight(peak[1:], threshold))[counts]) * increment_mm / REFERENCE_INCREMENT_MM)
    return agatston, np.concatenate([[False], counts])[components]
