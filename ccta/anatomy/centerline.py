"""From a coronary label map and its image to a tree of sub-voxel centerlines. Works on any label map: ours, a network's, a hand-edited one.

Minimal paths through the middle of the mask give the branches (farthest tip first, so that paths are long and loops are cut at their narrowest
stretch); `centerline_refine` moves them into the middle of the lumen that the image shows.
"""

import numpy as np
from scipy import ndimage

from ccta.anatomy.centerline_refine import Lumen, attached, ended, refined
from ccta.anatomy.coronaries_growth import Front, front_from, mark_balls
from ccta.anatomy.distance import distance_to_mask
from ccta.anatomy.ostia import aortic_blood
from ccta.coordinates import cropped, resampled, resampled_like, to_patient_mm
from ccta.curves import resampled_curve, smoothed_curve
from ccta.errors import BadInput, Refusal
from ccta.model import HEART_LABELS, Branch, CoronaryTree, Volume
from ccta.settings import TreeSettings


def extract_tree(volume: Volume, heart: Volume, coronary: Volume, settings: TreeSettings) -> CoronaryTree:
    """An unnamed CoronaryTree from HU, heart labels and coronary labels on one grid.

    Roots begin at the aorta, children on their parent's centerline. Raises Refusal where the label map is empty or nowhere near the aorta.
    """
    if not volume.array.shape == heart.array.shape == coronary.array.shape:
        shapes = f"image {volume.array.shape}, heart {heart.array.shape} and coronary labels {coronary.array.shape}"
        raise BadInput(f"{shapes} differ in shape; segment again on this image")
    if not (coronary.array > 0).any():
        raise Refusal("the coronary label map is empty, so there is no tree; run the segmentation again or draw the arteries into coronary.nii.gz")
    mask, affine, source = _mask_and_ostia(heart, coronary, settings)
    ways = mask_paths(mask, source, settings)
    lumen = Lumen.of(volume, coronary, aortic_blood(volume, heart))
    branches: list[Branch] = []
    for way, parent in ways:
        points = smoothed_curve(resampled_curve(to_patient_mm(way, affine), settings.step_mm), settings.smoothing_mm)
        branches.append(refined(points, parent, lumen, settings))
    branches = [attached(branch, branches, settings) for branch in branches]
    return _cleaned(ended(branches, settings), settings)


def mask_paths(mask: np.ndarray, source: np.ndarray, settings: TreeSettings) -> list[tuple[np.ndarray, int | None]]:
    """[(voxel indices (N, 3) from the origin to the tip, index of the parent)]. Farthest tip first; parents stand before children.

    The cost of a step is 1 / (distance to the mask's border)^2, so that ways keep to the middle and a touching vein costs its neck. Gaps between
    pieces of mask are bridged up to `max_gap_mm`.
    """
    spacing = settings.mask_grid_mm
    depth_mm = distance_to_mask(~mask, spacing)
    allowed = distance_to_mask(mask, spacing) <= settings.max_gap_mm / 2
    front = front_from(source, 1.0 / (depth_mm + 0.15) ** 2, allowed, mask, settings.max_gap_mm / spacing, spacing)
    tips = np.flatnonzero(mask & (front.parent >= 0).reshape(mask.shape))
    tips = tips[np.argsort(-front.length_mm[tips], kind="stable")]
    explained, depth = np.zeros(mask.size, bool), depth_mm.ravel()
    owner = np.zeros(mask.size, np.int32)  # 1 + the branch whose core (0.7 of the lumen) holds the voxel: two ways in one lumen are one artery
    found: list[tuple[np.ndarray, int | None]] = []
    for tip in tips:
        if explained[tip]:
            continue
        piece = _new_piece(front, int(tip), owner)
        fresh = piece[~explained[piece]]
        keep = len(fresh) > 1 and np.ptp(front.length_mm[fresh]) >= settings.min_branch_mm
        mark_balls(explained, piece, 1.6 * depth[piece] + 1.0, mask.shape, spacing)
        if keep:
            parent = int(owner[piece[0]]) - 1
            found.append((np.stack(np.unravel_index(piece, mask.shape), axis=1), parent if parent >= 0 else None))
            mark_balls(owner, piece, 0.7 * depth[piece], mask.shape, spacing, len(found))
    return found


def _new_piece(front: Front, tip: int, owner: np.ndarray) -> np.ndarray:
    """The way from the tree (or the source) to a tip, flat indices, proximal first; the first voxel lies in the tree."""
    way = front.way(tip)
    meets = next((n for n, index in enumerate(way) if owner[index]), len(way) - 1)
    return np.array(way[meets::-1])


def _mask_and_ostia(heart: Volume, coronary: Volume, settings: TreeSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mask, affine, source) on an isotropic grid about the mask. source: the mask's voxels that touch the aorta, or come nearest to it."""
    inside = np.argwhere(coronary.array > 0)
    margin = np.ceil(10.0 / coronary.spacing_mm).astype(int)
    part = cropped(coronary, inside.min(axis=0) - margin, inside.max(axis=0) + margin + 1)
    grid = resampled(part.with_array((part.array > 0).astype(np.float32)), settings.mask_grid_mm)
    mask = grid.array > 0.5
    aorta = resampled_like(heart, grid, order=0).array == HEART_LABELS["aorta"]
    away_mm = distance_to_mask(aorta, settings.mask_grid_mm)
    pieces, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    touching, count = ndimage.label(mask & (away_mm <= settings.ostium_reach_mm), np.ones((3, 3, 3)))
    source = np.zeros(mask.shape, bool)
    nearest = {n: float(away_mm[touching == n].min()) for n in range(1, count + 1)}
    owner = {n: int(pieces[touching == n][0]) for n in nearest}
    for n, gap_mm in nearest.items():
        if gap_mm <= 1.5 + min(nearest[m] for m in nearest if owner[m] == owner[n]):
            source |= (touching == n) & (away_mm <= gap_mm + settings.mask_grid_mm)
    if not source.any():
        reach = f"{settings.ostium_reach_mm:.0f} mm"
        raise Refusal(f"no labelled artery comes within {reach} of the aorta, so the tree has no ostium; correct coronary.nii.gz or heart.nii.gz")
    return mask, grid.affine, source


def _cleaned(branches: list[Branch], settings: TreeSettings) -> CoronaryTree:
    """Without the branches that became too short (and what hangs on them), renumbered."""
    number: dict[int, int] = {}
    kept: list[Branch] = []
    for n, branch in enumerate(branches):
        orphan = branch.parent is not None and branch.parent not in number
        if orphan or branch.length_mm < (settings.min_root_mm if branch.parent is None else settings.min_branch_mm):
            continue
        number[n] = len(kept)
        parent = None if branch.parent is None else number[branch.parent]
        kept.append(Branch(branch.points_mm, branch.radius_mm, parent, branch.parent_distance_mm))
    if not kept:
        raise Refusal("no labelled artery is long enough for a centerline; correct coronary.nii.gz")
    return CoronaryTree(tuple(kept))
