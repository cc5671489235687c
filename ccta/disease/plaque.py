"""Plaque between the lumen and the outer wall: volumes by HU class, percent atheroma volume, stage.

Integration in polar coordinates on the cross-section planes. At position P = c + r (cos t u + sin t v) of plane i the volume element is
r dr dt ds with ds = dP/di . n, the distance between planes at that place: shorter inside a bend, longer outside, so that a torus is exact.

What counts: planes whose wall holds calcium or exceeds that of the healthy vessel beside it by at least 1 mm2, over at least 2 mm of the vessel, those beside
them down to the healthy wall, and the rest of a stenosis that has such planes (plaque_extent). On such a plane everything between lumen and outer wall is
plaque, as in intravascular ultrasound (plaque and media, Mintz 2001, J Am Coll Cardiol 37:1478); elsewhere nothing is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.coordinates import sample
from ccta.disease.high_risk import high_risk_features
from ccta.disease.plaque_classes import plaque_stage, plaque_type, thresholds
from ccta.disease.plaque_extent import carries_plaque, outer_diameter_mm
from ccta.errors import Refusal
from ccta.findings import Plaque, PlaqueVolumes, Stenosis
from ccta.model import SEGMENTS, VESSELS, CoronaryTree, CrossSections, Volume
from ccta.settings import MeasureSettings

RADIAL_SAMPLES = 12
LUMEN_HU_MM = 20.0  # of vessel, over which the lumen's HU hardly changes
CALCIUM_ABOVE_LUMEN_HU = 100.0  # four standard deviations of a usual noise
CALCIUM_SHARE = 0.1  # of the circumference: a plane with calcium
NOISE_SMOOTHING_MM = 0.2  # half a voxel, inside plaque only: takes single noisy samples away and leaves a lipid core of 1-2 mm
MIN_SEGMENT_MM3 = 2.0  # of plaque, for the segment to count as involved: 1 mm2 over 2 mm


@dataclass(frozen=True)
class BranchPlaque:
    """Polar samples of one branch on its M planes.

    hu, volume_mm3: (M, A, R), volume 0 where there is no plaque. position_mm: (M, A, R, 3). thickness_mm: (M, A) of the wall.
    vessel_mm3: (M,) inside the outer wall. segment: (M,) SCCT ids, 0 unnamed. vessel: (M,) names, "" unknown.
    """

    sections: CrossSections
    hu: np.ndarray
    volume_mm3: np.ndarray
    position_mm: np.ndarray
    thickness_mm: np.ndarray
    vessel_mm3: np.ndarray
    segment: np.ndarray
    vessel: np.ndarray


@dataclass(frozen=True)
class SampledPlaque:
    """The plaque of a patient: per branch, the three HU limits of its classes, and how the report prints them."""

    branches: list[BranchPlaque]
    limits_hu: np.ndarray
    printed: str


def measure_plaque(
    volume: Volume, tree: CoronaryTree, sections: list[CrossSections], stenoses: list[Stenosis], settings: MeasureSettings
) -> tuple[Plaque, list[Stenosis]]:
    """Volumes of the patient, and the stenoses with `plaque_type` and `high_risk` filled in. Raises Refusal when no plane is reliable."""
    return plaque_findings(sample_plaque(volume, tree, sections, stenoses, settings), stenoses)


def sample_plaque(volume: Volume, tree: CoronaryTree, sections: list[CrossSections], stenoses: list[Stenosis], settings: MeasureSettings) -> SampledPlaque:
    """Polar samples of all branches. Raises Refusal when no plane is reliable."""
    sections = [s for s in sections if len(s) > 1]
    if not any(s.reliable.any() for s in sections):
        raise Refusal("plaque was not measured: no reliable cross-section of any coronary artery")
    limits_hu, printed = thresholds(volume, sections, settings)
    branches = [branch_plaque(volume, tree, s, sections, settings, [x for x in stenoses if x.branch == s.branch]) for s in sections]
    return SampledPlaque(branches, limits_hu, printed)


def plaque_findings(sampled: SampledPlaque, stenoses: list[Stenosis]) -> tuple[Plaque, list[Stenosis]]:
    """Volumes of the patient, vessels and segments, and the stenoses with `plaque_type` and `high_risk` filled in."""
    branches, limits_hu, printed = sampled.branches, sampled.limits_hu, sampled.printed
    lesions = [_described(stenosis, branches, limits_hu) for stenosis in stenoses]
    every = _volumes(branches, limits_hu, lambda b: np.ones(len(b.segment), bool))
    vessels = {name: _volumes(branches, limits_hu, lambda b, n=name: b.vessel == n) for name in VESSELS if any((b.vessel == name).any() for b in branches)}
    ids = sorted({int(i) for b in branches for i in np.unique(b.segment)} - {0})
    segments = {i: _volumes(branches, limits_hu, lambda b, i=i: b.segment == i) for i in ids}
    segments = {i: v for i, v in segments.items() if v.total_mm3 >= MIN_SEGMENT_MM3}
    stage = plaque_stage(every.total_mm3, every.pav_pct)
    return Plaque(**every.model_dump(), vessels=vessels, segments=segments, stage=stage, thresholds=printed, segments_with_plaque=sorted(segments)), lesions


def branch_plaque(
    volume: Volume, tree: CoronaryTree, own: CrossSections, sections: list[CrossSections], settings: MeasureSettings, stenoses: Sequence[Stenosis] = ()
) -> BranchPlaque:
    """Polar plaque samples of one branch with its stenoses. What lies in another branch's lumen, or in an earlier branch's wall, is left to that branch."""
    calcium = calcified_rays(volume, own)
    full = own.wall_radius_mm - own.lumen_radius_mm
    thickness = ndimage.median_filter(np.pad(full, ((0, 0), (1, 1)), mode="wrap"), size=3, mode="nearest")[:, 1:-1]
    fraction = (np.arange(RADIAL_SAMPLES) + 0.5) / RADIAL_SAMPLES
    radius = own.lumen_radius_mm[..., None] + fraction * full[..., None]
    position = polar_positions(own, radius)
    element = full[..., None] / RADIAL_SAMPLES * radius * (2 * np.pi / radius.shape[1]) * plane_spacing_mm(own, radius)
    narrowed = np.any([(own.distance_mm >= x.entry_mm) & (own.distance_mm <= x.exit_mm) for x in stenoses] or [np.zeros(len(own), bool)], axis=0)
    carries = carries_plaque(own, calcium.mean(axis=1) >= CALCIUM_SHARE, narrowed, tree.branches[own.branch].parent is None, settings)
    element = np.where(carries[:, None, None], element, 0.0)
    found = element > 0
    others = [s for s in sections if s.branch != own.branch]
    element[found] *= ~inside_others(position[found], own.branch, others)
    border = np.minimum(settings.plaque_border_mm, full / 2)[..., None]
    hu = np.zeros_like(radius)
    inner = np.clip(radius, own.lumen_radius_mm[..., None] + border, own.wall_radius_mm[..., None] - border)
    hu[found] = sample(volume, polar_positions(own, inner)[found])
    outside_parent = ~inside_others(own.center_mm, own.branch, others)
    counted = own.reliable & (outer_diameter_mm(own) >= settings.plaque_min_vessel_mm) & outside_parent
    vessel_mm3 = np.where(counted, own.wall_area_mm2 * plane_spacing_mm(own, np.zeros((len(own), 1, 1)))[:, 0, 0], 0.0)
    segment, vessel = _names(tree, own)
    return BranchPlaque(own, _denoised(hu, element, own), element, position, thickness, vessel_mm3, segment, vessel)


def calcified_rays(volume: Volume, own: CrossSections) -> np.ndarray:
    """(M, A) True where the wall is brighter than the lumen's middle can be."""
    fraction = np.linspace(0, 1, RADIAL_SAMPLES)
    wall = sample(volume, polar_positions(own, own.lumen_radius_mm[..., None] + fraction * (own.wall_radius_mm - own.lumen_radius_mm)[..., None]))
    middle = sample(volume, own.center_mm)
    lumen = ndimage.median_filter(middle, max(3, round(LUMEN_HU_MM / np.median(np.diff(own.distance_mm)))), mode="nearest")
    return wall.max(axis=2) > (lumen + CALCIUM_ABOVE_LUMEN_HU)[:, None]


def polar_positions(sections: CrossSections, radius_mm: np.ndarray) -> np.ndarray:
    """(M, A, R) polar radii -> (M, A, R, 3) patient positions, mm."""
    angle = 2 * np.pi * np.arange(radius_mm.shape[1]) / radius_mm.shape[1]
    offset = np.cos(angle)[:, None] * sections.axis_u[:, None] + np.sin(angle)[:, None] * sections.axis_v[:, None]
    return sections.center_mm[:, None, None] + radius_mm[..., None] * offset[:, :, None]


def plane_spacing_mm(sections: CrossSections, radius_mm: np.ndarray) -> np.ndarray:
    """(M, A, R) length of vessel that a plane stands for at each polar place: dP/di . n; half of it on the first and last plane."""
    angle = 2 * np.pi * np.arange(radius_mm.shape[1]) / radius_mm.shape[1]
    along, turn_u, turn_v = (
        np.einsum("ij,ij->i", np.gradient(array, axis=0), sections.normal) for array in (sections.center_mm, sections.axis_u, sections.axis_v)
    )
    turn = np.cos(angle) * turn_u[:, None] + np.sin(angle) * turn_v[:, None]
    spacing = np.maximum(along[:, None, None] + radius_mm * turn[..., None], 0.0)
    spacing[[0, -1]] /= 2
    return spacing


def inside_others(points_mm: np.ndarray, branch: int, others: list[CrossSections]) -> np.ndarray:
    """(N, 3) -> (N,) True inside another branch's lumen, or inside the outer wall of an earlier branch (which then owns the place)."""
    inside = np.zeros(len(points_mm), bool)
    for other in others:
        contour = other.wall_radius_mm if other.branch < branch else other.lumen_radius_mm
        distance, plane = cKDTree(other.center_mm).query(points_mm, distance_upper_bound=float(contour.max()) + 1.0)
        near = np.flatnonzero(np.isfinite(distance) & ~inside)
        index = plane[near]
        offset = points_mm[near] - other.center_mm[index]
        x, y, z = (np.einsum("ij,ij->i", offset, axis[index]) for axis in (other.axis_u, other.axis_v, other.normal))
        count = contour.shape[1]
        angle = np.round(np.arctan2(y, x) * count / (2 * np.pi)).astype(int) % count
        step = np.median(np.diff(other.distance_mm))
        inside[near] = (np.hypot(x, y) < contour[index, angle]) & (np.abs(z) <= step)
    return inside


def _denoised(hu: np.ndarray, element: np.ndarray, own: CrossSections) -> np.ndarray:
    """HU averaged over about half a voxel among plaque samples only, so that neither lumen nor fat leaks in."""
    inside = (element > 0).astype(float)
    if not inside.any():
        return hu
    full = own.wall_radius_mm - own.lumen_radius_mm
    arc = np.mean(own.wall_radius_mm + own.lumen_radius_mm) * np.pi / hu.shape[1]
    steps_mm = np.array([np.median(np.diff(own.distance_mm)), arc, max(float(np.mean(full[inside[..., 0] > 0])) / RADIAL_SAMPLES, 1e-3)])
    sigma, mode = NOISE_SMOOTHING_MM / steps_mm, ("nearest", "wrap", "nearest")
    weight = ndimage.gaussian_filter(inside, sigma, mode=mode)
    return ndimage.gaussian_filter(hu * inside, sigma, mode=mode) / np.maximum(weight, 1e-9)


def _names(tree: CoronaryTree, own: CrossSections) -> tuple[np.ndarray, np.ndarray]:
    """(M,) segment id and vessel of each plane; an unnamed stretch belongs to the vessel of its nearest named point, or of its parent."""
    branch = tree.branches[own.branch]
    nearest = np.abs(branch.distance_mm[None] - own.distance_mm[:, None]).argmin(axis=1)
    segment = branch.segment[nearest]
    named = np.flatnonzero(branch.segment)
    if len(named):
        closest = named[np.abs(branch.distance_mm[named][None] - own.distance_mm[:, None]).argmin(axis=1)]
        return segment, np.array([SEGMENTS[int(i)][1] for i in branch.segment[closest]])
    parent, place = branch.parent, branch.parent_distance_mm
    while parent is not None:
        above = tree.branches[parent]
        if above.segment_at(place):
            return segment, np.full(len(own), SEGMENTS[above.segment_at(place)][1])
        parent, place = above.parent, above.parent_distance_mm
    return segment, np.full(len(own), "", dtype="<U3")


def _volumes(branches: list[BranchPlaque], limits_hu: np.ndarray, chosen) -> PlaqueVolumes:
    """Summed over the planes that `chosen` picks, a function of a BranchPlaque that gives (M,) truth values."""
    parts, vessel = np.zeros(4), 0.0
    for branch in branches:
        planes = chosen(branch)
        parts += class_volumes_mm3(branch, planes, limits_hu)
        vessel += branch.vessel_mm3[planes].sum()
    total = float(parts.sum())
    pav = 100 * total / vessel if vessel > 0 else 0.0
    values = {"total_mm3": total, "calcified_mm3": parts[3], "noncalcified_mm3": parts[:3].sum(), "low_attenuation_mm3": parts[0], "pav_pct": pav}
    return PlaqueVolumes(**{key: round(float(value), 3) for key, value in values.items()})


def class_volumes_mm3(branch: BranchPlaque, planes: np.ndarray, limits_hu: np.ndarray) -> np.ndarray:
    """(4,) low attenuation, fibro-fatty, fibrous, calcified, mm3, on the planes (M,) where True."""
    kind = np.searchsorted(limits_hu, branch.hu[planes].ravel())
    return np.bincount(kind, weights=branch.volume_mm3[planes].ravel(), minlength=4)


def _described(stenosis: Stenosis, branches: list[BranchPlaque], limits_hu: np.ndarray) -> Stenosis:
    """The stenosis with its plaque's type and high-risk features."""
    branch = next((b for b in branches if b.sections.branch == stenosis.branch), None)
    if branch is None:
        return stenosis
    place = branch.sections.distance_mm
    planes = (place >= stenosis.entry_mm) & (place <= stenosis.exit_mm)
    parts = class_volumes_mm3(branch, planes, limits_hu)
    kind = plaque_type(float(parts[3]), float(parts.sum()))
    features = high_risk_features(branch, planes, limits_hu) if kind else []
    return stenosis.model_copy(update={"plaque_type": kind, "high_risk": features})
