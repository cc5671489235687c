"""What a flow study leaves: sweep.parquet and .csv, the study as sweep.json (with Sobol indices), and pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ccta.errors import BadInput
from cfd.network_json import write_atomically
from cfd.sweep import Range, Sweep, sobol_indices

LABELS = {
    "hyperaemia_factor": "hyperaemic / resting resistance",
    "outlet_exponent": "outlet exponent m",
    "systolic_mmhg": "systolic pressure, mmHg",
    "diastolic_mmhg": "diastolic pressure, mmHg",
    "lv_mass_g": "myocardial mass, g",
    "distal_pressure_mmhg": "venous pressure, mmHg",
    "lumen": "factor on lumen diameters",
    "stenosis": "factor on stenosis severity",
}
FEW = 60  # solutions, which a picture can show one by one
COLORS = ("#1d4f91", "#c4161c", "#3b8f4f", "#b7791f", "#6b4fa0", "#3f9fc6", "#8a6d3b", "#5b6b7b")


def new_folder(out: Path) -> Path:
    """A new folder for a study. BadInput where it holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is not empty; choose a new directory for the study")
    out.mkdir(parents=True, exist_ok=True)
    return out


def write_sweep(out: Path, ranges: Sequence[Range], sweep: Sweep, method: str, model: str) -> dict:
    """Writes all files of a study; returns what stands in sweep.json."""
    import pandas

    frame = pandas.DataFrame(np.hstack([sweep.values, sweep.results]), columns=[*sweep.names, *sweep.outputs])
    frame.to_parquet(out / "sweep.parquet")
    frame.to_csv(out / "sweep.csv", index=False)
    indices = sobol_indices(ranges, sweep) if method == "sobol" else {}
    spread = {name: [float(v) for v in np.nanquantile(column, [0.05, 0.5, 0.95])] for name, column in zip(sweep.outputs, sweep.results.T, strict=True)}
    unsettled = int(np.isnan(sweep.results).any(axis=1).sum())
    content = {
        "model": model,
        "method": method,
        "solutions": len(sweep.values),
        "unsettled": unsettled,
        "ranges": [asdict(one) for one in ranges],
        "quantiles_5_50_95": spread,
        "sobol": indices,
    }
    write_atomically(out / "sweep.json", json.dumps(content, indent=1))
    for name, figure in (("response", response_figure(sweep)), ("indices", indices_figure(indices))):
        for kind in ("png", "svg") if figure is not None else ():
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, dpi=160)
            (out / f"{name}.{kind}").write_bytes(stream.getvalue())
    return content


def response_figure(sweep: Sweep):
    """FFR over each quantity: the median of all solutions near a value, and the band that holds 90 % of them; of few solutions each by itself."""
    from matplotlib.figure import Figure

    shown = [k for k, name in enumerate(sweep.outputs) if name.startswith("ffr_") and "lesion" not in name]
    figure = Figure(figsize=(4.2 * len(sweep.names), 3.8), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(sweep.names), sharey=True))
    few = len(sweep.values) <= FEW
    for column, (axis, quantity) in enumerate(zip(axes, sweep.names, strict=True)):
        axis.axhspan(0.75, 0.80, color="0.9", lw=0)
        for color, k in zip(COLORS, shown, strict=False):
            name = sweep.outputs[k].removeprefix("ffr_")
            if few:
                axis.plot(sweep.values[:, column], sweep.results[:, k], "o", color=color, ms=5, alpha=0.8, label=name)
                continue
            place, low, middle, high = banded(sweep.values[:, column], sweep.results[:, k])
            axis.fill_between(place, low, high, color=color, alpha=0.15, lw=0)
            axis.plot(place, middle, color=color, lw=2, label=name)
        axis.set_xlabel(LABELS.get(quantity, quantity.replace("_", " ")))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("FFR")
    axes[0].legend(frameon=False, title="each solution" if few else "median, 5-95 %")
    return figure


def banded(x: np.ndarray, y: np.ndarray, most: int = 15) -> tuple[np.ndarray, ...]:
    """(place, 5 %, median, 95 %) of y in bins of x: each value by itself where there are few."""
    good = np.isfinite(y)
    x, y = x[good], y[good]
    values = np.unique(np.round(x, 12))
    groups = [x == one for one in values] if len(values) <= 40 and len(values) < len(x) else []
    if not groups:
        edges = np.quantile(x, np.linspace(0, 1, min(most, max(len(x) // 5, 1)) + 1))
        number = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
        groups = [number == k for k in range(len(edges) - 1) if (number == k).any()]
    else:
        groups = [np.isclose(x, one, rtol=0, atol=1e-9) for one in values]
    rows = [(x[g].mean(), *np.quantile(y[g], [0.05, 0.5, 0.95])) for g in groups]
    return tuple(np.array(rows).T)


def indices_figure(indices: dict):
    """Total and first-order Sobol indices as bars, per vessel; None where there are none."""
    shown = {name: one for name, one in indices.items() if name.startswith("ffr_") and "lesion" not in name}
    if not shown:
        return None
    from matplotlib.figure import Figure

    names = list(next(iter(shown.values())))
    figure = Figure(figsize=(8, 0.9 + 0.22 * len(names) * len(shown)), layout="constrained")
    axis = figure.subplots()
    height = 0.8 / len(shown)
    for row, (color, (output, found)) in enumerate(zip(COLORS, shown.items(), strict=False)):
        place = np.arange(len(names)) + (row - (len(shown) - 1) / 2) * height
        total, error = ([found[name][key] for name in names] for key in ("total", "total_ci"))
        axis.barh(place, total, height * 0.9, xerr=error, color=color, alpha=0.35, error_kw={"lw": 0.8, "ecolor": "0.4"})
        axis.barh(place, [max(found[name]["first"], 0.0) for name in names], height * 0.9, color=color, label=output.removeprefix("ffr_"))
    axis.set_yticks(range(len(names)), [LABELS.get(name, name.replace("_", " ")) for name in names])
    axis.invert_yaxis()
    axis.set_xlabel("share of the variance of FFR: alone (dark), with interactions (light, 95 % interval)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    return figure
