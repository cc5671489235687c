"""Incomplete factorisation of sparse matrices of 4 x 4 blocks, and the solution with its factors, on threads. numba."""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from cfd.block_matrix import Pattern


@dataclass(frozen=True, eq=False)
class IncompleteFactors:
    """Block ILU(0) of the square diagonal parts that the rows are cut into, one per thread (block Jacobi between them).

    parts: where the rows are cut; those before its first and from its last on are not solved for. lower, upper: (starts, columns, blocks) as the solution
    goes through them, so that memory is read in one stream (five times faster than row by row from one matrix): lower from the first row to the last, upper
    back (its row 0 is the last one), each row ending with the inverse of the diagonal block. Blocks (., 4, 4) float32, transposed, so that a product runs
    over whole rows of its result.
    """

    parts: np.ndarray
    lower: tuple[np.ndarray, np.ndarray, np.ndarray]
    upper: tuple[np.ndarray, np.ndarray, np.ndarray]

    def solve(self, right: np.ndarray) -> np.ndarray:
        """(N, 4) float32 approximate solution of A x = right; 0 in rows that are not solved for."""
        x = np.zeros(right.shape, np.float32)
        _solve(self.parts, self.lower, self.upper, right, x)
        return x


def factorised(pattern: Pattern, data: np.ndarray, parts: int, rows: slice | None = None, fixed: np.ndarray | None = None) -> IncompleteFactors:
    """ILU(0) in single precision; `data` (K, 4, 4) is left as it is. Saad, Iterative Methods for Sparse Linear Systems, 10.3.

    rows: None for all. fixed: (N,) where the first three unknowns are given: their rows and columns become those of the identity.
    """
    first, end, _ = (rows or slice(None)).indices(len(pattern.diagonal))
    cut = np.linspace(first, end, parts + 1).astype(np.int64)
    factors = np.empty(data.shape, np.float32)
    _transposed(pattern.for_kernels, data, np.zeros(len(pattern.diagonal), bool) if fixed is None else fixed, factors)
    _factorise(pattern.for_kernels, cut, factors)
    below, above = _counts(pattern.for_kernels, cut)
    lower, upper = _room(below), _room(above[::-1])
    _in_order(pattern.for_kernels, cut, factors, lower, upper)
    return IncompleteFactors(cut, lower, upper)


def _room(counts):
    """(starts, columns, blocks) to be filled."""
    start = np.concatenate([[0], np.cumsum(counts)])
    return start, np.empty(start[-1], np.int32), np.empty((start[-1], 4, 4), np.float32)


@njit(cache=True, fastmath=True)
def _inverted(block, result):
    """Gauss-Jordan with row pivoting; block is destroyed."""
    for i in range(4):
        for j in range(4):
            result[i, j] = 1.0 if i == j else 0.0
    for c in range(4):
        p = c
        for r in range(c + 1, 4):
            if abs(block[r, c]) > abs(block[p, c]):
                p = r
        for j in range(4):
            block[c, j], block[p, j] = block[p, j], block[c, j]
            result[c, j], result[p, j] = result[p, j], result[c, j]
        d = 1.0 / block[c, c]
        for j in range(4):
            block[c, j] *= d
            result[c, j] *= d
        for r in range(4):
            if r != c:
                f = block[r, c]
                for j in range(4):
                    block[r, j] -= f * block[c, j]
                    result[r, j] -= f * result[c, j]


@njit(cache=True, fastmath=True, parallel=True)
def _transposed(pattern, data, fixed, f):
    start, column, diagonal = pattern
    for i in prange(len(diagonal)):
        for k in range(start[i], start[i + 1]):
            below, right = 3 if fixed[i] else 0, 3 if fixed[column[k]] else 0  # from where on the block is kept
            for a in range(4):
                for b in range(4):
                    f[k, b, a] = data[k, a, b] if a >= below and b >= right else 0.0
        if fixed[i]:
            for a in range(3):
                f[diagonal[i], a, a] = 1.0


@njit(cache=True, fastmath=True, parallel=True)
def _factorise(pattern, cut, f):
    """In place, blocks transposed; the diagonal blocks become their inverses."""
    for part in prange(len(cut) - 1):
        _factorise_rows(pattern, cut[part], cut[part + 1], f)


@njit(cache=True, fastmath=True)
def _factorise_rows(pattern, low, high, f):
    """The square diagonal part of these rows."""
    start, column, diagonal = pattern
    place = np.full(high - low, -1, np.int32)
    block, inverse = np.zeros((4, 4)), np.zeros((4, 4))
    for i in range(low, high):
        first = start[i]
        while column[first] < low:
            first += 1
        last = first
        while last < start[i + 1] and column[last] < high:
            place[column[last] - low] = last
            last += 1
        for k in range(first, diagonal[i]):
            t = _multiplied(f, k, diagonal[column[k]])
            for other in range(diagonal[column[k]] + 1, start[column[k] + 1]):
                if column[other] >= high:
                    break
                here = place[column[other] - low]
                if here >= 0:
                    _take_off(f, here, t, other)
        block[:] = f[diagonal[i]]
        _inverted(block, inverse)
        f[diagonal[i]] = inverse
        for k in range(first, last):
            place[column[k] - low] = -1


@njit(cache=True, fastmath=True, inline="always")
def _mixed(t, f, k, b):
    """Four numbers of row b of (transposed block k) times (block t of four rows, in registers: inlined, so that they stay there)."""
    (t00, t01, t02, t03), (t10, t11, t12, t13), (t20, t21, t22, t23), (t30, t31, t32, t33) = t
    y0, y1, y2, y3 = f[k, b, 0], f[k, b, 1], f[k, b, 2], f[k, b, 3]
    return (
        t00 * y0 + t10 * y1 + t20 * y2 + t30 * y3,
        t01 * y0 + t11 * y1 + t21 * y2 + t31 * y3,
        t02 * y0 + t12 * y1 + t22 * y2 + t32 * y3,
        t03 * y0 + t13 * y1 + t23 * y2 + t33 * y3,
    )


@njit(cache=True, fastmath=True, inline="always")
def _multiplied(f, k, d):
    """Block k becomes block k times block d, which is returned too."""
    t0, t1 = (f[k, 0, 0], f[k, 0, 1], f[k, 0, 2], f[k, 0, 3]), (f[k, 1, 0], f[k, 1, 1], f[k, 1, 2], f[k, 1, 3])
    t2, t3 = (f[k, 2, 0], f[k, 2, 1], f[k, 2, 2], f[k, 2, 3]), (f[k, 3, 0], f[k, 3, 1], f[k, 3, 2], f[k, 3, 3])
    old = t0, t1, t2, t3
    new = _mixed(old, f, d, 0), _mixed(old, f, d, 1), _mixed(old, f, d, 2), _mixed(old, f, d, 3)
    f[k, 0, 0], f[k, 0, 1], f[k, 0, 2], f[k, 0, 3] = new[0]
    f[k, 1, 0], f[k, 1, 1], f[k, 1, 2], f[k, 1, 3] = new[1]
    f[k, 2, 0], f[k, 2, 1], f[k, 2, 2], f[k, 2, 3] = new[2]
    f[k, 3, 0], f[k, 3, 1], f[k, 3, 2], f[k, 3, 3] = new[3]
    return new


@njit(cache=True, fastmath=True, inline="always")
def _take_off(f, here, t, other):
    """Block `here` less t times block `other`; a row's four results are ready before the first is written, so that LLVM makes vectors of them."""
    for b in range(4):
        m0, m1, m2, m3 = _mixed(t, f, other, b)
        f[here, b, 0], f[here, b, 1], f[here, b, 2], f[here, b, 3] = f[here, b, 0] - m0, f[here, b, 1] - m1, f[here, b, 2] - m2, f[here, b, 3] - m3


@njit(cache=True, parallel=True)
def _counts(pattern, cut):
    """Blocks of each row of the lower and of the upper factor (with the diagonal), 0 in rows outside the parts."""
    start, column, diagonal = pattern
    below, above = np.zeros(len(diagonal), np.int64), np.zeros(len(diagonal), np.int64)
    for part in prange(len(cut) - 1):
        for i in range(cut[part], cut[part + 1]):
            for k in range(start[i], start[i + 1]):
                if cut[part] <= column[k] < i:
                    below[i] += 1
                elif i <= column[k] < cut[part + 1]:
                    above[i] += 1
    return below, above


@njit(cache=True, parallel=True)
def _in_order(pattern, cut, f, lower, upper):
    """Copies the blocks to where the solution reads them: see `IncompleteFactors`."""
    start, column, diagonal = pattern
    for part in prange(len(cut) - 1):
        low, high = cut[part], cut[part + 1]
        for i in range(low, high):
            at, back = lower[0][i], upper[0][len(diagonal) - 1 - i]
            for k in range(start[i], diagonal[i]):
                if column[k] >= low:
                    lower[1][at], lower[2][at] = column[k], f[k]
                    at += 1
            for k in range(diagonal[i] + 1, start[i + 1]):
                if column[k] < high:
                    upper[1][back], upper[2][back] = column[k], f[k]
                    back += 1
            upper[1][back], upper[2][back] = i, f[diagonal[i]]


@njit(cache=True, fastmath=True)
def _times(f, k, x):
    """Transposed block k times x (4 numbers)."""
    x0, x1, x2, x3 = x
    return (
        f[k, 0, 0] * x0 + f[k, 1, 0] * x1 + f[k, 2, 0] * x2 + f[k, 3, 0] * x3,
        f[k, 0, 1] * x0 + f[k, 1, 1] * x1 + f[k, 2, 1] * x2 + f[k, 3, 1] * x3,
        f[k, 0, 2] * x0 + f[k, 1, 2] * x1 + f[k, 2, 2] * x2 + f[k, 3, 2] * x3,
        f[k, 0, 3] * x0 + f[k, 1, 3] * x1 + f[k, 2, 3] * x2 + f[k, 3, 3] * x3,
    )


@njit(cache=True, fastmath=True)
def _without_row(factor, row, x, s, end):
    """s (4 numbers) less the blocks of a row, up to column `end`, times x."""
    start, column, f = factor
    s0, s1, s2, s3 = s
    for k in range(start[row], start[row + 1]):
        c = column[k]
        if c == end:
            break
        t0, t1, t2, t3 = _times(f, k, (x[c, 0], x[c, 1], x[c, 2], x[c, 3]))
        s0, s1, s2, s3 = s0 - t0, s1 - t1, s2 - t2, s3 - t3
    return s0, s1, s2, s3


@njit(cache=True, fastmath=True, parallel=True)
def _solve(cut, lower, upper, right, x):
    for part in prange(len(cut) - 1):
        low, high = cut[part], cut[part + 1]
        for i in range(low, high):
            x[i, 0], x[i, 1], x[i, 2], x[i, 3] = right[i, 0], right[i, 1], right[i, 2], right[i, 3]
            x[i, 0], x[i, 1], x[i, 2], x[i, 3] = _without_row(lower, i, x, (x[i, 0], x[i, 1], x[i, 2], x[i, 3]), i)
        for i in range(high - 1, low - 1, -1):
            row = len(x) - 1 - i
            s = _without_row(upper, row, x, (x[i, 0], x[i, 1], x[i, 2], x[i, 3]), i)
            x[i, 0], x[i, 1], x[i, 2], x[i, 3] = _times(upper[2], upper[0][row + 1] - 1, s)
