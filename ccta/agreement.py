"""Agreement of two sets of ratings: intraclass correlation, weighted kappa, and lesions matched one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree


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


def matched(found_mm: Sequence[np.ndarray], true_mm: Sequence[np.ndarray], reach_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """((F,) index of the true lesion of each found one, -1 for none; (F,) whether it touches any true lesion at all). Inputs: points (N, 3) of each, mm.

    One found lesion for one true lesion: as many pairs as there can be whose nearest points lie within `reach_mm`, of these the closest on average.
    """
    from scipy.optimize import linear_sum_assignment  # half a second to load, which every command would pay

    nearest, mean = np.full((len(found_mm), len(true_mm)), np.inf), np.zeros((len(found_mm), len(true_mm)))
    for column, points in enumerate(true_mm):
        tree = cKDTree(points)
        for row, spot in enumerate(found_mm):
            apart = tree.query(spot)[0]
            nearest[row, column], mean[row, column] = apart.min(), apart.mean()
    touching = nearest <= reach_mm
    pairs = np.full(len(found_mm), -1)
    for row, column in zip(*linear_sum_assignment(np.where(touching, mean, 1e6)), strict=True):
        pairs[row] = column if touching[row, column] else -1
    return pairs, touching.any(axis=1)
