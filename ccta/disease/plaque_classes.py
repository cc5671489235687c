"""Classes of plaque by HU, types and stages of a patient's plaque."""

import numpy as np

from ccta.coordinates import sample
from ccta.errors import BadSettings
from ccta.model import CrossSections, Volume
from ccta.settings import MeasureSettings

FIXED_HU = (30.0, 130.0, 350.0)  # low attenuation < 30, fibro-fatty to 130, fibrous to 350, calcified above (CLINICAL)
FIXED_FOR_LUMEN_HU = 350.0  # "adapted" equals "fixed" at this enhancement
STAGES = ("0 (none)", "1 (mild)", "2 (moderate)", "3 (severe)")


def plaque_stage(total_mm3: float, pav_pct: float) -> str:
    """Stage by total volume (0, <= 250, <= 750, > 750 mm3) and by percent atheroma volume (0, <= 5, <= 15, > 15 %), Min 2022.

    The higher of the two, with the other where they disagree.
    """
    by_volume = int(np.searchsorted([0, 250, 750], total_mm3))
    by_pav = int(np.searchsorted([0, 5, 15], pav_pct))
    if by_volume == by_pav:
        return STAGES[by_volume]
    rule, other, low = ("volume", "PAV", by_pav) if by_volume > by_pav else ("PAV", "volume", by_volume)
    return f"{STAGES[max(by_volume, by_pav)]} by {rule}; {STAGES[low]} by {other}"


def plaque_type(calcified_mm3: float, total_mm3: float) -> str:
    """Calcified from half of its volume, non-calcified below a fiftieth (less is blur), mixed between [check]; "" without plaque."""
    if not total_mm3 > 0:
        return ""
    share = calcified_mm3 / total_mm3
    return "calcified" if share >= 0.5 else "non-calcified" if share < 0.02 else "mixed"


def thresholds(volume: Volume, sections: list[CrossSections], settings: MeasureSettings) -> tuple[np.ndarray, str]:
    """The three HU limits and how the report prints them."""
    if settings.plaque_thresholds == "fixed":
        limits, origin = np.array(FIXED_HU), "fixed"
    elif settings.plaque_thresholds == "adapted":
        centers = np.vstack([s.center_mm[s.reliable] for s in sections])
        lumen_hu = float(np.median(sample(volume, centers)))
        limits, origin = np.array(FIXED_HU) * max(lumen_hu, 1.0) / FIXED_FOR_LUMEN_HU, f"adapted to a lumen of {lumen_hu:.0f} HU"
    else:
        raise BadSettings(f'plaque_thresholds is "{settings.plaque_thresholds}"; it may be "fixed" or "adapted"')
    low, middle, high = (f"{x:.0f}" for x in limits)
    return limits, f"{origin}: < {low}, {low}-{middle}, {middle}-{high}, > {high} HU"
