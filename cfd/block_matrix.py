"""Sparse matrices of 4 x 4 blocks on two or more threads: product, and the iteration that solves with them. numba.

One process with threads serves a command line or a viewer; several share the rows by `cfd.parts`. Blocks are in single precision: Newton's method
needs its linear systems to a few percent, and the residual that it drives to zero is computed in double.
Loops over the blocks of a row end by a `break` that LLVM cannot foresee: it would else gather numbers of several blocks into vectors, five times slower here.
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
            if c < 0:
                break  # never: see above
            x0, x1, x2, x3 = x[c, 0], x[c, 1], x[c, 2], x[c, 3]
            s0 += data[k, 0, 0] * x0 + data[k, 0, 1] * x1 + data[k, 0, 2] * x2 + data[k, 0, 3] * x3
            s1 += data[k, 1, 0] * x0 + data[k, 1, 1] * x1 + data[k, 1, 2] * x2 + data[k, 1, 3] * x3
            s2 += data[k, 2, 0] * x0 + data[k, 2, 1] * x1 + data[k, 2, 2] * x2 + data[k, 2, 3] * x3
            s3 += data[k, 3, 0] * x0 + data[k, 3, 1] * x1 + data[k, 3, 2] * x2 + data[k, 3, 3] * x3
        y[i, 0], y[i, 1], y[i, 2], y[i, 3] = s0, s1, s2, s3
