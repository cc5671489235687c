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
    """Block ILU(0) of the square diagonal parts that the rows are cut into, one per thread (block Jacobi between them). factors: (K, 4, 4) float32.

    parts: where the rows are cut; those before its first and from its last on are not solved for.
    """

    pattern: Pattern
    parts: np.ndarray
    factors: np.ndarray

    def solve(self, right: np.ndarray) -> np.ndarray:
        """(N, 4) approximate solution of A x = right; 0 in rows that are not solved for."""
        x = np.zeros_like(right)
        _solve(self.pattern.for_kernels, self.parts, self.factors, right, x)
        return x


def factorised(pattern: Pattern, data: np.ndarray, parts: int, rows: slice | None = None) -> IncompleteFactors:
    """ILU(0) in single precision; `data` (K, 4, 4) is left as it is. Saad, Iterative Methods for Sparse Linear Systems, 10.3. rows: None for all."""
    first, end, _ = (rows or slice(None)).indices(len(pattern.diagonal))
    cut = np.linspace(first, end, parts + 1).astype(np.int64)
    factors = data.astype(np.float32, copy=True)
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
def _factorise(pattern, cut, f):
    """In place; the diagonal blocks become their inverses."""
    start, column, diagonal = pattern
    for part in prange(len(cut) - 1):
        low, high = cut[part], cut[part + 1]
        place = np.full(high - low, -1, np.int32)
        t, inverse = np.zeros((4, 4)), np.zeros((4, 4))
        for i in range(low, high):
            first = start[i]
            while column[first] < low:
                first += 1
            last = first
            while last < start[i + 1] and column[last] < high:
                place[column[last] - low] = last
                last += 1
            for k in range(first, diagonal[i]):
                c = column[k]
                d = diagonal[c]
                for a in range(4):
                    for b in range(4):
                        t[a, b] = f[k, a, 0] * f[d, 0, b] + f[k, a, 1] * f[d, 1, b] + f[k, a, 2] * f[d, 2, b] + f[k, a, 3] * f[d, 3, b]
                for a in range(4):
                    for b in range(4):
                        f[k, a, b] = t[a, b]
                for other in range(d + 1, start[c + 1]):
                    if column[other] >= high:
                        break
                    here = place[column[other] - low]
                    if here >= 0:
                        for a in range(4):
                            for b in range(4):
                                f[here, a, b] -= t[a, 0] * f[other, 0, b] + t[a, 1] * f[other, 1, b] + t[a, 2] * f[other, 2, b] + t[a, 3] * f[other, 3, b]
            for a in range(4):
                for b in range(4):
                    t[a, b] = f[diagonal[i], a, b]
            _inverted(t, inverse)
            for a in range(4):
                for b in range(4):
                    f[diagonal[i], a, b] = inverse[a, b]
            for k in range(first, last):
                place[column[k] - low] = -1


@njit(cache=True, fastmath=True)
def _subtract(f, k, x, c, s):
    for a in range(4):
        s[a] -= f[k, a, 0] * x[c, 0] + f[k, a, 1] * x[c, 1] + f[k, a, 2] * x[c, 2] + f[k, a, 3] * x[c, 3]


@njit(cache=True, fastmath=True, parallel=True)
def _solve(pattern, cut, f, right, x):
    start, column, diagonal = pattern
    for part in prange(len(cut) - 1):
        low, high = cut[part], cut[part + 1]
        s = np.empty(4)
        for i in range(low, high):
            for a in range(4):
                s[a] = right[i, a]
            for k in range(start[i], diagonal[i]):
                if column[k] >= low:
                    _subtract(f, k, x, column[k], s)
            for a in range(4):
                x[i, a] = s[a]
        for i in range(high - 1, low - 1, -1):
            for a in range(4):
                s[a] = x[i, a]
            d = diagonal[i]
            for k in range(d + 1, start[i + 1]):
                if column[k] >= high:
                    break
                _subtract(f, k, x, column[k], s)
            for a in range(4):
                x[i, a] = f[d, a, 0] * s[0] + f[d, a, 1] * s[1] + f[d, a, 2] * s[2] + f[d, a, 3] * s[3]
