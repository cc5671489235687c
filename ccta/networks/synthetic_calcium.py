"""Calcium and metal painted into training images: in the arteries, and where readers must tell it from theirs."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.model import VESSELS
from ccta.tissues import CODE, PLACES

IN_WALL_MM = (-0.8, 1.0)  # from the lumen's edge: coronary calcium lies in the wall
CORONARY = [PLACES[vessel] for vessel in VESSELS]


def add_calcium(image: np.ndarray, tissue: np.ndarray, off_mm: np.ndarray, place: np.ndarray, step_mm: float, rng) -> None:
    """Adds none to many pieces, in place. off_mm: from an artery's lumen. The places are not changed: they say whose the calcium is."""
    if rng.random() < 0.65:
        wall = np.argwhere((off_mm > IN_WALL_MM[0]) & (off_mm < IN_WALL_MM[1]) & np.isin(place, CORONARY))
        for _ in range(rng.integers(1, 9) if len(wall) else 0):
            _add_chain(image, wall, rng.uniform(0, 14) / step_mm, rng.uniform(0.6, 1.8) / step_mm, rng.uniform(250, 1600), rng)
        if len(wall) and rng.random() < 0.12:  # a stent
            _add_chain(image, wall, rng.uniform(8, 24) / step_mm, rng.uniform(1.2, 2.0) / step_mm, rng.uniform(900, 3000), rng)
    for chance, spots in _elsewhere(tissue):
        if rng.random() < chance:
            found = np.argwhere(spots)
            for _ in range(rng.integers(1, 6) if len(found) else 0):
                _add_chain(image, found, rng.uniform(0, 10) / step_mm, rng.uniform(0.6, 2.2) / step_mm, rng.uniform(250, 1600), rng)


def _elsewhere(tissue: np.ndarray):
    """(chance, where) of calcium that is not coronary."""
    lv, la, aorta = (tissue == CODE[name] for name in ("lv", "la", "aorta"))
    by_lv = ndimage.binary_dilation(lv, iterations=2)
    yield 0.4, tissue == CODE["aorta_wall"]
    yield 0.25, aorta & by_lv
    yield 0.25, la & by_lv
    yield 0.4, tissue == CODE["descending_wall"]
    yield 0.1, tissue == CODE["pericardial_sac"]
    yield 0.15, tissue == CODE["lung"]
    yield 0.1, tissue == CODE["mediastinum"]
    yield 0.05, tissue == CODE["myocardium"]


def _add_chain(image: np.ndarray, spots: np.ndarray, length: float, radius: float, hu: float, rng) -> None:
    """Blobs at some of the `spots` (N, 3) within half a `length` of one of them; all in voxels."""
    start = spots[rng.integers(len(spots))]
    near = spots[np.linalg.norm(spots - start, axis=1) <= length / 2]
    chosen = near[rng.random(len(near)) < rng.uniform(0.2, 0.8)]
    for spot in chosen if len(chosen) else start[None]:
        _add_blob(image, spot + rng.uniform(-0.5, 0.5, 3), radius * rng.uniform(0.7, 1.3), hu * rng.uniform(0.6, 1.2))


def _add_blob(image: np.ndarray, middle: np.ndarray, radius: float, hu: float) -> None:
    """A ball with the integral of its volume, blurred to at least half a voxel; never brighter than 3071 HU."""
    sigma = max(0.65 * radius, 0.5)
    low = np.maximum(np.floor(middle - 3 * sigma), 0).astype(int)
    high = np.minimum(np.ceil(middle + 3 * sigma) + 1, image.shape).astype(int)
    if (high <= low).any():
        return
    squares = [((np.arange(a, b) - m) / sigma) ** 2 for a, b, m in zip(low, high, middle, strict=True)]
    peak = min(hu * (4 / 3 * np.pi * radius**3) / ((2 * np.pi) ** 1.5 * sigma**3), 1.2 * hu)
    blob = peak * np.exp(-0.5 * (squares[0][:, None, None] + squares[1][None, :, None] + squares[2]))
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    image[box] = np.minimum(image[box] + blob, 3071)
