"""Stenoses: where the lumen is narrower than the vessel would be if healthy.

The reference is the expected normal calibre along the whole branch: a taper with a step down at each side branch, fitted robustly through
the sections that are neither narrowed nor thickened by plaque (CLINICAL.md), so that neither taper nor a long lesion fools it.
"""

import numpy as np
from scipy import optimize, signal

from ccta.findings import Stenosis
from ccta.model import SEGMENTS, CoronaryTree, CrossSections
from ccta.settings import MeasureSettings

FLOW_EXPONENT = 7 / 3
"""Huo and Kassab (Phys Med Biol 2012): D_parent^(7/3) = sum of D_daughter^(7/3); the expected step at a side branch."""
MAX_TAPER_PER_MM = 0.02
"""Coronary arteries lose at most 1-2 % of their calibre per mm (Dodge 1992: pLAD 3.7 to dLAD 1.9 mm over about 100 mm, 0.7 %)."""
EDGE_PCT = 10.0
"""A lesion begins and ends where the narrowing falls below this, about three standard deviations of the contour in a 3 mm vessel."""
OCCLUDED_MM = 0.3
"""No lumen narrower than this can be seen at 0.7 mm resolution: if it stays so for 1 mm the vessel counts as occluded."""
SD_90 = 1.645
"""Standard deviations on either side that hold 90 %."""
REFERENCE_SD = 0.03
"""Relative error of the reference calibre."""


def reference_profile(tree: CoronaryTree, sections: list[CrossSections], index: int) -> np.ndarray:
    """(M,) expected healthy lumen diameter, mm, on the planes of branch `index`.

    log D(s) = a + b s + sum_j c_j [s > s_j], b <= 0 the taper, c_j <= 0 the step at side branch j, with the Huo-Kassab step as prior.
    Iteratively reweighted least squares; weights vanish for narrowed, thickened or unreliable planes.
    """
    own = sections[index]
    s, diameter = own.distance_mm, np.maximum(own.lumen_diameter_mm, 0.1)
    children = [(tree.branches[child].parent_distance_mm, _origin_diameter(sections[child])) for child in tree.children(index)]
    children = [(at, d) for at, d in children if d > 0.8 and s[0] + 1 < at < s[-1] - 3]
    design = np.stack([np.ones_like(s), s, *((s > at).astype(float) for at, _ in children)], axis=1)
    prior, sd = _step_priors(children, s, diameter)
    low = np.array([-3.0, -MAX_TAPER_PER_MM, *np.full(len(children), -0.7)])
    high = np.array([3.0, 0.0, *np.zeros(len(children))]) + 1e-6
    base = _healthy_weight(own) * np.gradient(s)
    weight = base * np.where(diameter >= _running_quantile(diameter, s), 1.0, 0.2)
    for _ in range(25):
        root = np.sqrt(np.maximum(weight, 0))
        rows = np.vstack([design * root[:, None] / 0.03, np.diag(1 / sd)])
        found = optimize.lsq_linear(rows, np.concatenate([np.log(diameter) * root / 0.03, prior / sd]), bounds=(low, high))
        weight = base * _robust_weight(np.log(diameter) - design @ found.x, base)
    return np.exp(design @ found.x)


def find_stenoses(tree: CoronaryTree, sections: list[CrossSections], settings: MeasureSettings) -> list[Stenosis]:
    """Every narrowing of at least `stenosis_min_pct` over `stenosis_min_length_mm` in a vessel of gradable calibre, by branch and place."""
    found = []
    for index in range(len(tree)):
        reference_mm = reference_profile(tree, sections, index)
        for first, last in lesion_ranges(sections[index], reference_mm, settings):
            lesion = described(tree, sections[index], reference_mm, first, last)
            if lesion is not None and lesion.position_mm > _mouth_mm(tree, sections, index):
                found.append(lesion)
    return found


def lesion_ranges(section: CrossSections, reference_mm: np.ndarray, settings: MeasureSettings) -> list[tuple[int, int]]:
    """(first, last) plane of each lesion. One run of narrowing with two clear peaks counts as two lesions, parted at the widest place between."""
    narrowing = 100 * (1 - section.lumen_diameter_mm / reference_mm)
    s, inside = section.distance_mm, np.where(narrowing > EDGE_PCT, narrowing, 0)
    peaks, _ = signal.find_peaks(np.concatenate([[0], inside, [0]]), height=settings.stenosis_min_pct, prominence=EDGE_PCT + 2)
    ranges = []
    for peak in peaks - 1:
        first, last = _edges(inside, peak, ranges[-1][1] + 1 if ranges else 0)
        later = [q for q in peaks - 1 if peak < q <= last]
        if later:
            last = peak + int(np.argmin(inside[peak : later[0] + 1]))
        ranges.append((first, last))
        if not _gradable(section, reference_mm, (first, peak, last), settings):
            ranges[-1] = (last, first)
    return [(first, last) for first, last in ranges if last > first and s[last] - s[first] >= settings.stenosis_min_length_mm]


def _mouth_mm(tree, sections, index):
    """Length of a side branch that lies in its parent's lumen or at the flare of its mouth (1 mm more): its contour there is not its own."""
    branch = tree.branches[index]
    if branch.parent is None:
        return -1.0
    parent = sections[branch.parent]
    return float(np.interp(branch.parent_distance_mm, parent.distance_mm, parent.lumen_diameter_mm)) / 2 + 1.0


def _edges(inside, peak, start):
    first, last = peak, peak
    while first > start and inside[first - 1] > 0:
        first -= 1
    while last < len(inside) - 1 and inside[last + 1] > 0:
        last += 1
    return first, last


def _gradable(section, reference_mm, planes, settings):
    """A calibre worth grading, contours that mostly can be trusted, and not the fading end of the vessel or the child's way out of its parent."""
    first, peak, last = planes
    fading = last >= len(section) - 2 and section.distance_mm[-1] - section.distance_mm[peak] < 3.0
    return reference_mm[peak] >= settings.stenosis_min_reference_mm and section.reliable[first : last + 1].mean() > 0.4 and not fading


def described(tree, section, reference_mm, first, last):
    """The lesion as a finding; None where no named segment lies on the way to it."""
    area = section.lumen_area_mm2
    at = first + int(np.argmin(area[first : last + 1] / reference_mm[first : last + 1] ** 2))
    segment = _named_segment(tree, section.branch, section.distance_mm[at])
    if segment == 0:
        return None
    mla, reference = float(area[at]), float(reference_mm[at])
    closed = section.lumen_diameter_mm[first : last + 1] < OCCLUDED_MM
    if closed.sum() * np.gradient(section.distance_mm)[at] >= 1.0:
        mla = 0.0
    mld = 2 * float(np.sqrt(mla / np.pi))
    percent, area_percent = 100 * (1 - mld / reference), 100 * (1 - mla / (np.pi / 4 * reference**2))
    sd = 100 * float(np.hypot(2 * section.lumen_sd_mm[at] / reference, REFERENCE_SD * mld / reference))
    s = section.distance_mm
    return Stenosis(
        segment=segment, vessel=SEGMENTS[segment][1], branch=section.branch, diameter_pct=percent, area_pct=area_percent, mld_mm=mld, mla_mm2=mla,
        reference_diameter_mm=reference, position_mm=float(s[at]), entry_mm=float(s[first]), exit_mm=float(s[last]), length_mm=float(s[last] - s[first]),
        center_mm=tuple(float(x) for x in section.center_mm[at]), diameter_pct_interval=(max(0.0, percent - SD_90 * sd), min(100.0, percent + SD_90 * sd)),
    )  # fmt: skip


def _named_segment(tree, index, distance_mm):
    """SCCT id at the place, else the nearest named one upstream, 0 if none."""
    branch = tree.branches[index]
    upstream = branch.segment[branch.distance_mm <= distance_mm + 1e-6]
    named = upstream[upstream > 0]
    if branch.segment_at(distance_mm) > 0:
        return branch.segment_at(distance_mm)
    if len(named):
        return int(named[-1])
    return 0 if branch.parent is None else _named_segment(tree, branch.parent, branch.parent_distance_mm)


def _origin_diameter(section):
    """Healthy diameter of a side branch: the upper quartile of its first 15 mm of trusted planes; 0 if there are none."""
    near = section.reliable & (section.distance_mm < section.distance_mm[0] + 15)
    return float(np.quantile(section.lumen_diameter_mm[near], 0.75)) if near.any() else 0.0


def _step_priors(children, s, diameter):
    """Prior mean and standard deviation of (level, taper, steps): the steps from Huo-Kassab, 30 % uncertain and at least 0.03."""
    level = float(np.quantile(diameter, 0.8))
    steps = []
    for at, child_mm in children:
        before = (s < at) & (s > at - 10)
        parent_mm = max(float(np.quantile(diameter[before], 0.8)) if before.any() else level, 1.05 * child_mm)
        steps.append(np.log(1 - (child_mm / parent_mm) ** FLOW_EXPONENT) / FLOW_EXPONENT)
    steps = np.maximum(np.array(steps), -0.6)
    prior = np.array([np.log(level), -0.004, *steps])
    return prior, np.array([1.0, 0.006, *np.maximum(0.03, 0.3 * np.abs(steps))])


def _healthy_weight(section):
    """(M,) 1 where the wall is thin and the contour trusted, towards 0 with plaque thickness beyond 0.5 mm (scale 0.3 mm)."""
    thickness = (section.wall_radius_mm - section.lumen_radius_mm).max(axis=1)
    return np.where(section.reliable, 1.0, 0.02) * np.maximum(np.exp(-((np.maximum(thickness - 0.6, 0) / 0.5) ** 2)), 0.03)


def _running_quantile(diameter, s, width_mm=30.0, quantile=0.6):
    half = max(1, round(width_mm / 2 / np.diff(s).mean()))
    return np.array([np.quantile(diameter[max(0, m - half) : m + half + 1], quantile) for m in range(len(s))])


def _robust_weight(residual, base):
    """Cauchy-like weights, sharper below (disease narrows) than above (ectasia is rarer); scale from the healthy planes, at least 3 %."""
    trusted = residual[base > 0.3 * base.max()]
    scale = np.clip(1.4826 * np.median(np.abs(trusted - np.median(trusted))), 0.03, 0.10)
    below = 1 / (1 + (residual / (1.5 * scale)) ** 2) ** 2
    above = 1 / (1 + (residual / (3 * scale)) ** 2)
    return np.where(residual < 0, below, above)
