"""Choosing one smooth solution from tables of costs: a path through planes (dynamic programming), a surface r(s, angle) (half-quadratic splitting)."""

import numba
import numpy as np
from scipy import ndimage

RIDGE = (0.0, 0.01, 0.05)
"""Weak priors on the Fourier orders of a lumen, as a share of the data's weight: centred and round unless the image says otherwise."""


@numba.njit(cache=True, nogil=True)
def best_path(cost, penalty, reach):
    """(M,) index per plane that minimises sum cost[m, k_m] + penalty |k_m - k_(m-1)|, steps at most `reach`. cost: (M, K). Viterbi."""
    planes, count = cost.shape
    total = cost[0].astype(np.float64)
    back = np.zeros((planes, count), np.int32)
    for m in range(1, planes):
        new = np.empty(count)
        for k in range(count):
            best, at = np.inf, k
            for q in range(max(0, k - reach), min(count, k + reach + 1)):
                value = total[q] + penalty * abs(k - q)
                if value < best:
                    best, at = value, q
            new[k] = best + cost[m, k]
            back[m, k] = at
        total = new
    path = np.empty(planes, np.int64)
    path[-1] = np.argmin(total)
    for m in range(planes - 1, 0, -1):
        path[m - 1] = back[m, path[m]]
    return path


@numba.njit(cache=True, nogil=True)
def best_track(cost, penalty):
    """(M, 2) pixel per plane that minimises sum cost[m, i, j] + penalty |step|^2, steps at most two pixels. cost: (M, n, n)."""
    planes, rows, columns = cost.shape
    total = cost[0].astype(np.float64)
    back = np.zeros((planes, rows, columns, 2), np.int16)
    for m in range(1, planes):
        new = np.empty((rows, columns))
        for i in range(rows):
            for j in range(columns):
                best, bi, bj = np.inf, i, j
                for p in range(max(0, i - 2), min(rows, i + 3)):
                    for q in range(max(0, j - 2), min(columns, j + 3)):
                        value = total[p, q] + penalty * ((i - p) ** 2 + (j - q) ** 2)
                        if value < best:
                            best, bi, bj = value, p, q
                new[i, j] = best + cost[m, i, j]
                back[m, i, j, 0], back[m, i, j, 1] = bi, bj
        total = new
    track = np.empty((planes, 2), np.int64)
    last = np.argmin(total)
    track[-1, 0], track[-1, 1] = last // columns, last % columns
    for m in range(planes - 1, 0, -1):
        track[m - 1, 0], track[m - 1, 1] = back[m, track[m, 0], track[m, 1], 0], back[m, track[m, 0], track[m, 1], 1]
    return track


def refined_minimum(cost, index):
    """Sub-step minimum of cost (..., K) near `index` (...) by a parabola, and the curvature there (>= 0)."""
    inner = np.clip(index, 1, cost.shape[-1] - 2)
    left, middle, right = (np.take_along_axis(cost, (inner + d)[..., None], axis=-1)[..., 0] for d in (-1, 0, 1))
    curvature = np.maximum(left - 2 * middle + right, 0)
    shift = np.where(curvature > 1e-9, np.clip((left - right) / (2 * np.maximum(curvature, 1e-9)), -0.5, 0.5), 0)
    return np.where(inner == index, index + shift, index), curvature


def smooth_surface(cost, start, trust, sigma_planes: float, ridge=RIDGE, rounds: int = 6) -> np.ndarray:
    """(M, A) smooth index surface that fits the cost (M, A, K): per plane a level, a shift and an ellipse (Fourier orders 0-2 of the angle).

    Half-quadratic splitting (Geman and Yang 1995): x = argmin cost + mu/2 (x - z)^2 per ray, then z = the weighted fit of x, the normal
    equations averaged along the branch; mu doubles. What the averaging takes from a narrow place is given back by a fit of the residual (Tukey's
    twicing). The weight is the cost's curvature times `trust` (M, A): a ray without information takes what the others say; planes differ by the
    root of theirs, or a throat, whose edge is short, would be lost between its wide neighbours.
    """
    grid = np.arange(cost.shape[-1])
    smooth = np.broadcast_to(start, cost.shape[:2]).astype(float)
    scale = np.median(cost.max(axis=-1) - cost.min(axis=-1)) / cost.shape[-1] + 1e-6
    for step in range(rounds):
        mu = scale * 0.05 * 2.0**step
        pulled = cost + 0.5 * mu * (grid - smooth[..., None]) ** 2
        best, curvature = refined_minimum(pulled, np.argmin(pulled, axis=-1))
        weight = np.maximum(curvature - mu, 0)
        weight = trust * (np.minimum(weight, 4 * np.median(weight) + 1e-9) + 1e-3 * (weight.mean() + 1e-9))
        weight = weight / np.sqrt(weight.mean(axis=1, keepdims=True))
        once = _fourier_fit(best, weight, sigma_planes, ridge)
        smooth = once + _fourier_fit(best - once, weight, sigma_planes, ridge)
    return smooth


def _fourier_fit(values, weight, sigma_planes, ridge):
    """(M, A) values of the weighted least-squares fit of Fourier orders 0-2 in the angle, Gaussian-averaged over planes."""
    angle = 2 * np.pi * np.arange(values.shape[1]) / values.shape[1]
    basis = np.stack([np.ones_like(angle), *(f(n * angle) for n in range(1, len(ridge)) for f in (np.cos, np.sin))], axis=1)
    normal = np.einsum("ma,ap,aq->mpq", weight, basis, basis)
    right = np.einsum("ma,ap->mp", weight * values, basis)
    normal, right = (ndimage.gaussian_filter1d(x, sigma_planes, axis=0, mode="nearest") for x in (normal, right))
    penalty = np.diag(np.concatenate([[ridge[0]], *([r, r] for r in ridge[1:])]))
    return np.linalg.solve(normal + penalty * normal[:, :1, :1], right[..., None])[..., 0] @ basis.T
