"""What a network sees of an image, a window at a time: grid, channels, and the weighted sum of what it says of overlapping windows. numpy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

GRID_MM = 2.0
PATCH = (80, 80, 64)  # holds a whole heart: what a blood pool is called depends on where it lies
OVERLAP = 0.4  # at least, of neighbouring windows
NARROW_HU, WIDE_HU = 160.0, 1000.0  # soft tissue, and everything from lung to metal
BODY_HU = -600.0  # a window all below is air or lung, which no place is
SIGMA = 0.125  # of the weights, in sides of a window: what the network says near a window's border knows little of what is beyond

Network = Callable[[np.ndarray], np.ndarray]
"""(B, 2, ni, nj, nk) float32 of `network_input` -> (B, C, ni, nj, nk) logits."""


def network_input(hu: np.ndarray) -> np.ndarray:
    """(..., ni, nj, nk) HU -> (..., 2, ni, nj, nk) float32: a narrow window that shows blood, muscle and fat, and a wide one."""
    hu = np.asarray(hu, np.float32)
    return np.stack([np.clip(hu / NARROW_HU, -1, 1), np.clip(hu / WIDE_HU, -1, 1)], axis=-4)


def probabilities(hu: np.ndarray, network: Network) -> np.ndarray:
    """(ni, nj, nk) HU on the network's grid -> (C, ni, nj, nk) float32. Outside the image is air. Class 0 where no window holds tissue."""
    return blended(hu, network_input, hu >= BODY_HU, network, Windows(PATCH, OVERLAP))


@dataclass(frozen=True)
class Windows:
    """shape: voxels; overlap: least share of a side that neighbours have in common."""

    shape: tuple[int, int, int]
    overlap: float


def blended(hu: np.ndarray, channels: Callable[[np.ndarray], np.ndarray], wanted: np.ndarray, network: Network, windows: Windows) -> np.ndarray:
    """Probabilities (C, ni, nj, nk) float32 from the weighted logits of windows that hold a `wanted` voxel; class 0 where no window lies."""
    patch = windows.shape
    margin = [(max(size - n, 0) // 2, max(size - n, 0) - max(size - n, 0) // 2) for n, size in zip(hu.shape, patch, strict=True)]
    padded, asked = np.pad(hu, margin, constant_values=-WIDE_HU), np.pad(wanted, margin)
    weight, total, mass = _weight(patch), None, np.zeros(padded.shape, np.float32)
    for corner in product(*(_starts(n, size, windows.overlap) for n, size in zip(padded.shape, patch, strict=True))):
        at = tuple(slice(start, start + size) for start, size in zip(corner, patch, strict=True))
        if not asked[at].any():
            continue
        logits = network(channels(padded[at])[None])[0]
        if total is None:
            total = np.zeros((len(logits), *padded.shape), np.float32)
        total[:, *at] += weight * logits
        mass[at] += weight
    if total is None:
        return np.ones((1, *hu.shape), np.float32)
    total[0, mass == 0] = 1e3
    inside = tuple(slice(before, before + n) for (before, _), n in zip(margin, hu.shape, strict=True))
    return _softmax(total[:, *inside] / np.maximum(mass[inside], 1e-9))


def _starts(length: int, size: int, overlap: float) -> list[int]:
    """First voxels of the fewest evenly spaced windows that overlap enough."""
    count = 1 + int(np.ceil((length - size) / (size * (1 - overlap))))
    return np.linspace(0, length - size, count).round().astype(int).tolist()


def _weight(patch: tuple[int, int, int]) -> np.ndarray:
    """(patch) Gaussian about the middle."""
    axes = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (SIGMA * n)) ** 2) for n in patch]
    return np.maximum(np.einsum("i,j,k->ijk", *axes), 1e-3).astype(np.float32)


def _softmax(logits: np.ndarray) -> np.ndarray:
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    return np.divide(logits, logits.sum(axis=0), out=logits)
