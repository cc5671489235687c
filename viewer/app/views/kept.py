"""What is made of a study, or of an image, once and used for every picture: forgotten with it."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

_KEPT: WeakKeyDictionary = WeakKeyDictionary()


def kept(owner, key, make: Callable):
    """`make()`, or what it gave for the same owner and key before."""
    own = _KEPT.setdefault(owner, {})
    if key not in own:
        own[key] = make()
    return own[key]
