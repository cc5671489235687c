"""Euclidean distance of every voxel to a mask, several times faster and smaller than a feature transform."""

import numba
import numpy as np

FAR = np.float32(1e12)


def distance_to_mask(mask: np.ndarray, spacing_mm) -> np.ndarray:
    """(ni, nj, nk) bool -> float32 distance in mm to the nearest True voxel's centre; 0 inside, 1e6 where the mask is empty.

    Lower envelopes of parabolas along each axis: Felzenszwalb and Huttenlocher, Theory of Computing 2012;8:415.
    """
    spacing = np.broadcast_to(np.asarray(spacing_mm, float), 3)
    squared = np.where(mask, np.float32(0), FAR)
    for axis in range(3):
        lines = np.moveaxis(squared, axis, 2)
        lines = np.ascontiguousarray(lines) if axis < 2 else lines
        _envelopes(lines.reshape(-1, lines.shape[2]), float(spacing[axis]) ** 2)
        squared = np.moveaxis(lines, 2, axis) if axis < 2 else lines
        squared = np.ascontiguousarray(squared)
    return np.sqrt(squared)


@numba.njit(cache=True)
def _envelopes(lines, step2):
    """Replaces each line f by min over q of f(q) + step2 (p - q)^2, in place. Lines without a finite value stay."""
    count, n = lines.shape
    place = np.zeros(n, np.int64)
    bound = np.zeros(n + 1, np.float64)
    out = np.zeros(n, np.float32)
    for line in range(count):
        f = lines[line]
        last = -1
        for q in range(n):
            if f[q] >= FAR:
                continue
            cut = -1e30
            while last >= 0:
                r = place[last]
                cut = 0.5 * ((f[q] - f[r]) / (step2 * (q - r)) + q + r)
                if cut > bound[last]:
                    break
                last -= 1
                cut = -1e30
            last += 1
            place[last] = q
            bound[last] = cut
        if last < 0:
            continue
        bound[last + 1] = 1e30
        here = 0
        for p in range(n):
            while bound[here + 1] < p:
                here += 1
            out[p] = f[place[here]] + step2 * (p - place[here]) ** 2
        f[:] = out
