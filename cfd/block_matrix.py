"""Sparse matrices of 4 x 4 blocks on two or more threads: product, incomplete factorisation, and the iteration that solves with them. numba.

One process with threads serves a command line or a viewer; several share the rows by `cfd.parts`. Blocks are in single precision: Newton's method
needs its linear systems to a few percent, and the residual that it drives to zero is computed in double.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from scipy import sparse


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where the blocks are. start: (N + 1,), column: (K,) sorted within each row, diagonal: (N,) position of the diagonal block."""

    start: np.ndarray
    column: np.ndarray
    diagonal: np.ndarray

    @property
    def row(self) -> np.ndarray:
        """(K,) row of each block."""
        return np.repeat(np.arange(len(self.diagonal), dtype=np.int32), np.diff(self.start))

    @property
    def for_kernels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.start, self.column, self.diagonal


def pattern_of(cells: np.ndarray, count: int) -> tuple[Pattern, np.ndarray]:
    """(pattern that couples all nodes of each cell, (C, m, m) position of each cell's blocks). cells: (C, m) nodes below `count`."""
    m = cells.shape[1]
    key = np.repeat(cells.astype(np.int64), m, axis=1) * count + np.tile(cells, (1, m))
    unique, slot = np.unique(key.ravel(), return_inverse=True)
    row, column = np.divmod(unique, count)
    start = np.searchsorted(row, np.arange(count + 1))
    pattern = Pattern(start.astype(np.int32), column.astype(np.int32), np.flatnonzero(row == column).astype(np.int32))
    return pattern, slot.reshape(len(cells), m, m).astype(np.int32)


def to_scipy(pattern: Pattern, data: np.ndarray) -> sparse.bsr_matrix:
    """The same matrix for scipy; shares the data (K, 4, 4)."""
    count = 4 * len(pattern.diagonal)
    return sparse.bsr_matrix((data, pattern.column, pattern.start), shape=(count, count))


def product(pattern: Pattern, data: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(N, 4) A x."""
    y = np.empty_like(x)
    _product(pattern.start, pattern.column, data, x, y)
    return y


@dataclass(frozen=True, eq=False)
class IncompleteFactors:
    """Block ILU(0) of the square diagonal parts that the rows are cut into, one per thread (block Jacobi between them).

    factors: (K, 4, 4) float32, each block transposed, so that a product with it runs over whole rows of its result. parts: where the rows are cut; those
    before its first and from its last on are not solved for.
    """

    pattern: Pattern
    parts: np.ndarray
    factors: np.ndarray

    def solve(self, right: np.ndarray) -> np.ndarray:
        """(N, 4) approximate solution of A x = right; 0 in rows that are not solved for."""
        x = np.zeros_like(right)
        _solve(self.pattern.for_kernels, self.parts, self.factors, right, x)
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
    return IncompleteFactors(pattern, cut, factors)


def gmres(
    multiply: Callable, precondition: Callable, right: np.ndarray, tolerance: float, most: int, inner: Callable = np.matmul
) -> tuple[np.ndarray, int, float]:
    """(x, iterations, residual relative to `right`) by flexible GMRES without restart (Saad 1993). All vectors (n,). inner: (k, n), (n,) -> (k,) products."""
    norm = float(np.sqrt(inner(right[None], right)[0]))
    basis = np.empty((most + 1, len(right)))  # memory is only touched as far as the iteration goes
    corrections = np.empty((most, len(right)), np.float32)
    basis[0] = right / norm
    hessenberg = np.zeros((most + 1, most))
    for k in range(most):
        correction = precondition(basis[k])
        corrections[k] = correction
        w = multiply(correction)
        hessenberg[: k + 1, k] = inner(basis[: k + 1], w)
        w -= hessenberg[: k + 1, k] @ basis[: k + 1]
        hessenberg[k + 1, k] = np.sqrt(inner(w[None], w)[0])
        basis[k + 1] = w / max(hessenberg[k + 1, k], 1e-300)
        target = np.zeros(k + 2)
        target[0] = norm
        small = hessenberg[: k + 2, : k + 1]
        y = np.linalg.lstsq(small, target, rcond=None)[0]
        left = float(np.linalg.norm(small @ y - target)) / norm
        if left < tolerance or not np.isfinite(left):
            break
    return y @ corrections[: k + 1], k + 1, left


@njit(cache=True, fastmath=True, parallel=True)
def _product(start, column, data, x, y):
    for i in prange(len(start) - 1):
        s0 = s1 = s2 = s3 = 0.0
        for k in range(start[i], start[i + 1]):
            c = column[k]
            x0, x1, x2, x3 = x[c, 0], x[c, 1], x[c, 2], x[c, 3]
            s0 += data[k, 0, 0] * x0 + data[k, 0, 1] * x1 + data[k, 0, 2] * x2 + data[k, 0, 3] * x3
            s1 += data[k, 1, 0] * x0 + data[k, 1, 1] * x1 + data[k, 1, 2] * x2 + data[k, 1, 3] * x3
            s2 += data[k, 2, 0] * x0 + data[k, 2, 1] * x1 + data[k, 2, 2] * x2 + data[k, 2, 3] * x3
            s3 += data[k, 3, 0] * x0 + data[k, 3, 1] * x1 + data[k, 3, 2] * x2 + data[k, 3, 3] * x3
        y[i, 0], y[i, 1], y[i, 2], y[i, 3] = s0, s1, s2, s3


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
    start, column, diagonal = pattern
    for part in prange(len(cut) - 1):
        low, high = cut[part], cut[part + 1]
        place = np.full(high - low, -1, np.int32)
        t, block, inverse = np.zeros((4, 4), f.dtype), np.zeros((4, 4)), np.zeros((4, 4))
        for i in range(low, high):
            first = start[i]
            while column[first] < low:
                first += 1
            last = first
            while last < start[i + 1] and column[last] < high:
                place[column[last] - low] = last
                last += 1
            for k in range(first, diagonal[i]):
                d = diagonal[column[k]]
                _multiplied(f, k, d, t)
                for other in range(d + 1, start[column[k] + 1]):
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


@njit(cache=True, fastmath=True)
def _multiplied(f, k, d, t):
    """Block k becomes block k times block d; t is a copy of it."""
    for b in range(4):
        y0, y1, y2, y3 = f[d, b, 0], f[d, b, 1], f[d, b, 2], f[d, b, 3]
        for a in range(4):
            t[b, a] = f[k, 0, a] * y0 + f[k, 1, a] * y1 + f[k, 2, a] * y2 + f[k, 3, a] * y3
    for b in range(4):
        for a in range(4):
            f[k, b, a] = t[b, a]


@njit(cache=True, fastmath=True)
def _take_off(f, here, t, other):
    """Block `here` less t times block `other`; a column's four results are ready before the first is written, so that LLVM makes vectors of them."""
    for b in range(4):
        y0, y1, y2, y3 = f[other, b, 0], f[other, b, 1], f[other, b, 2], f[other, b, 3]
        r0 = f[here, b, 0] - (t[0, 0] * y0 + t[1, 0] * y1 + t[2, 0] * y2 + t[3, 0] * y3)
        r1 = f[here, b, 1] - (t[0, 1] * y0 + t[1, 1] * y1 + t[2, 1] * y2 + t[3, 1] * y3)
        r2 = f[here, b, 2] - (t[0, 2] * y0 + t[1, 2] * y1 + t[2, 2] * y2 + t[3, 2] * y3)
        r3 = f[here, b, 3] - (t[0, 3] * y0 + t[1, 3] * y1 + t[2, 3] * y2 + t[3, 3] * y3)
        f[here, b, 0], f[here, b, 1], f[here, b, 2], f[here, b, 3] = r0, r1, r2, r3


@njit(cache=True, fastmath=True)
def _left(f, k, x, s):
    """s (4 numbers) less transposed block k times x (4,)."""
    s0, s1, s2, s3 = s
    for b in range(4):
        s0 -= f[k, b, 0] * x[b]
        s1 -= f[k, b, 1] * x[b]
        s2 -= f[k, b, 2] * x[b]
        s3 -= f[k, b, 3] * x[b]
    return s0, s1, s2, s3


@njit(cache=True, fastmath=True, parallel=True)
def _solve(pattern, cut, f, right, x):
    start, column, diagonal = pattern
    for part in prange(len(cut) - 1):
        low, high, work = cut[part], cut[part + 1], np.empty(4)
        for i in range(low, high):
            s = right[i, 0], right[i, 1], right[i, 2], right[i, 3]
            for k in range(start[i], diagonal[i]):
                if column[k] >= low:
                    s = _left(f, k, x[column[k]], s)
            x[i, 0], x[i, 1], x[i, 2], x[i, 3] = s
        for i in range(high - 1, low - 1, -1):
            s = x[i, 0], x[i, 1], x[i, 2], x[i, 3]
            for k in range(diagonal[i] + 1, start[i + 1]):
                if column[k] >= high:
                    break
                s = _left(f, k, x[column[k]], s)
            work[0], work[1], work[2], work[3] = s
            s = _left(f, diagonal[i], work, (0.0, 0.0, 0.0, 0.0))
            x[i, 0], x[i, 1], x[i, 2], x[i, 3] = -s[0], -s[1], -s[2], -s[3]
