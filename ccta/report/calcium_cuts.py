"""Small axial pictures of calcium lesions with the outline of what was scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from ccta.coordinates import to_index, upright
from ccta.findings import Calcium
from ccta.model import Volume

HALF_MM = 20.0
WINDOW_HU = (-160.0, 440.0)  # fat, blood and calcium can be told apart
COLUMNS, ROWS = 5, 4
OUTLINE = "#ff3b30"


@dataclass(frozen=True, eq=False)
class Cut:
    """hu, scored: (rows, columns) as seen from the feet, patient's left at the right. extent_mm: (left, right, bottom, top) about the lesion's middle."""

    title: str
    note: str
    hu: np.ndarray
    scored: np.ndarray
    extent_mm: tuple[float, float, float, float]


def lesion_cuts(volume: Volume, labels: Volume, calcium: Calcium) -> tuple[Cut, ...]:
    """One cut per lesion that counts, in the list's order, through the slice with most of it. volume and labels: the grid that was scored."""
    volume, labels = upright(volume), upright(labels)
    return tuple(_cut(volume, labels, lesion, calcium.threshold_hu) for lesion in calcium.lesions if (labels.array == lesion.id).any())


def _cut(volume: Volume, labels: Volume, lesion, threshold_hu: float) -> Cut:
    own = labels.array == lesion.id
    k = int(np.argmax((own & (volume.array >= threshold_hu)).sum(axis=(0, 1))))
    spacing = volume.spacing_mm
    middle = to_index(np.array(lesion.center_mm), volume.affine)
    low = np.maximum(np.floor(middle[:2] - HALF_MM / spacing[:2]).astype(int), 0)
    high = np.minimum(np.ceil(middle[:2] + HALF_MM / spacing[:2]).astype(int) + 1, volume.array.shape[:2])
    box = (slice(low[0], high[0]), slice(low[1], high[1]), k)
    (left, front), (right, back) = (low - 0.5 - middle[:2]) * spacing[:2], (high - 0.5 - middle[:2]) * spacing[:2]
    z_mm = float(volume.affine[2, 3] + k * volume.affine[2, 2])
    title, note = f"{lesion.id}  {lesion.vessel}  {lesion.agatston:.0f}", f"z {z_mm:.0f} mm, {lesion.peak_hu:.0f} HU"
    return Cut(title, note, volume.array[box].T, (own[box] & (volume.array[box] >= threshold_hu)).T, (left, right, back, front))


def pages_of(cuts: tuple[Cut, ...]) -> list[tuple[Cut, ...]]:
    """At most `COLUMNS` x `ROWS` cuts on each picture."""
    return [cuts[n : n + COLUMNS * ROWS] for n in range(0, len(cuts), COLUMNS * ROWS)]


def cuts_figure(cuts: tuple[Cut, ...]) -> Figure:
    """A grid of cuts."""
    rows = -(-len(cuts) // COLUMNS)
    figure = Figure(figsize=(9, 2.05 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, cut in zip(axes, cuts, strict=False):
        left, right, back, front = cut.extent_mm
        axis.imshow(cut.hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], extent=(left, right, back, front), interpolation="nearest")
        _outline(axis, cut)
        axis.set(xlim=(-HALF_MM, HALF_MM), ylim=(HALF_MM, -HALF_MM))
        axis.set_title(cut.title, fontsize=8.5, pad=2)
        axis.text(-HALF_MM + 1, HALF_MM - 1, cut.note, color="white", fontsize=6.5, va="bottom")
        axis.plot([HALF_MM - 11, HALF_MM - 1], [-HALF_MM + 2] * 2, color="white", lw=1.5)
        axis.text(HALF_MM - 6, -HALF_MM + 2.5, "10 mm", color="white", fontsize=6, ha="center", va="top")
    return figure


def _outline(axis, cut: Cut) -> None:
    """Along the borders of the scored pixels."""
    padded = np.pad(cut.scored, 1)
    left, right, back, front = cut.extent_mm
    dx, dy = (right - left) / cut.hu.shape[1], (back - front) / cut.hu.shape[0]
    for row, column in np.argwhere(padded[1:, :] != padded[:-1, :]):
        axis.plot([left + (column - 1) * dx, left + column * dx], [front + row * dy] * 2, color=OUTLINE, lw=0.9, solid_capstyle="round")
    for row, column in np.argwhere(padded[:, 1:] != padded[:, :-1]):
        axis.plot([left + column * dx] * 2, [front + (row - 1) * dy, front + row * dy], color=OUTLINE, lw=0.9, solid_capstyle="round")
