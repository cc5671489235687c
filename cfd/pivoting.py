"""Which entries of a sparse matrix to eliminate by, in which order: few new entries (Markowitz 1957), none too small beside the others of its row."""

import numpy as np
from numba import njit

SMALLEST_PIVOT = 0.05  # of the largest entry of its row, both in the equilibrated matrix
EQUILIBRATION_PASSES = 3
ROWS_SEARCHED = 4
TINY = 1e-300


@njit(cache=True)
def choose_pivots(size, row, column, values):
    """(pivot rows, pivot columns, L as (rows, steps), U as (steps, columns), singular) of the matrix with `values` at (row, column), each place once.

    Gauss's elimination on chained entries. Singular: no pivot was left for some row.
    """
    chains = _chained(size, row, column, _equilibrated(size, row, column, values))
    in_row, in_column, row_of, column_of, _, after, below, row_count, column_count, having = chains
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


@njit(inline="always")
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


@njit(inline="always")
def _unlink(in_row, after, row, entry):
    e = in_row[row]
    if e == entry:
        in_row[row] = after[entry]
        return
    while after[e] != entry:
        e = after[e]
    after[e] = after[entry]


@njit(inline="always")
def _best_pivot(open_row, chains, at):
    """(entry, row to go on from) of least (entries in its row - 1) (entries in its column - 1) among the shortest rows, if large enough in its row.

    Entry -1 if there is none. The search goes round from row `at` and looks at ROWS_SEARCHED rows at most.
    """
    in_row, _, _, column_of, value, after, _, row_count, column_count, having = chains
    size, shortest = len(open_row), 0
    while having[shortest] == 0:
        shortest += 1
    best, cost, searched, most, i = -1, size * size, 0, min(ROWS_SEARCHED, having[shortest]), at
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
        if cost == 0 or searched == most:
            break
    return best, i


@njit(cache=True)
def _equilibrated(size, row, column, values):
    """Rows and columns scaled until their largest entries are near 1 (Ruiz 2001), so that pivots do not depend on the units of pressure and flow."""
    scaled = np.abs(values)
    for _ in range(EQUILIBRATION_PASSES):
        by_row, by_column = np.full(size, TINY), np.full(size, TINY)
        for z in range(len(row)):
            by_row[row[z]] = max(by_row[row[z]], scaled[z])
            by_column[column[z]] = max(by_column[column[z]], scaled[z])
        by_row, by_column = 1.0 / np.sqrt(by_row), 1.0 / np.sqrt(by_column)
        for z in range(len(row)):
            scaled[z] *= by_row[row[z]] * by_column[column[z]]
    return np.where(values < 0, -scaled, scaled)
