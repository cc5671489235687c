"""A sparse matrix solved again and again with one pattern: the pivots are chosen once (pivoting.py), every later factorisation follows them.

For the few hundred unknowns of a flow network, where a general library spends longer on its own bookkeeping than on arithmetic.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from cfd.pivoting import choose_pivots


class Plan(NamedTuple):
    """Places are those of L and U in one array, row by row in pivot order: below the diagonal, diagonal, beyond it.

    row, column: (n,) the k-th pivot; diagonal: (n,) its place. scatter: place of each entry of A. Elimination, step start[k] to start[k + 1] for row k:
    value[target] -= value[left] / pivot value[right]. forward, backward: (3, .) row, place and pivot of what substitution takes off.
    """

    row: np.ndarray
    column: np.ndarray
    diagonal: np.ndarray
    scatter: np.ndarray
    start: np.ndarray
    target: np.ndarray
    left: np.ndarray
    pivot: np.ndarray
    right: np.ndarray
    forward: np.ndarray
    backward: np.ndarray


class Factors(NamedTuple):
    """value: of L (not divided by its pivots) and U; inverse: 1 / pivots; work: room for one vector."""

    value: np.ndarray
    inverse: np.ndarray
    work: np.ndarray


@njit(cache=True)
def plan_pivots(size, row, column, values):
    """(Plan, singular) for the matrix with `values` at (row, column), each place once. Singular: no pivot was left for some row."""
    pivot_row, pivot_column, below, beyond, singular = choose_pivots(size, row, column, values)
    rank_row, rank_column = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for k in range(size):
        rank_row[pivot_row[k]], rank_column[pivot_column[k]] = k, k
    l_start, l_index = _by_row(size, rank_row[below[0]], below[1])
    u_start, u_index = _by_row(size, beyond[0], rank_column[beyond[1]])
    first = l_start[:-1] + u_start[:-1] + np.arange(size)  # place where a row begins
    diagonal = first + np.diff(l_start)
    scatter = _scatter((l_start, l_index, u_start, u_index), first, rank_row[row], rank_column[column])
    start, operations = _schedule((l_start, l_index, u_start, u_index), first)
    forward = _triples(l_start, l_index, first, False)
    backward = _triples(u_start, u_index, diagonal + 1, True)
    target, left, pivot, right = operations[0].copy(), operations[1].copy(), operations[2].copy(), operations[3].copy()
    return Plan(pivot_row, pivot_column, diagonal, scatter, start, target, left, pivot, right, forward, backward), singular


@njit(cache=True)
def room_for(plan):
    """Factors of the plan, without values."""
    size = len(plan.row)
    return Factors(np.zeros(size + plan.forward.shape[1] + plan.backward.shape[1]), np.zeros(size), np.zeros(size))


@njit(cache=True, fastmath={"contract"})
def factorise(plan, factors, values):
    """Fills the factors, row by row, in one list of operations: loops as short as the rows would cost more than the arithmetic. False at a pivot of zero."""
    value, inverse, _ = factors
    value[:] = 0.0
    for z in range(len(values)):
        value[plan.scatter[z]] = values[z]
    for i in range(len(plan.row)):
        for p in range(plan.start[i], plan.start[i + 1]):
            value[plan.target[p]] -= value[plan.left[p]] * inverse[plan.pivot[p]] * value[plan.right[p]]
        if value[plan.diagonal[i]] == 0.0:
            return False
        inverse[i] = 1.0 / value[plan.diagonal[i]]
    return True


@njit(cache=True, fastmath={"contract"})
def substitute(plan, factors, right_side, solution):
    """Writes the solution of A x = right_side."""
    value, inverse, work = factors
    for i in range(len(work)):
        work[i] = right_side[plan.row[i]]
    for p in range(plan.forward.shape[1]):
        k = plan.forward[2, p]
        work[plan.forward[0, p]] -= value[plan.forward[1, p]] * inverse[k] * work[k]
    for p in range(plan.backward.shape[1]):
        k = plan.backward[2, p]
        work[plan.backward[0, p]] -= value[plan.backward[1, p]] * inverse[k] * work[k]
    for i in range(len(work)):
        solution[plan.column[i]] = work[i] * inverse[i]


@njit(cache=True)
def _fill_places(pattern, first, i, place):
    """Sets where row i keeps the value of each of its columns; returns how many lie below the diagonal."""
    l_start, l_index, u_start, u_index = pattern
    below = l_start[i + 1] - l_start[i]
    for p in range(below):
        place[l_index[l_start[i] + p]] = first[i] + p
    place[i] = first[i] + below
    for p in range(u_start[i + 1] - u_start[i]):
        place[u_index[u_start[i] + p]] = first[i] + below + 1 + p
    return below


@njit(cache=True)
def _scatter(pattern, first, row, column):
    """Place of each entry of A at (row, column), in pivot order."""
    size = len(first)
    start, entries = _by_row(size, row, np.arange(len(row)))
    scatter, place = np.zeros(len(row), np.int32), np.zeros(size, np.int32)
    for i in range(size):
        _fill_places(pattern, first, i, place)
        for p in range(start[i], start[i + 1]):
            scatter[entries[p]] = place[column[entries[p]]]
    return scatter


@njit(cache=True)
def _schedule(pattern, first):
    """(start, (4, .) target, left, pivot, right) of the elimination."""
    l_start, l_index, u_start, u_index = pattern
    size, count = len(first), 0
    for k in l_index:
        count += u_start[k + 1] - u_start[k]
    start, operations, place = np.zeros(size + 1, np.int32), np.empty((4, count), np.int32), np.zeros(size, np.int32)
    n = 0
    for i in range(size):
        below = _fill_places(pattern, first, i, place)
        for p in range(below):
            k = l_index[l_start[i] + p]
            beyond = first[k] + l_start[k + 1] - l_start[k] + 1
            for q in range(u_start[k + 1] - u_start[k]):
                operations[0, n], operations[1, n] = place[u_index[u_start[k] + q]], first[i] + p
                operations[2, n], operations[3, n] = k, beyond + q
                n += 1
        start[i + 1] = n
    return start, operations


@njit(cache=True)
def _triples(start, index, first, descending):
    """(3, .) row, place and column of all entries of L or U, the columns in ascending or descending order."""
    size = len(first)
    begin = np.zeros(size + 1, np.int64)
    for k in index:
        begin[(size - 1 - k if descending else k) + 1] += 1
    begin = np.cumsum(begin)
    result = np.empty((3, len(index)), np.int32)
    for i in range(size):
        for p in range(start[i], start[i + 1]):
            column = size - 1 - index[p] if descending else index[p]
            n = begin[column]
            begin[column] += 1
            result[0, n], result[1, n], result[2, n] = i, first[i] + p - start[i], index[p]
    return result


@njit(cache=True)
def _by_row(size, row, column):
    """(start, column) sorted by row, in the given order within each row."""
    start = np.zeros(size + 1, np.int64)
    for r in row:
        start[r + 1] += 1
    start = np.cumsum(start)
    following, columns = start[:-1].copy(), np.empty(len(row), np.int64)
    for z in range(len(row)):
        columns[following[row[z]]] = column[z]
        following[row[z]] += 1
    return start, columns
