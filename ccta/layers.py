"""Images read from disk a few layers at a time."""

from __future__ import annotations

import numpy as np
from nibabel.arrayproxy import ArrayProxy

LAYERS = 8


def by_layers(pixels: ArrayProxy) -> np.ndarray:
    """What np.asanyarray gives, which while it reads a compressed file holds it twice."""
    if len(pixels.shape) != 3 or 0 in pixels.shape:
        return np.asanyarray(pixels)
    array = np.empty(pixels.shape, pixels[..., :1].dtype, order="F")
    for k in range(0, pixels.shape[2], LAYERS):
        array[..., k : k + LAYERS] = pixels[..., k : k + LAYERS]
    return array
