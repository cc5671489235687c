"""The aortic root: how bright its blood is, and which voxels of its wall an artery may leave from."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ccta.anatomy.distance import distance_to_mask
from ccta.errors import Refusal
from ccta.model import HEART_LABELS, Volume


@dataclass(frozen=True)
class Blood:
    """Contrast-filled blood in the aorta: robust mean and noise SD, HU."""

    mean_hu: float
    sd_hu: float


def aortic_blood(volume: Volume, heart: Volume, erosion_mm: float = 3.0, minimum_voxels: int = 200) -> Blood:
    """Median and robust SD (1.4826 MAD) inside the eroded aorta label. Raises Refusal where the heart labels hold no aorta."""
    aorta = heart.array == HEART_LABELS["aorta"]
    if aorta.sum() < minimum_voxels:
        found = f"label {HEART_LABELS['aorta']} has {int(aorta.sum())} voxels"
        raise Refusal(f"the aorta was not found ({found}), so the coronary ostia cannot be located; correct heart.nii.gz")
    box = ndimage.find_objects(aorta.view(np.uint8))[0]
    depth_mm = distance_to_mask(np.pad(~aorta[box], 1, constant_values=True), volume.spacing_mm)[1:-1, 1:-1, 1:-1]
    inner = depth_mm > erosion_mm
    if inner.sum() < minimum_voxels:
        raise Refusal(f"the aorta label is nowhere thicker than {2 * erosion_mm:.0f} mm, too thin to measure the contrast of its blood; correct heart.nii.gz")
    values = volume.array[box][inner].astype(np.float32)
    middle = float(np.median(values))
    return Blood(middle, float(1.4826 * np.median(np.abs(values - middle))))


def aortic_root(pools: np.ndarray, labels: np.ndarray, spacing_mm: float, reach_mm: float) -> np.ndarray:
    """Mask of aortic blood within `reach_mm` of the left ventricle (of the aorta's lowest point in the label where no ventricle is labelled).

    pools: large blood pools on an isotropic grid; labels: heart labels there. The aorta is the one component nearest to the ventricle, so that
    the descending aorta is not taken. Ostia lie within about 25 mm above the annulus (Cavalcanti et al., Ann Thorac Surg 2003;75:1447).
    """
    aorta = labels == HEART_LABELS["aorta"]
    ventricle = labels == HEART_LABELS["lv"]
    if not ventricle.any():
        ventricle = (labels > 0) & ~aorta & (labels != HEART_LABELS["pulmonary_artery"])
    if not ventricle.any():
        raise Refusal("the heart labels hold an aorta but no heart chamber, so the aortic root cannot be told from the rest of the aorta; correct heart.nii.gz")
    away_mm = distance_to_mask(ventricle, spacing_mm)
    parts, count = ndimage.label(aorta)
    nearest = np.full(count + 1, np.inf)
    np.minimum.at(nearest, parts[aorta], away_mm[aorta])
    size = np.bincount(parts[aorta], minlength=count + 1)
    chosen = int(np.argmin(np.where(size > 0.02 * size.sum(), nearest, np.inf)))
    ascending = (parts == chosen) & (away_mm < nearest[chosen] + reach_mm)
    near = distance_to_mask(ascending, spacing_mm) < 3.0
    return pools & near & ~ventricle


def artery_systems(branches: list[np.ndarray], evidence, settings) -> list[np.ndarray]:
    """The branches of those systems (a root at the source and all that hangs on it) that are coronary arteries.

    A system must be `coronary_min_system_mm` long in all and leave the root at arterial brightness; roots within 6 mm count as one ostium.
    """
    owner = np.full(len(branches), -1)
    for n, branch in enumerate(branches):
        earlier = [m for m in range(n) if (branches[m] == branch[0]).all(axis=1).any()]
        owner[n] = owner[earlier[0]] if earlier and not evidence.source[tuple(branch[0])] else n
    kept = []
    for root in np.unique(owner):
        members = [n for n in range(len(branches)) if owner[n] == root]
        start = branches[root][1 : 2 + int(10 / evidence.spacing_mm)]
        level = float(np.median(evidence.image_hu[tuple(start.T)])) / evidence.blood_hu
        length_mm = sum(len(branches[n]) for n in members) * evidence.spacing_mm
        if length_mm >= settings.coronary_min_system_mm and level >= settings.coronary_min_blood:
            kept += members
    return [branches[n] for n in sorted(kept)]
