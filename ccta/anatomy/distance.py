"""Euclidean distance of every voxel to a mask, several times faster and smaller than a feature transform."""

import numba
import numpy as np

from ccta.threads import in_slabs

FAR = np.float32(1e12)


def distance_to_mask(mask: np.ndarray, spacing_mm) -> np.ndarray:
    """(ni, nj, nk) bool -> float32 distance in mm to the nearest True voxel's centre; 0 inside, 1e6 where the mask is empty.

    Lower envelopes of parabolas along each axis: Felzenszwalb and Huttenlocher, Theory of Computing 2012;8:415.
    """
    spacing = np.broadcast_to(np.asarray(spacing_mm, float), 3)
    squared = np.where(mask, np.float32(0), FAR)
    for axis in range(3):
        lines, step2 = np.moveaxis(squared, axis, 2), float(spacing[axis]) ** 2
        in_slabs(lambda slab, lines=lines, step2=step2: _envelopes(lines[slab], step2), len(lines))
    return np.sqrt(squared, out=squared)


@numba.njit(cache=True, nogil=True)
def _envelopes(lines, step2):
    """Replaces each line f along the last axis by min over q of f(q) + step2 (p - q)^2, in place. Lines without a finite value stay."""
    rows, columns, n = lines.shape
    place = np.zeros(n, np.int64)
    bound = np.zeros(n + 1, np.float64)
    f = np.zeros(n, np.float32)
    for line in range(rows * columns):
        whole = lines[line // columns, line % columns]
        f[:] = whole  # neighbours in memory belong to the next lines: touched once here, once below
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
            whole[p] = f[place[here]] + step2 * (p - place[here]) ** 2
