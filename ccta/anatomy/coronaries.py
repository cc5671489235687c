"""Coronary arteries in a contrast CT: tubes of arterial brightness that can be followed from the aortic root.

Enhancement gives the level of blood, optimally oriented flux the tubes, a minimal path from the root's wall the arteries; a threshold half-way between
the local lumen and its surroundings gives the label. A network may be asked too. Where it sees most of the tree that the image alone gave, a path needs
both, and along the paths that it sees it has a say on the lumen's edge; where it does not, it is out of its depth with this image, and the image's tree stands.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ccta.anatomy.coronaries_growth import NOT_ASKED, Evidence, advance, find_branches, vessel_about
from ccta.anatomy.coronaries_paint import Coronaries, paint
from ccta.anatomy.distance import distance_to_mask
from ccta.anatomy.ostia import Blood, aortic_blood, aortic_root, artery_systems
from ccta.anatomy.vesselness import tube_contrast
from ccta.coordinates import cropped, resampled, resampled_like
from ccta.errors import BadInput, Refusal
from ccta.model import HEART_LABELS, Unavailable, Volume
from ccta.settings import SegmentSettings

FAT_HU = -100.0  # pericardial fat (-195..-45 HU): below it nothing matters to a coronary artery
BLOOD = np.isin(np.arange(256), [HEART_LABELS[name] for name in ("lv", "rv", "la", "ra", "aorta", "pulmonary_artery")])  # by label
CARDIAC = np.isin(np.arange(256), [label for name, label in HEART_LABELS.items() if name not in ("aorta", "pulmonary_artery")])
TISSUE_HU = 100.0  # myocardium in the arterial phase, the brightest surroundings of an artery


Predict = Callable[[np.ndarray, np.ndarray, float], np.ndarray | Unavailable]
"""(HU on the working grid, where an artery may lie, HU of the aorta) -> (2, ni, nj, nk) probability of lumen and calcified plaque, or why there is none."""


def segment_coronaries(volume: Volume, heart: Volume, settings: SegmentSettings, predict: Predict | None = None) -> Coronaries:
    """Labels on the volume's grid from HU and heart labels on the same grid.

    Raises Refusal where the voxels are too large, the blood too dim, the noise too high, or no artery can be followed from the aortic root.
    """
    if volume.array.shape != heart.array.shape:
        raise BadInput(f"the heart labels {heart.array.shape} and the image {volume.array.shape} differ in shape; segment the heart on this image")
    _refuse_large_voxels(volume, settings)
    blood = aortic_blood(volume, heart)
    _refuse_poor_contrast(blood, settings)
    evidence, affine = gather_evidence(volume, heart, blood, settings, predict)
    branches = grown(evidence, settings)
    if branches and network_share(evidence.seen, branches) >= settings.coronary_network_share:
        evidence = replace(evidence, tube=with_network(evidence.tube, evidence.seen), judged=True)
        branches = grown(evidence, settings)
    if not branches:
        causes = "the coronary arteries are not in the image, not filled, or the aorta label is wrong"
        raise Refusal(f"no artery could be followed from the aortic root: {causes}; check heart.nii.gz")
    return paint(volume, evidence, affine, branches, blood)


def gather_evidence(volume: Volume, heart: Volume, blood: Blood, settings: SegmentSettings, predict: Predict | None = None) -> tuple[Evidence, np.ndarray]:
    """(evidence, affine of its grid): everything on an isotropic grid about the heart."""
    grid = working_grid(volume, heart, settings)
    labels = resampled_like(heart, grid, order=0).array
    image = np.clip(grid.array, FAT_HU, blood.mean_hu + 2 * blood.sd_hu)
    smooth = ndimage.gaussian_filter(image, settings.coronary_smoothing_mm / settings.coronary_grid_mm)
    pools = blood_pools(smooth, labels, blood, settings)
    source = aortic_root(pools, labels, settings.coronary_grid_mm, settings.coronary_root_reach_mm)
    region = epicardial_region(labels > 0, settings)
    allowed = (smooth > settings.coronary_path_floor_hu) & region & ~pools
    bright = allowed & (smooth > settings.coronary_tube_floor * blood.mean_hu)
    contrast, radius = tube_contrast(image, settings.coronary_grid_mm, settings.coronary_radii_mm, bright)
    tube = np.minimum(contrast / (settings.coronary_full_tube * (blood.mean_hu - FAT_HU)), 1.0)
    seen = predict(grid.array, tube > settings.coronary_asked_tube, blood.mean_hu) if predict else NOT_ASKED
    return Evidence(smooth, tube, radius, allowed | source, source, settings.coronary_grid_mm, blood.mean_hu, seen), grid.affine


def working_grid(volume: Volume, heart: Volume, settings: SegmentSettings) -> Volume:
    """HU about the heart on the isotropic working grid."""
    low, high = _heart_box(heart, settings.coronary_margin_mm)
    return resampled(cropped(volume, low, high), settings.coronary_grid_mm)


def grown(evidence: Evidence, settings: SegmentSettings) -> list[np.ndarray]:
    """The branches, (N, 3) voxels each, of the artery systems that the evidence gives."""
    front = advance(evidence, settings.coronary_good_tube, settings.coronary_bridge_mm)
    return artery_systems(find_branches(evidence, front, settings), evidence, settings)


def network_share(seen: np.ndarray | Unavailable, branches: list[np.ndarray]) -> float:
    """Share of the branches' voxels at which the network sees a vessel; 0 where it was not asked."""
    if isinstance(seen, Unavailable):
        return 0.0
    return float(np.mean(vessel_about(seen)[tuple(np.vstack(branches).T)] >= 0.5))


def with_network(tube: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Geometric mean of the tube's evidence and of the network's: an artery needs both, a vein as bright as one has the first alone."""
    return np.sqrt(tube * vessel_about(seen))


def epicardial_region(heart: np.ndarray, settings: SegmentSettings) -> np.ndarray:
    """Where epicardial arteries may lie: up to `coronary_outside_mm` from the labelled heart, and the pockets of fat between its chambers (a closing)."""
    reach, pocket, step = settings.coronary_outside_mm, settings.coronary_pocket_mm, 2 * settings.coronary_grid_mm
    margin = int(np.ceil((reach + pocket) / step)) + 1  # beyond the image there is no heart
    wide = distance_to_mask(np.pad(heart[::2, ::2, ::2], margin), step) < reach + pocket
    closed = (distance_to_mask(~wide, step) > pocket)[margin:-margin, margin:-margin, margin:-margin]
    return closed.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)[tuple(slice(n) for n in heart.shape)]


def blood_pools(image_hu: np.ndarray, labels: np.ndarray, blood: Blood, settings: SegmentSettings) -> np.ndarray:
    """Bright blood in which a ball wider than any coronary artery fits (an opening), and the depth of the labelled chambers.

    Balls that fit in a small place only do not count: the fork of a wide left main holds one.
    """
    bright = image_hu > 0.5 * (blood.mean_hu + TISSUE_HU)
    spacing, reach = settings.coronary_grid_mm, settings.coronary_pool_mm
    cores, _ = ndimage.label(distance_to_mask(~bright, spacing) > reach)
    large = np.bincount(cores.ravel()) * spacing**3 >= settings.coronary_pool_core_mm3
    large[0] = False
    opened = distance_to_mask(large[cores], spacing) <= reach
    wall = ~BLOOD[labels]
    return opened | (distance_to_mask(wall, spacing) > settings.coronary_label_error_mm)


def _refuse_large_voxels(volume: Volume, settings: SegmentSettings) -> None:
    largest = float(volume.spacing_mm.max())
    if largest > settings.coronary_max_voxel_mm:
        limit = f"at most {settings.coronary_max_voxel_mm:.1f} mm"
        raise Refusal(f"voxels of {largest:.2f} mm are too large for coronary arteries of 1.5-4 mm ({limit}); send the thin-slice series")


def _refuse_poor_contrast(blood: Blood, settings: SegmentSettings) -> None:
    if blood.mean_hu < settings.coronary_min_blood_hu:
        raise Refusal(
            f"the aorta has {blood.mean_hu:.0f} HU, less than the {settings.coronary_min_blood_hu:.0f} HU that coronary arteries need; "
            "choose the contrast-enhanced arterial series"
        )
    ratio = (blood.mean_hu - TISSUE_HU) / max(blood.sd_hu, 1e-3)
    if ratio < settings.coronary_min_cnr:
        raise Refusal(
            f"noise of {blood.sd_hu:.0f} HU at {blood.mean_hu:.0f} HU in the aorta leaves a contrast-to-noise ratio of {ratio:.1f} "
            f"(at least {settings.coronary_min_cnr:.0f}); reconstruct with a smoother kernel or iterative reconstruction"
        )


def _heart_box(heart: Volume, margin_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Index bounds of the heart (chambers and pericardium, not the whole aorta) with a margin."""
    inside = CARDIAC[heart.array]
    if not inside.any():
        raise Refusal("the heart labels hold an aorta but no heart; correct heart.nii.gz")
    bounds = [np.flatnonzero(inside.any(axis=tuple(b for b in range(3) if b != a)))[[0, -1]] for a in range(3)]
    margin = np.ceil(margin_mm / heart.spacing_mm).astype(int)
    return np.array([b[0] for b in bounds]) - margin, np.array([b[1] for b in bounds]) + margin + 1
