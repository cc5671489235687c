"""Polylines in millimetres: resampling, smoothing, tangents and rotation-minimising frames. Has never heard of a voxel."""

import numpy as np
from scipy import ndimage

from ccta.model import arc_length_mm


def resampled_curve(points_mm: np.ndarray, step_mm: float) -> np.ndarray:
    """(N, 3) -> (M, 3) at equal arc-length steps of about `step_mm`; both ends are kept."""
    s = arc_length_mm(points_mm)
    count = max(2, round(s[-1] / step_mm) + 1)
    wanted = np.linspace(0, s[-1], count)
    return np.stack([np.interp(wanted, s, points_mm[:, axis]) for axis in range(3)], axis=1)


def smoothed_curve(points_mm: np.ndarray, sigma_mm: float) -> np.ndarray:
    """Gaussian-smoothed along the arc (equal steps assumed), ends fixed by point reflection so that the curve does not shrink."""
    step = arc_length_mm(points_mm)[-1] / max(1, len(points_mm) - 1)
    sigma = sigma_mm / max(step, 1e-9)
    pad = min(len(points_mm) - 1, int(np.ceil(4 * sigma)))
    if pad < 1:
        return points_mm.copy()
    before = 2 * points_mm[0] - points_mm[pad:0:-1]
    after = 2 * points_mm[-1] - points_mm[-2 : -pad - 2 : -1]
    smooth = ndimage.gaussian_filter1d(np.vstack([before, points_mm, after]), sigma, axis=0, mode="nearest")[pad:-pad]
    smooth[0], smooth[-1] = points_mm[0], points_mm[-1]
    return smooth


def tangents(points_mm: np.ndarray) -> np.ndarray:
    """(N, 3) unit tangents by central differences."""
    direction = np.gradient(points_mm, axis=0)
    return direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)


def rotation_minimising_frames(points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(tangent, u, v), each (N, 3): right-handed frames that do not twist about the curve.

    Double reflection, Wang et al., ACM Trans Graph 2008;27:2.
    """
    tangent = tangents(points_mm)
    u = np.zeros_like(tangent)
    seed = np.eye(3)[np.argmin(np.abs(tangent[0]))]
    u[0] = np.cross(tangent[0], seed)
    u[0] /= np.linalg.norm(u[0])
    for i in range(len(points_mm) - 1):
        u[i + 1] = _transported(points_mm[i], points_mm[i + 1], tangent[i], tangent[i + 1], u[i])
    return tangent, u, np.cross(tangent, u)


def _transported(start, end, tangent, next_tangent, u):
    """One step of the double reflection, re-orthogonalised against round-off."""
    first = end - start
    c1 = first @ first
    if c1 > 1e-18:
        u = u - 2 / c1 * (first @ u) * first
        tangent = tangent - 2 / c1 * (first @ tangent) * first
    second = next_tangent - tangent
    c2 = second @ second
    if c2 > 1e-18:
        u = u - 2 / c2 * (second @ u) * second
    u = u - (u @ next_tangent) * next_tangent
    return u / np.linalg.norm(u)
