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
    pivot_row, pivot_column, below, beyond, singular = _eliminate(size, row, column, _equilibrated(size, row, column, values))
    rank_row, rank_column = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for k in range(size):
        rank_row[pivot_row[k]], rank_column[pivot_column[k]] = k, k
    l_start, l_index = _by_row(size, rank_row[below[0]], below[1])
    u_start, u_index = _by_row(size, beyond[0], rank_column[beyond[1]])
    first = l_start[:-1] + u_start[:-1] + np.arange(size)  # place where a row begins
    diagonal = first + np.diff(l_start)
    scatter = np.zeros(len(row), np.int32)
    if not singular:
        for z in range(len(row)):
            scatter[z] = _place((l_start, l_index, u_start, u_index), first, rank_row[row[z]], rank_column[column[z]])
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
def _place(pattern, first, i, j):
    """Place of the entry (i, j) of L and U, both in pivot order."""
    l_start, l_index, u_start, u_index = pattern
    below = l_start[i + 1] - l_start[i]
    if i == j:
        return first[i] + below
    if j < i:
        for p in range(below):
            if l_index[l_start[i] + p] == j:
                return first[i] + p
    for p in range(u_start[i + 1] - u_start[i]):
        if u_index[u_start[i] + p] == j:
            return first[i] + below + 1 + p
    return -1


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
        below = l_start[i + 1] - l_start[i]
        for p in range(below):
            place[l_index[l_start[i] + p]] = first[i] + p
        place[i] = first[i] + below
        for p in range(u_start[i + 1] - u_start[i]):
            place[u_index[u_start[i] + p]] = first[i] + below + 1 + p
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
    rows, places = np.empty(len(index), np.int32), np.empty(len(index), np.int32)
    for i in range(len(first)):
        for p in range(start[i], start[i + 1]):
            rows[p], places[p] = i, first[i] + p - start[i]
    order = np.argsort(index, kind="mergesort")
    if descending:
        order = order[::-1]
    result = np.empty((3, len(index)), np.int32)
    result[0], result[1], result[2] = rows[order], places[order], index[order]
    return result


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


@njit(cache=True)
def _eliminate(size, row, column, values):
    """(pivot rows, pivot columns, L as (rows, steps), U as (steps, columns), singular): Gauss on chained entries, pivots by `_best_pivot`."""
    chains = _chained(size, row, column, values)
    in_row, in_column, row_of, column_of, value, after, below, row_count, column_count, having = chains
    open_row, place = np.ones(size, np.bool_), np.full(size, -1)
    pivots, columns = np.zeros(size, np.int64), np.zeros(size, np.int64)
    lower, upper, at = [(0, 0)], [(0, 0)], 0
    singular = False
    for k in range(size):
        z, at = _best_pivot(open_row, chains, at)
        if z < 0:
            singular = True
            break
        r, c = row_of[z], column_of[z]
        pivots[k], columns[k], open_row[r] = r, c, False
        having[row_count[r]] -= 1
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
    in_row, in_column, row_of, column_of, value, after, below, row_count, column_count, having = chains
    i, ratio = row_of[target], value[target] / value[pivot]
    having[row_count[i]] -= 1
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
    having[row_count[i]] += 1
    e = in_row[i]
    while e >= 0:
        place[column_of[e]] = -1
        e = after[e]


@njit(cache=True)
def _chained(size, row, column, values):
    """Entries chained along each row (in_row, after) and each column (in_column, below), how many each holds, how many rows hold so many."""
    in_row, in_column = np.full(size, -1), np.full(size, -1)
    row_count, column_count, having = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size + 1, np.int64)
    entries = range(len(row))
    row_of, column_of, value = [np.int64(row[z]) for z in entries], [np.int64(column[z]) for z in entries], [values[z] for z in entries]
    after, below = [-1 for _ in entries], [-1 for _ in entries]
    for z in entries:
        after[z], below[z] = in_row[row[z]], in_column[column[z]]
        in_row[row[z]] = in_column[column[z]] = z
        row_count[row[z]] += 1
        column_count[column[z]] += 1
    for count in row_count:
        having[count] += 1
    return in_row, in_column, row_of, column_of, value, after, below, row_count, column_count, having


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
def _best_pivot(open_row, chains, at):
    """(entry, row to go on from) of least (entries in its row - 1) (entries in its column - 1) among the shortest rows, if large enough in its row.

    Entry -1 if there is none. The search goes round from row `at` and looks at ROWS_SEARCHED rows at most.
    """
    in_row, _, _, column_of, value, after, _, row_count, column_count, having = chains
    size, shortest = len(open_row), 0
    while having[shortest] == 0:
        shortest += 1
    best, cost, searched, i = -1, size * size, 0, at
    for _ in range(size):
        i = i + 1 if i + 1 < size else 0
        if not open_row[i] or row_count[i] > shortest:
            continue
        largest, e = 0.0, in_row[i]
        while e >= 0:
            largest = max(largest, abs(value[e]))
            e = after[e]
        e = in_row[i]
        while e >= 0:
            fill = (row_count[i] - 1) * (column_count[column_of[e]] - 1)
            if largest > 0 and abs(value[e]) >= SMALLEST_PIVOT * largest and fill < cost:
                best, cost = e, fill
            e = after[e]
        searched += 1
        if cost == 0 or searched == ROWS_SEARCHED:
            break
    return best, i
