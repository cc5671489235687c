"""One case's segmentation and centerlines beside what is known of it: every figure of `ccta evaluate segmentation`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccta.coordinates import to_patient_mm
from ccta.metrics.centerlines import MISSED, Overlap, best_overlap, false_branches
from ccta.metrics.masks import betti_errors, cl_dice, common_box, dice, surface_distance, territories
from ccta.model import CORONARY_LABELS, HEART_LABELS, Annotation, CoronaryTree

CHAMBERS = ("lv", "myocardium", "rv", "la", "ra")
REACH_MM = 2.0  # of a true artery: a found voxel farther off belongs to none


@dataclass(frozen=True, eq=False)
class Found:
    """What the pipeline made of an image, on its grid: HEART_LABELS, CORONARY_LABELS (None where refused), centerlines, noise, reasons of what is missing."""

    affine: np.ndarray
    heart: np.ndarray | None
    coronary: np.ndarray | None
    tree: CoronaryTree | None
    noise_hu: float | None = None
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class StructureScore:
    """Surface distances are None where nothing was found."""

    dice: float
    hd95_mm: float | None
    mean_mm: float | None


@dataclass(frozen=True)
class LumenScore:
    """betti_errors: pieces, tunnels, cavities. false_branches: None without centerlines."""

    cl_dice: float
    betti_errors: tuple[int, int, int]
    false_branches: int | None


@dataclass(frozen=True)
class CaseScore:
    """structures: by name, the lumen among them. lumen: None where the lumen is not known. branch_dice: by artery. vessels: (name, overlap) of each
    reference centerline.
    """

    name: str
    noise_hu: float | None
    structures: dict[str, StructureScore]
    lumen: LumenScore | None
    branch_dice: dict[str, float]
    vessels: tuple[tuple[str, Overlap], ...]
    refusals: tuple[str, ...]


def score(name: str, found: Found, truth: Annotation) -> CaseScore:
    """Everything that the truth allows. What was refused scores as empty: Dice 0, vessels missed, no distance."""
    structures, masks = {}, {key: structure_of(key, found, mask.shape) for key, mask in truth.structures.items()}
    for key, mask in truth.structures.items():
        apart = surface_distance(masks[key], mask, found.affine)
        structures[key] = StructureScore(dice(masks[key], mask), apart.hd95_mm if apart else None, apart.mean_mm if apart else None)
    lumen = lumen_score(masks["lumen"], truth.structures["lumen"], found) if "lumen" in masks else None
    branches = branch_dice(masks["lumen"], truth, found.affine) if truth.branches is not None else {}
    vessels = tuple((vessel.name, best_overlap(found.tree, vessel) if found.tree else MISSED) for vessel in truth.vessels)
    return CaseScore(name, found.noise_hu, structures, lumen, branches, vessels, found.refusals)


def structure_of(name: str, found: Found, shape: tuple[int, ...]) -> np.ndarray:
    """(ni, nj, nk) bool: what was found of a structure, nothing where it was refused."""
    labels = found.coronary if name == "lumen" else found.heart
    if labels is None:
        return np.zeros(shape, bool)
    if name == "lumen":
        return labels == CORONARY_LABELS["lumen"]
    if name == "heart_union":
        return np.isin(labels, [HEART_LABELS[chamber] for chamber in CHAMBERS])
    return labels == HEART_LABELS[name]


def lumen_score(mask: np.ndarray, true: np.ndarray, found: Found) -> LumenScore:
    places_mm = to_patient_mm(np.argwhere(true), found.affine)
    return LumenScore(cl_dice(mask, true), betti_errors(mask, true), len(false_branches(found.tree, places_mm)) if found.tree else None)


def branch_dice(mask: np.ndarray, truth: Annotation, affine: np.ndarray) -> dict[str, float]:
    """Dice in each artery's territory: its true lumen and the found voxels within `REACH_MM` of it that are nearer to it than to another artery."""
    box = common_box(mask, truth.branches)
    owner = territories(truth.branches[box], mask[box], affine, REACH_MM)
    numbers = {n: name for n, name in enumerate(truth.branch_names, 1) if (truth.branches == n).any()}
    return {name: dice(mask[box] & (owner == n), truth.branches[box] == n) for n, name in numbers.items()}
