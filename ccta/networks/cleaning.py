"""What a heart is as a whole, imposed on the network's map: one heart, each chamber and great vessel in one piece, the rest given to the next likely place."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.model import HEART_LABELS
from ccta.tissues import PLACES, PlaceMap

ONE_PIECE = [PLACES[name] for name in HEART_LABELS if name != "heart"] + [PLACES["descending_aorta"]]
"""Arteries may come in pieces, since the network sees them in bits, and so may the fat between all the others."""
SOLID = [PLACES[name] for name in ("lv", "myocardium", "rv", "la", "ra")]
ROUNDS = 3  # a piece that is taken from one place may be a loose piece of the next


def cleaned(places: PlaceMap) -> PlaceMap:
    """The map without loose pieces: chambers and muscle are one body, and every place but fat and arteries one part of it.

    A loose piece loses the probability of its place to the others in proportion to theirs. Fat and arteries stay where they touch that body.
    """
    probability = places.probability.astype(np.float32)
    for _ in range(ROUNDS):
        label = probability.argmax(axis=0)
        solid = largest(np.isin(label, SOLID))
        changed = False
        for code in SOLID:
            changed |= _taken(probability, code, (label == code) & ~largest((label == code) & solid))
        for code in set(ONE_PIECE) - set(SOLID):
            changed |= _taken(probability, code, (label == code) & ~largest(label == code))
        if not changed:
            break
    label = probability.argmax(axis=0)
    heart = (label > 0) & (label != PLACES["descending_aorta"])
    loose = heart & ~touching(heart, largest(np.isin(label, SOLID)))
    probability[1:, loose] = 0
    probability[0, loose] = 1
    return PlaceMap(probability.astype(places.probability.dtype), places.affine)


def largest(mask: np.ndarray) -> np.ndarray:
    """The largest part of a mask whose voxels touch by their faces; an empty mask stays empty."""
    parts, count = ndimage.label(mask)
    return parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]) if count else mask


def touching(mask: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The parts of `mask` that hold some of `body`."""
    parts, _ = ndimage.label(mask)
    return mask & np.isin(parts, np.unique(parts[mask & body]))


def _taken(probability: np.ndarray, code: int, loose: np.ndarray) -> bool:
    """Gives the probability of one place in `loose` to the other places, in place; whether there was any."""
    rest = probability[:, loose]
    rest[code] = 0
    total = rest.sum(axis=0)
    rest[0, total < 1e-6] = 1
    probability[:, loose] = rest / np.maximum(rest.sum(axis=0), 1e-6)
    return bool(loose.any())
