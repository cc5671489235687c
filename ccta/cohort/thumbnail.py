"""A small picture of a finished case: the coronary tree from the front, as wide as the lumen, coloured by FFR where flow was solved."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from ccta.cohort.storage import Place

RED_BELOW, BLUE_ABOVE = 0.75, 0.80  # the grey zone of FFR lies between
COLORS = {"low": "#c4161c", "grey": "#9a9a9a", "high": "#2f86b8", "plain": "#5b6b7b"}


def write_thumbnail(case: Path, target: Place) -> None:
    """Draws the tree of a case folder as PNG; nothing where it has no tree."""
    branches = _branches(case)
    if branches:
        target.write_bytes(_drawn(branches))


def _branches(case: Path) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """(points (N, 3) mm, diameter (N,) mm, FFR (N,) or None) of each branch."""
    pullback, tree = case / "pullback.json", case / "tree.json"
    if pullback.exists():
        found = json.loads(pullback.read_text())["branches"]
        return [(np.array(b["points_mm"]), np.array(b["diameter_mm"]), np.array(b["ffr"])) for b in found]
    if tree.exists():
        found = json.loads(tree.read_text())["branches"]
        return [(np.array(b["points_mm"]), 2 * np.array(b["radius_mm"]), None) for b in found]
    return []


def _drawn(branches) -> bytes:
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.4, 1.8), layout="constrained")
    axis = figure.subplots()
    for points, diameter, ffr in branches:
        flat = points[:, [0, 2]]
        middle = slice(None) if ffr is None else 0.5 * (ffr[1:] + ffr[:-1])
        colors = COLORS["plain"] if ffr is None else [COLORS["low"] if v < RED_BELOW else COLORS["grey"] if v <= BLUE_ABOVE else COLORS["high"] for v in middle]
        pieces = np.stack([flat[:-1], flat[1:]], axis=1)
        axis.add_collection(LineCollection(pieces, colors=colors, linewidths=1.1 * 0.5 * (diameter[1:] + diameter[:-1]), capstyle="round"))
    axis.autoscale_view()
    axis.set_aspect("equal")
    axis.axis("off")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, transparent=True)
    return stream.getvalue()
