"""The anthropomorphic calcium phantom: nine cylinders of hydroxyapatite, 1, 3 and 5 mm by 200, 400 and 800 mg/cm3, in tissue (QRM Cardio, McCollough 2007)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.model import Volume

SIZES_MM = (1.0, 3.0, 5.0)  # diameter and length
DENSITIES = (200.0, 400.0, 800.0)  # mg/cm3
HU_PER_MG_CM3 = 1.3  # at 120 kVp
TISSUE_HU = 42.0
PIXEL_MM, FINE_MM, PITCH_MM = 0.5, 0.25, 14.0
FWHM_MM = 0.9


def cylinder(size_mm: float, density: float, increment_mm: float, start_mm: float) -> np.ndarray:
    """(28, 28, slices) HU of one upright cylinder in the middle: averaged over slices that begin `start_mm` away from symmetric, blurred in plane."""
    over, slices = 8, round(27.0 / increment_mm)
    fine = (np.arange(28 * over) + 0.5) * PIXEL_MM / over - 14 * PIXEL_MM
    disc = (fine[:, None] ** 2 + fine[None] ** 2 < (size_mm / 2) ** 2).astype(float)
    disc = disc.reshape(28, over, 28, over).mean(axis=(1, 3))
    disc = ndimage.gaussian_filter(disc, FWHM_MM / 2.355 / PIXEL_MM)
    edges = (np.arange(slices + 1) - slices / 2) * increment_mm + start_mm
    filled = np.clip(np.minimum(edges[1:], size_mm / 2) - np.maximum(edges[:-1], -size_mm / 2), 0, None) / increment_mm
    return TISSUE_HU + density * HU_PER_MG_CM3 * disc[:, :, None] * filled


def phantom(increment_mm: float = 3.0, start_mm: float = 0.0, noise_hu: float = 0.0, seed: int = 0) -> tuple[Volume, np.ndarray]:
    """(volume, labels 1-9 of the regions that hold one cylinder each; label 3 s + d + 1 for size s and density d)."""
    blocks = [[cylinder(size, density, increment_mm, start_mm) for density in DENSITIES] for size in SIZES_MM]
    hu = np.concatenate([np.concatenate(row, axis=1) for row in blocks], axis=0)
    hu = hu + np.random.default_rng(seed).normal(0, noise_hu, hu.shape) if noise_hu else hu
    labels = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((28, 28), int))[:, :, None] * np.ones(hu.shape[2], int)
    affine = np.diag([PIXEL_MM, PIXEL_MM, increment_mm, 1.0])
    affine[:3, 3] = (-20.0, -180.0, 50.0 + start_mm)
    return Volume(hu, affine), labels


def true_volume_mm3(size_mm: float) -> float:
    return float(np.pi * size_mm**3 / 4)
