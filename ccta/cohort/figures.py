"""Pictures of a cohort's summary, off-screen: distributions, Bland-Altman, ROC, agreement of categories."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure

from ccta.cohort.comparison import BlandAltman, Kappa, Roc

BLUE, RED, INK, SOFT = "#2f86b8", "#c4161c", "#1c2733", "#5b6b7b"


def drawn(figure: Figure, kind: str) -> bytes:
    """PNG or SVG."""
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=150)
    return stream.getvalue()


def _axes(width: float = 4.6, height: float = 3.4):
    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def distribution_figure(column, name: str) -> Figure:
    """A histogram of a number with its median, or bars of a category."""
    from pandas.api.types import is_numeric_dtype

    figure, axis = _axes(3.6, 2.6)
    known = column.dropna()
    if is_numeric_dtype(known):
        values = known.to_numpy(float)
        axis.hist(values, bins=min(30, max(5, round(np.sqrt(len(values)) * 1.5))), color=BLUE, alpha=0.85)
        axis.axvline(np.median(values), color=INK, lw=1.2)
        axis.set_title(f"median {np.median(values):.3g}, n = {len(values)}", fontsize=9, color=SOFT)
    else:
        counts = known.astype(str).value_counts().sort_index()
        axis.bar(list(counts.index), counts.to_numpy(), color=BLUE, alpha=0.85)
        axis.set_title(f"n = {len(known)}", fontsize=9, color=SOFT)
    axis.set(xlabel=name.replace("_", " "), ylabel="studies")
    axis.yaxis.get_major_locator().set_params(integer=True)
    return figure


def bland_altman_figure(measured: np.ndarray, reference: np.ndarray, found: BlandAltman, pair) -> Figure:
    """Difference over mean, with bias and limits of agreement."""
    figure, axis = _axes()
    axis.scatter((measured + reference) / 2, measured - reference, s=18, color=BLUE, alpha=0.7, lw=0)
    for value, style, word in ((found.bias, "-", "bias"), (found.limits[0], "--", ""), (found.limits[1], "--", "")):
        axis.axhline(value, color=INK, lw=1, ls=style)
        axis.annotate(f"{word} {value:+.3g}".strip(), (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8.5, color=INK)
    axis.axhspan(*found.bias_interval, color=BLUE, alpha=0.12, lw=0)
    axis.set(xlabel=f"mean of {pair.measured} and {pair.reference}", ylabel=f"{pair.measured} - {pair.reference}")
    return figure


def roc_figure(found: Roc, pair) -> Figure:
    """The curve, with the area below it."""
    figure, axis = _axes(3.9, 3.7)
    axis.plot([0, 1], [0, 1], color="0.8", lw=1)
    axis.plot(found.false_positive, found.true_positive, color=RED, lw=2)
    axis.fill_between(found.false_positive, found.true_positive, color=RED, alpha=0.07, lw=0)
    text = f"AUC {found.auc:.3f}\n95 % {found.interval[0]:.3f}-{found.interval[1]:.3f}\n{found.positives} ill, {found.negatives} not"
    axis.text(0.97, 0.05, text, ha="right", va="bottom", fontsize=9.5, color=INK)
    axis.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axis.set_title(f"{pair.measured} for {pair.reference} at {pair.cut:g}", fontsize=9.5, color=SOFT)
    return figure


def kappa_figure(found: Kappa, pair) -> Figure:
    """Counts of every pair of categories."""
    figure, axis = _axes(4.1, 3.7)
    axis.imshow(found.table, cmap="Blues", vmin=0, vmax=max(found.table.max(), 1) * 1.25)
    for (row, column), count in np.ndenumerate(found.table):
        if count:
            axis.text(column, row, str(count), ha="center", va="center", color=INK if count < 0.7 * found.table.max() else "white")
    places = range(len(found.categories))
    axis.set_xticks(places, found.categories)
    axis.set_yticks(places, found.categories)
    axis.set(xlabel=pair.measured, ylabel=pair.reference)
    axis.set_title(f"weighted kappa {found.kappa:.2f} ({found.interval[0]:.2f}-{found.interval[1]:.2f})", fontsize=9.5, color=SOFT)
    return figure
