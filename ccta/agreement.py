"""Agreement of two sets of ratings: intraclass correlation, weighted kappa, and lesions matched one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def icc_agreement(first, second) -> float:
    """ICC(A,1) of two raters on n subjects: two-way random effects, absolute agreement, single rater (McGraw and Wong, Psychol Methods 1996;1:30).

    (MSR - MSE) / (MSR + MSE + 2 (MSC - MSE) / n), from the mean squares of rows (subjects), columns (raters) and the rest. 1 where all ratings are equal.
    """
    ratings = np.column_stack([first, second]).astype(float)
    n = len(ratings)
    if n < 2:
        raise ValueError(f"agreement needs at least two subjects, got {n}")
    grand, rows, columns = ratings.mean(), ratings.mean(axis=1), ratings.mean(axis=0)
    msr = 2 * np.sum((rows - grand) ** 2) / (n - 1)
    msc = n * np.sum((columns - grand) ** 2)
    mse = np.sum((ratings - rows[:, None] - columns[None] + grand) ** 2) / (n - 1)
    below = msr + mse + 2 * (msc - mse) / n
    return float((msr - mse) / below) if below > 0 else 1.0


def linear_kappa(first: Sequence[int], second: Sequence[int], categories: int) -> float:
    """Cohen's kappa with linear weights of two raters over ordered categories 0..categories-1 (Cohen, Psychol Bull 1968;70:213). 1 where no chance is left."""
    seen = np.zeros((categories, categories))
    np.add.at(seen, (np.asarray(first, int), np.asarray(second, int)), 1.0)
    seen /= seen.sum()
    apart = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories)))
    chance = np.sum(apart * np.outer(seen.sum(axis=1), seen.sum(axis=0)))
    return float(1 - np.sum(apart * seen) / chance) if chance > 0 else 1.0


def matched(found_mm: np.ndarray, true_mm: np.ndarray, reach_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """((F,) index of the nearest true lesion of each found one, -1 beyond reach; (T,) whether any found one is within reach). Inputs (F, 3), (T, 3) mm."""
    found_mm, true_mm = np.reshape(found_mm, (-1, 3)), np.reshape(true_mm, (-1, 3))
    if not len(found_mm) or not len(true_mm):
        return np.full(len(found_mm), -1), np.zeros(len(true_mm), bool)
    apart = np.linalg.norm(found_mm[:, None] - true_mm[None], axis=2)
    nearest = np.where(apart.min(axis=1) <= reach_mm, apart.argmin(axis=1), -1)
    return nearest, apart.min(axis=0) <= reach_mm
