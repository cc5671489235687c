"""What of the image a preset of the volume rendering keeps: half the resolution, along the patient's axes, the rest made air."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.anatomy.slab import projected
from ccta.case import Case
from ccta.coordinates import sample
from ccta.model import CORONARY_LABELS, HEART_LABELS, Volume
from viewer.app.planes import bounds_mm
from viewer.app.study import Study
from viewer.app.views.kept import kept
from viewer.app.words import NotPossible
from viewer.scenes.volume_scene import Box

AIR_HU = -1024
COARSER = 2
"""Of the image's voxels: the ray caster takes a quarter of a second for a still picture of what is left."""
BONE_HU = 180.0
"""Bone and contrast are above; what of it touches no heart, great vessel or artery is bone."""
AROUND = {"heart": 1, "vessels": 1, "boneless": 2}
"""Voxels by which a mask is widened, so that edges fade instead of being cut."""


def half_box(study: Study) -> Box:
    """The whole image at half the resolution: each voxel the mean of its eight."""
    return kept(study.volume, "half", lambda: _half(study.volume))


def _half(volume: Volume) -> Box:
    low, high = bounds_mm(volume)
    inverse = np.abs(np.linalg.inv(volume.affine[:3, :3]))
    spacing = COARSER / inverse.max(axis=0)
    counts = np.maximum(1, np.floor((high - low) / spacing + 1e-6).astype(int))
    corner, (across, down, up) = low + spacing / 2, np.diag(spacing)
    hu = np.empty(counts[::-1], np.int16)
    for k in range(counts[2]):
        hu[k] = projected(volume, corner + k * up, across, down, (counts[1], counts[0]), ("mean", 0.0))
    return Box(hu, corner, spacing)


def preset_box(study: Study, preset: str) -> Box:
    """The image as a preset shows it. NotPossible where it needs a heart or arteries and the case holds none."""
    box = half_box(study)
    if preset == "all":
        return box
    labels = {item: _labels(study, item, box) for item in ("heart", "coronary")}
    needed = "coronary" if preset == "vessels" else "heart"
    if labels[needed] is None:
        raise NotPossible("no_labels")
    keep = ndimage.binary_dilation(_mask(preset, box, labels), iterations=AROUND[preset])
    return Box(np.where(keep, box.hu, np.int16(AIR_HU)), box.corner_mm, box.spacing_mm)


def _mask(preset: str, box: Box, labels: dict) -> np.ndarray:
    """(nk, nj, ni) what is kept."""
    arteries = _one_of(labels["coronary"], list(CORONARY_LABELS.values())) if labels["coronary"] is not None else np.zeros(box.hu.shape, bool)
    if preset == "vessels":
        aorta = labels["heart"] == HEART_LABELS["aorta"] if labels["heart"] is not None else np.zeros(box.hu.shape, bool)
        return arteries | aorta
    body = (labels["heart"] > 0) | arteries
    if preset == "heart":
        return body
    bright, count = ndimage.label(box.hu > BONE_HU)
    bone = (bright > 0) & ~_one_of(bright, bright[body], count + 1)
    return ~ndimage.binary_dilation(bone, iterations=AROUND[preset] + 2)


def _one_of(labels: np.ndarray, values, count: int = 256) -> np.ndarray:
    """Which of the whole numbers below `count` are among the values; np.isin takes eight times the memory."""
    table = np.zeros(count, bool)
    table[values] = True
    return table[labels]


def _labels(study: Study, item: str, box: Box) -> np.ndarray | None:
    """A label map on the box's grid, None where the case holds none."""
    if study.root is None or not Case(study.root).path(item).exists():
        return None
    volume = Case(study.root).read_volume(item)
    nk, nj, ni = box.hu.shape
    found = np.empty(box.hu.shape, np.uint8)
    j, i = np.meshgrid(np.arange(nj), np.arange(ni), indexing="ij")
    for k in range(nk):
        places = box.corner_mm + np.stack([i, j, np.full_like(i, k)], axis=-1) * box.spacing_mm
        found[k] = sample(volume, places, order=0, outside=0)
    return found
