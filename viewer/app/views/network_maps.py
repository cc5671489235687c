"""What the artery network saw, over the image: how probable an artery is, and how unsure the drawn border is, both in percent."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib import colormaps

from ccta.anatomy.reformat import sampled
from ccta.case import Case
from ccta.model import Volume
from viewer.app.study import Study
from viewer.app.words import NotPossible

ITEMS = {"probability": "artery_probability", "uncertainty": "artery_uncertainty"}
MAPS = {"probability": "viridis", "uncertainty": "inferno"}
"""Lightness alone orders both."""
SEEN_PCT = 5.0
"""Below this nothing is drawn over the image."""
OPACITY = 0.55
DARKEST = 0.2
"""Share of the colours that is left out, because it could not be seen over dark tissue."""


def network_map(study: Study, kind: str) -> Volume:
    """The map of a case, read when it is first asked for, and again when it was made again. NotPossible where the case holds none."""
    path = Case(study.root).path(ITEMS[kind]) if study.root is not None else None
    if path is None or not path.exists():
        raise NotPossible("no_network_map")
    return _read(study.root, kind, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _read(root: Path, kind: str, made_ns: int) -> Volume:
    found = seen_part(Case(root).read_volume(ITEMS[kind]))
    return found if found.array.dtype == np.uint8 else found.with_array(np.clip(found.array, 0, 100).astype(np.uint8))


def seen_part(whole: Volume) -> Volume:
    """The box of a map outside which nothing is drawn, a voxel wider: a whole map takes as much memory as half an image."""
    seen = [np.zeros(count, bool) for count in whole.array.shape]
    for k in range(whole.array.shape[2]):
        layer = whole.array[..., k] >= SEEN_PCT
        rows = layer.any(axis=1)
        seen[0] |= rows
        seen[1] |= layer.any(axis=0)
        seen[2][k] = rows.any()
    edges = [np.flatnonzero(one)[[0, -1]] if one.any() else np.zeros(2, int) for one in seen]
    low = [max(0, first - 1) for first, _ in edges]
    box = tuple(slice(start, last + 2) for start, (_, last) in zip(low, edges, strict=True))
    affine = whole.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    return Volume(whole.array[box].copy(order="K"), affine, whole.frame_of_reference_uid)


def overlaid(picture: np.ndarray, study: Study, kind: str, positions_mm: Callable[[], np.ndarray]) -> np.ndarray:
    """A grey (...) uint8 picture with the map over it, in colour; as it is where none is chosen. positions_mm: gives the (..., 3) places of its pixels."""
    if kind not in ITEMS:
        return picture
    percent = np.clip(sampled(network_map(study, kind), positions_mm()), 0, 100)
    found = percent >= SEEN_PCT
    colour = np.repeat(picture[..., None], 3, axis=-1)
    colour[found] = ((1 - OPACITY) * colour[found] + OPACITY * _table(kind)[percent[found].astype(int)]).astype(np.uint8)
    return colour


def _table(kind: str) -> np.ndarray:
    """(101, 3) colours of 0-100 percent."""
    return 255 * colormaps[MAPS[kind]](DARKEST + (1 - DARKEST) * np.arange(101) / 100)[:, :3]


def network_legend(kind: str) -> str:
    """CSS gradient from 0 (left) to 100 percent."""
    if kind not in ITEMS:
        return ""
    return "linear-gradient(90deg, " + ", ".join(f"rgb({r:.0f} {g:.0f} {b:.0f})" for r, g, b in _table(kind)[::10]) + ")"
