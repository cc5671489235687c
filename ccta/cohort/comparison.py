"""Statistics of a measured column beside a reference: Bland-Altman, ROC with its area and interval, weighted kappa. Pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ccta.agreement import icc_agreement, linear_kappa


@dataclass(frozen=True)
class BlandAltman:
    """Measured minus reference. bias with its 95 % interval; limits: bias -+ 1.96 SD (Bland and Altman, Lancet 1986;1:307)."""

    count: int
    bias: float
    bias_interval: tuple[float, float]
    sd: float
    limits: tuple[float, float]
    pearson: float
    icc: float


def bland_altman(measured: np.ndarray, reference: np.ndarray) -> BlandAltman:
    """Of at least three pairs; ValueError for fewer."""
    if len(measured) < 3:
        raise ValueError(f"agreement needs at least three pairs, got {len(measured)}")
    difference = measured - reference
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    half = float(stats.t.ppf(0.975, len(difference) - 1)) * sd / np.sqrt(len(difference))
    varies = np.ptp(measured) > 0 and np.ptp(reference) > 0
    pearson = float(np.corrcoef(measured, reference)[0, 1]) if varies else float("nan")
    return BlandAltman(len(difference), bias, (bias - half, bias + half), sd, (bias - 1.96 * sd, bias + 1.96 * sd), pearson, icc_agreement(measured, reference))


@dataclass(frozen=True)
class Roc:
    """false_positive, true_positive: the curve from (0, 0) to (1, 1). interval: 95 %, DeLong's variance on the logit scale."""

    positives: int
    negatives: int
    auc: float
    interval: tuple[float, float]
    false_positive: np.ndarray
    true_positive: np.ndarray


def roc(score: np.ndarray, positive: np.ndarray) -> Roc:
    """How well a score, higher for disease, tells positives from negatives (DeLong et al., Biometrics 1988;44:837). ValueError without two of each.

    AUC: the share of pairs that are ordered rightly, ties by half. Where all are, DeLong's variance is 0 and the lower bound is the exact one of Clopper
    and Pearson for as many right pairs as there are patients in the smaller group.
    """
    ill, well = score[positive], score[~positive]
    if min(len(ill), len(well)) < 2:
        raise ValueError(f"a ROC curve needs at least two positives and two negatives, got {len(ill)} and {len(well)}")
    order = np.sign(ill[:, None] - well[None]) / 2 + 0.5
    auc = float(order.mean())
    variance = order.mean(axis=1).var(ddof=1) / len(ill) + order.mean(axis=0).var(ddof=1) / len(well)
    if 0 < auc < 1 and variance > 0:
        logit, half = np.log(auc / (1 - auc)), 1.96 * np.sqrt(variance) / (auc * (1 - auc))
        interval = tuple(float(1 / (1 + np.exp(-(logit + side * half)))) for side in (-1, 1))
    else:
        bound = 0.025 ** (1 / min(len(ill), len(well)))
        interval = (float(bound), 1.0) if auc == 1 else (0.0, float(1 - bound))
    cuts = np.concatenate([[np.inf], np.unique(score)[::-1]])
    curve = np.array([[(well >= cut).mean(), (ill >= cut).mean()] for cut in cuts])
    return Roc(len(ill), len(well), auc, interval, curve[:, 0], curve[:, 1])


@dataclass(frozen=True)
class Kappa:
    """Linear weights, with a 95 % interval by 1000 bootstrap samples. table: (K, K) counts, rows the reference."""

    count: int
    kappa: float
    interval: tuple[float, float]
    exact: float
    categories: tuple[str, ...]
    table: np.ndarray


def weighted_kappa(measured: Sequence[str], reference: Sequence[str], order: Sequence[str] = (), seed: int = 0) -> Kappa:
    """Agreement of ordered categories. order: theirs; else numbers by value, then words by the alphabet. ValueError for fewer than three pairs."""
    if len(measured) < 3:
        raise ValueError(f"kappa needs at least three pairs, got {len(measured)}")
    seen = {*measured, *reference}
    categories = tuple(one for one in order if one in seen) if seen <= set(order) else tuple(sorted(seen, key=_place))
    first, second = (np.array([categories.index(one) for one in values]) for values in (reference, measured))
    picks = np.random.default_rng(seed).integers(len(first), size=(1000, len(first)))
    resampled = [linear_kappa(first[pick], second[pick], len(categories)) for pick in picks]
    low, high = np.quantile(resampled, [0.025, 0.975])
    table = np.zeros((len(categories), len(categories)), int)
    np.add.at(table, (first, second), 1)
    kappa = linear_kappa(first, second, len(categories))
    return Kappa(len(first), kappa, (float(low), float(high)), float((first == second).mean()), categories, table)


def _place(text: str) -> tuple:
    try:
        return (0, float(text), "")
    except ValueError:
        digits = "".join(c for c in text if c.isdigit())
        return (0, float(digits), text) if text[:1].isdigit() else (1, 0.0, text)
