"""High-risk features of one plaque: positive remodelling, low attenuation, spotty calcium, napkin-ring sign (Cury 2022; Motoyama 2009)."""

import numpy as np
from scipy import ndimage

POSITIVE_REMODELLING = 1.10  # outer diameter at the lesion over the reference
REFERENCE_REACH_MM = 5.0  # before and behind the lesion, for the reference outer diameter
MIN_LOW_ATTENUATION_MM3 = 1.0  # a few voxels; less is noise
SPOTTY_BELOW_MM = 3.0
MIN_SPOT_MM3 = 0.2
RING_MIN_THICKNESS_MM = 1.0  # a thinner wall has no room for core and rim at CT resolution
RING_CONTRAST_HU = 20.0
RING_MIN_ARC = 0.2  # of the circumference
RING_MIN_LENGTH_MM = 1.0


def high_risk_features(branch, planes: np.ndarray, limits_hu: np.ndarray) -> list[str]:
    """Names of the features of the plaque on `planes` (M,) of a BranchPlaque, in the order PR, LAP, SC, NRS."""
    if not (branch.volume_mm3[planes] > 0).any():
        return []
    checks = {
        "PR": remodelling_index(branch, planes) >= POSITIVE_REMODELLING,
        "LAP": branch.volume_mm3[planes][branch.hu[planes] < limits_hu[0]].sum() >= MIN_LOW_ATTENUATION_MM3,
        "SC": _has_spotty_calcium(branch, planes, limits_hu[2]),
        "NRS": _has_napkin_ring(branch, planes, limits_hu[1]),
    }
    return [name for name, present in checks.items() if present]


def remodelling_index(branch, planes: np.ndarray) -> float:
    """Outer-wall diameter where the plaque's share of the vessel is greatest, over that of the reference there; 1 without a reference.

    Reference: mean outer diameter up to 5 mm before and behind the lesion on planes with little plaque, interpolated to the place.
    """
    sections, place = branch.sections, branch.sections.distance_mm
    outer = ndimage.median_filter(2 * np.sqrt(sections.wall_area_mm2 / np.pi), 5)
    burden = branch.volume_mm3.sum(axis=(1, 2)) / np.maximum(branch.vessel_mm3, 1e-6)
    entry, end = place[planes][0], place[planes][-1]
    healthy = sections.reliable & (burden < 0.15)
    before = healthy & (place < entry) & (place >= entry - REFERENCE_REACH_MM)
    behind = healthy & (place > end) & (place <= end + REFERENCE_REACH_MM)
    sides = [side for side in (before, behind) if side.any()]
    if not sides:
        return 1.0
    worst = np.flatnonzero(planes)[np.argmax(np.where(branch.vessel_mm3[planes] > 0, burden[planes], 0))]
    reference = np.interp(place[worst], [place[side].mean() for side in sides], [outer[side].mean() for side in sides])
    return float(outer[worst] / reference)


def _has_spotty_calcium(branch, planes: np.ndarray, calcified_hu: float) -> bool:
    """A calcification smaller than 3 mm in every direction beside non-calcified plaque."""
    hu, volume, position = branch.hu[planes], branch.volume_mm3[planes], branch.position_mm[planes]
    calcified = (hu > calcified_hu) & (volume > 0)
    if volume[~calcified].sum() < volume[calcified].sum():
        return False
    labels, count = _labelled_around(calcified)
    for label in range(1, count + 1):
        spot = labels == label
        if volume[spot].sum() >= MIN_SPOT_MM3 and np.ptp(position[spot], axis=0).max() < SPOTTY_BELOW_MM:
            return True
    return False


def _labelled_around(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Connected components of an (M, A, R) mask whose second axis is an angle: the seam is closed. Labels 1 ... count, some may be empty."""
    labels, count = ndimage.label(mask)
    root = np.arange(count + 1)
    for a, b in zip(labels[:, -1].ravel(), labels[:, 0].ravel(), strict=True):
        if a and b:
            root[root == root[a]] = root[b]
    return root[labels], count


def _has_napkin_ring(branch, planes: np.ndarray, soft_hu: float) -> bool:
    """A dark core on the lumen side under a brighter, still soft, rim: over an arc, for at least a millimetre (Maurovich-Horvat 2010)."""
    hu, volume = branch.hu[planes], branch.volume_mm3[planes]
    third = hu.shape[2] // 3
    core, rim = hu[:, :, :third].mean(axis=2), hu[:, :, -third:].mean(axis=2)
    room = (branch.thickness_mm[planes] >= RING_MIN_THICKNESS_MM) & (volume.min(axis=2) > 0)
    ring = room & (rim - core >= RING_CONTRAST_HU) & (rim < soft_hu)
    plane = ring.mean(axis=1) >= RING_MIN_ARC
    labels, count = ndimage.label(plane)
    place = branch.sections.distance_mm[planes]
    return any(np.ptp(place[labels == i]) >= RING_MIN_LENGTH_MM for i in range(1, count + 1))
