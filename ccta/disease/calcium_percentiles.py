"""Percentile of an Agatston score for age and sex, from a published table; never extrapolated outside it."""

from __future__ import annotations

import numpy as np

from ccta.findings import Percentile
from ccta.model import Unavailable

TABLE = "Hoff 2001 (Am J Cardiol 87:1335; 35,246 asymptomatic adults, US)"
PERCENTILES = (25, 50, 75, 90)
AGES = (30, 90)  # the age range of the cohort
BAND_STARTS = (40, 45, 50, 55, 60, 65, 70, 75)  # the first band is < 40, the last > 74

HOFF = {
    "M": ((0, 1, 3, 14), (0, 1, 9, 59), (0, 3, 36, 154), (1, 15, 103, 332), (4, 48, 215, 554), (13, 113, 410, 994), (32, 180, 566, 1299),
          (64, 310, 892, 1774), (166, 473, 1071, 1982)),
    "F": ((0, 0, 1, 3), (0, 0, 1, 4), (0, 0, 2, 22), (0, 0, 5, 55), (0, 1, 23, 121), (0, 3, 57, 193), (1, 24, 145, 410), (3, 52, 210, 631),
          (9, 75, 241, 709)),
}  # fmt: skip
"""25th, 50th, 75th and 90th percentile per age band."""


def percentile(agatston: float, age_years, sex: str) -> Percentile | Unavailable:
    """Interpolated between the table's percentiles. Outside them (below the lowest, above the highest) `value` says so in words.

    Unavailable without age or sex, and outside the ages of the cohort.
    """
    if sex not in HOFF or isinstance(age_years, Unavailable) or age_years is None:
        return Unavailable("age or sex is not known")
    if not AGES[0] <= age_years <= AGES[1]:
        return Unavailable(f"the table covers {AGES[0]} to {AGES[1]} years, the patient is {age_years:.0f}")
    row = np.array(HOFF[sex][int(np.searchsorted(BAND_STARTS, int(age_years), side="right"))], float)
    return Percentile(value=_within(agatston, row), table=TABLE)


def _within(agatston: float, row: np.ndarray) -> float | Unavailable:
    if agatston > row[-1]:
        return Unavailable(f"above the {PERCENTILES[-1]}th percentile, a score of {row[-1]:.0f}")
    last = {value: p for value, p in zip(row, PERCENTILES, strict=True)}  # equal scores share the highest percentile
    if agatston <= min(last):
        if agatston == min(last) and agatston > 0:
            return float(last[agatston])
        return Unavailable(f"at or below the {last[min(last)]}th percentile, a score of {min(last):.0f}")
    return float(np.interp(agatston, list(last), list(last.values())))
