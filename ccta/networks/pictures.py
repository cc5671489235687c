"""A picture of what the network sees and says, one row per validation image: image, truth, found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

WINDOW_HU = (-160, 400)


def draw(rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]], path: Path) -> None:
    """rows: (HU, true places, found places), each (ni, nj, nk); the axial slice with most of the arteries is shown."""
    figure = Figure(figsize=(9, 3 * len(rows)))
    axes = figure.subplots(len(rows), 3, squeeze=False)
    for line, (hu, true, found) in zip(axes, rows, strict=True):
        k = int(np.argmax(((true > 8) & (true < 13)).sum(axis=(0, 1))))
        line[0].imshow(hu[:, :, k].T, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1])
        for one, labels in zip(line[1:], (true, found), strict=True):
            one.imshow(labels[:, :, k].T, cmap="nipy_spectral", vmin=0, vmax=13, interpolation="nearest")
        for one in line:
            one.set_axis_off()
    figure.tight_layout(pad=0.2)
    figure.savefig(path, dpi=70)


def draw_vessels(rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]], path: Path) -> None:
    """rows: (HU over the aorta's, true and found CORONARY_LABELS), each (ni, nj, nk): a slice with its labels, and both masks seen from the front."""
    figure = Figure(figsize=(12, 2.4 * len(rows)))
    axes = figure.subplots(len(rows), 5, squeeze=False)
    for line, (level, true, found) in zip(axes, rows, strict=True):
        k = int(np.argmax(((true > 0) | (found > 0)).sum(axis=(0, 1))))
        line[0].imshow(level[:, :, k].T, cmap="gray", vmin=-0.4, vmax=1.5)
        for one, labels in zip(line[1:], (true[:, :, k], found[:, :, k], true.max(axis=1), found.max(axis=1)), strict=True):
            one.imshow(labels.T, cmap="nipy_spectral", vmin=0, vmax=3, interpolation="nearest")
        for one in line:
            one.set_axis_off()
    figure.tight_layout(pad=0.2)
    figure.savefig(path, dpi=60)
