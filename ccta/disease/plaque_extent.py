"""Which cross-sections of a branch carry plaque: where it is sure, how far it goes on, and where its shoulders end."""

import numpy as np
from scipy import ndimage

from ccta.model import CrossSections
from ccta.settings import MeasureSettings

BRIDGE_MM = 3.0  # between two planes with plaque: longer is a motion artefact rather than a flaw
SMOOTHING_MM = 0.5  # along the vessel, about the scanner's blur
OSTIUM_REACH_MM, FLARE, AORTIC_WALL_MM = 4.0, 1.1, 2.5
HEALTHY_REACH_MM = 25.0  # beside a place, where the wall of most planes is the healthy one
EDGE, SHOULDER = 0.6, 0.4  # of the excess that makes a plaque sure: where it goes on, and where its shoulders end
HEALTHY_QUANTILE = 0.35  # of their walls: plaque takes up to two thirds of the stretch


def carries_plaque(own: CrossSections, calcified: np.ndarray, narrowed: np.ndarray, root: bool, settings: MeasureSettings) -> np.ndarray:
    """(M,) planes of a stretch that has calcium or enough wall beyond the healthy vessel's, for long enough, in a large enough vessel.

    The stretch goes on to both sides while the lumen is narrowed or the wall is thicker than that of the healthy
    vessel beside it, and over up to BRIDGE_MM between two such that cannot be trusted. At the ostium of a `root` calcium in a narrowing alone is sure.
    A lumen that calcium hides need not be trusted.
    """
    wide = outer_diameter_mm(own) >= settings.plaque_min_vessel_mm
    aorta = in_ostium(own) if root else np.zeros(len(own), bool)
    step_mm = float(np.median(np.diff(own.distance_mm)))
    count = max(1, int(np.ceil(settings.plaque_min_length_mm / step_mm)))
    area = ndimage.gaussian_filter1d(excess_area_mm2(own, own.reliable & ~calcified & ~narrowed, settings), SMOOTHING_MM / step_mm, mode="nearest")
    resolved_mm2 = settings.plaque_min_excess_mm * np.pi * outer_diameter_mm(own)
    seen = calcified | (own.reliable & ((area >= np.maximum(settings.plaque_edge_area_mm2, EDGE * resolved_mm2)) | narrowed))
    possible = _long_runs(_bridged(seen, own.reliable, int(BRIDGE_MM / step_mm)) & wide, count)
    sure = possible & _long_runs(calcified | (area >= np.maximum(settings.plaque_min_area_mm2, resolved_mm2)), count) & ~(aorta & ~(calcified & narrowed))
    runs, _ = ndimage.label(possible)
    carries = possible & np.isin(runs, runs[sure])
    return _with_shoulders(carries, area > np.maximum(settings.plaque_shoulder_mm2, SHOULDER * resolved_mm2), own.reliable & wide)


def excess_area_mm2(own: CrossSections, healthy: np.ndarray, settings: MeasureSettings) -> np.ndarray:
    """(M,) area of the wall beyond the healthy vessel's: that of a ring as thick as the wall is on most `healthy` planes beside it, along the same outer edge.

    The healthy wall is the vessel's own, at most `plaque_normal_wall_mm`, so that neither a systematic error of the contours nor a wall that is thick
    all along hides in it.
    """
    outer, inner = (np.sqrt(area / np.pi) for area in (own.wall_area_mm2, own.lumen_area_mm2))
    reach = HEALTHY_REACH_MM
    thickness = np.full(len(own), settings.plaque_normal_wall_mm)
    for m, place in enumerate(own.distance_mm):
        beside = healthy & (abs(own.distance_mm - place) <= reach)
        if beside.any():
            thickness[m] = min(thickness[m], np.quantile((outer - inner)[beside], HEALTHY_QUANTILE))
    return own.wall_area_mm2 - own.lumen_area_mm2 - np.pi * (outer**2 - np.maximum(outer - thickness, 0) ** 2)


def in_ostium(own: CrossSections) -> np.ndarray:
    """(M,) planes of a root that still flares into the aorta, and as far beyond as the aorta's wall is thick: what is thick there may be the aorta's."""
    place = own.distance_mm - own.distance_mm[0]
    beyond = own.lumen_area_mm2[(place > OSTIUM_REACH_MM) & (place <= 4 * OSTIUM_REACH_MM)]
    flared = (place <= OSTIUM_REACH_MM) & (own.lumen_area_mm2 > FLARE * np.quantile(beyond, 0.8) if len(beyond) else False)
    return place < place[int(np.argmin(flared))] + AORTIC_WALL_MM


def _bridged(seen: np.ndarray, reliable: np.ndarray, most: int) -> np.ndarray:
    """(M,) `seen` and the stretches of up to `most` planes between two of its planes where nothing can be trusted."""
    gaps, count = ndimage.label(~seen)
    size = np.bincount(gaps)
    inner = [n for n in range(1, count + 1) if size[n] <= most and not reliable[gaps == n].any() and not (gaps[[0, -1]] == n).any()]
    return seen | np.isin(gaps, inner)


def _with_shoulders(carries: np.ndarray, thick: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """(M,) stretches grown from both ends over `trusted` planes as long as the wall is `thick`."""
    grown = carries.copy()
    for m in range(1, len(grown)):
        grown[m] |= grown[m - 1] and thick[m] and trusted[m]
    for m in range(len(grown) - 2, -1, -1):
        grown[m] |= grown[m + 1] and thick[m] and trusted[m]
    return grown


def _long_runs(planes: np.ndarray, count: int) -> np.ndarray:
    """(M,) without runs of fewer than `count` planes, the ends of the branch counted as if they went on."""
    return ndimage.binary_opening(np.pad(planes, count, mode="edge"), np.ones(count, bool))[count:-count]


def outer_diameter_mm(sections: CrossSections) -> np.ndarray:
    return 2 * np.sqrt(sections.wall_area_mm2 / np.pi)
