"""Numbers, names and lists of a network file, each refused in one sentence where it is not what svZeroDSolver's format has there."""

from collections.abc import Mapping

import numpy as np

from ccta.errors import BadInput


def need(values, key, owner):
    try:
        return values[key]
    except KeyError:
        raise BadInput(f'{owner} has no "{key}"; give it one') from None


def mapping(block, key, owner):
    values = need(block, key, owner)
    if not isinstance(values, Mapping):
        raise BadInput(f'"{key}" of {owner} is not an object')
    return values


def only_known(values, keys, owner):
    unknown = [key for key in values if key not in keys and not key.startswith("_")]
    if unknown:
        raise BadInput(f"{owner} has the unknown value {unknown[0]!r}; it takes {', '.join(keys)}")
    return values


def table(rows, owners, keys):
    """(N, K) floats from N rows of K values; BadInput names the first that is not a finite number >= 0."""
    try:
        numbers = np.array(rows)
        good = numbers.dtype.kind in "if" and numbers.ndim == 2 and np.all((numbers >= 0) & (numbers < np.inf))
    except ValueError:
        good = False
    if good:
        return numbers.astype(float)
    for row, owner in zip(rows, owners, strict=True):
        for value, key in zip(row, keys, strict=True):
            number(value, f"{key} of {owner}")
    return np.array(rows, float)


def number(value, what):
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{what} is {value!r}; give a number")
    if not np.isfinite(value):
        raise BadInput(f"{what} is {value}, which is not finite; give a number")
    if value < 0:
        raise BadInput(f"{what} is negative ({value:g}); give a number >= 0")
    return float(value)


def constant(value, what):
    """A number >= 0, also given as a list of equal numbers."""
    if isinstance(value, list) and value and all(one == value[0] for one in value):
        value = value[0]
    return number(value, what)


def number_list(value, what):
    try:
        values = np.atleast_1d(np.array(value))
    except ValueError:
        values = np.array("ragged")
    if values.dtype.kind not in "if" or values.ndim != 1 or not values.size:
        raise BadInput(f"{what} is not a list of numbers")
    if not np.all(np.isfinite(values)):
        raise BadInput(f"{what} holds a number that is not finite")
    return values.astype(float)


def text(block, key, default):
    name = block.get(key, default)
    if not isinstance(name, str):
        raise BadInput(f"{key} is {name!r}; give a text")
    return name
