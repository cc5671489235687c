"""Which cross-sections of a branch carry plaque: where it is sure, how far it goes on, and where its shoulders end."""

import numpy as np
from scipy import ndimage

from ccta.model import CrossSections
from ccta.settings import MeasureSettings

SHOULDER_SMOOTHING_MM = 0.5  # along the vessel, about the scanner's blur
HEALTHY_REACH_MM = 15.0  # beside a plaque, in which the median wall is the healthy one


def carries_plaque(own: CrossSections, thickness: np.ndarray, calcified: np.ndarray, narrowed: np.ndarray, settings: MeasureSettings) -> np.ndarray:
    """(M,) planes of a stretch that has calcium or enough wall area beyond a normal wall, for long enough, in a large enough vessel.

    The stretch goes on to both sides while the lumen is narrowed or the wall is thicker than that of the healthy
    vessel beside it. A lumen that calcium hides need not be trusted.
    """
    area = _area_beyond_mm2(own, thickness, settings.plaque_normal_wall_mm)
    wide = outer_diameter_mm(own) >= settings.plaque_min_vessel_mm
    step_mm = float(np.median(np.diff(own.distance_mm)))
    count = max(1, int(np.ceil(settings.plaque_min_length_mm / step_mm)))
    seen = calcified | (own.reliable & ((area >= settings.plaque_edge_area_mm2) | narrowed))
    possible = _long_runs(seen & wide, count)
    sure = possible & _long_runs(calcified | (area >= settings.plaque_min_area_mm2), count)
    runs, _ = ndimage.label(possible)
    carries = possible & np.isin(runs, runs[sure])
    smooth = ndimage.gaussian_filter1d(_area_beyond_mm2(own, thickness, settings.normal_wall_mm), SHOULDER_SMOOTHING_MM / step_mm, mode="nearest")
    return _with_shoulders(carries, smooth, own.reliable & wide, (round(HEALTHY_REACH_MM / step_mm), settings.plaque_shoulder_mm2))


def _area_beyond_mm2(own: CrossSections, thickness: np.ndarray, normal_mm: float) -> np.ndarray:
    """(M,) area of the wall outside its innermost `normal_mm`, about the middle of the wall."""
    excess = np.maximum(thickness - normal_mm, 0.0)
    middle = (own.wall_radius_mm + own.lumen_radius_mm) / 2
    return (2 * np.pi / excess.shape[1]) * np.sum(middle * excess, axis=1)


def _with_shoulders(carries: np.ndarray, area_mm2: np.ndarray, trusted: np.ndarray, reach: tuple[int, float]) -> np.ndarray:
    """(M,) stretches grown from both ends over `trusted` planes while the wall's area is above that of the healthy planes beside them.

    reach: (planes beside a stretch whose median is the healthy area, mm2 above it at which a shoulder ends).
    """
    planes, least_mm2 = reach
    grown = carries.copy()
    for end, way in [(n, -1) for n in np.flatnonzero(carries[1:] & ~carries[:-1]) + 1] + [(n, 1) for n in np.flatnonzero(carries[:-1] & ~carries[1:])]:
        beside = np.arange(end + way, end + way * (planes + 1), way)
        beside = beside[(beside >= 0) & (beside < len(carries))]
        healthy = beside[trusted[beside] & ~carries[beside]]
        stop = area_mm2[healthy] <= np.median(area_mm2[healthy]) + least_mm2 if len(healthy) else np.array([])
        beside = beside[: int(np.argmax(carries[beside] | ~trusted[beside] | np.isin(beside, healthy[stop])))] if len(healthy) else beside[:0]
        grown[beside] = True
    return grown


def _long_runs(planes: np.ndarray, count: int) -> np.ndarray:
    """(M,) without runs of fewer than `count` planes, the ends of the branch counted as if they went on."""
    return ndimage.binary_opening(np.pad(planes, count, mode="edge"), np.ones(count, bool))[count:-count]


def outer_diameter_mm(sections: CrossSections) -> np.ndarray:
    return 2 * np.sqrt(sections.wall_area_mm2 / np.pi)
