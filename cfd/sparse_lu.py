"""A sparse matrix solved again and again with one pattern: the pivots are chosen once, by size and fill (Markowitz 1957), every later factorisation follows them.

For the few hundred unknowns of a flow network, where a general library spends longer on its own bookkeeping than on arithmetic.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

SMALLEST_PIVOT = 0.05  # of the largest entry of its row, both in the equilibrated matrix
EQUILIBRATION_PASSES = 4
ROWS_SEARCHED = 6


class Plan(NamedTuple):
    """Order and pattern. row, column: (n,) the k-th pivot. Row k of A, L and U: start[k] to start[k + 1], columns in pivot order; slot: where A's value is."""

    row: np.ndarray
    column: np.ndarray
    a_start: np.ndarray
    a_index: np.ndarray
    a_slot: np.ndarray
    l_start: np.ndarray
    l_index: np.ndarray
    u_start: np.ndarray
    u_index: np.ndarray


class Factors(NamedTuple):
    """Values of L below its unit diagonal, of U above its diagonal, 1 / diagonal, and room for one vector."""

    lower: np.ndarray
    upper: np.ndarray
    inverse: np.ndarray
    work: np.ndarray


@njit(cache=True)
def plan_pivots(size, row, column, values):
    """(Plan, singular) for the matrix with `values` at (row, column), each place once. Singular: no pivot was left for some row."""
    scaled = _equilibrated(size, row, column, values)
    pivot_row, pivot_column, below, right, singular = _eliminate(size, row, column, scaled)
    rank_row, rank_column = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for k in range(size):
        rank_row[pivot_row[k]], rank_column[pivot_column[k]] = k, k
    slot = np.arange(len(row))
    a_start, a_index, a_slot = _by_row(size, rank_row[row], rank_column[column], slot)
    l_start, l_index, _ = _by_row(size, rank_row[below[0]], below[1], below[0])
    u_start, u_index, _ = _by_row(size, right[0], rank_column[right[1]], right[0])
    return Plan(pivot_row, pivot_column, a_start, a_index, a_slot, l_start, l_index, u_start, u_index), singular


@njit(cache=True)
def room_for(plan):
    """Factors of the plan, without values."""
    size = len(plan.row)
    return Factors(np.empty(len(plan.l_index)), np.empty(len(plan.u_index)), np.empty(size), np.zeros(size))


@njit(cache=True, fastmath={"contract"})
def factorise(plan, factors, values):
    """Fills the factors, row by row. False at a pivot of zero."""
    lower, upper, inverse, work = factors
    for i in range(len(plan.row)):
        work[i] = 0.0
        for p in range(plan.l_start[i], plan.l_start[i + 1]):
            work[plan.l_index[p]] = 0.0
        for p in range(plan.u_start[i], plan.u_start[i + 1]):
            work[plan.u_index[p]] = 0.0
        for p in range(plan.a_start[i], plan.a_start[i + 1]):
            work[plan.a_index[p]] = values[plan.a_slot[p]]
        for p in range(plan.l_start[i], plan.l_start[i + 1]):
            k = plan.l_index[p]
            ratio = work[k] * inverse[k]
            lower[p] = ratio
            for q in range(plan.u_start[k], plan.u_start[k + 1]):
                work[plan.u_index[q]] -= ratio * upper[q]
        if work[i] == 0.0:
            return False
        inverse[i] = 1.0 / work[i]
        for p in range(plan.u_start[i], plan.u_start[i + 1]):
            upper[p] = work[plan.u_index[p]]
    return True


@njit(cache=True, fastmath={"contract"})
def substitute(plan, factors, right_side, solution):
    """Writes the solution of A x = right_side."""
    lower, upper, inverse, work = factors
    size = len(plan.row)
    for i in range(size):
        value = right_side[plan.row[i]]
        for p in range(plan.l_start[i], plan.l_start[i + 1]):
            value -= lower[p] * work[plan.l_index[p]]
        work[i] = value
    for i in range(size - 1, -1, -1):
        value = work[i]
        for p in range(plan.u_start[i], plan.u_start[i + 1]):
            value -= upper[p] * work[plan.u_index[p]]
        work[i] = value * inverse[i]
        solution[plan.column[i]] = work[i]


@njit(cache=True)
def _equilibrated(size, row, column, values):
    """Rows and columns scaled until their largest entries are near 1 (Ruiz 2001), so that pivots do not depend on the units of pressure and flow."""
    scaled = np.abs(values)
    for _ in range(EQUILIBRATION_PASSES):
        by_row, by_column = np.zeros(size), np.zeros(size)
        for z in range(len(row)):
            by_row[row[z]] = max(by_row[row[z]], scaled[z])
            by_column[column[z]] = max(by_column[column[z]], scaled[z])
        for z in range(len(row)):
            if scaled[z] > 0:
                scaled[z] /= np.sqrt(by_row[row[z]] * by_column[column[z]])
    return np.where(values < 0, -scaled, scaled)


@njit(cache=True)
def _by_row(size, row, column, slot):
    """(start, column, slot) sorted by row, in the given order within each row."""
    start = np.zeros(size + 1, np.int64)
    for r in row:
        start[r + 1] += 1
    start = np.cumsum(start)
    following = start[:-1].copy()
    columns, slots = np.empty(len(row), np.int64), np.empty(len(row), np.int64)
    for z in range(len(row)):
        columns[following[row[z]]], slots[following[row[z]]] = column[z], slot[z]
        following[row[z]] += 1
    return start, columns, slots


@njit(cache=True)
def _eliminate(size, row, column, values):
    """(pivot rows, pivot columns, L as (rows, steps), U as (steps, columns), singular): Gauss on chained entries, pivots by `_best_pivot`."""
    chains = _chained(size, row, column, values)
    in_row, in_column, row_of, column_of, value, after, below, row_count, column_count = chains
    open_row, place = np.ones(size, np.bool_), np.full(size, -1)
    pivots, columns = np.zeros(size, np.int64), np.zeros(size, np.int64)
    lower, upper = [(0, 0)], [(0, 0)]
    singular = False
    for k in range(size):
        z = _best_pivot(open_row, in_row, after, column_of, value, row_count, column_count)
        if z < 0:
            singular = True
            break
        r, c = row_of[z], column_of[z]
        pivots[k], columns[k], open_row[r] = r, c, False
        e = in_row[r]
        while e >= 0:
            column_count[column_of[e]] -= 1
            if e != z:
                upper.append((k, column_of[e]))
            e = after[e]
        target = in_column[c]
        while target >= 0:
            if open_row[row_of[target]]:
                lower.append((row_of[target], k))
                _subtract(chains, place, z, target)
            target = below[target]
    return pivots, columns, _without_first(lower), _without_first(upper), singular


@njit(cache=True)
def _without_first(pairs):
    """(2, N - 1) array of a list of pairs whose first only gave the type."""
    result = np.empty((2, len(pairs) - 1), np.int64)
    for k in range(1, len(pairs)):
        result[0, k - 1], result[1, k - 1] = pairs[k]
    return result


@njit(cache=True)
def _subtract(chains, place, pivot, target):
    """Row of `target` minus a multiple of the pivot's row, so that `target` vanishes. place: (n,) scratch, entry of the row per column."""
    in_row, in_column, row_of, column_of, value, after, below, row_count, column_count = chains
    i, ratio = row_of[target], value[target] / value[pivot]
    _unlink(in_row, after, i, target)
    row_count[i] -= 1
    e = in_row[i]
    while e >= 0:
        place[column_of[e]] = e
        e = after[e]
    e = in_row[row_of[pivot]]
    while e >= 0:
        j = column_of[e]
        if e != pivot and place[j] >= 0:
            value[place[j]] -= ratio * value[e]
        elif e != pivot:
            row_of.append(i)
            column_of.append(j)
            value.append(-ratio * value[e])
            after.append(in_row[i])
            below.append(in_column[j])
            in_row[i] = in_column[j] = len(value) - 1
            row_count[i] += 1
            column_count[j] += 1
        e = after[e]
    e = in_row[i]
    while e >= 0:
        place[column_of[e]] = -1
        e = after[e]


@njit(cache=True)
def _chained(size, row, column, values):
    """Entries chained along each row (in_row, after) and each column (in_column, below), and how many each holds."""
    in_row, in_column = np.full(size, -1), np.full(size, -1)
    row_count, column_count = np.zeros(size, np.int64), np.zeros(size, np.int64)
    entries = range(len(row))
    row_of, column_of, value = [row[z] for z in entries], [column[z] for z in entries], [values[z] for z in entries]
    after, below = [-1 for _ in entries], [-1 for _ in entries]
    for z in entries:
        after[z], below[z] = in_row[row[z]], in_column[column[z]]
        in_row[row[z]] = in_column[column[z]] = z
        row_count[row[z]] += 1
        column_count[column[z]] += 1
    return in_row, in_column, row_of, column_of, value, after, below, row_count, column_count


@njit(cache=True)
def _unlink(in_row, after, row, entry):
    e = in_row[row]
    if e == entry:
        in_row[row] = after[entry]
        return
    while after[e] != entry:
        e = after[e]
    after[e] = after[entry]


@njit(cache=True)
def _best_pivot(open_row, in_row, after, entry_column, value, row_count, column_count):
    """Entry of least (entries in its row - 1) (entries in its column - 1) among the shortest rows, if large enough in its row; -1 if there is none."""
    size = len(open_row)
    shortest = size + 1
    for i in range(size):
        if open_row[i] and row_count[i] < shortest:
            shortest = row_count[i]
    best, cost, searched = -1, size * size, 0
    for i in range(size):
        if not open_row[i] or row_count[i] > shortest:
            continue
        largest, e = 0.0, in_row[i]
        while e >= 0:
            largest = max(largest, abs(value[e]))
            e = after[e]
        e = in_row[i]
        while e >= 0:
            fill = (row_count[i] - 1) * (column_count[entry_column[e]] - 1)
            if largest > 0 and abs(value[e]) >= SMALLEST_PIVOT * largest and fill < cost:
                best, cost = e, fill
            e = after[e]
        searched += 1
        if cost == 0 or searched == ROWS_SEARCHED:
            break
    return best
