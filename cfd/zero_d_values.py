"""Numbers, names and lists of a network file, each refused in one sentence where it is not what svZeroDSolver's format has there."""

import math
from collections.abc import Mapping

import numpy as np

from ccta.errors import BadInput


def need(values: Mapping, key: str, owner: str):
    """values[key]; BadInput where it is missing."""
    try:
        return values[key]
    except KeyError:
        raise BadInput(f'{owner} has no "{key}"; give it one') from None


def mapping(block: Mapping, key: str, owner: str) -> Mapping:
    """An object inside a block."""
    values = need(block, key, owner)
    if not isinstance(values, dict):
        raise BadInput(f'"{key}" of {owner} is not an object')
    return values


def known_only(values: Mapping, keys: frozenset, owner: str) -> Mapping:
    """The values, if no key is foreign; keys that begin with _ are remarks."""
    if not values.keys() <= keys:
        unknown = [key for key in values if key not in keys and not key.startswith("_")]
        if unknown:
            raise BadInput(f"{owner} has the unknown value {unknown[0]!r}; it takes {', '.join(sorted(keys))}")
    return values


def table(rows: list, owners: list[str], keys: tuple[str, ...]) -> np.ndarray:
    """(N, K) from N rows of K values, each a finite number >= 0, or a list of such that are equal; BadInput names the first that is not."""
    try:
        numbers = np.array(rows)
        good = numbers.dtype.kind in "if" and numbers.shape == (len(owners), len(keys)) and bool(np.all((numbers >= 0) & (numbers < np.inf)))
    except ValueError:
        good = False
    if good:
        return numbers.astype(float)
    return np.array([[_constant(value, f"{key} of {owner}") for value, key in zip(row, keys, strict=True)] for row, owner in zip(rows, owners, strict=True)])


def number(value, what: str) -> float:
    """A finite number >= 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{what} is {value!r}; give a number")
    if not math.isfinite(value):
        raise BadInput(f"{what} is {value}, which is not finite; give a number")
    if value < 0:
        raise BadInput(f"{what} is negative ({value:g}); give a number >= 0")
    return float(value)


def _constant(value, what):
    if isinstance(value, list) and value and all(one == value[0] for one in value):
        value = value[0]
    return number(value, what)


def number_list(value, what: str) -> np.ndarray:
    """(N,) finite numbers, N >= 1; one number counts as a list of one."""
    try:
        values = np.atleast_1d(np.array(value))
    except ValueError:
        values = np.array("ragged")
    if values.dtype.kind not in "if" or values.ndim != 1 or not values.size:
        raise BadInput(f"{what} is not a list of numbers")
    if not np.all(np.isfinite(values)):
        raise BadInput(f"{what} holds a number that is not finite")
    return values.astype(float)


def text(block: Mapping, key: str, default: str, number: int) -> str:
    """A name; without one, the default with the number in its place."""
    name = block.get(key)
    if type(name) is str:
        return name
    if name is not None:
        raise BadInput(f"{key} is {name!r}; give a text")
    return default.format(number)


def objects(document: Mapping, key: str) -> list:
    """A list of objects, empty where it is absent."""
    found = document.get(key) or []
    if not isinstance(found, list) or not {*map(type, found)} <= {dict}:
        raise BadInput(f'"{key}" is not a list of objects, as svZeroDSolver\'s format has it')
    return found
