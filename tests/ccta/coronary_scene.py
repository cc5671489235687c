"""A small made-up heart with arteries of known axis and radius, for the tests of segmentation and centerlines."""

from dataclasses import dataclass

import numpy as np
from scipy import interpolate, ndimage, spatial, special

from ccta.coordinates import to_patient_mm
from ccta.curves import resampled_curve
from ccta.model import HEART_LABELS, Volume

BLOOD_HU, FAT_HU, MUSCLE_HU = 420.0, -85.0, 105.0


@dataclass(frozen=True)
class Tube:
    points_mm: np.ndarray
    radius_mm: np.ndarray


def tube(knots, start_mm: float, end_mm: float) -> Tube:
    """A smooth curve through the knots, tapering linearly."""
    spline, _ = interpolate.splprep(np.array(knots, float).T, s=0, k=min(3, len(knots) - 1))
    points = resampled_curve(np.array(interpolate.splev(np.linspace(0, 1, 400), spline)).T, 0.25)
    return Tube(points, np.linspace(start_mm, end_mm, len(points)))


def left_and_right() -> dict[str, Tube]:
    """Arteries that leave an aorta of radius 13 mm about the z axis at z = 0 and run round a ventricle below it."""
    lad = tube([(12, 0, 0), (19, -3, 0), (26, -9, -4), (29, -14, -14), (28, -18, -27), (22, -20, -40)], 2.1, 0.8)
    lcx = tube([lad.points_mm[44], (23, 2, -1), (26, 11, -6), (22, 21, -13), (12, 27, -18)], 1.6, 0.9)
    d1 = tube([lad.points_mm[100], (32, -8, -13), (33.5, -6, -22), (31, -5, -32)], 1.1, 0.75)
    rca = tube([(-12, -3, 0), (-18, -7, 0), (-27, -9, -5), (-31, -4, -16), (-28, 5, -27), (-18, 12, -34)], 1.9, 1.0)
    return {"LAD": lad, "LCx": lcx, "D1": d1, "RCA": rca}


def vein() -> Tube:
    """Runs beside the LAD, touches it once, and never meets the aorta."""
    return tube([(14, -28, -38), (23, -22, -28), (27.5, -14.5, -19), (26, -3, -12), (22, 8, -13)], 1.5, 1.9)


def distance_to(tubes, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per position (N, 3): the nearest axis distance minus radius (mm), and which tube."""
    depth = np.full(len(points_mm), np.inf)
    for item in tubes:
        gap, index = spatial.cKDTree(item.points_mm).query(points_mm, distance_upper_bound=6.0)
        depth = np.minimum(depth, np.where(np.isfinite(gap), gap - item.radius_mm[np.minimum(index, len(item.radius_mm) - 1)], np.inf))
    return depth


def render(arteries, veins=(), noise_hu: float = 25.0, spacing_mm=(0.45, 0.45, 0.5), extra=None) -> tuple[Volume, Volume]:
    """(image HU int16, heart labels). `extra(points_mm, hu) -> hu` may paint plaques before the noise is added."""
    spacing = np.array(spacing_mm)
    low, high = np.array([-42.0, -38, -54]), np.array([42.0, 38, 34])
    shape = np.round((high - low) / spacing).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    points = to_patient_mm(np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3), affine)

    def inside(depth_mm):
        return 0.5 * special.erfc(np.clip(depth_mm, -9, 9) / 0.5)

    aorta = np.maximum(np.hypot(points[:, 0], points[:, 1]) - 13, -14 - points[:, 2])
    ventricle = np.linalg.norm((points - [0, 0, -32]) / [16, 16, 19], axis=1) * 16 - 16
    muscle = np.linalg.norm((points - [0, 0, -32]) / [25, 23, 27], axis=1) * 24 - 24
    hu = np.full(len(points), FAT_HU)
    hu += (MUSCLE_HU - hu) * inside(muscle)
    for depth, level in ((ventricle, BLOOD_HU - 10), (distance_to(veins, points), 210.0), (distance_to(arteries, points), BLOOD_HU - 15), (aorta, BLOOD_HU)):
        hu += (level - hu) * inside(depth)
    hu = hu if extra is None else extra(points, hu)
    image = ndimage.gaussian_filter(hu.reshape(shape), 0.35 / spacing)
    grain = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=shape), 0.7)
    image = image + noise_hu * grain / grain.std()
    labels = np.where(aorta < -0.7, HEART_LABELS["aorta"], np.where(ventricle < -0.5, HEART_LABELS["lv"], np.where(muscle < 0, 2, HEART_LABELS["heart"])))
    return Volume(np.round(image).astype(np.int16), affine), Volume(labels.reshape(shape).astype(np.uint8), affine)
